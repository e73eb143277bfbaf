//! A world for tests: an engine of one's own, time that stands still, providers that follow a script, and
//! faults planned for named sites.
//!
//! Only with the `testkit` feature; must never be reachable from a shipped binary. Start with [`World`].

mod ask;
mod books;
mod clock;
mod embed;
mod faults;
mod plan;
mod play;
mod quiet;
mod script;
mod shelf;
mod system;
mod text;
mod world;

pub use ask::Ask;
pub use books::Books;
pub use clock::{ManualClock, SimClock};
pub use embed::are_vectors_of;
pub use faults::{Fault, FaultPlan};
pub use plan::WorldPlan;
pub use play::Play;
pub use script::{Asked, Script};
pub use shelf::Shelf;
pub use system::SimSystem;
pub use text::Heard;
pub use world::World;
