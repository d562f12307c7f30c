//! Every threshold, comparison and wait, changed a little: some case must notice.

use alerts::overrides::RuleSet;
use alerts::rule::{Comparison, Rule, Unit};

use crate::suite::Suite;
use crate::{burn, cases, rule_set};

/// The rule with one thing changed, and what was changed.
fn mutants(rule: &Rule) -> Vec<(String, Rule)> {
    let mut mutants = Vec::new();
    for by in nudges(rule) {
        let threshold = rule.threshold + by;
        let changed = Rule { threshold, ..rule.clone() };
        mutants.push((format!("threshold {threshold}"), changed));
    }
    let turned = match rule.comparison {
        Comparison::Above | Comparison::Is => Comparison::Below,
        Comparison::Below => Comparison::Above,
    };
    mutants.push(("comparison".to_owned(), Rule { comparison: turned, ..rule.clone() }));
    for seconds in [0, rule.for_seconds + 60] {
        if seconds != rule.for_seconds {
            let changed = Rule { for_seconds: seconds, ..rule.clone() };
            mutants.push((format!("for {seconds}s"), changed));
        }
    }
    mutants
}

/// A twentieth either way; one, where only whole numbers can come.
fn nudges(rule: &Rule) -> [f64; 2] {
    let by = match rule.unit {
        Unit::Count | Unit::Flag => 1.0,
        Unit::Bytes if rule.threshold == 0.0 => 1e8,
        _ => rule.threshold * 0.05,
    };
    [-by, by]
}

fn survivors(
    name: &str,
    suite: for<'a> fn(&'a RuleSet) -> Suite<'a>,
    add: impl Fn(&mut Suite<'_>),
) -> Vec<String> {
    let set = rule_set();
    let place = set.rules.iter().position(|rule| rule.name == name).unwrap();
    let lives = |(what, mutant): (String, Rule)| {
        let mut changed = RuleSet { rules: vec![mutant], ..set.clone() };
        // The other rules are left out, but the recorded series stay, which the group brings.
        changed.rules[0].enabled = true;
        let mut suite = suite(&changed);
        add(&mut suite);
        suite.passes().is_ok().then(|| format!("{name}: {what}"))
    };
    mutants(&set.rules[place]).into_iter().filter_map(lives).collect()
}

#[test]
fn every_change_of_a_rule_is_noticed() {
    let survivors: Vec<String> = cases::all()
        .flat_map(|case| {
            survivors(
                case.alert,
                |set| Suite::quick(set),
                |suite| {
                    suite.add_weak(case);
                    suite.add_strong(case);
                },
            )
        })
        .collect();
    assert!(survivors.is_empty(), "no case notices: {survivors:#?}");
}

#[test]
fn every_change_of_a_burn_rate_is_noticed() {
    let survivors: Vec<String> = burn::CASES
        .iter()
        .flat_map(|case| {
            survivors(case.alert, |set| Suite::slow(set), |suite| suite.add_burn(case))
        })
        .collect();
    assert!(survivors.is_empty(), "no case notices: {survivors:#?}");
}
