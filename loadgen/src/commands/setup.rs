//! `loadgen setup`: agents and keys for later runs, and their end.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;

use super::{TargetArgs, say};
use crate::caller::Caller;
use crate::cast::Cast;
use crate::profile::Events;
use crate::record::Verdict;

/// Arguments of `loadgen setup`.
#[derive(Args, Debug)]
pub(super) struct SetupArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// File for agents and their private keys; only its owner may read it.
    #[arg(long, value_name = "FILE", required_unless_present = "remove")]
    out: Option<PathBuf>,
    /// Agents.
    #[arg(long, default_value_t = 10, value_name = "N")]
    agents: usize,
    /// Streams.
    #[arg(long, default_value_t = 10, value_name = "N")]
    streams: usize,
    /// End the keys in this file instead, and delete the file.
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    remove: Option<PathBuf>,
}

impl SetupArgs {
    pub(super) async fn run(self) -> anyhow::Result<Verdict> {
        let environment = self.target.find()?;
        let caller = Caller::new(&environment, Some(&environment.key()?))?;
        if let Some(file) = &self.remove {
            let cast = Cast::read(file)?;
            let (ended, all) = (cast.revoke(&caller).await, cast.agents.len());
            ensure!(ended == all, "{ended} of {all} keys were ended; the file is kept");
            std::fs::remove_file(file).with_context(|| format!("{}", file.display()))?;
            say(&format!("{ended} keys ended; events that they signed stay"));
            return Ok(Verdict::Pass);
        }
        ensure!((1..=1000).contains(&self.agents), "--agents must be 1 to 1000");
        ensure!((1..=10_000).contains(&self.streams), "--streams must be 1 to 10000");
        let out = self.out.context("--out is missing")?;
        ensure!(!out.exists(), "{} is there already", out.display());
        let events = Events { agents: self.agents, streams: self.streams, ..Events::default() };
        let mut seeds = Vec::new();
        let cast = Cast::register(&caller, environment.tenant_id, &events, &mut seeds).await?;
        cast.write(&seeds, &out)?;
        let (agents, streams) = (cast.agents.len(), cast.streams.len());
        say(&format!("{agents} agents and {streams} streams of tenant {}", cast.tenant_id));
        say(&format!("use them with: loadgen run PROFILE --agents {}", out.display()));
        Ok(Verdict::Pass)
    }
}
