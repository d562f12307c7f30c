//! The witness: verifies the log through the public API and remembers what it saw.
//!
//! `tail` follows every stream to its head and checks everything; `audit` reads the whole
//! history again, for ever, because a follower at the head never sees an old row change. Both
//! compute on one `worker` thread, keep what they know in `memory`, and give what they find to
//! the `ledger`.

mod audit;
mod checkpoint;
pub mod command;
mod compare;
mod keys;
mod ledger;
mod memory;
mod reading;
mod status;
mod tail;
mod verify;
pub mod view;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use ves::ViolationKind;

use crate::app::Core;
use audit::Audit;
use keys::Keys;
use ledger::{Finding, Ledger};
use memory::Memory;
use status::Status;
use tail::Tail;
use view::WitnessView;
use worker::Worker;

/// Time without a round after which the witness's loops are stuck: a page may take 30 s.
const LONGEST_ROUND: Duration = Duration::from_secs(120);

/// The witness.
pub struct Witness {
    core: Arc<Core>,
    /// None when it is turned off.
    common: Option<Arc<Common>>,
}

/// What its two loops share.
struct Common {
    core: Arc<Core>,
    memory: Arc<Memory>,
    ledger: Ledger,
    worker: Worker,
    status: Status,
    /// Held while a page's keys are looked up.
    keys: tokio::sync::Mutex<Keys>,
}

impl Witness {
    /// Opens what the witness remembers.
    ///
    /// # Errors
    /// A state folder that cannot be used.
    pub async fn open(core: &Arc<Core>) -> anyhow::Result<Self> {
        if !core.config.witness {
            return Ok(Self { core: Arc::clone(core), common: None });
        }
        let (memory, aside) = Memory::open(&core.config.sidecar_state_dir).await?;
        let memory = Arc::new(memory);
        let common = Common {
            ledger: Ledger::new(Arc::clone(core), Arc::clone(&memory)),
            memory,
            worker: Worker::start(core.config.witness_cpu_cores)?,
            status: Status::default(),
            keys: tokio::sync::Mutex::default(),
            core: Arc::clone(core),
        };
        for aside in aside {
            common.ledger.add(forgot(None, &aside.detail)).await;
        }
        core.metrics.witness.signature_sample.set(core.config.witness_signature_sample);
        Ok(Self { core: Arc::clone(core), common: Some(Arc::new(common)) })
    }

    /// What is known now.
    #[must_use]
    pub fn view(&self) -> WitnessView {
        let config = &self.core.config;
        let mut view = WitnessView {
            enabled: config.witness,
            signature_sample: config.witness_signature_sample,
            cpu_cores: config.witness_cpu_cores,
            ..WitnessView::default()
        };
        view.audit.events_per_second = config.witness_audit_events_per_second;
        if let Some(common) = &self.common {
            common.status.show(&mut view);
            (view.open_violation_count, view.open_violations, view.unrecorded_violations) =
                common.ledger.view();
        }
        view
    }

    /// Runs until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let Some(common) = &self.common else { return };
        let config = &self.core.config;
        tracing::info!(
            signature_sample = config.witness_signature_sample,
            cpu_cores = config.witness_cpu_cores,
            audit_events_per_second = config.witness_audit_events_per_second,
            state_dir = %config.sidecar_state_dir.display(),
            "witnessing"
        );
        let mut tail = Tail::new(Arc::clone(common));
        let mut audit = Audit::new(Arc::clone(common));
        let both = async {
            tokio::join!(tail.run(), audit.run());
        };
        stop.run_until_cancelled(both).await;
        tail.save_all().await;
    }
}

/// What was remembered of a stream, or of all, and cannot be believed: whoever can write into the
/// state folder could have hidden a rewritten past.
fn forgot(stream: Option<ves::Stream>, detail: &str) -> Finding {
    Finding {
        kind: ViolationKind::Rewritten,
        stream,
        sequence_number: None,
        detail: format!("the witness's own memory: {detail}"),
        before: json!({ "checkpoint": "set aside, because it cannot be believed" }),
        now: json!({ "checkpoint": null }),
    }
}
