//! Owns when work on a database is tried again: only work of which nothing was kept. Must not wait itself.

use std::time::Duration;

/// How often the same is tried at most.
pub(super) const TRIES: u32 = 3;

/// How long to stay away after so many tries: 2^(tries - 1) seconds and a random part of one. `random` is in 0..1.
pub(super) fn pause(tries: u32, random: f64) -> Duration {
    let whole = Duration::from_secs(1 << tries.saturating_sub(1).min(6));
    whole + Duration::from_secs_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_and_never_falls_together_with_another() {
        assert_eq!(pause(1, 0.0), Duration::from_secs(1));
        assert_eq!(pause(1, 0.5), Duration::from_millis(1_500));
        assert_eq!(pause(2, 0.0), Duration::from_secs(2));
        assert!(pause(2, 0.999) < Duration::from_secs(3));
        assert_eq!(pause(u32::MAX, 0.0), Duration::from_secs(64), "it does not grow without end");
    }
}
