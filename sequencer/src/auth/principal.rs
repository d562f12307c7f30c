//! An authenticated caller and the rights of its credential.
//!
//! Most credentials have the same reach for all they may do. The sidecar's has not: it reads like
//! the platform and writes in the canary's slots only, so what changes something asks for more than
//! what reads.

use std::sync::Arc;

use uuid::Uuid;
use ves::canary::Slot;
use ves::{Hash32, Stream};

use crate::error::{ApiError, ApiResult, Code};
use crate::store::{ApiKeyOrigin, ApiKeyRecord};

/// What a route asks of a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Right {
    /// Read events, commitments, proofs and keys.
    Read,
    /// Post events and commitments.
    Write,
    /// Administer keys.
    Admin,
}

/// The caller.
#[derive(Clone, Debug)]
pub struct Principal {
    record: Arc<ApiKeyRecord>,
}

impl Principal {
    pub(super) fn new(record: Arc<ApiKeyRecord>) -> Self {
        Self { record }
    }

    /// Public identifier of the credential, for logs and metrics.
    #[must_use]
    pub fn key_prefix(&self) -> &str {
        &self.record.key_prefix
    }

    /// SHA-256 of the credential.
    #[must_use]
    pub fn key_hash(&self) -> Hash32 {
        self.record.key_hash
    }

    /// The platform itself, or its sidecar: a credential that belongs to no tenant.
    #[must_use]
    pub fn is_platform(&self) -> bool {
        self.record.tenant_id.is_nil()
    }

    /// Tenant it acts for; nil is the platform.
    #[must_use]
    pub fn tenant_id(&self) -> Uuid {
        self.record.tenant_id
    }

    /// The only agent it may post for, when it is bound to one.
    #[must_use]
    pub fn agent_id(&self) -> Option<Uuid> {
        self.record.agent_id
    }

    /// Requests a minute, when it has a limit of its own.
    #[must_use]
    pub fn rate_limit(&self) -> Option<u32> {
        self.record.rate_limit
    }

    /// Stores it may touch; empty is all.
    #[must_use]
    pub fn store_ids(&self) -> &[Uuid] {
        &self.record.store_ids
    }

    /// True when the credential carries the right.
    #[must_use]
    pub fn has(&self, right: Right) -> bool {
        match right {
            Right::Read => self.record.read,
            Right::Write => self.record.write,
            Right::Admin => self.record.admin,
        }
    }

    /// Requires a right, whatever it is used on.
    ///
    /// # Errors
    /// `INSUFFICIENT_PERMISSIONS`.
    pub fn require(&self, right: Right) -> ApiResult<()> {
        if self.has(right) {
            return Ok(());
        }
        let right = match right {
            Right::Read => "read",
            Right::Write => "write",
            Right::Admin => "admin",
        };
        Err(forbidden(format!("this needs a credential with the right `{right}`")))
    }

    /// True when it reads every stream there is; then their list shows it nothing new.
    #[must_use]
    pub fn reads_everything(&self) -> bool {
        self.is_platform() && self.has(Right::Read) && self.record.store_ids.is_empty()
    }

    /// True for the sidecar's credential where it acts for an agent of the canary.
    #[must_use]
    pub fn is_canary(&self, tenant_id: Uuid, agent_id: Uuid) -> bool {
        self.is_sidecar() && Slot::of_agent(tenant_id, agent_id).is_some()
    }

    fn is_sidecar(&self) -> bool {
        self.record.origin == ApiKeyOrigin::Sidecar
    }

    /// Requires that a tenant may be read.
    ///
    /// # Errors
    /// `INSUFFICIENT_PERMISSIONS`.
    pub fn require_tenant(&self, tenant_id: Uuid) -> ApiResult<()> {
        if self.is_platform() || self.record.tenant_id == tenant_id {
            return Ok(());
        }
        Err(forbidden(format!("this credential does not belong to tenant {tenant_id}")))
    }

    /// Requires that a stream may be changed; the right to write is required apart from it.
    ///
    /// # Errors
    /// `INSUFFICIENT_PERMISSIONS`.
    pub fn require_change(&self, stream: &Stream) -> ApiResult<()> {
        self.require_stream(stream)?;
        if self.is_sidecar() && Slot::of_stream(stream).is_none() {
            let message = "the sidecar's credential writes in the canary's streams only";
            return Err(forbidden(message.to_owned()));
        }
        Ok(())
    }

    /// Requires that a stream may be read.
    ///
    /// # Errors
    /// `INSUFFICIENT_PERMISSIONS`.
    pub fn require_stream(&self, stream: &Stream) -> ApiResult<()> {
        self.require_tenant(stream.tenant_id)?;
        if self.may_see_store(stream.store_id) {
            return Ok(());
        }
        Err(forbidden(format!("this credential is not for store {}", stream.store_id)))
    }

    /// True when a stream may be seen at all; what may not is answered as if it did not exist.
    #[must_use]
    pub fn may_see(&self, stream: &Stream) -> bool {
        self.require_stream(stream).is_ok()
    }

    fn may_see_store(&self, store_id: Uuid) -> bool {
        self.record.store_ids.is_empty() || self.record.store_ids.contains(&store_id)
    }
}

/// A refusal for want of rights.
pub(crate) fn forbidden(message: String) -> ApiError {
    ApiError::new(Code::InsufficientPermissions, message)
}
