//! What an alert is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is done about a firing alert.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// A ticket: somebody looks in working hours.
    Warning,
    /// A page: somebody gets up.
    Critical,
}

impl Severity {
    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// How the left-hand side is compared with the threshold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Comparison {
    /// Fires above.
    Above,
    /// Fires below.
    Below,
    /// Fires at exactly this value.
    Is,
}

impl Comparison {
    /// The operator.
    #[must_use]
    pub fn operator(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::Below => "<",
            Self::Is => "==",
        }
    }
}

/// Unit of a left-hand side, for panels and for the value in a description.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// A share from 0 to 1.
    Ratio,
    /// A duration whose threshold stays when rules are scaled in time.
    Seconds,
    /// An age or a time to wait, which scales with the rules.
    AgeSeconds,
    /// Bytes.
    Bytes,
    /// Things a second.
    PerSecond,
    /// Things.
    Count,
    /// 0 or 1.
    Flag,
}

impl Unit {
    /// The template that shows the value.
    #[must_use]
    pub fn value_template(self) -> &'static str {
        match self {
            Self::Ratio => "{{ $value | humanizePercentage }}",
            Self::Seconds | Self::AgeSeconds => "{{ $value | humanizeDuration }}",
            Self::Bytes => "{{ $value | humanize1024 }}B",
            Self::PerSecond => "{{ $value | humanize }}/s",
            Self::Count | Self::Flag => "{{ $value | humanize }}",
        }
    }

    /// A number as people say it.
    #[must_use]
    pub fn in_words(self, number: f64) -> String {
        const MIB: f64 = 1024.0 * 1024.0;
        match self {
            Self::Ratio => format!("{} %", Decimal(number * 100.0)),
            Self::Seconds | Self::AgeSeconds if number >= 86_400.0 => {
                format!("{} d", Decimal(number / 86_400.0))
            }
            Self::Seconds | Self::AgeSeconds => format!("{} s", Decimal(number)),
            Self::Bytes => format!("{} MiB", Decimal(number / MIB)),
            Self::PerSecond => format!("{} /s", Decimal(number)),
            Self::Count | Self::Flag => Decimal(number).to_string(),
        }
    }
}

/// One alert. Its expression is `left comparison threshold guard`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Who, what, condition; begins with Sequencer, Sidecar, Canary or Witness.
    pub name: String,
    /// Group, and name of the rule file.
    pub group: &'static str,
    /// Left out of the output when false.
    pub enabled: bool,
    /// What is done about it.
    pub severity: Severity,
    /// Seconds for which the condition must hold.
    pub for_seconds: u32,
    /// The measured side: a panel shows it beside the threshold.
    pub left: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub threshold: f64,
    /// Unit of both.
    pub unit: Unit,
    /// More PromQL that follows the comparison: minimum traffic, second windows.
    pub guard: Guard,
    /// One sentence without template: what is wrong.
    pub summary: &'static str,
    /// What it means and what to look at; `{value}` stands for the value with its unit.
    pub description: String,
    /// Board that shows the left-hand side.
    pub board: &'static str,
    /// Objective that it guards.
    pub objective: Option<&'static str>,
    /// Alerts that fire because this one does: they are inhibited, and a drill expects them.
    pub consequences: Vec<String>,
    /// Labels of the output beside the usual ones.
    pub labels: Vec<(String, String)>,
}

/// What else must hold.
#[derive(Clone, Debug, Default)]
pub enum Guard {
    /// Nothing.
    #[default]
    None,
    /// This text after the comparison.
    Fixed(String),
    /// The same threshold for a second window: `and on() (left comparison threshold)`, then a
    /// floor of traffic.
    Window {
        /// The second left-hand side.
        left: String,
        /// What follows.
        floor: String,
    },
}

impl Rule {
    /// The expression.
    #[must_use]
    pub fn expression(&self) -> String {
        self.expression_with(&Decimal(self.threshold).to_string())
    }

    /// The expression with this text in the place of the number, each time it is there.
    #[must_use]
    pub fn expression_with(&self, threshold: &str) -> String {
        let operator = self.comparison.operator();
        let condition = format!("{} {operator} {threshold}", self.left);
        match &self.guard {
            Guard::None => condition,
            Guard::Fixed(guard) => format!("({condition}) {guard}"),
            Guard::Window { left, floor } => {
                format!("({condition}) and ({left} {operator} {threshold}) {floor}")
            }
        }
    }

    /// Comparison and threshold as people say them.
    #[must_use]
    pub fn fires(&self) -> String {
        format!("{} {}", self.comparison.operator(), self.unit.in_words(self.threshold))
    }

    /// The description with the template of the value.
    #[must_use]
    pub fn description(&self) -> String {
        self.description.replace("{value}", self.unit.value_template())
    }
}

/// A number as an exact decimal: never in exponent form.
#[derive(Clone, Copy, Debug)]
pub struct Decimal(pub f64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Twelve places hold every product of a burn rate and an error budget exactly; a sum of
        // binary fractions such as 14.4 * 0.0005 is rounded to the decimal that was meant.
        let text = format!("{:.12}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Seconds in PromQL's form: `90s`, `5m`, `2h`, `3d`.
#[must_use]
pub fn duration(seconds: u32) -> String {
    match seconds {
        0 => "0s".to_owned(),
        s if s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// Reads a duration of PromQL with one unit.
#[must_use]
pub fn parse_duration(text: &str) -> Option<u32> {
    let place = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(place);
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    number.parse::<u32>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_plain() {
        for (value, expect) in [
            (14.4 * 0.0005, "0.0072"),
            (1.0 * (1.0 - 0.9995), "0.0005"),
            (0.85, "0.85"),
            (268_435_456.0, "268435456"),
            (0.0, "0"),
            (1.0, "1"),
        ] {
            assert_eq!(Decimal(value).to_string(), expect);
        }
    }

    #[test]
    fn durations_go_both_ways() {
        for text in ["0s", "15s", "90s", "5m", "2h", "3d"] {
            assert_eq!(duration(parse_duration(text).unwrap_or(1)), text);
        }
        for wrong in ["", "5", "m", "5y", "1h30m"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }
}
