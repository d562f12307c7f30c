//! Series as columns, with names as Grafana gives them.

use std::collections::{BTreeMap, BTreeSet};

use alerts::prometheus::{Range, Series};
use serde_json::{Value, json};

use crate::builder::Panel;
use crate::live::Answer;

/// More lines than this tell nobody anything and make a page slow.
const MOST_SERIES: usize = 50;
/// Longest text of a label or a refusal, in characters.
const LONGEST_TEXT: usize = 120;

/// The lines of a panel: over the range, or their last values.
pub(super) fn lines(panel: &Panel, answers: &[Answer], range: Option<Range>) -> Value {
    let mut list = Vec::new();
    let mut left_out = 0;
    for (query, answer) in panel.queries.iter().zip(answers) {
        for series in of(answer) {
            if list.len() == MOST_SERIES {
                left_out += 1;
                continue;
            }
            let values = match range {
                Some(range) => column(series, range),
                None => series.points.last().map(|&(_, value)| finite(value)).into_iter().collect(),
            };
            list.push(json!({ "name": name(&query.legend, &series.labels), "values": values }));
        }
    }
    json!({ "list": list, "left_out": left_out })
}

/// The labels of the present series; those that no series has are no columns.
pub(super) fn table(answers: &[Answer]) -> Value {
    let all: Vec<&Series> = answers.iter().flat_map(of).collect();
    let columns: BTreeSet<&str> =
        all.iter().flat_map(|series| series.labels.keys().map(String::as_str)).collect();
    let row = |series: &&Series| -> Vec<String> {
        let cell = |column: &&str| series.labels.get(*column).map_or("", String::as_str);
        columns.iter().map(|column| cut(cell(column))).collect()
    };
    let rows: Vec<_> = all.iter().take(MOST_SERIES).map(row).collect();
    json!({ "columns": columns, "rows": rows, "left_out": all.len() - rows.len() })
}

/// The series of an answer; a refusal has none.
pub(super) fn of(answer: &Answer) -> &[Series] {
    match answer {
        Answer::Series(series) => series,
        Answer::Refused(_) => &[],
    }
}

/// A value at every point of the range; Prometheus leaves out those at which there is none.
pub(super) fn column(series: &Series, range: Range) -> Vec<Value> {
    let places = usize::try_from((range.end - range.start) / range.step).unwrap_or_default() + 1;
    let mut column = vec![Value::Null; places];
    for &(at, value) in &series.points {
        if let Some(place) = place(at, range).and_then(|place| column.get_mut(place)) {
            *place = finite(value);
        }
    }
    column
}

/// Which point of the range a moment is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "whole seconds of this century, and what is negative is refused"
)]
fn place(at: f64, range: Range) -> Option<usize> {
    let place = ((at - range.start as f64) / range.step as f64).round();
    (place >= 0.0).then_some(place as usize)
}

/// JSON knows no infinity; no line goes there either.
fn finite(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { Value::Null }
}

/// Each once, in their order, and none too long.
pub(super) fn distinct(texts: &[&str]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    texts.iter().filter(|text| seen.insert(**text)).map(|text| cut(text)).collect()
}

/// A legend with its `{{label}}` filled in; a label that is not there is empty.
fn name(legend: &str, labels: &BTreeMap<String, String>) -> String {
    let mut name = String::new();
    let mut rest = legend;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((label, after)) = after.split_once("}}") else { break };
        name.push_str(before);
        name.push_str(labels.get(label.trim()).map_or("", String::as_str));
        rest = after;
    }
    name.push_str(rest);
    cut(name.trim())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Kind;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn legends_are_filled_in() {
        let labels = labels(&[("instance", "a:1"), ("check", "{{x}}")]);
        for (legend, expect) in [
            ("requests", "requests"),
            ("{{instance}}", "a:1"),
            ("in {{ check }} at {{instance}}", "in {{x}} at a:1"),
            ("{{tenant}} {{instance}}", "a:1"),
            ("{{instance", "{{instance"),
        ] {
            assert_eq!(name(legend, &labels), expect, "{legend}");
        }
        let long = "ä".repeat(500);
        let cut = name("{{long}}", &self::labels(&[("long", &long)]));
        assert_eq!(cut.chars().count(), LONGEST_TEXT + 1);
    }

    #[test]
    fn what_is_too_much_is_counted_and_not_drawn() {
        let panel = Panel::new(Kind::TimeSeries, "t", "m", "g", "SequencerDown")
            .query("stateset_a", "{{n}}");
        let one = |n: u32| Series { labels: labels(&[("n", &n.to_string())]), points: vec![] };
        let answer = Answer::Series((0..60).map(one).collect());
        let answers = [answer];
        let lines = lines(&panel, &answers, None);
        assert_eq!(lines["list"].as_array().map(Vec::len), Some(MOST_SERIES));
        assert_eq!(lines["left_out"], 10);
        let table = table(&answers);
        assert_eq!((&table["columns"], &table["left_out"]), (&json!(["n"]), &json!(10)));
    }
}
