//! The stream: the pair that all numbering and chaining belongs to (VES 2, 17.1).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::bytes::Hash32;
use crate::preimage::{Preimage, label};

/// A tenant and one of its stores (VES 2).
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// Who owns the events.
    pub tenant_id: Uuid,
    /// Which of the tenant's logs.
    pub store_id: Uuid,
}

impl Stream {
    /// The stream id: SHA-256 over 45 bytes (VES 17.1).
    pub fn id(&self) -> Hash32 {
        Preimage::hashed(label::STREAM).uuid(&self.tenant_id).uuid(&self.store_id).finish()
    }
}
