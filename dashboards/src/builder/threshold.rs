//! Colours that begin at a number: the alerts' own.

use alerts::rule::{Comparison, Rule, Severity};
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Where it begins.
    pub value: Option<f64>,
    /// The colour.
    pub colour: Colour,
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
    let Some(first) = rules.first() else { return vec![Step { value: None, colour: GOOD }] };
    let same = rules.iter().all(|rule| rule.comparison == first.comparison);
    assert!(same, "{}: alerts on one panel compare in one way", first.name);
    let mut rules = rules.to_vec();
    rules.sort_by(|a, b| a.threshold.total_cmp(&b.threshold));
    let at = |value, colour| Step { value: Some(value), colour };
    let base = |colour| Step { value: None, colour };
    match first.comparison {
        Comparison::Above => {
            let above = rules.iter().map(|rule| at(rule.threshold, colour(rule.severity)));
            std::iter::once(base(GOOD)).chain(above).collect()
        }
        // Each colour ends where its alert does, so it stands one step earlier.
        Comparison::Below => {
            let mut steps = vec![base(colour(rules[0].severity))];
            for (place, rule) in rules.iter().enumerate() {
                let next = rules.get(place + 1).map_or(GOOD, |next| colour(next.severity));
                steps.push(at(rule.threshold, next));
            }
            steps
        }
        // Only flags and small counts are compared so; half a step above is another value.
        Comparison::Is => {
            let number = first.threshold;
            vec![base(GOOD), at(number, colour(first.severity)), at(number + 0.5, GOOD)]
        }
    }
}

/// As Grafana reads them.
pub(super) fn render(steps: &[Step]) -> Value {
    let step = |step: &Step| json!({ "color": step.colour, "value": step.value });
    json!({ "mode": "absolute", "steps": steps.iter().map(step).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alerts::rules;

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
