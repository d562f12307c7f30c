//! `alerts check`: whether a Prometheus has what the rules need, and what they would have done.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::Args;

use super::{RuleSetArgs, say};
use crate::overrides::RuleSet;
use crate::prometheus::{AskError, Prometheus, PrometheusArgs, Range, Series, now};
use crate::rule::Rule;
use crate::selectors::selectors;
use crate::slo;

/// Exit code when a metric or a label is missing.
const MISSING: u8 = 3;
const DAY_SECONDS: u64 = 86_400;
/// Between two points of the last day.
const STEP_SECONDS: u64 = 60;
/// The same for burn rates, whose windows are long.
const SLO_STEP_SECONDS: u64 = 300;

/// Arguments of `alerts check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    prometheus: PrometheusArgs,
    #[command(flatten)]
    rules: RuleSetArgs,
}

/// Asks for each metric and label, then for each alert's last day.
///
/// # Errors
/// When Prometheus does not answer, or not as Prometheus does.
pub async fn check(arguments: &CheckArgs) -> anyhow::Result<ExitCode> {
    let set = arguments.rules.rules()?;
    let prometheus = arguments.prometheus.client()?;
    let missing = missing(&set, &prometheus).await?;
    let start = first_scrape(&prometheus).await?;
    say("alert                                     would have fired in the last 24 hours");
    for rule in set.enabled() {
        let times = times_fired(&prometheus, rule, start).await?;
        let times = match times {
            0 => "never".to_owned(),
            1 => "once".to_owned(),
            times => format!("{times} times"),
        };
        say(&format!("{:40}  {times}", rule.name));
    }
    if missing.is_empty() {
        say("\nevery metric and label that the rules use is there");
        return Ok(ExitCode::SUCCESS);
    }
    say("\nmissing:");
    missing.iter().for_each(|line| say(&format!("  {line}")));
    Ok(ExitCode::from(MISSING))
}

/// What is not there, with the alerts that need it.
async fn missing(set: &RuleSet, prometheus: &Prometheus) -> anyhow::Result<Vec<String>> {
    // The labels that some rule matches, and the rules, by metric.
    let mut wanted: BTreeMap<String, (BTreeSet<String>, BTreeSet<&str>)> = BTreeMap::new();
    for rule in set.enabled() {
        for selector in selectors(&without_recordings(&rule.expression(), STEP_SECONDS))? {
            let (labels, alerts) = wanted.entry(selector.metric).or_default();
            labels.extend(selector.labels);
            alerts.insert(&rule.name);
        }
    }
    let mut missing = Vec::new();
    for (metric, (labels, alerts)) in wanted {
        let alerts = Vec::from_iter(alerts).join(", ");
        if prometheus.query(&format!("count({metric})")).await?.is_empty() {
            missing.push(format!("{metric}: no such series (needed by {alerts})"));
            continue;
        }
        for label in labels {
            if prometheus.query(&format!("count({metric}{{{label}!=\"\"}})")).await?.is_empty() {
                missing.push(format!("{metric}: no series has a label {label} ({alerts})"));
            }
        }
    }
    Ok(missing)
}

/// The expression on raw series, so that the recording rules need not be loaded.
fn without_recordings(expression: &str, step_seconds: u64) -> String {
    let mut text = expression.to_owned();
    for recording in slo::recordings() {
        let selector = format!("{}[", recording.record);
        let mut pieces = text.split(&selector);
        let mut rest = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (window, after) = piece.split_once(']').unwrap_or((piece, ""));
            let subquery = format!("({})[{window}:{step_seconds}s]", recording.expression);
            rest.push_str(&subquery);
            rest.push_str(after);
        }
        text = rest;
    }
    text
}

/// Unix time of the first scrape in the last day: before it, silence means nothing.
async fn first_scrape(prometheus: &Prometheus) -> Result<u64, AskError> {
    let query = format!("min(min_over_time(timestamp(up)[1d:{STEP_SECONDS}s]))");
    let found = prometheus.query(&query).await?;
    let first = found.first().and_then(|series| series.points.first());
    Ok(first.map_or_else(now, |&(_, first)| seconds(first)))
}

/// How often the rule would have begun to fire since then.
async fn times_fired(prometheus: &Prometheus, rule: &Rule, since: u64) -> Result<usize, AskError> {
    let step = if rule.group == "slo" { SLO_STEP_SECONDS } else { STEP_SECONDS };
    let query = without_recordings(&rule.expression(), step);
    let (end, wait) = (now(), u64::from(rule.for_seconds));
    let start = since.clamp(end.saturating_sub(DAY_SECONDS), end);
    let found = prometheus.query_range(&query, Range { start, end, step }).await?;
    Ok(found.iter().map(|series| begins(&times(series), step, wait)).sum())
}

/// Unix times at which a series had a value, that is: at which the condition held.
fn times(series: &Series) -> Vec<u64> {
    series.points.iter().map(|&(time, _)| seconds(time)).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "unix seconds")]
fn seconds(time: f64) -> u64 {
    time as u64
}

/// How often a condition that held at these times held for as long as the rule waits.
fn begins(times: &[u64], step: u64, wait: u64) -> usize {
    let mut count = 0;
    let mut since: Option<(u64, u64)> = None;
    for &time in times {
        let (first, last) = match since {
            Some((first, last)) if time - last <= step => (first, last),
            _ => (time, time.saturating_sub(step)),
        };
        let held = |until: u64| until.saturating_sub(first) >= wait;
        if held(time) && (last < first || !held(last)) {
            count += 1;
        }
        since = Some((first, time));
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules;

    #[test]
    fn a_condition_counts_once_it_held_long_enough() {
        for (times, wait, expect) in [
            (vec![], 0, 0),
            (vec![60], 0, 1),
            (vec![60, 120, 180], 0, 1),
            (vec![60, 120, 180], 120, 1),
            (vec![60, 120], 120, 0),
            (vec![60, 120, 180, 600, 660, 720, 780], 120, 2),
        ] {
            assert_eq!(begins(&times, 60, wait), expect, "{times:?} for {wait}");
        }
    }

    #[test]
    fn recorded_series_are_written_out() -> anyhow::Result<()> {
        for rule in rules::all() {
            let text = without_recordings(&rule.expression(), 60);
            assert!(!text.contains("job_instance:"), "{text}");
            selectors(&text)?;
        }
        Ok(())
    }
}
