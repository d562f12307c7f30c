//! The reference table of metrics, generated so that it cannot drift.

use std::fmt::Write as _;

use crate::{Kind, Label, LabelValues, Metric, loadgen, sequencer, sidecar, slo};

/// The text of `docs/metrics.md`.
#[must_use]
pub fn metrics_reference() -> String {
    let mut page = String::from(
        "# Metrics\n\n<!-- Generated from `catalog` by `make generate`; do not edit. -->\n\n\
         Every family below appears in a scrape with this type, help and these labels, and no\n\
         other family does: a test compares both directions on the running binary. A label marked\n\
         *capped* holds up to the stated number of series, the rest as `other`.\n",
    );
    table(&mut page, "Sequencer (`GET /metrics` on the operations port)", sequencer::ALL);
    table(&mut page, "Sidecar (`GET /metrics` on its port)", sidecar::ALL);
    table(&mut page, "Load generator (`GET /metrics` while a run lasts)", loadgen::ALL);
    page.push_str("\n## Objectives\n\n| objective | promise | target |\n|---|---|---|\n");
    for objective in slo::ALL {
        let percent = objective.target_ratio * 100.0;
        let _ = writeln!(
            page,
            "| `{}` | {} | {percent:.2} % over {} days |",
            objective.name,
            objective.promise,
            slo::WINDOW_DAYS
        );
    }
    page
}

fn table(page: &mut String, title: &str, metrics: &[Metric]) {
    let head =
        "| metric | type | labels | meaning | question it answers |\n|---|---|---|---|---|\n";
    let _ = write!(page, "\n## {title}\n\n{head}");
    for metric in metrics {
        row(page, metric);
    }
}

fn row(page: &mut String, metric: &Metric) {
    let labels: Vec<String> = metric.labels.iter().map(label_text).collect();
    let kind = match metric.kind {
        Kind::Histogram(buckets) => {
            let bounds: Vec<String> = buckets.iter().map(ToString::to_string).collect();
            format!("histogram ({})", bounds.join(", "))
        }
        kind => kind.as_str().to_owned(),
    };
    let (name, help, answers) = (metric.name, metric.help, metric.answers);
    let _ = writeln!(page, "| `{name}` | {kind} | {} | {help} | {answers} |", labels.join("; "));
}

fn label_text(label: &Label) -> String {
    match label.values {
        LabelValues::Closed(values) => format!("`{}`: {}", label.name, values.join(", ")),
        LabelValues::Program => format!("`{}`", label.name),
        LabelValues::Capped(cap) => format!("`{}` (capped at {cap})", label.name),
    }
}
