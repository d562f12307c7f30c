//! The boards panel by panel, for the monitoring guide.

use std::fmt::Write as _;

use alerts::overrides::RuleSet;

use crate::boards;
use crate::builder::Kind;

/// The generated part of `docs/monitoring.md`.
#[must_use]
pub fn panels(set: &RuleSet) -> String {
    let mut text = String::new();
    for board in boards::all(set) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n### {}\n\n{} (`{}`)", board.title, board.about, board.uid);
        for row in &board.rows {
            let _ = writeln!(text, "\n**{}**\n", row.title);
            let _ = writeln!(text, "| panel | what it shows | good |\n|---|---|---|");
            for panel in row.panels.iter().filter(|panel| panel.kind != Kind::Text) {
                let (title, meaning, good) = (&panel.title, &panel.meaning, &panel.good);
                let empty = panel.empty().map(|reason| format!("; empty while {reason}"));
                let empty = empty.unwrap_or_default();
                let _ = writeln!(text, "| {title} | {meaning} | {good}{empty} |");
            }
        }
    }
    text
}
