//! The store from outside: a short, read-only look that neither blocks the sequencer nor waits for
//! it, and an integrity check when somebody asks for one.
//!
//! A scrape never asks the store: the families show the last look, and `store_last_look` says how
//! old it is.

mod command;
mod disk;
mod postgres;
mod publish;
mod quick_check;
mod sqlite;
mod target;
mod view;
mod wal_index;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use catalog::IntCounter;
use tokio_util::sync::CancellationToken;

use crate::app::Core;
use crate::clock;
pub use command::StoreCommand;
use disk::Disk;
use postgres::PostgresLook;
pub use quick_check::{QuickCheck, QuickCheckState};
use sqlite::{SqliteFound, SqliteLook};
use target::Target;
pub use view::{
    ClockSkew, Connections, Driver, Figures, PostgresFigures, SqliteFigures, StoreView,
};

/// Longest look: well below the time between two, and below a scraper's patience.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// The look at the store.
pub struct StoreLook {
    core: Arc<Core>,
    target: Result<Option<Target>, String>,
    /// Held for a copy only.
    view: Mutex<StoreView>,
}

/// The one looker of this process.
enum Looker {
    /// At files; counts the checkpoints that it sees.
    Files(Disk, IntCounter),
    /// At a server.
    Server(Box<PostgresLook>),
}

impl Looker {
    fn of(target: &Target, core: &Core) -> Self {
        match target {
            Target::Sqlite(file) => {
                let disk = Disk::Idle(SqliteLook::new(file.clone()));
                Self::Files(disk, core.metrics.store.sqlite_checkpoints())
            }
            Target::Postgres(options) => Self::Server(Box::new(PostgresLook::new(options.clone()))),
        }
    }

    async fn look(&mut self) -> Result<Found, String> {
        match self {
            Self::Files(disk, checkpoints) => {
                let SqliteFound { figures, notes } = disk.look().await?;
                checkpoints.inc_by(figures.checkpoints_seen.saturating_sub(checkpoints.get()));
                Ok(Found { figures: Figures::Sqlite(figures), notes, clock: None })
            }
            Self::Server(server) => {
                let found = tokio::time::timeout(LOOK_TIMEOUT, server.look()).await;
                let seconds = LOOK_TIMEOUT.as_secs_f64();
                let silent = || Err(format!("no answer within {seconds:.0} s"));
                let found = found.unwrap_or_else(|_| silent())?;
                let (figures, clock) = (Figures::Postgres(found.figures), Some(found.clock));
                Ok(Found { figures, notes: found.notes, clock })
            }
        }
    }
}

/// What a look found.
struct Found {
    figures: Figures,
    notes: Vec<String>,
    clock: Option<ClockSkew>,
}

impl StoreLook {
    /// With the configuration of the process.
    #[must_use]
    pub fn new(core: &Arc<Core>) -> Self {
        let target = Target::of(&core.config);
        let known = target.as_ref().ok().and_then(Option::as_ref);
        let reason = match &target {
            Ok(Some(_)) => "not looked at yet",
            Ok(None) => "not looked at: DATABASE_URL is not set",
            Err(mistake) => mistake,
        };
        let view = StoreView {
            driver: known.map(Target::driver),
            place: known.map(Target::place).unwrap_or_default(),
            reachable: None,
            reason: reason.to_owned(),
            since: None,
            last_attempt: None,
            last_look: None,
            duration_seconds: None,
            figures: None,
            notes: Vec::new(),
            clock: None,
            quick_check: None,
        };
        Self { core: Arc::clone(core), target, view: Mutex::new(view) }
    }

    /// What is known of the store.
    #[must_use]
    pub fn view(&self) -> StoreView {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        match &self.target {
            Ok(None) => {}
            Ok(Some(target)) => {
                let looker = Looker::of(target, &self.core);
                stop.run_until_cancelled(self.look_on(looker)).await;
            }
            Err(mistake) => tracing::error!(reason = mistake, "the store is not looked at"),
        }
    }

    /// Looks, shows what was found, waits; for ever.
    async fn look_on(&self, mut looker: Looker) {
        let interval = self.core.config.system_interval_secs.duration();
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.core.progress.mark("store", interval * 2 + LOOK_TIMEOUT * 2);
            if let Ok(Some(Target::Sqlite(file))) = &self.target {
                let state_dir = &self.core.config.sidecar_state_dir;
                self.show_quick_check(quick_check::last(state_dir, file));
            }
            let started = Instant::now();
            let found = looker.look().await;
            self.show(found, started.elapsed());
        }
    }

    fn show(&self, found: Result<Found, String>, duration: Duration) {
        let now = clock::now();
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let before = view.reachable.replace(found.is_ok());
        if before != view.reachable {
            view.since = Some(now);
        }
        view.last_attempt = Some(now);
        view.duration_seconds = Some(duration.as_secs_f64());
        match found {
            Ok(found) => {
                if before == Some(false) {
                    tracing::info!(store = view.place, "the store can be looked at again");
                }
                publish::figures(&self.core.metrics.store, &found.figures);
                view.reason = "the last look got what it asked for".into();
                view.last_look = Some(now);
                (view.figures, view.notes, view.clock) =
                    (Some(found.figures), found.notes, found.clock);
            }
            Err(reason) => {
                if before != Some(false) {
                    tracing::warn!(store = view.place, reason, "the store cannot be looked at");
                }
                // The figures stay and keep their age; a clock that is not read any more does not.
                (view.reason, view.notes, view.clock) = (reason, Vec::new(), None);
            }
        }
    }

    fn show_quick_check(&self, check: QuickCheck) {
        publish::quick_check(&self.core.metrics.store, check.state);
        self.view.lock().unwrap_or_else(PoisonError::into_inner).quick_check = Some(check);
    }
}
