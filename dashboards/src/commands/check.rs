//! `dashboards check`: every query of every panel, asked once.

use std::process::ExitCode;

use alerts::prometheus::{Prometheus, PrometheusArgs};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{BoardArgs, say};
use crate::boards;
use crate::builder::{Board, Panel};
use crate::live::{Answer, View, ViewArgs};
use crate::query::Query;

/// Exit code when a panel is empty without a reason, or a query is refused.
const MISSING: u8 = 3;

/// Arguments of `dashboards check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    prometheus: PrometheusArgs,
    /// What is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    boards: BoardArgs,
}

/// Who reads the result.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// People: a line a board, and what is missing.
    Text,
    /// Programs: a JSON object a query and line.
    Json,
}

/// Asks every query and says what has data.
///
/// # Errors
/// When Prometheus does not answer, or an argument is wrong.
pub async fn check(arguments: &CheckArgs) -> anyhow::Result<ExitCode> {
    let set = arguments.boards.rules()?;
    let view = arguments.view.view()?;
    let prometheus = arguments.prometheus.client()?;
    let mut all = Count::default();
    for board in boards::all(&set) {
        let looked = look(&board, &view, &prometheus).await?;
        match arguments.format {
            Format::Json => looked.iter().for_each(|one| say(&one.json(&board).to_string())),
            Format::Text => say_board(&board, &looked),
        }
        looked.iter().for_each(|one| all.add(one));
    }
    if arguments.format == Format::Text {
        say(&format!("\nall boards: {}", all.words()));
    }
    let good = all.missing == 0 && all.refused == 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(MISSING) })
}

async fn look<'a>(
    board: &'a Board,
    view: &View,
    prometheus: &Prometheus,
) -> anyhow::Result<Vec<Looked<'a>>> {
    let mut looked = Vec::new();
    for panel in board.panels() {
        for query in &panel.queries {
            let answer = view.ask(prometheus, panel, query).await?;
            looked.push(Looked { panel, query, answer });
        }
    }
    Ok(looked)
}

fn say_board(board: &Board, looked: &[Looked<'_>]) {
    let mut count = Count::default();
    looked.iter().for_each(|one| count.add(one));
    say(&format!("{:20}  {}", board.uid, count.words()));
    for one in looked {
        let (title, legend) = (&one.panel.title, &one.query.legend);
        match one.outcome() {
            Outcome::Data => {}
            Outcome::Expected(reason) => say(&format!("  empty    {title} / {legend}: {reason}")),
            Outcome::Missing => say(&format!("  MISSING  {title} / {legend}: {}", one.query.expr)),
            Outcome::Refused(reason) => say(&format!("  REFUSED  {title} / {legend}: {reason}")),
        }
    }
}

/// One query and what Prometheus said.
struct Looked<'a> {
    panel: &'a Panel,
    query: &'a Query,
    answer: Answer,
}

enum Outcome<'a> {
    Data,
    /// No data, for a reason that the panel gives.
    Expected(&'a str),
    Missing,
    Refused(&'a str),
}

impl Looked<'_> {
    fn outcome(&self) -> Outcome<'_> {
        match (&self.answer, &self.query.empty_when) {
            (Answer::Refused(reason), _) => Outcome::Refused(reason),
            (answer, _) if answer.has_data() => Outcome::Data,
            (_, Some(reason)) => Outcome::Expected(reason),
            (_, None) => Outcome::Missing,
        }
    }

    fn json(&self, board: &Board) -> Value {
        let (outcome, reason) = match self.outcome() {
            Outcome::Data => ("data", None),
            Outcome::Expected(reason) => ("empty", Some(reason)),
            Outcome::Missing => ("missing", None),
            Outcome::Refused(reason) => ("refused", Some(reason)),
        };
        json!({
            "board": board.uid, "panel": self.panel.title, "legend": self.query.legend,
            "expr": self.query.expr, "outcome": outcome, "reason": reason,
            "moved": self.answer.has_moved(),
        })
    }
}

/// How many queries ended how.
#[derive(Default)]
struct Count {
    data: u32,
    expected: u32,
    missing: u32,
    refused: u32,
}

impl Count {
    fn add(&mut self, one: &Looked<'_>) {
        *match one.outcome() {
            Outcome::Data => &mut self.data,
            Outcome::Expected(_) => &mut self.expected,
            Outcome::Missing => &mut self.missing,
            Outcome::Refused(_) => &mut self.refused,
        } += 1;
    }

    fn words(&self) -> String {
        let Self { data, expected, missing, refused } = self;
        let all = data + expected + missing + refused;
        format!(
            "{all} queries: {data} with data, {expected} empty for a known reason, {missing} \
             missing, {refused} refused"
        )
    }
}
