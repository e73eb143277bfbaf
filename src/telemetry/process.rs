//! Owns what the operating system knows about this process. Must not count anything itself.

use std::fs;
use std::io;

/// Bytes of memory that are resident now, read from `/proc/self/status`; the gauge `memory_usage_bytes`.
///
/// # Errors
/// Where the kernel has no such file (anything but Linux) or it does not name the figure.
///
/// # Cost
/// One read of a file the kernel makes up, about 20 us: for a scrape, not for a call.
pub fn resident_bytes() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    resident_of(&status)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no VmRSS in /proc/self/status"))
}

/// The kernel writes `VmRSS:     12345 kB`, and means kibibytes.
fn resident_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(resident_of("Name:\tx\nVmHWM:\t     9 kB\nVmRSS:\t    12 kB\n"), Some(12 * 1024));
        for broken in ["", "VmRSS:", "VmRSS: 12 MB", "VmRSS: x kB"] {
            assert_eq!(resident_of(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn memory_that_is_touched_shows() {
        let before = resident_bytes().expect("Linux has /proc");
        let held = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = resident_bytes().expect("Linux has /proc");
        assert!(after >= before + (32 << 20), "{before} and {after} with {} more", held.len());
    }
}
