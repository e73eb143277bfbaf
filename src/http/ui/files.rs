//! The files of the console as `build.rs` found them. Must not know how they are asked for.

/// A file, as it is and coded where that is smaller.
pub(super) struct File {
    /// Below the console's place.
    pub(super) path: &'static str,
    pub(super) plain: &'static [u8],
    pub(super) br: Option<&'static [u8]>,
    pub(super) gzip: Option<&'static [u8]>,
}

/// All of them; none where the program was built without the console.
pub(super) static CONSOLE: &[File] = include!(concat!(env!("OUT_DIR"), "/console.rs"));
