//! Owns the progress bar of commands that take long: on standard error, on a terminal only, and only after a second. Must
//! not know what is counted.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tidegate_actors::ports::clock::{Clock, SystemClock};

/// Patience before a bar is shown.
const PATIENCE: Duration = Duration::from_secs(1);
/// Redraws of it, per second.
const REDRAWS: u8 = 10;

/// How far a command is.
pub(super) struct Progress {
    clock: SystemClock,
    bar: ProgressBar,
    shown: bool,
}

impl Progress {
    /// Nothing of `all` is done yet; `of` names what is counted.
    pub(super) fn new(of: &'static str, all: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(all as u64), ProgressDrawTarget::hidden());
        // The form is written here and right; if it were not, the usual one would do.
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} {msg}, {eta} left");
        let bar = match style {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        };
        Self { clock: SystemClock::new(), bar: bar.with_message(of), shown: false }
    }

    /// So many are done.
    pub(super) fn at(&mut self, done: usize) {
        if !self.shown && self.clock.now().since(Default::default()) >= PATIENCE {
            self.shown = true;
            // Draws nothing where standard error is no terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS));
        }
        self.bar.set_position(done as u64);
    }

    /// It is over; what was drawn goes away.
    pub(super) fn end(self) {
        self.bar.finish_and_clear();
    }
}
