//! Colours that begin at a number: the alerts' own.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use alerts::rule::{Comparison, Rule, Severity};
use alerts::rules;
use serde_json::{Value, json};

/// Grafana's name of a colour.
pub type Colour = &'static str;

/// Nothing is wrong.
pub const GOOD: Colour = "green";
/// Neither good nor bad.
pub const NEUTRAL: Colour = "blue";
/// Somebody should look.
pub const WARNING: Colour = "orange";
/// Somebody gets up.
pub const CRITICAL: Colour = "red";

/// A colour from a value upwards; from below everything when there is no value.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Where it begins.
    pub value: Option<f64>,
    /// The colour.
    pub colour: Colour,
    /// The alert whose number it is, and what was added to that.
    number_of: Option<(String, f64)>,
    /// The alert whose severity the colour is.
    colour_of: Option<String>,
}

impl Step {
    /// A colour from below everything.
    #[must_use]
    pub fn base(colour: Colour) -> Self {
        Self { value: None, colour, number_of: None, colour_of: None }
    }

    /// A colour from this number upwards.
    #[must_use]
    pub fn at(number: f64, colour: Colour) -> Self {
        Self { value: Some(number), ..Self::base(colour) }
    }

    /// A colour from the number of an alert upwards, and so much more.
    fn at_rule(rule: &Rule, more: f64, colour: Colour) -> Self {
        let number_of = rule.objective.is_none().then(|| (rule.name.clone(), more));
        Self { number_of, ..Self::at(rule.threshold + more, colour) }
    }

    /// In the colour of this alert.
    fn coloured_by(self, rule: &Rule) -> Self {
        Self { colour: colour(rule.severity), colour_of: Some(rule.name.clone()), ..self }
    }

    /// The alert whose number it is, exactly.
    #[must_use]
    pub fn alert(&self) -> Option<String> {
        self.number_of.as_ref().filter(|(_, more)| *more == 0.0).map(|(alert, _)| alert.clone())
    }

    /// The same, so much further up.
    pub(super) fn raised(&mut self, more: f64) {
        self.value = self.value.map(|number| number + more);
        if let Some((_, added)) = &mut self.number_of {
            *added += more;
        }
    }

    /// The number without any change that was asked for: what it is by default.
    pub(super) fn default_value(&self) -> Option<f64> {
        static DEFAULTS: LazyLock<BTreeMap<String, f64>> = LazyLock::new(|| {
            rules::all().into_iter().map(|rule| (rule.name, rule.threshold)).collect()
        });
        let default =
            self.number_of.as_ref().and_then(|(alert, more)| Some(DEFAULTS.get(alert)? + more));
        default.or(self.value)
    }

    /// The number, or what stands for it.
    pub(super) fn number(&self, numbers: Numbers) -> Value {
        match (numbers, &self.number_of) {
            (Numbers::Tokens, Some((alert, 0.0))) => json!(format!("@threshold:{alert}@")),
            (Numbers::Tokens, Some((alert, more))) => json!(format!("@threshold+{more}:{alert}@")),
            _ => json!(self.value),
        }
    }

    /// So many times the number, or what stands for that.
    pub(super) fn times(&self, factor: f64, numbers: Numbers) -> Value {
        match (numbers, &self.number_of) {
            (Numbers::Tokens, Some((alert, 0.0))) => {
                json!(format!("@threshold*{factor}:{alert}@"))
            }
            // As the chart reckons: in decimals.
            _ => json!(self.value.map(|number| (number * factor * 1e12).round() / 1e12)),
        }
    }

    fn shown_colour(&self, numbers: Numbers) -> String {
        match (numbers, &self.colour_of) {
            (Numbers::Tokens, Some(alert)) => format!("@colour:{alert}@"),
            _ => self.colour.to_owned(),
        }
    }
}

/// How what an override may change is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Numbers {
    /// As it is.
    Plain,
    /// As a token that the chart replaces: `helm/GENERATE.md`.
    Tokens,
}

/// The colour of an alert.
#[must_use]
pub fn colour(severity: Severity) -> Colour {
    match severity {
        Severity::Info => NEUTRAL,
        Severity::Warning => WARNING,
        Severity::Critical => CRITICAL,
    }
}

/// The steps of alerts that compare the same side in the same way, each at its own number.
///
/// # Panics
/// When they compare in different ways: such alerts do not belong on one panel.
#[must_use]
pub fn steps(rules: &[&Rule]) -> Vec<Step> {
    let Some(first) = rules.first() else { return vec![Step::base(GOOD)] };
    let same = rules.iter().all(|rule| rule.comparison == first.comparison);
    assert!(same, "{}: alerts on one panel compare in one way", first.name);
    let mut rules = rules.to_vec();
    rules.sort_by(|a, b| a.threshold.total_cmp(&b.threshold));
    match first.comparison {
        Comparison::Above => {
            let above = rules.iter().map(|rule| Step::at_rule(rule, 0.0, GOOD).coloured_by(rule));
            std::iter::once(Step::base(GOOD)).chain(above).collect()
        }
        // Each colour ends where its alert does, so it stands one step earlier.
        Comparison::Below => {
            let mut steps = vec![Step::base(GOOD).coloured_by(rules[0])];
            for (place, rule) in rules.iter().enumerate() {
                let step = Step::at_rule(rule, 0.0, GOOD);
                steps.push(match rules.get(place + 1) {
                    Some(next) => step.coloured_by(next),
                    None => step,
                });
            }
            steps
        }
        // Only flags and small counts are compared so; half a step above is another value.
        Comparison::Is => vec![
            Step::base(GOOD),
            Step::at_rule(first, 0.0, GOOD).coloured_by(first),
            Step::at_rule(first, 0.5, GOOD),
        ],
    }
}

/// As Grafana reads them.
pub(super) fn render(steps: &[Step], numbers: Numbers) -> Value {
    let step =
        |step: &Step| json!({ "color": step.shown_colour(numbers), "value": step.number(numbers) });
    json!({ "mode": "absolute", "steps": steps.iter().map(step).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<(Option<f64>, Colour)> {
        let all = rules::all();
        let rules: Vec<&Rule> =
            all.iter().filter(|rule| names.contains(&rule.name.as_str())).collect();
        assert_eq!(rules.len(), names.len());
        steps(&rules).iter().map(|step| (step.value, step.colour)).collect()
    }

    #[test]
    fn colours_begin_and_end_at_the_alerts_numbers() {
        let disk = of(&["SequencerDiskFull", "SequencerDiskFilling", "SequencerDiskAlmostFull"]);
        let expect =
            [(None, GOOD), (Some(0.85), NEUTRAL), (Some(0.9), WARNING), (Some(0.95), CRITICAL)];
        assert_eq!(disk, expect);
        let tls = of(&["SequencerTlsCertificateExpiring", "SequencerTlsCertificateEnding"]);
        let expect = [(None, CRITICAL), (Some(172_800.0), WARNING), (Some(1_209_600.0), GOOD)];
        assert_eq!(tls, expect);
        let ready = of(&["SequencerNotReady"]);
        assert_eq!(ready, [(None, GOOD), (Some(0.0), CRITICAL), (Some(0.5), GOOD)]);
    }
}
