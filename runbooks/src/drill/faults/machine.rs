//! Disks, memory, clocks, certificates.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use testbed::clock::Clock;
use testbed::control_group::ControlGroup;
use testbed::disk::SmallDisk;
use testbed::tls::certificate;
use tokio::task::JoinHandle;

use super::Fault;
use crate::drill::stage::Stage;

fn disk(stage: &Stage) -> anyhow::Result<&SmallDisk> {
    stage.disk.as_ref().context("events are not on a small disk")
}

/// A disk on which so much of a hundred is used.
pub struct DiskUsed(pub u64);

#[async_trait]
impl Fault for DiskUsed {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        disk(stage)?.fill_to_percent(self.0);
        Ok(())
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        disk(stage)?.fill(0);
        Ok(())
    }
}

/// A disk whose use grows steadily from 71 %.
#[derive(Default)]
pub struct DiskGrows(Option<JoinHandle<()>>);

#[async_trait]
impl Fault for DiskGrows {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let disk = disk(stage)?;
        disk.fill_to_percent(71);
        let file = disk.filler();
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
        disk(stage)?.fill(0);
        Ok(())
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

fn clock(stage: &Stage) -> anyhow::Result<&Clock> {
    stage.clock.as_ref().context("the clock of this drill cannot be set")
}

/// The sequencer's clock, so many seconds ahead.
pub struct ClockAhead(pub i64);

#[async_trait]
impl Fault for ClockAhead {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        clock(stage)?.set(self.0);
        Ok(())
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        clock(stage)?.set(0);
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

/// What a process used before stays with its old group: waits until it uses the new one, and no
/// more with every second.
async fn settle(group: &ControlGroup) {
    let mut before = 0;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let used = group.used();
        if used > 0 && used <= before + before / 20 {
            return;
        }
        before = used;
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
        let group = Arc::new(ControlGroup::around(stage.sequencer(0)?.running.id()));
        self.group = Some(Arc::clone(&group));
        settle(&group).await;
        // The kernel gives pages back under a limit, so the limit follows.
        self.pressing = Some(tokio::spawn(async move {
            loop {
                group.press(95);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }));
        Ok(())
    }

    async fn end(&mut self, _stage: &mut Stage) -> anyhow::Result<()> {
        if let Some(pressing) = self.pressing.take() {
            pressing.abort();
        }
        self.group.as_ref().context("there is no group")?.release();
        Ok(())
    }
}
