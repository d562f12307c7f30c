//! What drills have measured: `docs/drills.json`, and the table in `docs/drills.md`.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// One drill that passed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// The alert.
    pub alert: String,
    /// What was broken, and how.
    pub fault: String,
    /// What ended it: the page, or the harness and why.
    pub ended_by: String,
    /// Seconds from the fault until the alert was pending; none for an alert that does not wait.
    pub seconds_to_pending: Option<f64>,
    /// Seconds from the fault until it fired.
    pub seconds_to_firing: f64,
    /// Seconds from the fault until a person would have been told.
    pub seconds_to_notified: Option<f64>,
    /// Alert in whose favour Alertmanager kept it back.
    pub inhibited_by: Option<String>,
    /// Seconds from the end of the fault until it was over.
    pub seconds_to_resolved: f64,
    /// How many times faster than real time its rule was.
    pub scale: u32,
    /// Version of the suite.
    pub version: String,
    /// Day, as in RFC 3339.
    pub date: String,
}

/// An alert without a drill.
pub struct Missing {
    /// The alert.
    pub alert: &'static str,
    /// Why its fault is not made.
    pub reason: &'static str,
}

/// Reads the rows of a file; none when there is no file.
///
/// # Errors
/// When it cannot be read.
pub fn read(file: &Path) -> anyhow::Result<Vec<Row>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    serde_json::from_str(&text).with_context(|| format!("{} is no list of drills", file.display()))
}

/// Puts new rows in the place of the old ones of the same alert and scale, in the order of alerts.
#[must_use]
pub fn merged(old: Vec<Row>, new: Vec<Row>, order: &[String]) -> Vec<Row> {
    let replaced = |row: &Row| new.iter().any(|n| n.alert == row.alert && n.scale == row.scale);
    let mut rows: Vec<Row> = old.into_iter().filter(|row| !replaced(row)).collect();
    rows.extend(new);
    let place = |row: &Row| order.iter().position(|name| *name == row.alert);
    rows.retain(|row| place(row).is_some());
    rows.sort_by_key(|row| (place(row), row.scale));
    rows
}

const INTRODUCTION: &str = "\
# Drills: every alert under a real fault

Written by `runbooks drill` (`make drill`; `make drill ALERT=SequencerDown` for one). A drill starts
a real sequencer, its sidecar, a Prometheus with our rules, an Alertmanager, who it tells, and a
PostgreSQL where the fault needs one; sends load; makes the fault; and asks: does the alert fire,
and nobody else page? Do the diagnosis commands of its runbook show the cause, which they did not in
health? Does the mitigation of the page end it? Does the alert end?

Rules run in fast motion: at scale 15 a wait of 5 minutes takes 20 seconds, and a scrape every 15
seconds comes every second. \"At real speed\" is the measured time to firing times the scale: an
upper bound where the fault itself takes time that does not scale; rows of scale 1 were measured.
\"Told\" is the notification at Alertmanager's receiver. \"Ended by\" says \"page\" where the drill
pasted the page's own mitigation; else what stands for the platform's part.

";

/// `docs/drills.md`.
#[must_use]
pub fn page(rows: &[Row], missing: &[Missing]) -> String {
    let mut page = INTRODUCTION.to_owned();
    page += "| alert | fault | pending | fires | told | at real speed | over | ended by | scale | \
             version | date |\n|---|---|---|---|---|---|---|---|---|---|---|\n";
    for row in rows {
        let seconds =
            |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.1} s"));
        let told = match &row.inhibited_by {
            Some(other) => format!("by {other}"),
            None => seconds(row.seconds_to_notified),
        };
        let _ = writeln!(
            page,
            "| [{alert}](../runbooks/pages/{alert}.md) | {} | {} | {} | {told} | {} | {} | {} | {} \
             | {} | {} |",
            row.fault,
            seconds(row.seconds_to_pending),
            seconds(Some(row.seconds_to_firing)),
            real_time(row),
            seconds(Some(row.seconds_to_resolved)),
            row.ended_by,
            row.scale,
            row.version,
            row.date,
            alert = row.alert,
        );
    }
    if !missing.is_empty() {
        page += "\n## Without a drill\n\n| alert | why |\n|---|---|\n";
        for Missing { alert, reason } in missing {
            let _ = writeln!(page, "| [{alert}](../runbooks/pages/{alert}.md) | {reason} |");
        }
    }
    page
}

/// The time to firing at real speed, in words.
#[must_use]
pub fn real_time(row: &Row) -> String {
    let seconds = row.seconds_to_firing * f64::from(row.scale);
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}
