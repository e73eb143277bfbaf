//! The one integration binary: each module is a subject, and all share one link.
//!
//! Must not hold tests or helpers itself.

mod dependencies;
mod layers;
mod sources;
