//! The queue's promises one by one, and the property that no vector is ever misplaced.

mod placement;
mod queue;
