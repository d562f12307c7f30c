//! `alerts check`: whether a Prometheus has what the rules need, and what they would have done.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;

use super::{RuleSetArgs, say};
use crate::overrides::RuleSet;
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
const LIMIT: Duration = Duration::from_secs(60);

/// Arguments of `alerts check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Base URL of the Prometheus.
    #[arg(long, value_name = "URL")]
    prometheus: String,
    #[command(flatten)]
    rules: RuleSetArgs,
}

/// Asks for each metric and label, then for each alert's last day.
///
/// # Errors
/// When Prometheus does not answer, or not as Prometheus does.
pub async fn check(arguments: &CheckArgs) -> anyhow::Result<ExitCode> {
    let set = arguments.rules.rules()?;
    let prometheus = Prometheus::new(&arguments.prometheus)?;
    let missing = missing(&set, &prometheus).await?;
    let start = prometheus.first_scrape().await?;
    say("alert                                     would have fired in the last 24 hours");
    for rule in set.enabled() {
        let times = prometheus.times_fired(rule, start).await?;
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
        if prometheus.is_empty(&format!("count({metric})")).await? {
            missing.push(format!("{metric}: no such series (needed by {alerts})"));
            continue;
        }
        for label in labels {
            if prometheus.is_empty(&format!("count({metric}{{{label}!=\"\"}})")).await? {
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

struct Prometheus {
    http: reqwest::Client,
    base: reqwest::Url,
}

impl Prometheus {
    fn new(url: &str) -> anyhow::Result<Self> {
        let base: Option<reqwest::Url> = url.parse().ok();
        let base = base.filter(|url| matches!(url.scheme(), "http" | "https"));
        let base = base.with_context(|| format!("{url} is not an http or https URL"))?;
        // A second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(LIMIT).build()?;
        Ok(Self { http, base })
    }

    async fn is_empty(&self, query: &str) -> anyhow::Result<bool> {
        let found = self.ask("query", &[("query", query)]).await?;
        Ok(found["result"].as_array().is_none_or(Vec::is_empty))
    }

    /// Unix time of the first scrape in the last day: before it, silence means nothing.
    async fn first_scrape(&self) -> anyhow::Result<u64> {
        let query = format!("min(min_over_time(timestamp(up)[1d:{STEP_SECONDS}s]))");
        let found = self.ask("query", &[("query", &query)]).await?;
        let first = found["result"][0]["value"][1].as_str().and_then(|text| text.parse().ok());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "unix seconds")]
        let seconds = |first: f64| first as u64;
        Ok(first.map_or_else(now, seconds))
    }

    /// How often the rule would have begun to fire since then.
    async fn times_fired(&self, rule: &Rule, since: u64) -> anyhow::Result<usize> {
        let step = if rule.group == "slo" { SLO_STEP_SECONDS } else { STEP_SECONDS };
        let query = without_recordings(&rule.expression(), step);
        let end = now();
        let start = since.clamp(end.saturating_sub(DAY_SECONDS), end).to_string();
        let end = end.to_string();
        let (step_text, wait) = (step.to_string(), u64::from(rule.for_seconds));
        let wanted =
            [("query", query.as_str()), ("start", &start), ("end", &end), ("step", &step_text)];
        let found = self.ask("query_range", &wanted).await?;
        let series = found["result"].as_array().cloned().unwrap_or_default();
        Ok(series.iter().map(|series| begins(&times(series), step, wait)).sum())
    }

    async fn ask(&self, path: &str, wanted: &[(&str, &str)]) -> anyhow::Result<Value> {
        let mut url = self.base.clone();
        let root = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{root}/api/v1/{path}"));
        url.query_pairs_mut().extend_pairs(wanted);
        let context = || format!("{} does not answer as Prometheus does", self.base);
        let answer = self.http.get(url).send().await.with_context(context)?;
        let status = answer.status();
        let body: Value = answer.json().await.with_context(context)?;
        if body["status"] != "success" {
            bail!("{}: {status}: {}", self.base, body["error"].as_str().unwrap_or("no reason"));
        }
        Ok(body["data"].clone())
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Unix times at which a series had a value, that is: at which the condition held.
fn times(series: &Value) -> Vec<u64> {
    let values = series["values"].as_array().into_iter().flatten();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "unix seconds")]
    let time = |point: &Value| point[0].as_f64().map(|seconds| seconds as u64);
    values.filter_map(time).collect()
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
