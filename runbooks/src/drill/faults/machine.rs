//! Disks, memory, clocks, certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use testbed::tls::certificate;
use tokio::task::JoinHandle;

use super::Fault;
use crate::drill::clock;
use crate::drill::stage::Stage;

/// A disk on which so much of a hundred is used.
pub struct DiskUsed(pub u32);

#[async_trait]
impl Fault for DiskUsed {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        stage.disk.as_ref().context("events are not on a small disk")?.fill(self.0)
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        stage.disk.as_ref().context("events are not on a small disk")?.empty()
    }
}

/// A disk whose use grows steadily from 71 %.
#[derive(Default)]
pub struct DiskGrows(Option<JoinHandle<()>>);

#[async_trait]
impl Fault for DiskGrows {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let disk = stage.disk.as_ref().context("events are not on a small disk")?;
        disk.fill(71)?;
        let file = disk.path().join("filler");
        self.0 = Some(tokio::spawn(async move {
            let kib = vec![0; 8 << 10];
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let old = tokio::fs::OpenOptions::new().append(true).open(&file).await;
                let Ok(mut filler) = old else { return };
                let _ = tokio::io::AsyncWriteExt::write_all(&mut filler, &kib).await;
            }
        }));
        Ok(())
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        if let Some(growing) = self.0.take() {
            growing.abort();
        }
        stage.disk.as_ref().context("events are not on a small disk")?.empty()
    }
}

/// The data folder, gone as after an unmount.
pub struct DataDirectoryGone;

impl DataDirectoryGone {
    fn elsewhere(stage: &Stage) -> PathBuf {
        stage.folder().join("unmounted")
    }
}

#[async_trait]
impl Fault for DataDirectoryGone {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        Ok(std::fs::rename(stage.data_dir(), Self::elsewhere(stage))?)
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        Ok(std::fs::rename(Self::elsewhere(stage), stage.data_dir())?)
    }
}

/// The sequencer's clock, so many seconds ahead.
pub struct ClockAhead(pub i64);

#[async_trait]
impl Fault for ClockAhead {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        clock::set(stage.folder(), self.0);
        Ok(())
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        clock::set(stage.folder(), 0);
        Ok(())
    }
}

/// A certificate that is good for so many days more.
pub struct CertificateEnds(pub u32);

#[async_trait]
impl Fault for CertificateEnds {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        certificate(stage.folder(), self.0);
        Ok(())
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        certificate(stage.folder(), stage.setting.certificate_days.unwrap_or(300));
        Ok(())
    }
}

/// A memory limit that is nearly used up.
#[derive(Default)]
pub struct MemoryShort {
    group: Option<Arc<ControlGroup>>,
    pressing: Option<JoinHandle<()>>,
}

#[async_trait]
impl Fault for MemoryShort {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let group = Arc::new(ControlGroup::around(stage.sequencer(0)?.running.id())?);
        self.group = Some(Arc::clone(&group));
        // What was used before stays with the old group: some is used here first.
        tokio::time::sleep(Duration::from_secs(5)).await;
        // The kernel gives pages back under a limit, so the limit follows.
        self.pressing = Some(tokio::spawn(async move {
            while group.press().is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }));
        Ok(())
    }

    async fn end(&mut self, _stage: &mut Stage) -> anyhow::Result<()> {
        if let Some(pressing) = self.pressing.take() {
            pressing.abort();
        }
        self.group.as_ref().context("there is no group")?.limit(4 << 30)
    }
}

/// A control group of the drill's own with the sequencer in it; it is moved back when dropped.
pub struct ControlGroup {
    folder: PathBuf,
    parent: PathBuf,
    id: u32,
    limit: &'static str,
    used: &'static str,
}

impl ControlGroup {
    fn around(id: u32) -> anyhow::Result<Self> {
        let membership = std::fs::read_to_string("/proc/self/cgroup")?;
        let path = |controller: &str| {
            let line = membership.lines().find(|line| line.contains(controller));
            line.and_then(|line| line.splitn(3, ':').nth(2)).map(|path| path.trim_matches('/'))
        };
        let root = Path::new("/sys/fs/cgroup");
        let (parent, limit, used) = match path(":memory:") {
            Some(path) => {
                (root.join("memory").join(path), "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            None => {
                let path = path("0::").context("no control group")?;
                (root.join(path), "memory.max", "memory.current")
            }
        };
        let folder = parent.join(format!("drill-{id}"));
        std::fs::create_dir(&folder).context("this drill makes a control group and needs root")?;
        let group = Self { folder, parent, id, limit, used };
        group.limit(4 << 30)?;
        std::fs::write(group.folder.join("cgroup.procs"), id.to_string())?;
        Ok(group)
    }

    fn limit(&self, bytes: u64) -> anyhow::Result<()> {
        Ok(std::fs::write(self.folder.join(self.limit), bytes.to_string())?)
    }

    /// Keeps the limit where 95 % of it are used.
    fn press(&self) -> anyhow::Result<()> {
        let used: u64 = std::fs::read_to_string(self.folder.join(self.used))?.trim().parse()?;
        self.limit(used * 100 / 95)
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let _ = std::fs::write(self.parent.join("cgroup.procs"), self.id.to_string());
        let _ = std::fs::remove_dir(&self.folder);
    }
}
