//! Owns what must hold before a program with performance settings runs, and the engine those settings mean.

use tidegate_actors::engine::Placement;
use tidegate_actors::{BatchLimits, CacheLimits, Capacity, EngineConfig};

use crate::config::Performance;
use crate::lang::App;
use crate::lang::fault::{Fault, Guide};

/// Lifetime of an app's answers: they go when newer ones come, never by age.
const FOR_GOOD_MS: u64 = 100 * 365 * 86_400_000;

/// Texts of the largest group.
const MOST_IN_GROUP: usize = 64;

/// The fault of performance settings an app has no capability for. `source` says where the setting came from.
#[must_use]
pub fn capability_fault(app: &App, settings: &Performance, source: &str) -> Option<Fault> {
    let granted = app
        .tree()
        .capabilities
        .iter()
        .any(|name| matches!(&*name.text, "performance" | "performance_scalability"));
    if granted || !(settings.enabled() || settings.by_flag) {
        return None;
    }
    let guide = Guide {
        what: "Performance runtime settings are enabled without the required capability.".to_owned(),
        why: format!(
            "The app does not declare the capability `performance`, and these settings need it: {source}."
        ),
        fix: "Declare the capability, or remove the setting.".to_owned(),
        example: "capabilities:\n  performance".to_owned(),
    };
    Some(Fault::run_guided(guide, None))
}

/// The fault of an app that does not ask for the capabilities `needed`. `why` says what needs them.
#[must_use]
pub fn missing_capabilities(app: &App, needed: &[&str], why: &str) -> Option<Fault> {
    let given = |wanted: &str| app.tree().capabilities.iter().any(|name| &*name.text == wanted);
    let missing: Vec<&str> = needed.iter().copied().filter(|name| !given(name)).collect();
    if missing.is_empty() {
        return None;
    }
    let guide = Guide {
        what: format!("Missing capabilities: {}.", missing.join(", ")),
        why: why.to_owned(),
        fix: "Name them in the capabilities block.".to_owned(),
        example: format!("capabilities:\n  {}", missing.join("\n  ")),
    };
    Some(Fault::load_guided(guide, None))
}

/// The engine of one app: lanes and a cache of its own.
#[must_use]
pub fn engine_config(settings: &Performance, placement: Placement) -> EngineConfig {
    let usual = EngineConfig::default();
    EngineConfig {
        max_concurrency: if settings.async_runtime {
            settings.max_concurrency
        } else {
            usual.max_concurrency
        },
        ttl_ms: [FOR_GOOD_MS; 3],
        cache: CacheLimits {
            capacity: Capacity::Entries(settings.cache_size.max(1)),
            max_entry_bytes: usual.cache.max_entry_bytes,
        },
        batch: BatchLimits {
            mix_calls: settings.enable_batching,
            max_items: embed_group(settings),
            ..usual.batch
        },
        placement,
        ..usual
    }
}

/// Texts embedded by one request: with batching as many as may run at once, at most 64; else one.
#[must_use]
pub fn embed_group(settings: &Performance) -> usize {
    if settings.enable_batching { settings.max_concurrency.clamp(1, MOST_IN_GROUP) } else { 1 }
}
