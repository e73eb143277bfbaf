//! Who pays for what a run asks. Must not know how anything is paid or limited.

use std::any::Any;
use std::sync::Arc;

use tidegate_actors::Call;
use tidegate_actors::call::ChatWork;

/// Who a run is for, if they are known.
pub type For = Option<Arc<dyn Payer>>;

/// Whoever called an app: the asks of its runs are their calls.
pub trait Payer: Send + Sync {
    /// With which credential they are made.
    fn credential(&self) -> u64;

    /// Lets a call in under the limits there are; what is given is held until its answer has ended.
    ///
    /// # Errors
    /// Which limit has no room, and when it has.
    fn enter(&self, call: &Call<ChatWork>) -> Result<Box<dyn Any>, String>;
}
