//! The last minutes of the sequencer, second by second, in memory.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::app::Core;

/// The last minutes.
pub struct History {
    core: Arc<Core>,
}

impl History {
    /// With the configuration of the process.
    #[must_use]
    pub fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core) }
    }

    /// Runs until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let name = "history";
        let interval = self.core.config.check_interval_secs.duration();
        loop {
            self.core.progress.mark(name, interval * 3);
            if stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_none() {
                return;
            }
        }
    }
}
