//! `sidecar store …`: what an operator asks of the store by hand.

use std::io::Write as _;

use anyhow::{bail, ensure};
use clap::Subcommand;

use super::quick_check::{self, QuickCheckState};
use super::target::Target;
use crate::config::Config;

/// What can be asked of the store.
#[derive(Subcommand)]
pub enum StoreCommand {
    /// Read the whole SQLite file of the running sequencer and look for damage
    QuickCheck(Box<Config>),
}

impl StoreCommand {
    /// Does it.
    ///
    /// # Errors
    /// When it cannot be done, or finds damage.
    pub async fn run(self) -> anyhow::Result<()> {
        let Self::QuickCheck(config) = self;
        let target = Target::of(&config).map_err(anyhow::Error::msg)?;
        let Some(Target::Sqlite(file)) = target else {
            bail!("DATABASE_URL must name a SQLite file; PostgreSQL has pg_amcheck for this");
        };
        let check = quick_check::run(&config.sidecar_state_dir, &file).await?;
        let sound = check.state == QuickCheckState::Sound;
        ensure!(sound, "{}: {}", file.display(), check.reason);
        let _ = writeln!(std::io::stdout(), "{}: {}", file.display(), check.reason);
        Ok(())
    }
}
