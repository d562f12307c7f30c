//! Real faults. Each begins on a running stage; what the page does not end, the fault ends itself.

pub mod clients;
pub mod database;
pub mod log;
pub mod machine;
pub mod process;

use async_trait::async_trait;

use super::stage::Stage;

/// Something that goes wrong.
#[async_trait]
pub trait Fault: Send {
    /// Makes it.
    ///
    /// # Errors
    /// When it cannot be made.
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()>;

    /// Ends it, in place of what only the platform can do. A fault that the page ends has nothing
    /// to do here.
    ///
    /// # Errors
    /// When it cannot be ended.
    async fn end(&mut self, _stage: &mut Stage) -> anyhow::Result<()> {
        Ok(())
    }
}
