//! Owns the composition: the only file that names concrete adapters. Must not hold any decision of its own.

use crate::cli::ServeError;
use crate::config::Loaded;

/// Runs a server with `loaded` until it is told to stop.
///
/// # Errors
/// Always, for now: the doors are not connected yet.
pub fn serve(loaded: Loaded) -> Result<(), ServeError> {
    let Loaded { config, .. } = loaded;
    let address = format!("{}:{}", config.listen.host, config.listen.port);
    Err(format!("cannot serve on {address}: this build has no doors yet; `tidegate config` works").into())
}
