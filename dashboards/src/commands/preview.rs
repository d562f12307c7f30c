//! `dashboards preview`: every board as a page, for people without Grafana.

use std::path::PathBuf;
use std::process::ExitCode;

use alerts::prometheus::{Prometheus, PrometheusArgs};
use clap::Args;

use super::{BoardArgs, say, write};
use crate::boards;
use crate::builder::Board;
use crate::live::{View, ViewArgs};
use crate::preview::{self, Filled, Source};

/// Arguments of `dashboards preview`.
#[derive(Args, Debug)]
pub struct PreviewArgs {
    #[command(flatten)]
    prometheus: PrometheusArgs,
    /// Folder of the pages.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    boards: BoardArgs,
}

/// Asks every query of every board once and writes what was answered as pages.
///
/// # Errors
/// When Prometheus does not answer, an argument is wrong, or a file cannot be written.
pub async fn preview(arguments: &PreviewArgs) -> anyhow::Result<ExitCode> {
    let set = arguments.boards.rules()?;
    let view = arguments.view.view()?;
    let prometheus = arguments.prometheus.client()?;
    let mut boards = Vec::new();
    for board in boards::all(&set) {
        boards.push(fill(board, &view, &prometheus).await?);
    }
    let source = Source { host: prometheus.host(), range: view.range };
    write(&arguments.out, &preview::pages(&boards, &source, &set)?)?;
    let index = arguments.out.join(preview::INDEX);
    say(&format!("\nOpen {} in a browser; the pages ask no network.", index.display()));
    Ok(ExitCode::SUCCESS)
}

async fn fill(board: Board, view: &View, prometheus: &Prometheus) -> anyhow::Result<Filled> {
    let mut answers = Vec::new();
    for panel in board.panels() {
        let mut of_panel = Vec::new();
        for query in &panel.queries {
            of_panel.push(view.ask(prometheus, panel, query).await?);
        }
        answers.push(of_panel);
    }
    Ok(Filled { board, answers })
}
