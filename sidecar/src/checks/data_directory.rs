//! The data folder takes a write, and gives it back.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use catalog::label::Check;

use super::probe::{Outcome, Probe, look_blocking};
use super::words::file_error;
use crate::blocking::Blocking;

/// Start of the name of the file that is written; what a killed sidecar left is found by it.
const PREFIX: &str = ".sidecar-write-test-";
/// Enough to need a block of its own, bytes.
const SIZE: usize = 512;

pub(super) struct DataDirectory {
    folder: PathBuf,
    blocking: Blocking,
}

impl DataDirectory {
    /// Removes what an earlier sidecar that was killed has left.
    pub(super) fn new(folder: PathBuf) -> Self {
        remove_left_overs(&folder);
        Self { folder, blocking: Blocking::default() }
    }
}

#[async_trait]
impl Probe for DataDirectory {
    fn check(&self) -> Check {
        Check::DataDirectory
    }

    async fn look(&self) -> Outcome {
        let folder = self.folder.clone();
        look_blocking(&self.blocking, move || look(&folder)).await
    }
}

fn look(folder: &Path) -> Outcome {
    let file = folder.join(format!("{PREFIX}{}", std::process::id()));
    let tried = try_to_write(&file);
    // Whatever went wrong, at most this one file is left, and the next look replaces it.
    let removed = std::fs::remove_file(&file);
    let folder = folder.display();
    let cannot = |what: &str, error: &io::Error| {
        Outcome::fail(format!("{folder} (DATA_DIR): {what}: {}", file_error(error)))
    };
    match (tried, removed) {
        (Err((what, error)), _) => cannot(what, &error),
        (Ok(()), Err(error)) if error.kind() != io::ErrorKind::NotFound => {
            cannot("a file cannot be removed", &error)
        }
        _ => Outcome::ok(format!("{folder} took a write of {SIZE} bytes and gave it back")),
    }
}

fn try_to_write(file: &Path) -> Result<(), (&'static str, io::Error)> {
    let written: Vec<u8> = (0..SIZE).map(|at| at.to_le_bytes()[0]).collect();
    let mut open = open(file).map_err(|error| ("a file cannot be created", error))?;
    let wrote = open.write_all(&written).and_then(|()| open.sync_all());
    wrote.map_err(|error| ("a file cannot be written", error))?;
    let mut found = Vec::with_capacity(SIZE);
    let read = open.rewind().and_then(|()| open.read_to_end(&mut found));
    read.map_err(|error| ("what was written cannot be read", error))?;
    if found == written {
        return Ok(());
    }
    Err(("what was written comes back changed", io::ErrorKind::InvalidData.into()))
}

fn open(file: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).open(file)
}

fn remove_left_overs(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::Status;
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_write_leaves_nothing_and_left_overs_are_removed_at_start() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(format!("{PREFIX}17"));
        std::fs::write(&left, "left by a kill").unwrap();
        std::fs::write(folder.path().join("log.db"), "not ours").unwrap();
        drop(DataDirectory::new(folder.path().to_owned()));
        assert_eq!(names(folder.path()), ["log.db"]);
        let outcome = look(folder.path());
        assert_eq!(outcome.status, Status::Ok, "{}", outcome.reason);
        assert_eq!(names(folder.path()), ["log.db"]);
    }

    #[test]
    fn a_missing_folder_and_a_file_in_its_place_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for (place, word) in [(folder.path().join("none"), "missing"), (file, "not a folder")] {
            let outcome = look(&place);
            assert_eq!(outcome.status, Status::Fail);
            let reason = &outcome.reason;
            assert!(reason.contains(word) && reason.contains("DATA_DIR"), "{reason}");
        }
    }
}
