//! Owns the `[performance]` settings of an application: `namel3ss.toml`, the `N3_*` variables and the flags of `n3 run`,
//! with the refusals their users know. Must not know the gateway's own settings; the two pairs of lanes are apart.

use toml::de::DeValue;

use super::faults::{Faults, KeyPath, Source};
use super::layers::FileLayer;
use super::near;
use super::reader::Walk;
use super::telemetry::endpoint_fault;

/// File beside an application that holds its settings.
pub const APP_FILE: &str = "namel3ss.toml";

/// Upper bound of the two counts: far above what any machine holds, low enough to never overflow.
const MOST: i128 = 4_294_967_295;

const KEYS: [&str; 5] =
    ["async_runtime", "max_concurrency", "cache_size", "enable_batching", "metrics_endpoint"];

/// What one application asked for. The defaults leave every feature off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Performance {
    /// Whether AI calls go through lanes.
    pub async_runtime: bool,
    /// Slots of the application's pair of lanes.
    pub max_concurrency: usize,
    /// Answers kept; 0 keeps none.
    pub cache_size: usize,
    /// Whether embeddings go in groups.
    pub enable_batching: bool,
    /// Path of the JSON metrics, when one of the three sources names it.
    pub metrics_endpoint: Option<String>,
    /// Whether a flag was used: that demands the capability even when it repeats a default.
    pub by_flag: bool,
}

impl Default for Performance {
    fn default() -> Self {
        Self {
            async_runtime: false,
            max_concurrency: 8,
            cache_size: 128,
            enable_batching: false,
            metrics_endpoint: None,
            by_flag: false,
        }
    }
}

impl Performance {
    /// Whether any feature is on, which needs the capability `performance`.
    #[must_use]
    pub fn enabled(&self) -> bool {
        let off = Self::default();
        self.async_runtime
            || self.enable_batching
            || self.max_concurrency != off.max_concurrency
            || self.cache_size != off.cache_size
    }
}

/// The four flags as typed: `None` when absent, `Some(None)` when its value is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PerformanceFlags {
    /// `--async-runtime`
    pub async_runtime: Option<Option<String>>,
    /// `--max-concurrency`
    pub max_concurrency: Option<Option<String>>,
    /// `--cache-size`
    pub cache_size: Option<Option<String>>,
    /// `--enable-batching`
    pub enable_batching: Option<Option<String>>,
}

/// Reads the settings and records each with its source.
pub(super) fn read(
    walk: &mut Walk<'_>,
    file: Option<&FileLayer<'_>>,
    flags: &PerformanceFlags,
) -> Performance {
    let mut sources = Sources { walk, file };
    sources.refuse_unknown_keys();
    let off = Performance::default();
    Performance {
        async_runtime: sources.value("async_runtime", &flags.async_runtime, off.async_runtime),
        max_concurrency: sources
            .value("max_concurrency", &flags.max_concurrency, AtLeast::<1>(off.max_concurrency))
            .0,
        cache_size: sources.value("cache_size", &flags.cache_size, AtLeast::<0>(off.cache_size)).0,
        enable_batching: sources.value("enable_batching", &flags.enable_batching, off.enable_batching),
        metrics_endpoint: sources.value("metrics_endpoint", &None, off.metrics_endpoint),
        by_flag: *flags != PerformanceFlags::default(),
    }
}

/// The file beside an application, or nothing and a fault.
pub(super) fn app_file<'t>(text: &'t str, faults: &mut Faults) -> Option<FileLayer<'t>> {
    match FileLayer::parse(APP_FILE, text) {
        Ok(layer) => Some(layer),
        Err(errors) => {
            let first = errors.into_iter().next().map(|(source, _)| source);
            faults.add_plain(first, format!("{APP_FILE} is not valid TOML."));
            None
        }
    }
}

/// Where a text came from decides how its refusal is worded.
#[derive(Clone, Copy)]
enum From {
    Env,
    Flag,
}

/// A setting with its three spellings. `Err` is what follows the setting's name in the refusal.
trait Setting: Sized {
    fn of_toml(value: &DeValue<'_>) -> Result<Self, String>;
    /// `Ok(None)`: the same as not given.
    fn of_text(text: &str, from: From) -> Result<Option<Self>, String>;
    fn show(&self) -> serde_json::Value;
}

impl Setting for bool {
    fn of_toml(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| "must be true or false".to_owned())
    }

    fn of_text(text: &str, _: From) -> Result<Option<Self>, String> {
        match text.trim().to_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(Some(true)),
            "0" | "false" | "no" | "off" => Ok(Some(false)),
            _ => Err("must be true or false".to_owned()),
        }
    }

    fn show(&self) -> serde_json::Value {
        (*self).into()
    }
}

/// A count of at least `LEAST`.
struct AtLeast<const LEAST: u8>(usize);

impl<const LEAST: u8> AtLeast<LEAST> {
    fn checked(number: i128) -> Result<Self, String> {
        if number < i128::from(LEAST) {
            return Err(format!("must be >= {LEAST}"));
        }
        let fits = usize::try_from(number).ok().filter(|_| number <= MOST);
        fits.map(Self).ok_or_else(|| format!("must be <= {MOST}"))
    }
}

impl<const LEAST: u8> Setting for AtLeast<LEAST> {
    fn of_toml(value: &DeValue<'_>) -> Result<Self, String> {
        integer_of(value).ok_or_else(|| "must be an integer".to_owned()).and_then(Self::checked)
    }

    fn of_text(text: &str, from: From) -> Result<Option<Self>, String> {
        if text.trim().is_empty() && matches!(from, From::Env) {
            return Ok(None);
        }
        let stop = if matches!(from, From::Flag) { "." } else { "" };
        let number = integer_of_text(text).ok_or_else(|| format!("must be an integer{stop}"))?;
        Self::checked(number).map(Some)
    }

    fn show(&self) -> serde_json::Value {
        self.0.into()
    }
}

impl Setting for Option<String> {
    fn of_toml(value: &DeValue<'_>) -> Result<Self, String> {
        let text = value.as_str().ok_or_else(|| "must be text".to_owned())?;
        endpoint_fault(text).map_or_else(|| Ok(Some(text.to_owned())), Err)
    }

    fn of_text(text: &str, _: From) -> Result<Option<Self>, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        endpoint_fault(text).map_or_else(|| Ok(Some(Some(text.to_owned()))), Err)
    }

    fn show(&self) -> serde_json::Value {
        self.as_deref().into()
    }
}

/// What `int()` of the reference takes: 8, 8.9, true, "8". Out of range of `i128` is as good as the bound.
fn integer_of(value: &DeValue<'_>) -> Option<i128> {
    match value {
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix()).ok(),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "int() truncates; the cast saturates and is range-checked"
        )]
        DeValue::Float(number) => {
            number.as_str().parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| n as i128)
        }
        DeValue::Boolean(flag) => Some(i128::from(*flag)),
        DeValue::String(text) => integer_of_text(text),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// Digits with an optional sign, single underscores between them, blanks around.
fn integer_of_text(text: &str) -> Option<i128> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let groups_whole =
        digits.split('_').all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit()));
    if !groups_whole {
        return None;
    }
    text.replace('_', "").parse().ok()
}

struct Sources<'s, 'l> {
    walk: &'s mut Walk<'l>,
    file: Option<&'s FileLayer<'s>>,
}

impl Sources<'_, '_> {
    fn value<T: Setting>(&mut self, key: &'static str, flag: &Option<Option<String>>, default: T) -> T {
        let path = KeyPath::root().key("performance").key(key);
        let (value, source) = self.find(key, flag).unwrap_or((default, Source::Default));
        self.walk.record(&path, value.show(), source);
        value
    }

    /// Every layer is checked, the strongest valid one answers.
    fn find<T: Setting>(&mut self, key: &'static str, flag: &Option<Option<String>>) -> Option<(T, Source)> {
        let by_file = self.of_file(key);
        let by_env = self.of_env(key);
        let by_flag = flag.as_ref().and_then(|text| self.of_flag(key, text.as_deref()));
        by_flag.or(by_env).or(by_file)
    }

    fn of_flag<T: Setting>(&mut self, key: &str, text: Option<&str>) -> Option<(T, Source)> {
        let name = format!("--{}", key.replace('_', "-"));
        let Some(text) = text else {
            self.walk.faults.add_plain(None, format!("{name} flag is missing a value."));
            return None;
        };
        let read = T::of_text(text, From::Flag);
        self.take(&name, read).map(|value| (value, Source::Flag(name)))
    }

    fn of_env<T: Setting>(&mut self, key: &str) -> Option<(T, Source)> {
        let name = match key {
            "metrics_endpoint" => "N3_PERFORMANCE_METRICS_ENDPOINT".to_owned(),
            other => format!("N3_{}", other.to_uppercase()),
        };
        let read = T::of_text(self.walk.layers.env.get(&name)?, From::Env);
        self.take(&name, read).map(|value| (value, Source::Env(name)))
    }

    fn take<T>(&mut self, name: &str, read: Result<Option<T>, String>) -> Option<T> {
        read.unwrap_or_else(|refusal| {
            self.walk.faults.add_plain(None, format!("{name} {refusal}"));
            None
        })
    }

    fn of_file<T: Setting>(&mut self, key: &str) -> Option<(T, Source)> {
        let file = self.file?;
        let value = file.table.get("performance")?.get_ref().as_table()?.get(key)?;
        let source = file.source(&value.span());
        match T::of_toml(value.get_ref()) {
            Ok(value) => Some((value, source)),
            Err(refusal) => {
                self.walk.faults.add_plain(Some(source), format!("performance.{key} {refusal}"));
                None
            }
        }
    }

    /// The reference ignores a misspelt key; here it is an error, because ignoring it leaves a feature off unseen.
    fn refuse_unknown_keys(&mut self) {
        let Some(file) = self.file else { return };
        let Some((name, section)) = file.table.get_key_value("performance") else {
            return;
        };
        let Some(table) = section.get_ref().as_table() else {
            let source = file.source(&name.span());
            self.walk.faults.add_plain(Some(source), "performance must be a table");
            return;
        };
        for key in table.keys().filter(|key| !KEYS.contains(&key.get_ref().as_ref())) {
            let hint = near::hint(key.get_ref(), KEYS);
            let text = format!("performance.{} is not a setting{hint}", key.get_ref());
            self.walk.faults.add_plain(Some(file.source(&key.span())), text);
        }
    }
}

/// The switch of the reference's counters, read as a boolean; nothing when it is not set or empty.
pub(super) fn observability(walk: &mut Walk<'_>) -> Option<bool> {
    let text = walk.layers.env("N3_OBSERVABILITY")?;
    match bool::of_text(text, From::Env) {
        Ok(on) => on,
        Err(refusal) => {
            walk.faults.add_plain(None, format!("N3_OBSERVABILITY {refusal}"));
            None
        }
    }
}
