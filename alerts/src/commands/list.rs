//! `alerts list`.

use std::process::ExitCode;

use super::{RuleSetArgs, say};
use crate::rule::{Decimal, duration};

/// One line an alert.
///
/// # Errors
/// When the overrides are wrong.
pub fn list(arguments: &RuleSetArgs) -> anyhow::Result<ExitCode> {
    let set = arguments.rules()?;
    let width = set.rules.iter().map(|rule| rule.name.len()).max().unwrap_or(0);
    for rule in &set.rules {
        let state = if rule.enabled { "" } else { "  (disabled)" };
        let (operator, threshold) = (rule.comparison.operator(), Decimal(rule.threshold));
        let condition = format!("{operator} {threshold}");
        let (severity, wait) = (rule.severity.as_str(), duration(rule.for_seconds));
        let summary = rule.summary;
        say(&format!(
            "{:width$}  {severity:8}  for {wait:4}  {condition:14}  {summary}{state}",
            rule.name
        ));
    }
    Ok(ExitCode::SUCCESS)
}
