//! Being the one process that does some work, as long as the store says so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::store::{Fence, Store, StoreError};

/// How long the work stands still when its holder dies, at most: the term, one look, and the work's
/// own pause.
const TERM: Duration = Duration::from_secs(8);
/// A holder extends its lease, and the others look whether it has ended, this often.
const LOOK: Duration = Duration::from_secs(2);

/// One process's part in a lease.
pub struct Lease {
    store: Arc<dyn Store>,
    name: &'static str,
    /// Of this process and no other, also after a restart.
    owner: Uuid,
    held: Option<Fence>,
    looked_at: Option<Instant>,
}

impl Lease {
    /// A lease that is not held yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, name: &'static str) -> Self {
        Self { store, name, owner: Uuid::new_v4(), held: None, looked_at: None }
    }

    /// What to do the work under; `None` while another process does it.
    ///
    /// # Errors
    /// The store's failure; the lease counts as lost.
    pub async fn hold(&mut self) -> Result<Option<Fence>, StoreError> {
        if self.looked_at.is_none_or(|at| at.elapsed() >= LOOK) {
            // Lost until the store says otherwise, and counted from before it was asked.
            self.held = None;
            let looked_at = Instant::now();
            self.held = self.store.hold_lease(self.name, self.owner, TERM).await?;
            self.looked_at = Some(looked_at);
        }
        Ok(self.held)
    }

    /// Gives it back, so that another process need not wait for its end.
    pub async fn end(&mut self) {
        if self.held.take().is_none() {
            return;
        }
        if let Err(error) = self.store.end_lease(self.name, self.owner).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "a lease was not given back; it ends by itself");
        }
    }
}
