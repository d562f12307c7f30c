//! A sequencer whose clock can be set: libfaketime.

use std::path::{Path, PathBuf};
use std::process::Command;

const LIBRARY: &str = "libfaketimeMT.so.1";

/// Lets a command see the clock of a folder.
///
/// # Panics
/// When libfaketime is missing.
pub(super) fn can_be_set(command: &mut Command, folder: &Path) {
    set(folder, 0);
    command
        .env("LD_PRELOAD", library())
        .env("FAKETIME_TIMESTAMP_FILE", file(folder))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_DONT_RESET", "1");
}

/// Sets that clock so many seconds ahead.
pub(super) fn set(folder: &Path, seconds: i64) {
    let new = folder.join("clock.new");
    // Replaced whole: the process reads it at any moment.
    let written = std::fs::write(&new, format!("{seconds:+}"));
    written.and_then(|()| std::fs::rename(&new, file(folder))).expect("the folder can be written");
}

fn file(folder: &Path) -> PathBuf {
    folder.join("clock")
}

fn library() -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin").join(LIBRARY);
    let of_system = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut found =
        of_system.map(|entry| entry.path().join("faketime").join(LIBRARY)).chain([ours]);
    found.find(|file| file.is_file()).expect("libfaketime is missing; get it with `make tools`")
}
