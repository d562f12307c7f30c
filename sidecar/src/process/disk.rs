//! Room on a file system: one figure for metric, check and page.

use std::io;
use std::path::Path;

use serde::Serialize;

/// Share of the disk below which the sequencer refuses writes, whatever its floor in bytes.
const REFUSED_BELOW_RATIO: f64 = 0.05;

/// What a file system holds, bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DiskUse {
    /// Its size, with what is reserved for root.
    pub total_bytes: u64,
    /// In use.
    pub used_bytes: u64,
    /// What an ordinary user can still write.
    pub available_bytes: u64,
    /// Used share of what an ordinary user may use: used / (used + available). On a full ext4
    /// used / total stays at 0.917, because of the reserve.
    pub used_ratio: f64,
}

impl DiskUse {
    /// The file system of a folder. May hang as long as a network disk does.
    ///
    /// # Errors
    /// When the folder cannot be reached.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let disk = rustix::fs::statvfs(folder)?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        Ok(Self::from_blocks(
            bytes(disk.f_blocks),
            bytes(disk.f_blocks.saturating_sub(disk.f_bfree)),
            bytes(disk.f_bavail),
        ))
    }

    fn from_blocks(total_bytes: u64, used_bytes: u64, available_bytes: u64) -> Self {
        let usable = used_bytes.saturating_add(available_bytes);
        let used_ratio = if usable == 0 { 0.0 } else { used_bytes as f64 / usable as f64 };
        Self { total_bytes, used_bytes, available_bytes, used_ratio }
    }

    /// True where the sequencer refuses writes: below 5 % or below its floor in bytes. A floor of 0
    /// turns that off, as it does there.
    #[must_use]
    pub fn is_refused(&self, floor_bytes: u64) -> bool {
        let few = self.available_bytes < floor_bytes;
        floor_bytes > 0 && (few || 1.0 - self.used_ratio < REFUSED_BELOW_RATIO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_of_root_is_no_room() {
        let full = DiskUse::from_blocks(1_000, 917, 0);
        assert_eq!(full.used_ratio, 1.0);
        assert_eq!(DiskUse::from_blocks(1_000, 450, 450).used_ratio, 0.5);
        assert_eq!(DiskUse::from_blocks(0, 0, 0).used_ratio, 0.0, "a file system without blocks");
    }

    #[test]
    fn writes_are_refused_below_the_larger_of_share_and_floor() {
        for (used, available, floor, expect) in [
            (0, 1_000, 256, false),
            (9_000, 255, 256, true),
            (10_000, 300, 256, true),
            (5_000, 300, 256, false),
            (10_000, 1, 0, false),
        ] {
            let disk = DiskUse::from_blocks(used + available, used, available);
            assert_eq!(disk.is_refused(floor), expect, "{used} {available} {floor}");
        }
    }
}
