//! `sidecar witness list` and `acknowledge`: what a person says about violations. Both work while a
//! sidecar runs and while none does; a running one notices with its next look at the heads.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::ensure;
use clap::{Args, Subcommand};

use super::memory::{Memory, Row};

/// Longest reason that is kept.
const MAX_REASON_CHARACTERS: usize = 2_000;

/// Arguments of `sidecar witness`.
#[derive(Args, Debug)]
pub struct WitnessArgs {
    #[command(subcommand)]
    command: Command,
    /// Folder of what the sidecar remembers.
    #[arg(long, env = "SIDECAR_STATE_DIR", default_value = "data/sidecar", global = true)]
    sidecar_state_dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show open violations
    List {
        /// Also those that were acknowledged
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End a violation: the only way one ends
    Acknowledge {
        /// Its name, as `list` shows it
        id: String,
        /// What happened and why it is over; it is kept
        #[arg(long)]
        reason: String,
        /// Who says so
        #[arg(long, env = "USER")]
        user: Option<String>,
    },
}

impl WitnessArgs {
    /// Runs it.
    ///
    /// # Errors
    /// When there is no memory or it cannot be read, or the violation is not open.
    pub async fn run(&self) -> anyhow::Result<()> {
        let memory = Memory::open_existing(&self.sidecar_state_dir).await?;
        match &self.command {
            Command::List { all, json } => list(&memory.violations(*all).await?, *json),
            Command::Acknowledge { id, reason, user } => {
                let reason = reason.trim();
                ensure!(!reason.is_empty(), "--reason must say what happened");
                let length = reason.chars().count();
                ensure!(
                    length <= MAX_REASON_CHARACTERS,
                    "--reason has {length} characters, {MAX_REASON_CHARACTERS} is the most"
                );
                let uid = || format!("uid {}", rustix::process::getuid().as_raw());
                let user = user.clone().filter(|user| !user.is_empty()).unwrap_or_else(uid);
                let ended = memory.acknowledge(id, reason, &user).await?;
                let mut out = std::io::stdout();
                writeln!(out, "acknowledged {} {} by {user}", ended.id, ended.kind)?;
                if matches!(ended.kind.as_str(), "rollback" | "rewritten") {
                    writeln!(out, "the log as it is now becomes the new baseline of its stream")?;
                }
                Ok(())
            }
        }
    }
}

fn list(rows: &[Row], json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(rows)?)?);
    }
    if rows.is_empty() {
        return Ok(writeln!(out, "no violations")?);
    }
    for row in rows {
        let stream = row.stream.map(|stream| format!("{}/{}", stream.tenant_id, stream.store_id));
        let number = row.sequence_number.map(|number| format!(" at {number}"));
        let (stream, number) =
            (stream.unwrap_or("all streams".to_owned()), number.unwrap_or_default());
        writeln!(out, "{} {} since {} in {stream}{number}", row.id, row.kind, row.since)?;
        writeln!(out, "  {}", row.detail)?;
        if let Some(evidence) = &row.evidence {
            writeln!(out, "  evidence: {evidence}")?;
        }
        if let Some(ended) = &row.ended {
            let (at, by, why) = (ended.ended_at, &ended.ended_by, &ended.reason);
            writeln!(out, "  acknowledged {at} by {by}: {why}")?;
        }
    }
    Ok(())
}
