//! What differs between two boards: whether at all, and the lines of it.

use std::time::Duration;

use serde_json::{Number, Value, json};
use similar::TextDiff;

/// Unchanged lines around a change: the panel's title is seldom further away.
const CONTEXT_LINES: usize = 3;
/// Of one board: more is read in Grafana's own history of versions.
const MAX_LINES: usize = 60;
/// After that the difference is rough, but there.
const LIMIT: Duration = Duration::from_secs(2);

/// What a board says, without what Grafana adds: its number, its version, members without a value,
/// and another way to write the same number.
#[must_use]
pub fn comparable(board: &Value) -> Value {
    let mut board = with_plain_numbers(board);
    if let Some(members) = board.as_object_mut() {
        members
            .retain(|name, value| !matches!(name.as_str(), "id" | "version") && !value.is_null());
    }
    board
}

/// The changed lines, as `diff -u` writes them; of very many the first.
#[must_use]
pub fn lines(before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (format!("{before:#}\n"), format!("{after:#}\n"));
    let difference = TextDiff::configure().timeout(LIMIT).diff_lines(&before, &after);
    let mut unified = difference.unified_diff();
    let text = unified.context_radius(CONTEXT_LINES).header("in Grafana", "after the import");
    let mut lines: Vec<String> = text.to_string().lines().map(str::to_owned).collect();
    let more = lines.len().saturating_sub(MAX_LINES);
    lines.truncate(MAX_LINES);
    if more > 0 {
        lines.push(format!("... and {more} lines more"));
    }
    lines
}

fn with_plain_numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => plain(number),
        Value::Array(values) => values.iter().map(with_plain_numbers).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name, with_plain_numbers(value))).collect()
        }
        other => other.clone(),
    }
}

/// Whole numbers without a point: some Grafanas read and write every number anew.
fn plain(number: &Number) -> Value {
    /// Above, not every whole number is a float.
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below the bound")]
        Some(float) if float.fract() == 0.0 && float.abs() < MAX_EXACT => json!(float as i64),
        _ => Value::Number(number.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grafana_adds_is_no_difference() {
        let ours = json!({ "title": "A", "version": 1, "panels": [{ "id": 1, "w": 2.0 }] });
        let theirs = json!({
            "id": 7, "title": "A", "version": 12, "gnetId": null, "panels": [{ "id": 1, "w": 2 }],
        });
        assert_eq!(comparable(&ours), comparable(&theirs));
        for (change, value) in [("title", json!("B")), ("description", json!("new"))] {
            let mut changed = theirs.clone();
            changed[change] = value;
            assert_ne!(comparable(&ours), comparable(&changed), "{change}");
        }
        let mut panel = theirs;
        panel["panels"][0]["id"] = json!(2);
        assert_ne!(comparable(&ours), comparable(&panel), "a panel's number is the board's own");
    }

    #[test]
    fn a_difference_shows_what_changed_and_has_an_end() {
        let board = |title: &str| json!({ "panels": [{ "title": title, "type": "stat" }] });
        let text = lines(&board("Old"), &board("New")).join("\n");
        for line in ["--- in Grafana", "+++ after the import", "\"Old\",", "\"New\","] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let many = |text: &str| json!(vec![text; 200]);
        let lines = lines(&many("a"), &many("b"));
        assert_eq!(lines.len(), MAX_LINES + 1);
        assert!(lines[MAX_LINES].starts_with("... and "), "{}", lines[MAX_LINES]);
    }
}
