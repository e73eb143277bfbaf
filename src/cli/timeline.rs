//! Owns the picture of calls on a time axis: one bar each, waiting and answering in two colours, on a dark ground. Makes
//! text; must not know what a call is or write files.

use std::fmt::Write;
use std::time::Duration;

/// One bar.
pub(super) struct Bar {
    /// Who asked, at its left.
    pub(super) label: String,
    /// How it ended, at its right.
    pub(super) note: String,
    /// Its beginning.
    pub(super) began: Duration,
    /// Of its length, what was waiting: drawn first.
    pub(super) waited: Duration,
    /// Its length.
    pub(super) took: Duration,
}

/// Pixels.
const WIDTH: f64 = 960.0;
const LABELS: f64 = 220.0;
/// Room for the note and the time right of the longest bar.
const NOTES: f64 = 150.0;
const TOP: f64 = 78.0;
const ROW: f64 = 28.0;
/// A bar of no length is still seen.
const THINNEST: f64 = 2.0;
const LABEL_CHARS: usize = 26;

/// Light on dark: contrast above 4.5 to 1 each, told apart without colour vision by lightness.
const GROUND: &str = "#11151c";
const INK: &str = "#d7dde8";
const FAINT: &str = "#8b95a7";
const LINE: &str = "#2a3240";
const WAITING: &str = "#c98a2b";
const ANSWERING: &str = "#6cc5e0";

/// The picture as SVG.
pub(super) fn picture(title: &str, bars: &[Bar]) -> String {
    let first = bars.iter().map(|bar| bar.began).min().unwrap_or_default();
    let last = bars.iter().map(|bar| bar.began + bar.took).max().unwrap_or_default();
    let span_ms = ((last - first).as_secs_f64() * 1e3).max(0.001);
    let scale = (WIDTH - LABELS - NOTES) / span_ms;
    let height = TOP + ROW * bars.len() as f64 + 24.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"12\" role=\"img\">\n\
         <title>{0}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"{GROUND}\"/>\n\
         <text x=\"16\" y=\"26\" fill=\"{INK}\" font-size=\"14\">{0}</text>\n",
        escaped(title)
    );
    legend(&mut out);
    axis(&mut out, span_ms, scale, height);
    for (at, bar) in bars.iter().enumerate() {
        row(&mut out, bar, TOP + ROW * at as f64, (bar.began - first).as_secs_f64() * 1e3, scale);
    }
    out.push_str("</svg>\n");
    out
}

fn legend(out: &mut String) {
    for (x, colour, word) in [(16.0, WAITING, "waiting"), (106.0, ANSWERING, "answering")] {
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"38\" width=\"12\" height=\"12\" rx=\"2\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"48\" fill=\"{FAINT}\">{word}</text>",
            x + 18.0
        );
    }
}

fn axis(out: &mut String, span_ms: f64, scale: f64, height: f64) {
    let step = tick_ms(span_ms);
    let mut at = 0.0;
    while at <= span_ms {
        let x = LABELS + at * scale;
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{}\" stroke=\"{LINE}\"/>\
             <text x=\"{x:.1}\" y=\"{}\" fill=\"{FAINT}\" text-anchor=\"middle\">{}</text>",
            TOP - 6.0,
            height - 16.0,
            TOP - 12.0,
            time(at)
        );
        at += step;
    }
}

fn row(out: &mut String, bar: &Bar, top: f64, at_ms: f64, scale: f64) {
    let (waited, took) = (bar.waited.as_secs_f64() * 1e3, bar.took.as_secs_f64() * 1e3);
    let start = LABELS + at_ms * scale;
    let waiting = waited.min(took) * scale;
    let answering = ((took - waited).max(0.0) * scale).max(if waiting < THINNEST { THINNEST } else { 0.0 });
    let label: String = bar.label.chars().take(LABEL_CHARS).collect();
    let _ = writeln!(
        out,
        "<text x=\"16\" y=\"{0:.1}\" fill=\"{INK}\">{1}</text>\
         <rect x=\"{start:.1}\" y=\"{top:.1}\" width=\"{waiting:.2}\" height=\"16\" fill=\"{WAITING}\"/>\
         <rect x=\"{2:.1}\" y=\"{top:.1}\" width=\"{answering:.2}\" height=\"16\" fill=\"{ANSWERING}\"/>\
         <text x=\"{3:.1}\" y=\"{0:.1}\" fill=\"{FAINT}\">{4} {5}</text>",
        top + 12.5,
        escaped(&label),
        start + waiting,
        start + waiting + answering + 8.0,
        escaped(&bar.note),
        time(took)
    );
}

/// The distance of ticks: 1, 2 or 5 times a power of ten, four to ten of them.
fn tick_ms(span_ms: f64) -> f64 {
    let power = 10_f64.powf((span_ms / 4.0).log10().floor());
    let fits = [5.0, 2.0].into_iter().find(|step| step * power * 4.0 <= span_ms);
    fits.unwrap_or(1.0) * power
}

fn time(ms: f64) -> String {
    match ms {
        ms if ms >= 1_000.0 => format!("{} s", short(ms / 1e3)),
        ms if ms >= 1.0 || ms == 0.0 => format!("{} ms", short(ms)),
        ms => format!("{} us", short(ms * 1e3)),
    }
}

/// Three digits at most behind the point, no trailing zeros.
fn short(number: f64) -> String {
    let text = if number >= 10.0 { format!("{number:.1}") } else { format!("{number:.2}") };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Text as it may stand in XML; control characters may not.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, began_ms: u64, waited_ms: u64, took_ms: u64) -> Bar {
        let ms = Duration::from_millis;
        Bar {
            label: label.into(),
            note: "miss".into(),
            began: ms(began_ms),
            waited: ms(waited_ms),
            took: ms(took_ms),
        }
    }

    /// The names of open elements, or what is wrong: enough of XML for what is written here.
    fn well_formed(xml: &str) -> Result<(), String> {
        let mut open = Vec::new();
        let mut rest = xml;
        while let Some(at) = rest.find('<') {
            if rest[..at].contains('>') || rest[..at].matches('&').count() != rest[..at].matches(';').count()
            {
                return Err(format!("stray text {:?}", &rest[..at]));
            }
            let end = rest.find('>').ok_or("an element that does not end")?;
            let tag = &rest[at + 1..end];
            if tag.matches('"').count() % 2 == 1 || tag.contains('<') {
                return Err(format!("a quote is missing in {tag:?}"));
            }
            match (tag.strip_prefix('/'), tag.strip_suffix('/')) {
                (Some(name), _) if open.pop() != Some(name) => return Err(format!("{name} closes another")),
                (None, None) => open.push(tag.split(' ').next().unwrap_or_default()),
                _ => {}
            }
            rest = &rest[end + 1..];
        }
        if open.is_empty() { Ok(()) } else { Err(format!("still open: {open:?}")) }
    }

    #[test]
    fn a_picture_is_well_formed_whatever_the_names_are() {
        let bars = [bar("a <b> & \"c\"\u{7}", 0, 3, 10), bar("d", 4, 0, 0)];
        for picture in [picture("x & <y>", &bars), picture("nothing", &[])] {
            assert_eq!(well_formed(&picture), Ok(()), "{picture}");
        }
        assert!(well_formed("<a><b></a>").is_err() && well_formed("<a x=\"1></a>").is_err());
    }

    #[test]
    fn waiting_and_answering_are_as_long_as_they_took() {
        let picture = picture("t", &[bar("a", 0, 25, 100)]);
        let room = WIDTH - LABELS - NOTES;
        for (colour, width) in [(WAITING, room * 0.25), (ANSWERING, room * 0.75)] {
            let wanted = format!("width=\"{width:.2}\" height=\"16\" fill=\"{colour}\"");
            assert!(picture.contains(&wanted), "{wanted} in {picture}");
        }
    }

    #[test]
    fn ticks_are_round_and_neither_few_nor_many() {
        for span in [0.004, 0.5, 1.0, 3.9, 7.0, 10.0, 99.0, 12_345.0] {
            let count = span / tick_ms(span);
            assert!((4.0..=10.1).contains(&count), "{span}: {count}");
        }
        assert_eq!([time(0.0), time(0.25), time(12.5), time(2_000.0)], ["0 ms", "250 us", "12.5 ms", "2 s"]);
    }
}
