//! Room on the disk of the data folder.

use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use catalog::label::Check;

use super::probe::{Outcome, Probe, look_blocking};
use super::words::{bytes, file_error, percent};
use crate::blocking::Blocking;
use crate::config::Config;
use crate::process::DiskUse;

pub(super) struct Disk {
    folder: PathBuf,
    limits: Limits,
    blocking: Blocking,
}

/// From which used share on which word is said.
#[derive(Clone, Copy)]
struct Limits {
    warn: f64,
    high: f64,
    full: f64,
    floor_bytes: u64,
}

impl Disk {
    pub(super) fn new(config: &Config, folder: PathBuf) -> Self {
        let limits = Limits {
            warn: config.disk_warn_ratio,
            high: config.disk_high_ratio,
            full: config.disk_full_ratio,
            floor_bytes: config.min_free_disk_bytes,
        };
        Self { folder, limits, blocking: Blocking::default() }
    }
}

#[async_trait]
impl Probe for Disk {
    fn check(&self) -> Check {
        Check::Disk
    }

    async fn look(&self) -> Outcome {
        let (folder, limits) = (self.folder.clone(), self.limits);
        let look = move || match DiskUse::of(&folder) {
            Ok(disk) => judge(&disk, limits),
            Err(error) => missing(&folder, &error),
        };
        look_blocking(&self.blocking, look).await
    }
}

fn missing(folder: &std::path::Path, error: &io::Error) -> Outcome {
    let folder = folder.display();
    Outcome::fail(format!("{folder} (DATA_DIR) cannot be looked at: {}", file_error(error)))
        .alert("SequencerDataDirectoryNotWritable")
}

fn judge(disk: &DiskUse, limits: Limits) -> Outcome {
    let (ratio, free) = (disk.used_ratio, bytes(disk.available_bytes));
    let used = format!("{} used, {free} free", percent(ratio));
    let word = |word: &str, limit| format!("{word}: {used} (limit {})", percent(limit));
    if disk.is_refused(limits.floor_bytes) {
        let floor = bytes(limits.floor_bytes);
        let refused = format!("{used}; the sequencer refuses writes below 5 % or {floor} free");
        return Outcome::fail(refused).alert("SequencerDiskFull");
    }
    match ratio {
        ratio if ratio >= limits.full => {
            Outcome::fail(word("full", limits.full)).alert("SequencerDiskFull")
        }
        ratio if ratio >= limits.high => {
            Outcome::warn(word("almost full", limits.high)).alert("SequencerDiskAlmostFull")
        }
        ratio if ratio >= limits.warn => {
            Outcome::warn(word("filling", limits.warn)).alert("SequencerDiskFilling")
        }
        _ => Outcome::ok(used),
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::Status;
    use super::*;

    #[test]
    fn the_word_follows_the_used_share() {
        let limits = Limits { warn: 0.85, high: 0.9, full: 0.95, floor_bytes: 256 << 20 };
        let large = 100 << 30;
        for (used_ratio, available_bytes, expect, words) in [
            (0.5, large, Status::Ok, "50.0 % used, 100 GiB free"),
            (0.849_9, large, Status::Ok, "84.9 %"),
            (0.85, large, Status::Warn, "filling: 85.0 % used"),
            (0.9, large, Status::Warn, "almost full: 90.0 % used"),
            (0.95, large, Status::Fail, "full: 95.0 % used"),
            (0.951, large, Status::Fail, "refuses writes below 5 % or 256 MiB"),
            (0.5, 255 << 20, Status::Fail, "refuses writes"),
        ] {
            let disk = DiskUse { total_bytes: 0, used_bytes: 0, available_bytes, used_ratio };
            let outcome = judge(&disk, limits);
            assert_eq!(outcome.status, expect, "{}", outcome.reason);
            assert!(outcome.reason.contains(words), "{}", outcome.reason);
        }
    }
}
