//! `runbooks drill`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::say;
use crate::book;
use crate::drill::table::{Drill, MISSING, drills};
use crate::drill::{run, stage, watchdog};
use crate::results::{self, Row};

/// Arguments of `runbooks drill`.
#[derive(Args, Debug)]
pub struct DrillArgs {
    /// Alerts to drill; all when none is named
    alerts: Vec<String>,
    /// The short set of every build
    #[arg(long, conflicts_with = "alerts")]
    short: bool,
    /// Only show what would be drilled, and how
    #[arg(long)]
    list: bool,
    /// At real speed
    #[arg(long)]
    real_time: bool,
    /// Nothing is broken: nobody may be told
    #[arg(long, conflicts_with_all = ["alerts", "short"])]
    control: bool,
    /// Drills at the same time
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,
    /// File for what was measured; rows of other drills stay in it
    #[arg(long, value_name = "FILE", default_value = "docs/drills.json")]
    out: PathBuf,
}

/// How long nothing may be told in health: longer than the longest wait of a rule that is not about
/// days, at the speed of drills.
const CONTROL: Duration = Duration::from_secs(30);

/// What is played.
enum Play {
    Drill(Box<Drill>),
    Watchdog,
}

/// Plays drills, and writes what they measured.
///
/// # Errors
/// When an alert is unknown, or a drill fails.
pub async fn drill(arguments: &DrillArgs) -> anyhow::Result<ExitCode> {
    // What panics is a drill that failed, and is said as one.
    std::panic::set_hook(Box::new(|_| ()));
    if arguments.control {
        run::control(CONTROL).await?;
        say("in health nobody is told anything");
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = chosen(arguments)?;
    if arguments.list {
        for (name, _) in &chosen {
            say(name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (total, begin) = (chosen.len(), Instant::now());
    let room = Arc::new(Semaphore::new(arguments.jobs.max(1)));
    let real_time = arguments.real_time;
    let mut playing = JoinSet::new();
    for (name, play) in chosen {
        let room = Arc::clone(&room);
        playing.spawn(async move {
            let _turn = room.acquire_owned().await;
            // What cannot be started panics, and that is a drill that failed.
            let played = tokio::spawn(async move {
                match play {
                    Play::Drill(drill) => run::play(&drill, real_time).await,
                    Play::Watchdog => watchdog::play().await,
                }
            });
            (name, played.await.unwrap_or_else(|died| Err(anyhow::anyhow!("{}", reason(died)))))
        });
    }
    let (mut count, mut failed) = (0, Vec::new());
    while let Some(done) = playing.join_next().await {
        let (name, played) = done?;
        count += 1;
        match played {
            Ok(row) => {
                say(&passed(&row, count, total));
                // At once: a long set may be ended before it is through.
                write(&arguments.out, vec![row])?;
            }
            Err(error) => {
                say(&format!("{count}/{total}  {name}: FAILED: {error:#}"));
                failed.push(name);
            }
        }
    }
    let seconds = begin.elapsed().as_secs();
    if failed.is_empty() {
        say(&format!("{total} drills passed in {seconds} s: {}", arguments.out.display()));
        return Ok(ExitCode::SUCCESS);
    }
    bail!("{} of {total} drills failed in {seconds} s: {}", failed.len(), failed.join(", "))
}

fn passed(row: &Row, count: usize, total: usize) -> String {
    let told = match (&row.inhibited_by, row.seconds_to_notified) {
        (Some(by), _) => format!("told by {by}"),
        (None, Some(seconds)) => format!("told after {seconds:.1} s"),
        (None, None) => "nobody told".to_owned(),
    };
    format!(
        "{count}/{total}  {}: fired after {:.1} s, {told}, over after {:.1} s (scale {})",
        row.alert, row.seconds_to_firing, row.seconds_to_resolved, row.scale
    )
}

/// The text of a panic.
fn reason(died: tokio::task::JoinError) -> String {
    let Ok(panic) = died.try_into_panic() else { return "it was cancelled".to_owned() };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// The drills that are asked for, by name.
fn chosen(arguments: &DrillArgs) -> anyhow::Result<Vec<(String, Play)>> {
    let of = |drill: Drill| (drill.alert.clone(), Play::Drill(Box::new(drill)));
    let watchdog = || (watchdog::ALERT.to_owned(), Play::Watchdog);
    let mut all = drills();
    if arguments.short {
        all.retain(Drill::is_short);
    }
    let mut all: Vec<(String, Play)> = all.into_iter().map(of).chain([watchdog()]).collect();
    for name in &arguments.alerts {
        let missing = MISSING.iter().find(|missing| missing.alert == name);
        ensure!(missing.is_none(), "{name} has no drill. {}", missing.map_or("", |m| m.reason));
        ensure!(all.iter().any(|(other, _)| other == name), "there is no alert `{name}`");
    }
    if !arguments.alerts.is_empty() {
        all.retain(|(name, _)| arguments.alerts.contains(name));
    }
    if !stage::is_root() {
        let needs_root = |(name, play): &(String, Play)| match play {
            Play::Drill(drill) => drill.needs_root().then(|| name.clone()),
            Play::Watchdog => None,
        };
        let without: Vec<String> = all.iter().filter_map(needs_root).collect();
        ensure!(without.is_empty(), "these drills need root: {}", without.join(", "));
    }
    Ok(all)
}

/// Puts new rows into the file, and the table beside it.
fn write(file: &std::path::Path, rows: Vec<Row>) -> anyhow::Result<()> {
    let order: Vec<String> = book::pages()?.into_iter().map(|page| page.rule.name).collect();
    let rows = results::merged(results::read(file)?, rows, &order);
    let table = file.with_extension("md");
    for (file, text) in [
        (file, serde_json::to_string_pretty(&rows)? + "\n"),
        (table.as_path(), results::page(&rows, MISSING)),
    ] {
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
