//! Two runs side by side: what became worse by more than is tolerated is a regression.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::figures;
use super::markdown::plain;
use crate::record::{Profile, Quantiles, Record, Verdict};

/// What of a profile may differ between runs that are compared: none of it changes the load.
const FREE: [&str; 3] = ["description", "thresholds", "overrides"];

/// Both runs and what changed.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was tolerated, as a ratio: 0.1 is 10 %.
    pub tolerance: f64,
    /// Figures of both; empty when they cannot be compared.
    pub figures: Vec<Figure>,
    /// Why they cannot be compared, in sentences.
    pub refusals: Vec<String>,
    /// What a reader should know of the difference: another machine, another store.
    pub notes: Vec<String>,
}

/// One figure of both runs.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// In the older run, with its unit.
    pub base: String,
    /// In the newer one.
    pub new: String,
    /// The newer as a share of the older, for people.
    pub ratio: String,
    /// The decision.
    pub change: Change,
}

/// What became of a figure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// Better by more than the tolerance.
    Better,
    /// Within the tolerance.
    Same,
    /// Worse by more than the tolerance: a regression.
    Worse,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Same => "same",
            Self::Worse => "WORSE",
        }
    }
}

/// Reads a tolerance: `10%` or `0.1`.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn parse_tolerance(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.trim().strip_suffix('%') {
        Some(number) => (number.trim_end(), 100.0),
        None => (text.trim(), 1.0),
    };
    let parsed = number.parse::<f64>().ok().map(|value| value / scale);
    let good = parsed.filter(|value| (0.0..=10.0).contains(value));
    good.ok_or_else(|| format!("`{text}` is no tolerance such as 10% or 0.1, up to 1000%"))
}

/// Compares two runs of one profile.
#[must_use]
pub fn compare(base: &Record, new: &Record, tolerance: f64) -> Comparison {
    let mut refusals = Vec::new();
    for (side, record) in [("base", base), ("new", new)] {
        if !figures::is_valid(record.verdict) {
            let reason = record.reasons.first().map_or(String::new(), |first| format!(": {first}"));
            let word = record.verdict.words();
            refusals.push(format!("the {side} run says nothing, it was {word}{reason}"));
        }
    }
    match differences(&base.profile, &new.profile) {
        Ok(none) if none.is_empty() => {}
        Ok(some) => refusals.push(format!("the profiles differ: {}", some.join("; "))),
        Err(error) => refusals.push(format!("{error:#}")),
    }
    let figures = if refusals.is_empty() { all(base, new, tolerance) } else { Vec::new() };
    Comparison { tolerance, figures, refusals, notes: notes(base, new) }
}

impl Comparison {
    /// How a comparison ends: a regression like a threshold that did not hold, runs that cannot be
    /// compared like a bad configuration.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if !self.refusals.is_empty() {
            Verdict::BadConfiguration
        } else if self.worse().next().is_some() {
            Verdict::ThresholdsFailed
        } else {
            Verdict::Pass
        }
    }

    fn worse(&self) -> impl Iterator<Item = &Figure> {
        self.figures.iter().filter(|figure| figure.change == Change::Worse)
    }

    fn conclusion(&self) -> String {
        let tolerance = format!("{} %", (self.tolerance * 1e4).round() / 100.0);
        if !self.refusals.is_empty() {
            return "the runs cannot be compared".to_owned();
        }
        match self.worse().count() {
            0 => format!("no regression: nothing is worse by more than {tolerance}"),
            1 => format!("REGRESSION: 1 figure is worse by more than {tolerance}"),
            count => format!("REGRESSION: {count} figures are worse by more than {tolerance}"),
        }
    }

    /// A table for the terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if !self.figures.is_empty() {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{:<16} {:>12} {:>12} {:>10}  change",
                "figure", "base", "new", "new/base"
            );
        }
        for Figure { name, base, new, ratio, change } in &self.figures {
            let word = change.word();
            let _ = writeln!(text, "{name:<16} {base:>12} {new:>12} {ratio:>10}  {word}");
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        text + &self.conclusion()
    }

    /// The same for pull requests.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("## Load test compared: {}\n", plain(&self.conclusion()));
        for line in self.refusals.iter().chain(&self.notes) {
            let _ = write!(text, "\n* {}", plain(line));
        }
        if !self.figures.is_empty() {
            text.push_str("\n\n| figure | base | new | new/base | change |");
            text.push_str("\n|---|---:|---:|---:|---|");
        }
        for Figure { name, base, new, ratio, change } in &self.figures {
            let word = match change {
                Change::Worse => "❌ worse",
                other => other.word(),
            };
            let _ = write!(text, "\n| {name} | {base} | {new} | {ratio} | {word} |");
        }
        text
    }
}

fn differences(base: &Profile, new: &Profile) -> anyhow::Result<Vec<String>> {
    let fields = |profile| -> anyhow::Result<serde_json::Map<String, Value>> {
        let value = serde_json::to_value(profile).context("a profile is JSON")?;
        ensure!(value.is_object(), "a profile has fields");
        Ok(value.as_object().cloned().unwrap_or_default())
    };
    let (base, new) = (fields(base)?, fields(new)?);
    let changed = base.iter().filter(|(name, _)| !FREE.contains(&name.as_str()));
    Ok(changed
        .filter_map(|(name, was)| {
            let is = new.get(name).unwrap_or(&Value::Null);
            (was != is).then(|| format!("{name} was {was}, is {is}"))
        })
        .collect())
}

fn notes(base: &Record, new: &Record) -> Vec<String> {
    let build = |record: &Record, label: &str| {
        record.versions.target_build.get(label).cloned().unwrap_or_default()
    };
    let pairs = [
        ("target", base.environment.url.clone(), new.environment.url.clone()),
        ("target version", base.versions.target.clone(), new.versions.target.clone()),
        ("commit", build(base, "commit"), build(new, "commit")),
        ("store", build(base, "store"), build(new, "store")),
        ("generator", base.versions.loadgen.clone(), new.versions.loadgen.clone()),
        ("machine", base.versions.machine.clone(), new.versions.machine.clone()),
        ("seed", base.seed.to_string(), new.seed.to_string()),
    ];
    let differ = pairs.into_iter().filter(|(_, was, is)| was != is);
    differ.map(|(name, was, is)| format!("{name} was `{was}`, is `{is}`")).collect()
}

fn all(base: &Record, new: &Record, tolerance: f64) -> Vec<Figure> {
    let (was, is) = (&base.totals, &new.totals);
    let mut all = Vec::new();
    if was.events > 0 || is.events > 0 {
        let pair = [was.events_per_second, is.events_per_second];
        all.push(figure("events", pair, figures::rate, Better::High, tolerance));
    }
    let pair = [was.requests_per_second, is.requests_per_second];
    all.push(figure("requests", pair, figures::rate, Better::High, tolerance));
    let both = [
        ("response", &base.latency.response, &new.latency.response),
        ("service", &base.latency.service, &new.latency.service),
    ];
    for (kind, was, is) in both {
        type Read = fn(&Quantiles) -> u64;
        let quantiles: [(&str, Read); 4] = [
            ("p50", |of| of.p50_us),
            ("p95", |of| of.p95_us),
            ("p99", |of| of.p99_us),
            ("p99.9", |of| of.p999_us),
        ];
        for (name, read) in quantiles {
            let pair = [read(was) as f64, read(is) as f64];
            let name = format!("{kind} {name}");
            all.push(figure(&name, pair, figures::latency, Better::Low, tolerance));
        }
    }
    let pair = [was.error_ratio, is.error_ratio];
    all.push(figure("errors", pair, figures::share, Better::Low, tolerance));
    all
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Better {
    High,
    Low,
}

fn figure(
    name: &str,
    [was, is]: [f64; 2],
    show: fn(f64) -> String,
    better: Better,
    tolerance: f64,
) -> Figure {
    let (more, less) = (is > was * (1.0 + tolerance), is < was * (1.0 - tolerance));
    let change = match (more, less) {
        (true, _) if better == Better::High => Change::Better,
        (true, _) => Change::Worse,
        (_, true) if better == Better::High => Change::Worse,
        (_, true) => Change::Better,
        _ => Change::Same,
    };
    let ratio = match was {
        was if was > 0.0 => format!("{:.3}", is / was),
        _ if is > 0.0 => "from none".to_owned(),
        _ => "-".to_owned(),
    };
    Figure { name: name.to_owned(), base: show(was), new: show(is), ratio, change }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_tolerance_is_a_percentage_or_a_ratio() {
        for (text, value) in [("10%", 0.1), ("0.1", 0.1), ("2.5 %", 0.025), ("0", 0.0)] {
            assert!((parse_tolerance(text).unwrap() - value).abs() < 1e-12, "{text}");
        }
        for text in ["", "%", "-1%", "NaN", "ten", "inf", "2000%"] {
            assert!(parse_tolerance(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_is_worse_by_more_than_the_tolerance_is_a_regression() {
        let base = samples::sample();
        assert_eq!(compare(&base, &base, 0.0).verdict(), Verdict::Pass);
        type Edit = fn(&mut Record);
        let edits: [(Edit, &str, Change); 6] = [
            (|r| r.latency.response.p99_us = 23_000, "response p99", Change::Same),
            (|r| r.latency.response.p99_us = 24_000, "response p99", Change::Worse),
            (|r| r.latency.service.p50_us = 1000, "service p50", Change::Better),
            (|r| r.totals.events_per_second = 30.0, "events", Change::Worse),
            (|r| r.totals.requests_per_second = 90.0, "requests", Change::Better),
            (|r| r.totals.error_ratio = 0.01, "errors", Change::Worse),
        ];
        for (edit, name, change) in edits {
            let mut new = base.clone();
            edit(&mut new);
            let compared = compare(&base, &new, 0.1);
            let figure = compared.figures.iter().find(|figure| figure.name == name).unwrap();
            assert_eq!(figure.change, change, "{name}");
            let is_regression = compared.verdict() == Verdict::ThresholdsFailed;
            assert_eq!(is_regression, change == Change::Worse, "{name}");
            assert_eq!(compared.text().contains("REGRESSION: 1 figure"), is_regression);
            assert_eq!(compared.markdown().contains("❌"), is_regression);
        }
    }

    #[test]
    fn errors_where_there_were_none_are_a_regression() {
        let (mut base, new) = (samples::sample(), samples::sample());
        base.totals.error_ratio = 0.0;
        let compared = compare(&base, &new, 10.0);
        assert_eq!(compared.verdict(), Verdict::ThresholdsFailed);
        assert!(compared.text().contains("from none"));
    }

    #[test]
    fn other_profiles_and_runs_that_say_nothing_are_not_compared() {
        let base = samples::sample();
        let mut other = base.clone();
        other.profile.users = 50;
        other.profile.thresholds.clear();
        let compared = compare(&base, &other, 0.1);
        assert_eq!(compared.verdict(), Verdict::BadConfiguration);
        assert_eq!(compared.refusals, ["the profiles differ: users was 5, is 50"]);
        for verdict in [Verdict::Invalid, Verdict::BadConfiguration, Verdict::Interrupted] {
            let bad = samples::ended(verdict);
            for (base, new) in [(&base, &bad), (&bad, &base)] {
                let compared = compare(base, new, 0.1);
                assert_eq!(compared.verdict(), Verdict::BadConfiguration);
                assert!(compared.refusals[0].contains(verdict.words()));
                assert!(compared.text().contains("cannot be compared"));
                assert!(compared.figures.is_empty());
            }
        }
    }
}
