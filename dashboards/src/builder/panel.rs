//! One panel: what it asks, what it means and how it looks.

use alerts::overrides::RuleSet;
use alerts::rule::{self, Comparison, Guard, Rule, duration};

use super::threshold::{self, Colour, GOOD, Numbers, Step};
use super::unit::Unit;
use crate::query::{Query, is_per_instance};

/// How a panel looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// One large number a line.
    Stat,
    /// Lines over time.
    TimeSeries,
    /// Areas on top of each other over time.
    Stacked,
    /// A dial.
    Gauge,
    /// A bar a line.
    BarGauge,
    /// How often which value came, over time.
    Heatmap,
    /// The labels of the present series.
    Table,
    /// A band that changes its colour with the state.
    StateTimeline,
    /// Words.
    Text,
}

/// A value that has a name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// The value.
    pub value: f64,
    /// What is shown.
    pub text: &'static str,
    /// In which colour.
    pub colour: Colour,
}

/// One panel.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What it shows; unique on its board, because its number follows from it.
    pub title: String,
    /// What the numbers are.
    pub meaning: String,
    /// What they should be.
    pub good: String,
    /// Alerts whose runbooks tell what to do about it.
    pub runbooks: Vec<String>,
    /// Alerts whose left-hand side it shows.
    pub alerts: Vec<String>,
    /// How it looks.
    pub kind: Kind,
    /// What its numbers mean.
    pub unit: Unit,
    /// Digits after the point; Grafana chooses when there is no number.
    pub decimals: Option<u8>,
    /// In cells of the grid.
    pub width: u32,
    /// In cells of the grid.
    pub height: u32,
    /// What it asks.
    pub queries: Vec<Query>,
    /// Where its colours begin.
    pub steps: Vec<Step>,
    /// Values with names.
    pub states: Vec<State>,
}

impl Panel {
    /// A panel about something that an alert watches too, in words: what the numbers are, what they
    /// should be, and whose runbook says what to do.
    #[must_use]
    pub fn new(kind: Kind, title: &str, meaning: &str, good: &str, runbook: &str) -> Self {
        let (width, height) = match kind {
            Kind::Stat | Kind::Gauge => (4, 4),
            Kind::StateTimeline => (12, 6),
            Kind::Text => (24, 4),
            _ => (12, 8),
        };
        Self {
            title: title.to_owned(),
            meaning: meaning.to_owned(),
            good: good.to_owned(),
            runbooks: vec![runbook.to_owned()],
            alerts: Vec::new(),
            kind,
            unit: Unit::Count,
            decimals: None,
            width,
            height,
            queries: Vec::new(),
            steps: vec![Step::base(GOOD)],
            states: Vec::new(),
        }
    }

    /// The left-hand side of alerts that measure the same, with a line at each one's number.
    ///
    /// # Panics
    /// When there is no such alert, or they do not measure the same.
    #[must_use]
    pub fn of_alerts(set: &RuleSet, title: &str, names: &[&str]) -> Self {
        let rules: Vec<&Rule> = names.iter().map(|name| named(set, name)).collect();
        let first = rules[0];
        let same = rules.iter().all(|rule| rule.left == first.left && rule.unit == first.unit);
        assert!(same, "{title}: its alerts do not measure the same");
        let kind = match first.comparison {
            Comparison::Is => Kind::StateTimeline,
            Comparison::Above | Comparison::Below => Kind::TimeSeries,
        };
        let fires: Vec<String> = rules.iter().map(|rule| fires(rule)).collect();
        let good = match first.comparison {
            Comparison::Above => "below the line",
            Comparison::Below => "above the line",
            Comparison::Is => "green",
        };
        let mut panel = Self::new(kind, title, first.summary, good, names[0])
            .unit(first.unit.into())
            .query(&first.left, legend(first));
        panel.meaning = format!("What these alerts measure. {}", fires.join(" "));
        if let Guard::Window { left, .. } = &first.guard {
            panel = panel.query(left, "short window");
            panel.queries[0].legend = "long window".to_owned();
        }
        panel.runbooks = names.iter().map(|name| (*name).to_owned()).collect();
        panel.alerts = panel.runbooks.clone();
        panel.steps = threshold::steps(&rules);
        panel
    }

    /// What its numbers mean.
    #[must_use]
    pub fn unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    /// So many digits after the point.
    #[must_use]
    pub fn decimals(self, decimals: u8) -> Self {
        Self { decimals: Some(decimals), ..self }
    }

    /// What its numbers should be, where an alert alone does not say it.
    #[must_use]
    pub fn good(mut self, good: &str) -> Self {
        good.clone_into(&mut self.good);
        self
    }

    /// Its size in cells of the grid.
    #[must_use]
    pub fn size(self, width: u32, height: u32) -> Self {
        Self { width, height, ..self }
    }

    /// Another look.
    #[must_use]
    pub fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// One more query, written without job and instance.
    #[must_use]
    pub fn query(mut self, expr: &str, legend: &str) -> Self {
        self.queries.push(Query::new(expr, legend));
        self
    }

    /// More queries with their legends.
    #[must_use]
    pub fn queries<T: AsRef<str>>(
        self,
        queries: impl IntoIterator<Item = (T, &'static str)>,
    ) -> Self {
        queries.into_iter().fold(self, |panel, (expr, legend)| panel.query(expr.as_ref(), legend))
    }

    /// The legend of every query so far.
    #[must_use]
    pub fn legend(mut self, legend: &str) -> Self {
        for query in &mut self.queries {
            legend.clone_into(&mut query.legend);
        }
        self
    }

    /// Why every query without a reason yet may have no data while all is well: "empty while …".
    #[must_use]
    pub fn empty_when(mut self, reason: &'static str) -> Self {
        for query in &mut self.queries {
            query.empty_when.get_or_insert(reason);
        }
        self
    }

    /// The colours of these alerts, on a panel that shows something near to what they measure. A
    /// colour begins at its number, an alert fires above it: of things that are counted, half a one
    /// more is above.
    #[must_use]
    pub fn coloured_by(mut self, set: &RuleSet, names: &[&str]) -> Self {
        let rules: Vec<&Rule> = names.iter().map(|name| named(set, name)).collect();
        self.steps = threshold::steps(&rules);
        if rules.iter().all(|rule| rule.unit == rule::Unit::Count) {
            for step in &mut self.steps {
                step.raised(0.5);
            }
        }
        self
    }

    /// Names of values, each with its colour.
    #[must_use]
    pub fn states(mut self, states: &[(f64, &'static str, Colour)]) -> Self {
        self.states =
            states.iter().map(|&(value, text, colour)| State { value, text, colour }).collect();
        self
    }

    /// One colour, for a number that is neither good nor bad.
    #[must_use]
    pub fn coloured(mut self, colour: Colour) -> Self {
        self.steps = vec![Step::base(colour)];
        self
    }

    /// The number of the panel: it follows from the title, so it stays when others come or go.
    #[must_use]
    pub fn id(&self) -> u32 {
        number(&self.title)
    }

    /// What it means, what is good, and where to read on.
    #[must_use]
    pub fn description(&self, set: &RuleSet, numbers: Numbers) -> String {
        let link = |name: &String| format!("[{name}]({}/{name})", set.runbooks_url);
        let links: Vec<String> = self.runbooks.iter().map(link).collect();
        let empty = self.empty().map(|reason| format!("\n\nEmpty while {reason}."));
        let mut meaning = self.meaning.clone();
        if numbers == Numbers::Tokens {
            for alert in &self.alerts {
                meaning = meaning.replace(&fires(named(set, alert)), &format!("@alert:{alert}@"));
            }
        }
        let (good, links) = (&self.good, links.join(", "));
        let empty = empty.unwrap_or_default();
        format!("{meaning}\n\nGood: {good}.{empty}\n\nRunbook: {links}")
    }

    /// Why the whole panel may have no data while all is well.
    #[must_use]
    pub fn empty(&self) -> Option<&'static str> {
        let mut reasons = self.queries.iter().map(|query| query.empty_when);
        let first = reasons.next()??;
        reasons.all(|reason| reason == Some(first)).then_some(first)
    }
}

/// FNV-1a, folded to six digits; a test says when two titles of a board meet.
pub(super) fn number(title: &str) -> u32 {
    let hash = title
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    1 + hash % 999_999
}

/// A rule by its name.
///
/// # Panics
/// When there is none: boards are constants, so every test would say so.
fn named<'a>(set: &'a RuleSet, name: &str) -> &'a Rule {
    let found = set.rules.iter().find(|rule| rule.name == name);
    found.unwrap_or_else(|| panic!("a panel names {name}, and there is no such alert"))
}

fn fires(rule: &Rule) -> String {
    let (name, severity, summary) = (&rule.name, rule.severity.as_str(), rule.summary);
    let wait = match rule.for_seconds {
        0 => "at once".to_owned(),
        seconds => format!("after {}", duration(seconds)),
    };
    let state = if rule.enabled { "" } else { "; off until it is enabled" };
    format!("{name} ({severity}): {}, fires {wait}{state}: {summary}", rule.fires())
}

fn legend(rule: &Rule) -> &'static str {
    if is_per_instance(&rule.left) { "{{instance}}" } else { "all instances" }
}
