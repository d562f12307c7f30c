//! A clock of a program that is set while it runs: libfaketime.

use std::path::{Path, PathBuf};
use std::process::Command;

const LIBRARY: &str = "libfaketimeMT.so.1";

/// The clock that whoever was shown it goes by; their monotonic clock is the real one.
pub struct Clock {
    /// Holds the distance to the real time.
    file: PathBuf,
}

impl Clock {
    /// One that is right, kept in this folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        let clock = Self { file: folder.join("clock") };
        clock.set(0);
        clock
    }

    /// Lets a command go by it.
    ///
    /// # Panics
    /// When libfaketime is missing.
    pub fn show(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DONT_RESET", "1");
    }

    /// Sets it so many seconds ahead of the real time.
    pub fn set(&self, seconds: i64) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}")).unwrap();
        // Replaced whole: the process reads it at any moment.
        std::fs::rename(&new, &self.file).unwrap();
    }
}

/// From `make tools`, or from the system.
fn library() -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin").join(LIBRARY);
    let of_system = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut found =
        of_system.map(|entry| entry.path().join("faketime").join(LIBRARY)).chain([ours]);
    found.find(|file| file.is_file()).expect("libfaketime is missing; get it with `make tools`")
}
