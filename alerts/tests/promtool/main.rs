//! Every alert in the real promtool: it fires, is silent in health, just under its threshold and
//! just before its wait is over; and every change of a rule is noticed by a case.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod baseline;
mod burn;
mod cases;
mod mutants;
mod suite;

use std::collections::BTreeSet;

use alerts::overrides::{Overrides, RuleSet};
use alerts::rule::Rule;

use crate::suite::{Suite, check_rules};

/// All rules, those that are off by default too.
pub(crate) fn rule_set() -> RuleSet {
    let mut set = RuleSet::new(&Overrides::default()).unwrap();
    for rule in &mut set.rules {
        rule.enabled = true;
    }
    set
}

pub(crate) fn rule<'a>(set: &'a RuleSet, name: &str) -> &'a Rule {
    let found = set.rules.iter().find(|rule| rule.name == name);
    found.unwrap_or_else(|| panic!("a case is about {name}, and there is no such alert"))
}

#[test]
fn every_alert_has_cases_and_every_case_has_an_alert() {
    let set = rule_set();
    let declared: BTreeSet<&str> = set.rules.iter().map(|rule| rule.name.as_str()).collect();
    let burns = burn::CASES.iter().map(|case| case.alert);
    let cases: BTreeSet<&str> = cases::all().map(|case| case.alert).chain(burns).collect();
    let without: Vec<_> = declared.difference(&cases).filter(|name| **name != "Watchdog").collect();
    assert!(without.is_empty(), "alerts without cases: {without:?}");
    assert!(cases.is_subset(&declared), "cases without alerts: {:?}", cases.difference(&declared));
}

/// A ticket that silenced a page would be worse than two pages; two alerts that silence each other
/// would both be silent.
#[test]
fn consequences_are_alerts_of_no_higher_severity_and_never_in_a_circle() {
    let set = rule_set();
    for cause in &set.rules {
        let mut reached: Vec<&str> = cause.consequences.iter().map(String::as_str).collect();
        let mut place = 0;
        while let Some(name) = reached.get(place) {
            let consequence = rule(&set, name);
            assert!(consequence.severity <= cause.severity, "{} silences {name}", cause.name);
            assert_ne!(consequence.name, cause.name, "{} silences itself", cause.name);
            for next in &consequence.consequences {
                if !reached.contains(&next.as_str()) {
                    reached.push(next);
                }
            }
            place += 1;
        }
    }
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    check_rules(&rule_set());
}

#[test]
fn every_case_holds() {
    let set = rule_set();
    let mut suite = Suite::quick(&set);
    suite.add_health();
    cases::all().for_each(|case| suite.add_strong(case));
    suite.passes().unwrap_or_else(|said| panic!("{said}"));
}

/// Without the burn rates, which cost most of the time and are not asked for here.
#[test]
fn every_threshold_is_where_it_should_be() {
    let mut set = rule_set();
    set.rules.retain(|rule| rule.group != "slo");
    let mut suite = Suite::quick(&set);
    cases::all().for_each(|case| suite.add_weak(case));
    suite.passes().unwrap_or_else(|said| panic!("{said}"));
}

#[test]
fn every_burn_rate_case_holds() {
    let set = rule_set();
    let mut suite = Suite::slow(&set);
    burn::CASES.iter().for_each(|case| suite.add_burn(case));
    suite.passes().unwrap_or_else(|said| panic!("{said}"));
}
