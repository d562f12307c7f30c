//! Every board, one a file.

mod agents;
mod database;
mod events;
mod load;
mod overview;
mod requests;
mod resilience;
mod sidecar;
mod slo;
mod witness;

use alerts::overrides::RuleSet;
use catalog::Metric;

use crate::builder::{Board, Kind, Panel};

/// Metrics that no board shows, each with the reason.
pub const NOT_SHOWN: &[(&str, &str)] = &[
    ("process_open_fds", "the sequencer's own descriptor gauges and the sidecar's say the same"),
    ("process_max_fds", "the same"),
    ("stateset_loadgen_build_info", "the report of a run names the version that made it"),
    ("process_virtual_memory_bytes", "reserved addresses cost nothing; resident memory is shown"),
];

/// All boards, in the order in which people read them.
#[must_use]
pub fn all(set: &RuleSet) -> Vec<Board> {
    let boards = [
        overview::board(set),
        requests::board(set),
        events::board(set),
        database::board(set),
        resilience::board(set),
        agents::board(set),
        sidecar::board(set),
        slo::board(set),
        load::board(set),
    ];
    boards.into_iter().map(|board| board.with_alerts(set)).collect()
}

fn stat(title: &str, meaning: &str, good: &str, runbook: &str) -> Panel {
    Panel::new(Kind::Stat, title, meaning, good, runbook)
}

fn lines(title: &str, meaning: &str, good: &str, runbook: &str) -> Panel {
    Panel::new(Kind::TimeSeries, title, meaning, good, runbook)
}

fn stacked(title: &str, meaning: &str, good: &str, runbook: &str) -> Panel {
    Panel::new(Kind::Stacked, title, meaning, good, runbook)
}

fn bars(title: &str, meaning: &str, good: &str, runbook: &str) -> Panel {
    Panel::new(Kind::BarGauge, title, meaning, good, runbook)
}

fn heatmap(title: &str, meaning: &str, good: &str, runbook: &str) -> Panel {
    Panel::new(Kind::Heatmap, title, meaning, good, runbook)
}

fn timeline(title: &str, meaning: &str, good: &str, runbook: &str) -> Panel {
    Panel::new(Kind::StateTimeline, title, meaning, good, runbook)
}

fn gauge(title: &str, meaning: &str, good: &str, runbook: &str) -> Panel {
    Panel::new(Kind::Gauge, title, meaning, good, runbook)
}

/// Panels that have nothing to show while this is so.
fn empty_when(reason: &'static str, panels: Vec<Panel>) -> Vec<Panel> {
    panels.into_iter().map(|panel| panel.empty_when(reason)).collect()
}

/// While every process shows what it should, a panel of those that do not is empty.
const NOTHING_LACKS: &str = "no process lacks metrics of its own";

/// A family of gauges as it is.
fn plain(metric: &Metric) -> String {
    alerts::promql::series(metric, &[])
}
