//! `dashboards import`.

use std::fmt;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::Value;

use super::{BoardArgs, say};
use crate::difference::{comparable, lines};
use crate::export;
use crate::grafana::{Folder, Grafana, GrafanaError, Secret};

/// Arguments of `dashboards import`.
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// URL of the Grafana, with its path prefix; `user:password@` in it stands for a token.
    #[arg(long, value_name = "URL")]
    grafana: Secret,
    /// Token of a service account; better in the environment, where other users do not see it.
    #[arg(long, value_name = "TOKEN", env = "GRAFANA_TOKEN", hide_env_values = true)]
    token: Option<Secret>,
    /// Folder in Grafana: made if it is not there; a board that is elsewhere is put into it.
    #[arg(long, value_name = "NAME", default_value = "StateSet Sequencer")]
    folder: String,
    /// What Grafana's history of versions says about the change.
    #[arg(long, value_name = "TEXT", default_value = MESSAGE)]
    message: String,
    /// Say what would change, line by line, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    boards: BoardArgs,
}

const MESSAGE: &str = concat!("dashboards import ", env!("CARGO_PKG_VERSION"));

/// Puts every board into a Grafana.
///
/// # Errors
/// When Grafana cannot be asked, does not let us, or refuses a board; the other boards are put in.
pub async fn import(arguments: &ImportArgs) -> anyhow::Result<ExitCode> {
    let files = export::boards(&arguments.boards.rules()?)?;
    let import = Import {
        grafana: Grafana::new(&arguments.grafana, arguments.token.as_ref())?,
        message: &arguments.message,
        is_dry: arguments.dry_run,
    };
    let folder = import.folder(&arguments.folder).await?;
    let mut count = Count::default();
    for (name, text) in &files {
        let uid = name.trim_end_matches(".json");
        let board = serde_json::from_str(text)?;
        let said = match import.board(uid, &board, &folder).await {
            Ok(step) => {
                count.add(&step);
                step.words(import.is_dry)
            }
            Err(error) if error.is_of_one_board() => {
                count.failed += 1;
                format!("failed: {error}")
            }
            Err(error) => return Err(error).with_context(|| format!("stopped at {uid}")),
        };
        say(&format!("{uid:20}  {said}"));
    }
    let would = if import.is_dry { "would be " } else { "" };
    say(&format!("{would}{count}"));
    ensure!(count.failed == 0, "{} of {} boards failed", count.failed, files.len());
    Ok(ExitCode::SUCCESS)
}

struct Import<'a> {
    grafana: Grafana,
    message: &'a str,
    /// Only asks.
    is_dry: bool,
}

impl Import<'_> {
    async fn folder(&self, title: &str) -> anyhow::Result<Folder> {
        if let Some(folder) = self.grafana.folder(title).await? {
            return Ok(folder);
        }
        if self.is_dry {
            say(&format!("{:20}  would create", "folder"));
            return Ok(Folder::new(title));
        }
        let folder = self.grafana.create_folder(title).await;
        let folder = folder.with_context(|| format!("cannot make the folder {title}"))?;
        say(&format!("{:20}  created", "folder"));
        Ok(folder)
    }

    async fn board(&self, uid: &str, board: &Value, folder: &Folder) -> Result<Step, GrafanaError> {
        let mut step = Step::Create;
        if let Some(saved) = self.grafana.board(uid).await? {
            let (before, after) = (comparable(&saved.dashboard), comparable(board));
            let is_moved = saved.meta.folder_uid != folder.uid;
            if before == after && !is_moved {
                return Ok(Step::Keep);
            }
            if saved.meta.provisioned {
                return Err(GrafanaError::Provisioned);
            }
            step = Step::Update {
                moved_from: is_moved.then(|| saved.meta.folder()),
                difference: if self.is_dry { lines(&before, &after) } else { Vec::new() },
            };
        }
        if !self.is_dry {
            self.grafana.save(board, folder, self.message).await?;
        }
        Ok(step)
    }
}

/// What is done to a board.
enum Step {
    Create,
    Update { moved_from: Option<String>, difference: Vec<String> },
    Keep,
}

impl Step {
    fn words(&self, is_dry: bool) -> String {
        let mut words = match (self, is_dry) {
            (Self::Create, false) => "created",
            (Self::Create, true) => "would create",
            (Self::Update { .. }, false) => "updated",
            (Self::Update { .. }, true) => "would update",
            (Self::Keep, _) => "unchanged",
        }
        .to_owned();
        if let Self::Update { moved_from, difference } = self {
            if let Some(folder) = moved_from {
                words += &format!(" (moved back from {folder})");
            }
            for line in difference {
                words += &format!("\n  {line}");
            }
        }
        words
    }
}

/// How many boards came to which end.
#[derive(Default)]
struct Count {
    created: usize,
    updated: usize,
    unchanged: usize,
    failed: usize,
}

impl Count {
    fn add(&mut self, step: &Step) {
        match step {
            Step::Create => self.created += 1,
            Step::Update { .. } => self.updated += 1,
            Step::Keep => self.unchanged += 1,
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, updated, unchanged, failed } = self;
        write!(formatter, "created {created}, updated {updated}, unchanged {unchanged}")?;
        if *failed > 0 { write!(formatter, ", failed {failed}") } else { Ok(()) }
    }
}
