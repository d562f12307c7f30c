//! An authenticated caller and the rights of its credential.

use std::sync::Arc;

use uuid::Uuid;
use ves::{Hash32, Stream};

use crate::error::{ApiError, ApiResult, Code};
use crate::store::ApiKeyRecord;

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

    /// The platform itself, which may act for every tenant.
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

    /// Requires access to a tenant.
    ///
    /// # Errors
    /// `INSUFFICIENT_PERMISSIONS`.
    pub fn require_tenant(&self, tenant_id: Uuid) -> ApiResult<()> {
        if self.is_platform() || self.record.tenant_id == tenant_id {
            return Ok(());
        }
        Err(forbidden(format!("this credential does not belong to tenant {tenant_id}")))
    }

    /// Requires access to a stream.
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
