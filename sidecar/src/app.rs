//! What the rooms share, and the rooms.

use std::sync::Arc;
use std::time::Instant;

use catalog::SidecarMetrics;

use crate::canary::Canary;
use crate::checks::{self, Checks, Overall};
use crate::client::Sequencer;
use crate::config::Config;
use crate::history::History;
use crate::process::Process;
use crate::progress::Progress;
use crate::store::StoreLook;
use crate::witness::Witness;
use crate::{COMMIT, VERSION, clock};

/// What every room may use.
pub struct Core {
    /// What the process was told.
    pub config: Config,
    /// Where results are shown.
    pub metrics: SidecarMetrics,
    /// Where loops say that they come round.
    pub progress: Progress,
    /// The sequencer, called with the sidecar's key.
    pub sequencer: Sequencer,
    /// When this process began.
    pub started: Instant,
}

/// The whole sidecar.
pub struct App {
    /// What the rooms share.
    pub core: Arc<Core>,
    /// Probes with hysteresis.
    pub checks: Checks,
    /// The sequencer's process and the machine.
    pub process: Process,
    /// The store from outside.
    pub store: Arc<StoreLook>,
    /// The path of an event, as a client walks it.
    pub canary: Canary,
    /// The log, verified.
    pub witness: Witness,
    /// The last minutes.
    pub history: History,
}

impl App {
    /// Builds every room; none runs yet.
    ///
    /// # Errors
    /// A configuration that cannot work, or a state folder that cannot be used.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        config.validate()?;
        let key = config.api_key()?;
        let sequencer = Sequencer::new(&config, key.as_ref())?;
        let checks = checks::configured(&config);
        let now = clock::unix_seconds();
        let metrics = SidecarMetrics::new(VERSION, COMMIT, now, &checks);
        // Ages count from the start; what is off has none, or its alert would fire.
        if config.canary {
            metrics.canary.last_success.set(now);
        }
        if config.witness {
            metrics.witness.last_poll.set(now);
        }
        let progress = Progress::default();
        let core = Arc::new(Core { config, metrics, progress, sequencer, started: Instant::now() });
        let process = Process::new(&core);
        let store = Arc::new(StoreLook::new(&core));
        Ok(Self {
            checks: Checks::new(&core, &process, &store),
            process,
            store,
            canary: Canary::new(&core)?,
            witness: Witness::open(&core).await?,
            history: History::new(&core),
            core,
        })
    }

    /// How all of it is, in one sentence.
    #[must_use]
    pub fn overall(&self) -> Overall {
        Overall::of(&crate::status::findings(self))
    }
}
