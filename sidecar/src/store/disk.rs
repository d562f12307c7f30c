//! Looks at files on a thread of their own, one at a time: a disk that hangs holds that thread, not
//! one for each look, and does not keep the process from ending.

use std::thread;

use tokio::sync::oneshot;

use super::LOOK_TIMEOUT;
use super::sqlite::{SqliteFound, SqliteLook};

type Looked = (SqliteLook, Result<SqliteFound, String>);

/// The one look at a time.
pub(super) enum Disk {
    /// Nobody looks.
    Idle(SqliteLook),
    /// A look has not ended yet.
    Looking(oneshot::Receiver<Looked>),
    /// Its thread ended without a result.
    Lost,
}

impl Disk {
    /// Starts a look, or goes on to wait for the one that has not ended.
    ///
    /// # Errors
    /// What the look says, or that it takes too long.
    pub(super) async fn look(&mut self) -> Result<SqliteFound, String> {
        let lost = || "the look at the files ended badly; restart the sidecar".to_owned();
        *self = match std::mem::replace(self, Self::Lost) {
            Self::Idle(look) => Self::Looking(start(look)?),
            other => other,
        };
        let Self::Looking(waiting) = self else { return Err(lost()) };
        match tokio::time::timeout(LOOK_TIMEOUT, waiting).await {
            Ok(Ok((look, found))) => {
                *self = Self::Idle(look);
                found
            }
            Ok(Err(_)) => {
                *self = Self::Lost;
                Err(lost())
            }
            Err(_) => {
                let seconds = LOOK_TIMEOUT.as_secs_f64();
                Err(format!("the disk does not answer: no result within {seconds:.0} s"))
            }
        }
    }
}

fn start(mut look: SqliteLook) -> Result<oneshot::Receiver<Looked>, String> {
    let (sender, receiver) = oneshot::channel();
    let looking = move || {
        let found = look.look();
        // Nobody waits any more when the process ends.
        let _ = sender.send((look, found));
    };
    let spawned = thread::Builder::new().name("store".into()).spawn(looking);
    spawned.map(|_| receiver).map_err(|error| format!("no thread can be started: {error}"))
}
