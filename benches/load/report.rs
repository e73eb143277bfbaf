//! Owns what a run found: rows, gates, curves; prints them and saves them as JSON and Markdown.
//!
//! Must not measure; a figure enters here finished, with the name of who gave it.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::servers::{Outcome, cores};

/// One server under one load: medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) server: String,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    /// Microseconds of server CPU per request.
    pub(crate) cpu_us: f64,
    /// Share of one core the server kept busy; well below 1 at saturation means the generator was the limit.
    pub(crate) busy: f64,
    pub(crate) resident_mb: f64,
    pub(crate) note: String,
}

/// Which side of the target is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtLeast,
    AtMost,
}

/// A ratio that must hold.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Gate {
    pub(crate) what: String,
    pub(crate) measured: f64,
    pub(crate) bound: Bound,
    pub(crate) target: f64,
    /// The two figures behind the ratio.
    pub(crate) from: String,
}

impl Gate {
    /// Whether the measured ratio is on the good side; a ratio that is no number never is.
    pub(crate) fn holds(&self) -> bool {
        match self.bound {
            Bound::AtLeast => self.measured >= self.target,
            Bound::AtMost => self.measured <= self.target,
        }
    }
}

/// How a cost changes with one quantity.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) lines: Vec<Line>,
}

/// One server's points in a curve.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Everything a run found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Vec<String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) gates: Vec<Gate>,
    pub(crate) curves: Vec<Curve>,
    /// Checks that counted: answers against counters, statuses, answers of another question.
    pub(crate) checks: Vec<Check>,
}

/// A count that must be equal to another.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) good: bool,
}

impl Report {
    /// Notes the outcome of a count and says so at once when it is bad.
    pub(crate) fn check(&mut self, good: bool, what: String) {
        if !good {
            println!("  CHECK FAILED: {what}");
        }
        self.checks.push(Check { what, good });
    }

    /// Whether every gate holds and every count was right.
    pub(crate) fn holds(&self) -> bool {
        self.gates.iter().all(Gate::holds) && self.checks.iter().all(|check| check.good)
    }

    /// The whole report as Markdown: machine, rows, gates, curves, failed checks.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        for line in &self.machine {
            let _ = writeln!(text, "- {line}");
        }
        self.write_rows(&mut text);
        self.write_gates(&mut text);
        self.write_curves(&mut text);
        let good = self.checks.iter().filter(|check| check.good).count();
        let _ = writeln!(text, "\nCounts verified after the runs: {good} of {}.", self.checks.len());
        for check in self.checks.iter().filter(|check| !check.good) {
            let _ = writeln!(text, "- FAILED: {}", check.what);
        }
        text
    }

    fn write_rows(&self, text: &mut String) {
        let mut cells = vec![
            [
                "load",
                "server",
                "requests/s",
                "p50 ms",
                "p99 ms",
                "p99.9 ms",
                "CPU us",
                "busy",
                "RSS MB",
                "note",
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        cells.extend(self.rows.iter().map(|row| {
            vec![
                row.scenario.clone(),
                row.server.clone(),
                format!("{:.0}", row.per_second),
                format!("{:.3}", row.p50_ms),
                format!("{:.3}", row.p99_ms),
                format!("{:.3}", row.p999_ms),
                format!("{:.1}", row.cpu_us),
                format!("{:.2}", row.busy),
                format!("{:.0}", row.resident_mb),
                row.note.clone(),
            ]
        }));
        write_table(text, &cells);
    }

    fn write_gates(&self, text: &mut String) {
        if self.gates.is_empty() {
            return;
        }
        let mut cells = vec![["gate", "measured", "target", "verdict", "from"].map(str::to_owned).to_vec()];
        cells.extend(self.gates.iter().map(|gate| {
            let sign = if gate.bound == Bound::AtLeast { ">=" } else { "<=" };
            vec![
                gate.what.clone(),
                format!("{:.2}", gate.measured),
                format!("{sign} {:.2}", gate.target),
                if gate.holds() { "holds".to_owned() } else { "MISSED".to_owned() },
                gate.from.clone(),
            ]
        }));
        write_table(text, &cells);
    }

    fn write_curves(&self, text: &mut String) {
        for curve in &self.curves {
            let _ = writeln!(text, "\n{} ({}):", curve.name, curve.y);
            let mut head = vec![curve.x.clone()];
            head.extend(curve.lines.iter().map(|line| line.label.clone()));
            let mut cells = vec![head];
            let longest = curve.lines.iter().max_by_key(|line| line.points.len());
            for (x, _) in longest.map_or(&[][..], |line| &line.points) {
                let mut row = vec![format!("{x:.0}")];
                row.extend(curve.lines.iter().map(|line| {
                    let point = line.points.iter().find(|point| point.0.total_cmp(x).is_eq());
                    point.map_or_else(|| "-".to_owned(), |point| format!("{:.1}", point.1))
                }));
                cells.push(row);
            }
            write_table(text, &cells);
        }
    }

    /// Saves `NAME.json` and `NAME.md` in `folder`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn save(&self, folder: &Path, name: &str) -> Outcome<()> {
        std::fs::write(folder.join(format!("{name}.json")), serde_json::to_string_pretty(self)?)?;
        std::fs::write(folder.join(format!("{name}.md")), self.markdown())?;
        Ok(())
    }
}

/// Writes a Markdown table whose columns are aligned for the terminal as well; the first row is the head.
fn write_table(text: &mut String, cells: &[Vec<String>]) {
    let columns = cells.first().map_or(0, Vec::len);
    let width = |column: usize| cells.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    text.push('\n');
    for (index, row) in cells.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
        if index == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
}

/// What the figures were measured on, one fact a line.
pub(crate) fn machine() -> Vec<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = memory.split_ascii_whitespace().nth(1).and_then(|field| field.parse().ok()).unwrap_or(0);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let revision = std::process::Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let revision =
        revision.map_or_else(|_| String::new(), |out| String::from_utf8_lossy(&out.stdout).into_owned());
    let cpu = model.trim_matches([' ', '\t', ':']);
    vec![
        format!("machine: {} cores, {cpu}, {} GB, Linux {}", cores(), kib >> 20, kernel.trim()),
        format!("revision {}; load average when the run began {}", revision.trim(), load.trim()),
        "the server under test has one worker on core 0; the generator (one thread) is on core 1, with two \
         cores the mock upstream too: only ratios within one run count"
            .to_owned(),
    ]
}
