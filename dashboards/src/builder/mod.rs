//! A board: rows of panels, and what every board carries.

mod draw;
mod frame;
mod grid;
mod panel;
pub mod threshold;
mod unit;

use std::collections::BTreeSet;

use alerts::overrides::RuleSet;
use serde_json::Value;

use threshold::Numbers;

pub use grid::{COLUMNS, Grid, Place};
pub use panel::{Kind, Panel, State};
pub use unit::Unit;

/// A headline and the panels under it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The headline.
    pub title: String,
    /// The panels in reading order.
    pub panels: Vec<Panel>,
}

/// One board.
#[derive(Clone, Debug)]
pub struct Board {
    /// Never changes: links and imports find the board by it. At most 40 characters.
    pub uid: &'static str,
    /// Its name.
    pub title: &'static str,
    /// Which question it answers.
    pub about: &'static str,
    /// Its rows.
    pub rows: Vec<Row>,
}

impl Board {
    /// A board without rows.
    #[must_use]
    pub fn new(uid: &'static str, title: &'static str, about: &'static str) -> Self {
        Self { uid, title, about, rows: Vec::new() }
    }

    /// One more row.
    #[must_use]
    pub fn row(mut self, title: &str, panels: Vec<Panel>) -> Self {
        self.rows.push(Row { title: title.to_owned(), panels });
        self
    }

    /// A last row with the alerts of this board that have no panel yet.
    #[must_use]
    pub fn with_alerts(self, set: &RuleSet) -> Self {
        let shown: BTreeSet<&str> =
            self.panels().flat_map(|panel| panel.alerts.iter().map(String::as_str)).collect();
        let missing = set.rules.iter().filter(|rule| rule.board == self.uid);
        let missing = missing.filter(|rule| !shown.contains(rule.name.as_str()));
        let panels: Vec<Panel> =
            missing.map(|rule| Panel::of_alerts(set, &rule.name, &[&rule.name])).collect();
        if panels.is_empty() { self } else { self.row("Alerts", panels) }
    }

    /// All panels in reading order.
    pub fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.rows.iter().flat_map(|row| &row.panels)
    }

    /// As Grafana reads it.
    #[must_use]
    pub fn render(&self, set: &RuleSet) -> Value {
        frame::render(self, set, Numbers::Plain)
    }

    /// With a token in the place of all that an override may change, for the chart.
    #[must_use]
    pub fn render_for_chart(&self, set: &RuleSet) -> Value {
        frame::render(self, set, Numbers::Tokens)
    }
}
