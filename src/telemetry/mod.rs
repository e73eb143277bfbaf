//! What the process says about itself: log lines, memory, event-loop lag.
//!
//! Is told by others and asks nobody but the operating system. Must not know doors, providers or the engine's insides.

pub mod lag;
pub mod log;
pub mod process;
pub mod when;
