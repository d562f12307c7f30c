//! The sequencer's process and the machine, as the kernel sees them.

mod disk;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::app::Core;
pub use disk::DiskUse;

/// Readings of the process.
pub struct Process {
    core: Arc<Core>,
}

impl Process {
    /// With the configuration of the process.
    #[must_use]
    pub fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core) }
    }

    /// Runs until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let name = "process";
        let interval = self.core.config.check_interval_secs.duration();
        loop {
            self.core.progress.mark(name, interval * 3);
            if stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_none() {
                return;
            }
        }
    }
}
