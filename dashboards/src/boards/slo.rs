//! What was promised, how much of the budget is left, and how fast it goes.

use alerts::overrides::RuleSet;
use alerts::rule::{Decimal, Rule, duration};
use alerts::slo::{PAIRS, ratio, recorded};
use catalog::slo::{ALL, Objective, WINDOW_DAYS};

use super::{lines, stat};
use crate::builder::threshold::{CRITICAL, GOOD, Step, WARNING};
use crate::builder::{Board, Panel, Unit};

pub(super) fn board(set: &RuleSet) -> Board {
    let board = Board::new(
        "stateset-slo",
        "Sequencer / Objectives",
        "What was promised, how much of the error budget is left, and how fast it is used up.",
    );
    ALL.iter().fold(board, |board, objective| {
        let target = Decimal(objective.target_ratio * 100.0);
        let title = format!("{target} %: {}", objective.promise);
        board.row(&title, panels(set, objective))
    })
}

fn panels(set: &RuleSet, objective: &Objective) -> Vec<Panel> {
    let rules: Vec<&Rule> =
        set.rules.iter().filter(|rule| rule.objective == Some(objective.name)).collect();
    let runbook = &rules.first().expect("every objective has an alert").name;
    let mut panels = summary(objective, runbook);
    let width = 24 / u32::try_from(rules.len()).expect("a few").max(3);
    for rule in &rules {
        let (_, window) = rule.name.split_once("BudgetBurn").expect("its name says its window");
        let title = format!("{}: bad within {window}", words(objective.name));
        panels.push(Panel::of_alerts(set, &title, &[&rule.name]).size(width, 7));
    }
    panels
}

fn summary(objective: &Objective, runbook: &str) -> Vec<Panel> {
    let days = format!("{WINDOW_DAYS}d");
    let name = words(objective.name);
    let budget = 1.0 - objective.target_ratio;
    let bad = ratio(objective.name, &days);
    let count = format!("count_over_time({}[{days}])", recorded(objective.name, "total"));
    // Four samples a minute, see the interval of the rule group.
    let covered = format!("max({count}) / {}", 4 * 60 * 24);
    let burn = PAIRS.iter().map(|pair| {
        let window = duration(pair.long);
        (format!("({}) / {}", ratio(objective.name, &window), Decimal(budget)), window)
    });
    let mut speed = lines(
        &format!("{name}: burn rate"),
        "How many times faster than allowed the budget is used up, over the windows of the alerts.",
        "below 1: the budget lasts the whole period",
        runbook,
    )
    .size(12, 7);
    for (expr, window) in burn {
        speed = speed.query(&expr, &window);
    }
    speed.steps = vec![Step::base(GOOD), Step::at(1.0, WARNING), Step::at(14.4, CRITICAL)];
    let figure = |end: &str, meaning: &str, good: &str| {
        stat(&format!("{name}: {end}"), meaning, good, runbook).size(4, 7)
    };
    let mut met = figure(
        "met",
        &format!("Share of good events over {WINDOW_DAYS} days, or what Prometheus keeps of them."),
        &format!("{} % or more", Decimal(objective.target_ratio * 100.0)),
    )
    .unit(Unit::Ratio)
    .decimals(3)
    .query(&format!("1 - {bad}"), "good");
    met.steps = vec![Step::base(CRITICAL), Step::at(objective.target_ratio, GOOD)];
    let mut left = figure(
        "budget left",
        "Share of the error budget that is left; below 0 the promise is broken.",
        "more than the share of the period that is still to come",
    )
    .unit(Unit::Ratio)
    .decimals(1)
    .query(&format!("1 - ({bad}) / {}", Decimal(budget)), "left");
    left.steps = vec![Step::base(CRITICAL), Step::at(0.0, WARNING), Step::at(0.25, GOOD)];
    let covers = figure(
        "days covered",
        "Days that the two figures cover. Prometheus keeps 15 days unless told otherwise; set \
         --storage.tsdb.retention.time=32d.",
        &WINDOW_DAYS.to_string(),
    )
    .decimals(1)
    .query(&covered, "covered");
    vec![met, left, covers, speed]
}

/// A name for people.
fn words(name: &str) -> String {
    let mut text = name.replace('_', " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}
