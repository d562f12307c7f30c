//! Processes that die, drain, restart, or are not where they are looked for.

use std::time::Duration;

use async_trait::async_trait;

use super::Fault;
use crate::drill::stage::Stage;

/// Between two deaths of a process that restarts often: each is seen by a scrape.
const BETWEEN: Duration = Duration::from_millis(1_600);

/// The first sequencer, killed with SIGKILL.
pub struct Killed;

#[async_trait]
impl Fault for Killed {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        if let Some(sequencer) = stage.sequencers[0].take() {
            sequencer.running.kill();
        }
        Ok(())
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        stage.start_sequencer(0, &[]);
        Ok(())
    }
}

/// A drain that nobody ends.
pub struct Drained;

#[async_trait]
impl Fault for Drained {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let url = format!("{}/drain?delay_seconds=3600", stage.sequencer(0)?.operations_url);
        let key = format!("ApiKey {}", testbed::stack::ADMIN_KEY);
        let request = stage.http.post(url).header("authorization", key);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        Killed.begin(stage).await?;
        Killed.end(stage).await
    }
}

/// A process that dies and is started again, five times.
pub struct Restarting;

#[async_trait]
impl Fault for Restarting {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        for _ in 0..5 {
            Killed.begin(stage).await?;
            Killed.end(stage).await?;
            tokio::time::sleep(BETWEEN).await;
        }
        Ok(())
    }
}

/// A job whose target is another service, which answers.
pub struct ScrapedElsewhere(pub usize);

#[async_trait]
impl Fault for ScrapedElsewhere {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        stage.scrape_elsewhere(Some(self.0))
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        stage.scrape_elsewhere(None)
    }
}

/// The sidecar, killed with SIGKILL.
pub struct SidecarKilled;

#[async_trait]
impl Fault for SidecarKilled {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        if let Some(sidecar) = stage.sidecar.take() {
            sidecar.running.kill();
        }
        Ok(())
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        stage.start_sidecar(&[]);
        Ok(())
    }
}

/// A process started again with other settings.
pub struct Reconfigured {
    /// Flags of the sequencer; none when it is not about it.
    pub sequencer: &'static [&'static str],
    /// Flags of the sidecar.
    pub sidecar: &'static [&'static str],
}

#[async_trait]
impl Fault for Reconfigured {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        if !self.sequencer.is_empty() {
            stage.restart_sequencer(self.sequencer)?;
        }
        if !self.sidecar.is_empty() {
            stage.start_sidecar(self.sidecar);
        }
        Ok(())
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        if !self.sequencer.is_empty() {
            stage.restart_sequencer(&[])?;
        }
        if !self.sidecar.is_empty() {
            stage.start_sidecar(&[]);
        }
        Ok(())
    }
}

/// The sequencer, started with another key for its sidecar, which is not told.
pub struct KeyReplaced;

/// The new key.
const NEW_KEY: &str = "ss_00000000newsidenewsidenewsidenewsideno1";

#[async_trait]
impl Fault for KeyReplaced {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        stage.restart_sequencer(&[&format!("--bootstrap-sidecar-api-key={NEW_KEY}")])
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        NEW_KEY.clone_into(&mut stage.sidecar_key);
        stage.start_sidecar(&[]);
        Ok(())
    }
}
