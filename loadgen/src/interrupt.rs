//! Ctrl-C and SIGTERM, before, during and after goose, which has a handler of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

/// How often goose's own handler is asked; it cannot wake anybody.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether somebody asked for the end.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. While goose runs, its handler takes Ctrl-C; the first one ends the run
    /// in order, the next one ends the process at once.
    ///
    /// # Errors
    /// When the signals cannot be listened for.
    pub fn listen() -> anyhow::Result<Self> {
        let new = Self(Arc::new(AtomicBool::new(false)));
        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            let mut signals = signal(kind).context("signals cannot be listened for")?;
            let asked = Arc::clone(&new.0);
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    asked.store(true, Ordering::Relaxed);
                }
            });
        }
        Ok(new)
    }

    /// Whether somebody has asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) || goose::is_killswitch_triggered()
    }

    /// The result, unless somebody asks for the end before it is there.
    pub async fn unless<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let asked = async {
            while !self.is_asked() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            result = future => Some(result),
            () = asked => None,
        }
    }
}
