//! `alerts explain`.

use std::process::ExitCode;

use anyhow::Context as _;

use super::{RuleSetArgs, say};
use crate::rule::{Rule, duration};

/// Everything about one alert.
///
/// # Errors
/// When there is no such alert, or the overrides are wrong.
pub fn explain(name: &str, arguments: &RuleSetArgs) -> anyhow::Result<ExitCode> {
    let set = arguments.rules()?;
    let rule = set.rules.iter().find(|rule| rule.name.eq_ignore_ascii_case(name));
    let rule = rule.with_context(|| match nearest(&set.rules, name) {
        Some(near) => format!("there is no alert {name}; did you mean {near}?"),
        None => format!("there is no alert {name}; `alerts list` shows them"),
    })?;
    let state = if rule.enabled { "" } else { " (disabled)" };
    say(&format!("{}{state}", rule.name));
    say(&format!("\n  {}\n  {}\n", rule.summary, rule.description()));
    let field = |name: &str, text: &str| say(&format!("{name:13} {text}"));
    field("severity", rule.severity.as_str());
    field("for", &duration(rule.for_seconds));
    if let Some(objective) = rule.objective {
        field("objective", objective);
    }
    field("runbook", &format!("{}/{}", set.runbooks_url, rule.name));
    field("dashboard", &format!("{}/{}", set.dashboards_url, rule.board));
    if !rule.consequences.is_empty() {
        field("consequences", &rule.consequences.join(", "));
    }
    let causes: Vec<&str> = set
        .rules
        .iter()
        .filter(|cause| cause.consequences.contains(&rule.name))
        .map(|cause| cause.name.as_str())
        .collect();
    if !causes.is_empty() {
        field("follows from", &causes.join(", "));
    }
    say(&format!("\n{}", rule.expression()));
    Ok(ExitCode::SUCCESS)
}

/// An alert whose name holds the wanted text, or is held by it.
fn nearest<'a>(rules: &'a [Rule], name: &str) -> Option<&'a str> {
    let wanted = name.to_ascii_lowercase();
    let near = |rule: &&Rule| rule.name.to_ascii_lowercase().contains(&wanted);
    rules.iter().find(near).map(|rule| rule.name.as_str()).filter(|_| !wanted.is_empty())
}
