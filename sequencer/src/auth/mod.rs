//! Who is calling, and what they may do.

pub mod agent_keys;
pub mod api_key;
mod cache;
mod principal;
mod strangers;

pub use agent_keys::AgentKeys;
pub use api_key::Authenticator;
pub(crate) use principal::forbidden;
pub use principal::{Principal, Right};
