//! A small disk in memory, which root may mount.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// A disk; unmounted when dropped.
pub struct SmallDisk {
    at: PathBuf,
    mib: u32,
}

/// Whether this user may mount disks.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl SmallDisk {
    /// Mounts one of so many MiB on a folder.
    ///
    /// # Errors
    /// When this user may not.
    pub fn mount(at: &Path, mib: u32) -> anyhow::Result<Self> {
        anyhow::ensure!(is_root(), "this drill mounts a disk and needs root");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m,mode=0700"), "tmpfs"]).arg(at);
        let output = mount.output().context("`mount` is missing")?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "mount: {said}");
        Ok(Self { at: at.into(), mib })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Lets one file take what makes this share of the disk used, without taking less meanwhile.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn fill(&self, percent: u32) -> anyhow::Result<()> {
        let space = rustix::fs::statvfs(&self.at)?;
        let used = (space.f_blocks - space.f_bfree) * space.f_frsize;
        let wanted = u64::from(self.mib) * (1 << 20) * u64::from(percent) / 100;
        let mut filler = OpenOptions::new().append(true).create(true).open(self.filler())?;
        let missing = usize::try_from(wanted.saturating_sub(used))?;
        Ok(filler.write_all(&vec![0; missing])?)
    }

    /// Removes that file.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn empty(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.filler())?)
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
