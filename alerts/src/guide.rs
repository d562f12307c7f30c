//! The alerts and the objectives as tables, for the monitoring guide.

use std::fmt::Write as _;

use catalog::slo::{self, WINDOW_DAYS};

use crate::overrides::RuleSet;
use crate::rule::{Decimal, Rule, Severity, duration};
use crate::slo::PAIRS;

/// Every alert but the burn rates, the most urgent first.
#[must_use]
pub fn alerts(set: &RuleSet) -> String {
    let mut rules: Vec<&Rule> = set.rules.iter().filter(|rule| rule.objective.is_none()).collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.severity));
    let mut text = "| alert | severity | fires when | for | what it means |\n".to_owned();
    text.push_str("|---|---|---|---|---|\n");
    for rule in rules {
        let (name, severity, summary) = (&rule.name, rule.severity.as_str(), rule.summary);
        let (fires, wait) = (rule.fires(), duration(rule.for_seconds));
        let off = if rule.enabled { "" } else { " Off until it is enabled." };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{name}` | {severity} | {fires} | {wait} | {summary}{off} |");
    }
    text
}

/// Every objective, and how much of its budget is gone when an alert says so.
#[must_use]
pub fn objectives(set: &RuleSet) -> String {
    let mut text = format!(
        "| objective | target | budget in {WINDOW_DAYS} days | its alerts begin with |\n\
         |---|---|---|---|\n"
    );
    for objective in slo::ALL {
        let target = Decimal(objective.target_ratio * 100.0);
        let budget = Decimal((1.0 - objective.target_ratio) * 100.0);
        let of = |rule: &&Rule| rule.objective == Some(objective.name);
        let name = set.rules.iter().find(of).map_or("", |rule| rule.name.as_str());
        let stem = name.rsplit_once("Burn").map_or(name, |(stem, _)| stem);
        let promise = objective.promise;
        let _ = writeln!(text, "| {promise} | {target} % | {budget} % bad | `{stem}Burn…` |");
    }
    text.push_str("\n| both windows above | burn rate | budget gone by then | severity |\n");
    text.push_str("|---|---|---|---|\n");
    for pair in PAIRS {
        let (long, short) = (duration(pair.long), duration(pair.short));
        let gone = pair.burn * f64::from(pair.long) / (f64::from(WINDOW_DAYS) * 86_400.0);
        let (burn, gone) = (Decimal(pair.burn), Decimal(gone * 100.0));
        let severity = match pair.severity {
            Severity::Critical => "critical: a page",
            Severity::Warning | Severity::Info => "warning: a ticket",
        };
        let _ = writeln!(text, "| {long} and {short} | {burn} | {gone} % | {severity} |");
    }
    text
}
