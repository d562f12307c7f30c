//! Figures as people read them.

/// Bytes in the unit that leaves one to four digits.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 100.0);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A share in percent, rounded down: 94.99 % is not 95 %.
pub(super) fn percent(ratio: f64) -> String {
    format!("{:.1} %", (ratio * 1e3).floor() / 10.0)
}

/// What a failed call of the kernel means for a file or a folder.
pub(super) fn file_error(error: &std::io::Error) -> String {
    use std::io::ErrorKind::{
        NotADirectory, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let meaning = match error.kind() {
        PermissionDenied => "the sidecar's user has no permission",
        ReadOnlyFilesystem => "the file system is read-only",
        StorageFull => "no space is left",
        QuotaExceeded => "the quota is used up",
        NotFound => "it is missing",
        NotADirectory => "it is not a folder",
        _ => return error.to_string(),
    };
    format!("{meaning} ({error})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        for (value, expect) in [
            (0, "0 bytes"),
            (1_023, "1023 bytes"),
            (1 << 20, "1.0 MiB"),
            (268_435_456, "256 MiB"),
            (47_000_000_000, "43.8 GiB"),
        ] {
            assert_eq!(bytes(value), expect);
        }
        assert_eq!(percent(0.949_99), "94.9 %");
        assert_eq!(percent(1.0), "100.0 %");
    }
}
