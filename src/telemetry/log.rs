//! Owns the log: one line per event on standard error, JSON for machines, text for people.
//!
//! Must not decide what is logged. Lines are handed to a thread of their own through a bounded queue: a reader of
//! standard error that stalls loses lines, which are counted, and never holds up a call.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{LogFormat, LogLevel};

/// Lines that may wait for the writing thread; one more is lost and counted.
const WAITING_LINES: usize = 8_192;

/// Keeps the writing thread alive. Dropping it writes what still waits.
#[derive(Debug)]
pub struct LogGuard {
    lost: ErrorCounter,
    _writer: WorkerGuard,
}

impl LogGuard {
    /// Lines lost so far because standard error did not take them fast enough.
    pub fn lost_lines(&self) -> usize {
        self.lost.dropped_lines()
    }
}

/// Sends the events of this process to standard error from now on.
///
/// `level` holds for Tidegate's own events; libraries are heard from `warn` on, and at `level` if that is `trace`.
///
/// # Errors
/// If the process already has a subscriber; the log is set up once, first thing in `main`.
pub fn init(level: LogLevel, format: LogFormat) -> Result<LogGuard, TryInitError> {
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES).lossy(true).finish(io::stderr());
    let lost = writer.error_counter();
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    match is_json(format, io::stderr().is_terminal()) {
        true => json(level, writer).try_init()?,
        false => text(level, colours, writer).try_init()?,
    }
    Ok(LogGuard { lost, _writer: guard })
}

fn is_json(format: LogFormat, terminal: bool) -> bool {
    match format {
        LogFormat::Auto => !terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    }
}

fn json(
    level: LogLevel,
    to: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    Registry::default()
        .with(fmt::layer().json().flatten_event(true).with_writer(to).with_filter(filter(level)))
}

fn text(
    level: LogLevel,
    colours: bool,
    to: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    Registry::default().with(fmt::layer().with_ansi(colours).with_writer(to).with_filter(filter(level)))
}

/// Tidegate at `level`, everything else only when it needs a look.
fn filter(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let others = if own == LevelFilter::TRACE { own } else { own.min(LevelFilter::WARN) };
    Targets::new().with_default(others).with_target("tidegate", own).with_target("tidegate_actors", own)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use serde_json::Value;
    use tracing::subscriber::with_default;

    use super::*;

    /// A place to write to that the test can read.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Page {
        fn lines(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().clone()).expect("a log is UTF-8");
            text.lines().map(str::to_owned).collect()
        }
    }

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(level: LogLevel, say: impl FnOnce()) -> Vec<String> {
        let page = Page::default();
        let to = page.clone();
        with_default(json(level, move || to.clone()), say);
        page.lines()
    }

    #[test]
    fn a_json_line_carries_the_fields_of_its_event_at_the_top() {
        let lines =
            written(LogLevel::Info, || tracing::info!(call_id = "call_1", status = 200, "answered\nwell"));
        assert_eq!(lines.len(), 1, "an event is one line, whatever its text: {lines:?}");
        let line: Value = serde_json::from_str(&lines[0]).expect("the line is JSON");
        assert_eq!((&line["call_id"], &line["status"]), (&"call_1".into(), &200.into()));
        assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"answered\nwell".into()));
        assert!(line["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{line}");
    }

    #[test]
    fn the_level_is_for_us_and_libraries_only_warn() {
        let ours = |level| {
            let info = written(level, || tracing::info!("ours"));
            info.len() + written(level, || tracing::debug!("ours, too fine")).len()
        };
        let theirs = |level| {
            let info = written(level, || tracing::info!(target: "hyper::client", "theirs"));
            info.len() + written(level, || tracing::warn!(target: "hyper::client", "a warning")).len()
        };
        assert_eq!((ours(LogLevel::Info), theirs(LogLevel::Info)), (1, 1));
        assert_eq!((ours(LogLevel::Error), theirs(LogLevel::Error)), (0, 0));
        assert_eq!((ours(LogLevel::Trace), theirs(LogLevel::Trace)), (2, 2));
    }

    #[test]
    fn off_is_silent() {
        assert!(written(LogLevel::Off, || tracing::error!("lost")).is_empty());
    }

    #[test]
    fn auto_is_text_for_people_and_json_for_the_rest() {
        let shown = |format| [is_json(format, true), is_json(format, false)];
        assert_eq!(shown(LogFormat::Auto), [false, true]);
        assert_eq!(shown(LogFormat::Json), [true, true]);
        assert_eq!(shown(LogFormat::Text), [false, false]);
    }
}
