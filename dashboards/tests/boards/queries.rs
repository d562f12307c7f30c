//! What targets ask for.

use std::collections::BTreeSet;

use catalog::{Kind, Metric, loadgen, sequencer, sidecar};
use promql_parser::label::MatchOp;
use promql_parser::parser::{Expr, LabelModifier, VectorSelector};

use crate::{RATE_INTERVAL, Target, parse, report, targets, walk};

/// Complaints of a check of every selector with the functions around it.
fn about_selectors(
    check: impl Fn(&VectorSelector, &[&str]) -> Option<&'static str>,
) -> Vec<String> {
    let mut complaints = Vec::new();
    for Target { at, expr, .. } in targets() {
        let parsed = parse(&expr);
        walk(&parsed, &mut Vec::new(), &mut |node, functions| {
            let selector = match node {
                Expr::VectorSelector(selector) => selector,
                Expr::MatrixSelector(matrix) => &matrix.vs,
                _ => return,
            };
            if let Some(complaint) = check(selector, functions) {
                let name = selector.name.as_deref().unwrap_or("?");
                complaints.push(format!("{at}: {name}: {complaint}"));
            }
        });
    }
    complaints
}

fn matches_exactly(selector: &VectorSelector, label: &str) -> bool {
    let mut all = selector.matchers.matchers.iter();
    all.any(|one| one.name == label && matches!(one.op, MatchOp::Equal))
}

/// target-promql-rule, target-job-rule, target-instance-rule.
#[test]
fn every_selector_matches_the_chosen_jobs_and_instances() {
    report(&about_selectors(|selector, _| {
        let chosen = |label: &str, value: &str| {
            let mut all = selector.matchers.matchers.iter();
            all.any(|m| m.name == label && matches!(m.op, MatchOp::Re(_)) && m.value == value)
        };
        let both = chosen("job", "$job") && chosen("instance", "$instance");
        (!both).then_some("it does not match job and instance")
    }));
}

/// "All" matches every job there is, and these names belong to everybody.
#[test]
fn series_that_every_program_has_name_their_job() {
    report(&about_selectors(|selector, _| {
        let name = selector.name.as_deref().unwrap_or_default();
        let of_everybody = name == "up" || name.starts_with("process_");
        let missing = of_everybody && !matches_exactly(selector, "job");
        missing.then_some("it shows other programs too")
    }));
}

/// target-rate-interval-rule: a fixed window is empty or jumps when the scrape interval is longer.
#[test]
fn every_rate_has_the_window_of_grafana() {
    let mut complaints = Vec::new();
    let window = parse(&format!("rate(a[{RATE_INTERVAL}])"));
    let mut expect = None;
    walk(&window, &mut Vec::new(), &mut |node, _| {
        if let Expr::MatrixSelector(matrix) = node {
            expect = Some(matrix.range);
        }
    });
    for Target { at, expr, .. } in targets() {
        let parsed = parse(&expr);
        walk(&parsed, &mut Vec::new(), &mut |node, functions| {
            let Expr::MatrixSelector(matrix) = node else { return };
            let in_rate = matches!(functions.last(), Some(&("rate" | "irate")));
            if in_rate && Some(matrix.range) != expect {
                complaints.push(format!("{at}: {expr}"));
            }
        });
    }
    report(&complaints);
}

/// target-counter-agg-rule, for the parts of histograms too.
#[test]
fn every_counter_is_seen_through_its_growth() {
    report(&about_selectors(|selector, functions| {
        let name = selector.name.as_deref().unwrap_or_default();
        let (metric, part) = metric(name)?;
        let grows = metric.kind == Kind::Counter || !part.is_empty();
        let as_growth = matches!(functions.last(), Some(&("rate" | "irate" | "increase")));
        (grows && !as_growth).then_some("a counter without rate or increase")
    }));
}

/// The family of a series, and which part of a histogram it is.
fn metric(name: &str) -> Option<(&'static Metric, &'static str)> {
    let mut all = sequencer::ALL.iter().chain(sidecar::ALL).chain(loadgen::ALL);
    if let Some(whole) = all.find(|metric| metric.name == name) {
        return matches!(whole.kind, Kind::Counter | Kind::Gauge).then_some((whole, ""));
    }
    ["_bucket", "_sum", "_count"].into_iter().find_map(|part| {
        let base = name.strip_suffix(part)?;
        let mut all = sequencer::ALL.iter().chain(sidecar::ALL).chain(loadgen::ALL);
        let is_it =
            |metric: &&Metric| metric.name == base && matches!(metric.kind, Kind::Histogram(_));
        Some((all.find(is_it)?, part))
    })
}

/// Labels that a series has beside job and instance; none when there is no such series.
fn labels_of(name: &str) -> Option<BTreeSet<&'static str>> {
    let recorded = alerts::slo::recordings();
    if name == "up" || recorded.iter().any(|one| one.record == name) {
        return Some(BTreeSet::new());
    }
    let (metric, part) = metric(name)?;
    let le = (part == "_bucket").then_some("le");
    Some(metric.labels.iter().map(|label| label.name).chain(le).collect())
}

#[test]
fn targets_name_only_series_and_labels_that_exist() {
    report(&about_selectors(|selector, _| {
        let name = selector.name.as_deref().unwrap_or_default();
        let Some(labels) = labels_of(name) else { return Some("there is no such series") };
        let known = |label: &str| ["job", "instance"].contains(&label) || labels.contains(label);
        let mut named = selector.matchers.matchers.iter();
        named.any(|matcher| !known(&matcher.name)).then_some("it has no such label")
    }));
}

#[test]
fn legends_and_groupings_name_labels_that_the_series_have() {
    let mut complaints = Vec::new();
    for Target { at, expr, legend, .. } in targets() {
        let parsed = parse(&expr);
        let mut has = BTreeSet::from(["job", "instance"]);
        let mut grouped = BTreeSet::new();
        walk(&parsed, &mut Vec::new(), &mut |node, _| match node {
            Expr::VectorSelector(selector) => has.extend(labels_of_selector(selector)),
            Expr::MatrixSelector(matrix) => has.extend(labels_of_selector(&matrix.vs)),
            Expr::Aggregate(aggregate) => {
                if let Some(LabelModifier::Include(labels)) = &aggregate.modifier {
                    grouped.extend(labels.labels.iter().map(String::as_str));
                }
            }
            _ => {}
        });
        let shown = legend.split("{{").skip(1).filter_map(|part| part.split("}}").next());
        for label in shown.chain(grouped) {
            if !has.contains(label) {
                complaints.push(format!("{at}: no series has the label {label}"));
            }
        }
    }
    report(&complaints);
}

fn labels_of_selector(selector: &VectorSelector) -> BTreeSet<&'static str> {
    selector.name.as_deref().and_then(labels_of).unwrap_or_default()
}

/// A legend with a label that aggregation took away would be empty.
#[test]
fn legends_name_labels_that_are_left() {
    let mut complaints = Vec::new();
    for Target { at, expr, legend, .. } in targets() {
        let parsed = parse(&expr);
        let mut outer = &parsed;
        while let Expr::Paren(_) | Expr::Binary(_) | Expr::Call(_) = outer {
            outer = match outer {
                Expr::Paren(paren) => &paren.expr,
                Expr::Binary(binary) if matches!(*binary.lhs, Expr::NumberLiteral(_)) => {
                    &binary.rhs
                }
                Expr::Binary(binary) => &binary.lhs,
                Expr::Call(call) => match call.args.args.last() {
                    Some(argument) => argument,
                    None => break,
                },
                _ => break,
            };
        }
        let Expr::Aggregate(aggregate) = outer else { continue };
        // `topk` keeps the labels of what it chooses from.
        if aggregate.param.is_some() {
            continue;
        }
        let left: &[String] = match &aggregate.modifier {
            Some(LabelModifier::Include(labels)) => &labels.labels,
            _ => &[],
        };
        for label in legend.split("{{").skip(1).filter_map(|part| part.split("}}").next()) {
            if !left.iter().any(|name| name == label) {
                complaints.push(format!("{at}: {label} is not left"));
            }
        }
    }
    report(&complaints);
}
