//! PromQL from the catalogue's symbols: a metric or label that does not exist does not get through.

use std::fmt::Write as _;

use catalog::{LabelValues, Metric};

/// A selector: the name and its matchers.
///
/// # Panics
/// When the metric has no such label, or the label no such value: the rules are constants, so a
/// mistake fails every start and every test.
pub fn series(metric: &Metric, matchers: &[(&str, &str, &str)]) -> String {
    selector(metric, "", matchers)
}

/// The buckets of a histogram.
pub fn buckets(metric: &Metric, matchers: &[(&str, &str, &str)]) -> String {
    selector(metric, "_bucket", matchers)
}

/// The requests that a histogram counted at or below a bound.
///
/// # Panics
/// When the bound is no bucket boundary: the count would be a guess.
pub fn at_or_below(metric: &Metric, bound: f64) -> String {
    let catalog::Kind::Histogram(bounds) = metric.kind else {
        panic!("{} is not a histogram", metric.name);
    };
    assert!(bounds.contains(&bound), "{} has no bucket {bound}", metric.name);
    // Prometheus 3 writes whole bounds with a fraction, `60.0`, Prometheus 2 as they come.
    let matcher = if bound.fract() == 0.0 {
        format!("le=~\"{bound}(\\\\.0)?\"")
    } else {
        format!("le=\"{bound}\"")
    };
    format!("{}_bucket{{{matcher}}}", metric.name)
}

/// All that a histogram counted.
pub fn count(metric: &Metric) -> String {
    selector(metric, "_count", &[])
}

/// `up` of a job.
pub fn up(job: &str) -> String {
    format!("up{{job=\"{job}\"}}")
}

fn selector(metric: &Metric, suffix: &str, matchers: &[(&str, &str, &str)]) -> String {
    let mut text = format!("{}{suffix}", metric.name);
    for (place, (label, operator, value)) in matchers.iter().enumerate() {
        check(metric, label, operator, value);
        let open = if place == 0 { '{' } else { ',' };
        // Writing to a String cannot fail.
        let _ = write!(text, "{open}{label}{operator}\"{value}\"");
    }
    if !matchers.is_empty() {
        text.push('}');
    }
    text
}

fn check(metric: &Metric, label: &str, operator: &str, value: &str) {
    if matches!(label, "job" | "instance") {
        return;
    }
    let declared = metric.labels.iter().find(|declared| declared.name == label);
    let Some(declared) = declared else {
        panic!("{} has no label {label}", metric.name);
    };
    if let LabelValues::Closed(values) = declared.values {
        let is_pattern = operator.ends_with('~');
        let named: Vec<&str> = if is_pattern { value.split('|').collect() } else { vec![value] };
        for one in named {
            assert!(values.contains(&one), "{} {label} is never {one}", metric.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::sequencer;

    #[test]
    fn selectors_hold_what_the_catalogue_declares() {
        let errors = series(&sequencer::ERRORS, &[("category", "=~", "database|internal")]);
        assert_eq!(errors, "stateset_sequencer_errors_total{category=~\"database|internal\"}");
        let fast = at_or_below(&sequencer::INGEST_SUCCESS_DURATION, 0.5);
        assert_eq!(fast, "stateset_sequencer_ingest_success_duration_seconds_bucket{le=\"0.5\"}");
        let minute = at_or_below(&sequencer::COMMITMENT_DELAY, 60.0);
        assert!(minute.ends_with(r#"_bucket{le=~"60(\\.0)?"}"#), "{minute}");
    }

    #[test]
    #[should_panic(expected = "has no label kind")]
    fn an_unknown_label_does_not_get_through() {
        series(&sequencer::ERRORS, &[("kind", "=", "database")]);
    }

    #[test]
    #[should_panic(expected = "is never databse")]
    fn an_unknown_value_does_not_get_through() {
        series(&sequencer::ERRORS, &[("category", "=~", "databse|internal")]);
    }

    #[test]
    #[should_panic(expected = "has no bucket 0.3")]
    fn a_bound_between_buckets_does_not_get_through() {
        at_or_below(&sequencer::INGEST_SUCCESS_DURATION, 0.3);
    }
}
