//! A small disk in memory, which root may mount.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;
use tempfile::TempDir;

/// A disk; unmounted when dropped.
pub struct SmallDisk {
    at: PathBuf,
    mib: u64,
    /// Its own, unless it was given a folder.
    folder: Option<TempDir>,
}

impl SmallDisk {
    /// One of so many MiB, on a folder of its own.
    ///
    /// # Panics
    /// When this user may not mount.
    #[must_use]
    pub fn mount(mib: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Self::mount_on(folder.path(), mib);
        disk.folder = Some(folder);
        disk
    }

    /// One of so many MiB, on this folder.
    ///
    /// # Panics
    /// As [`SmallDisk::mount`].
    #[must_use]
    pub fn mount_on(at: &Path, mib: u64) -> Self {
        assert!(geteuid().is_root(), "a disk is mounted here, which needs root");
        mount(&["-t", "tmpfs", "-o", &format!("size={mib}m,mode=0700"), "tmpfs"], at);
        Self { at: at.into(), mib, folder: None }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// The file that takes its room.
    #[must_use]
    pub fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }

    /// Lets one file take so many MiB, or as many as there are, without taking fewer meanwhile.
    pub fn fill(&self, mib: u64) {
        self.take(mib << 20);
    }

    /// Lets that file take what makes this share of the disk used.
    pub fn fill_to_percent(&self, percent: u64) {
        let space = rustix::fs::statvfs(&self.at).unwrap();
        let used = (space.f_blocks - space.f_bfree) * space.f_frsize;
        let others = used.saturating_sub(std::fs::metadata(self.filler()).map_or(0, |it| it.len()));
        self.take(((self.mib << 20) * percent / 100).saturating_sub(others));
    }

    fn take(&self, bytes: u64) {
        let file = OpenOptions::new().append(true).create(true).open(self.filler());
        let mut file = file.unwrap();
        let before = file.metadata().unwrap().len();
        if bytes < before {
            file.set_len(bytes).unwrap();
        }
        // What does not fit is what a full disk is.
        let missing = usize::try_from(bytes.saturating_sub(before)).unwrap();
        let _ = file.write_all(&vec![0; missing]);
    }

    /// Mounts it again in this mode: `ro`, `rw`.
    pub fn remount(&self, mode: &str) {
        mount(&["-o", &format!("remount,{mode}")], &self.at);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

fn mount(arguments: &[&str], at: &Path) {
    let mounted = Command::new("mount").args(arguments).arg(at).output();
    let output = mounted.expect("`mount` is missing (Debian: apt-get install mount)");
    assert!(output.status.success(), "mount: {}", String::from_utf8_lossy(&output.stderr));
}
