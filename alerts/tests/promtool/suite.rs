//! A test file for promtool, made of cases, and promtool's verdict.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use alerts::overrides::RuleSet;
use alerts::render;
use alerts::rule::Rule;
use alerts::scale::Scale;
use serde_json::{Value, json};

use crate::baseline::{HEALTHY, written_out};
use crate::cases::Case;
use crate::{burn, rule};

/// Seconds between two evaluations of the cases.
const STEP: u32 = 15;
/// Seconds at which a burn rate is first recorded: two samples make a rate.
const BURN_SEEN: u32 = 300;
/// Seconds between two evaluations of the burn rates.
const BURN_STEP: u32 = 300;
/// Seconds after the first verdict at which a burn rate that is not enough is looked at.
const BURN_LATE: u32 = 3_600;

/// Cases over a rule set.
pub(crate) struct Suite<'a> {
    set: &'a RuleSet,
    interval: &'a str,
    /// Seconds between two samples.
    step: u32,
    tests: Vec<Value>,
}

/// The strengths of a fault, by their place in a case.
const NOT_ENOUGH: usize = 0;
const JUST_ENOUGH: usize = 1;
const STRONG: usize = 2;

impl<'a> Suite<'a> {
    /// Cases of gauges and rates, evaluated as often as there are samples.
    pub(crate) fn quick(set: &'a RuleSet) -> Self {
        Self { set, interval: "15s", step: STEP, tests: Vec::new() }
    }

    /// Cases of burn rates, whose windows are long.
    pub(crate) fn slow(set: &'a RuleSet) -> Self {
        Self { set, interval: "5m", step: 150, tests: Vec::new() }
    }

    /// In health nothing fires but the watchdog.
    pub(crate) fn add_health(&mut self) {
        let firing = r#"ALERTS{alertstate="firing"}"#;
        let watchdog = "ALERTS{alertname=\"Watchdog\", alertstate=\"firing\", \
                        product=\"stateset-sequencer\", severity=\"info\"}";
        let test = json!({
            "name": "health",
            "interval": "15s",
            "input_series": self.input(&[], 90 * 60),
            "promql_expr_test": [{
                "expr": firing, "eval_time": "90m",
                "exp_samples": [{ "labels": watchdog, "value": 1 }],
            }],
        });
        self.tests.push(test);
    }

    /// Silent just under the threshold, firing just over it.
    pub(crate) fn add_weak(&mut self, case: &Case) {
        let late = case.late_minutes * 60;
        let silent = [at(late, case.alert, &json!([]))];
        let not_enough = series(case, NOT_ENOUGH);
        self.push(case.alert, "not enough", late, &not_enough, &silent, None);
        self.push_fires(case.alert, late, &series(case, JUST_ENOUGH));
    }

    /// Fires at the moment it should and not just before, says what it should, and no other page
    /// fires.
    pub(crate) fn add_strong(&mut self, case: &Case) {
        let rule = rule(self.set, case.alert);
        let fires = json!([expected(rule, case.severity, None, case.labels, case.value)]);
        let begins = case.seen_after + case.minutes * 60;
        let mut strong = vec![at(begins, case.alert, &fires)];
        if case.minutes > 0 {
            strong.push(at(begins - STEP, case.alert, &json!([])));
        }
        let pages = no_other_page(self.set, rule, begins);
        self.push(case.alert, "strong", begins, &series(case, STRONG), &strong, Some(&pages));
    }

    pub(crate) fn add_burn(&mut self, case: &burn::Case) {
        let rule = rule(self.set, case.alert);
        let labels: &[(&str, &str)] = &[];
        let objective = Some(case.objective);
        let fires = json!([expected(rule, case.severity, objective, labels, case.value)]);
        // As soon as more than the short window is known, and not before.
        let seen = BURN_SEEN + case.short;
        let time = seen + BURN_LATE;
        let silent = [at(time, case.alert, &json!([]))];
        let with = |bad, traffic| case.series.with(bad, traffic);
        let pages = no_other_page(self.set, rule, seen);
        let early = seen - BURN_STEP;
        let strong = [at(early, case.alert, &json!([])), at(seen, case.alert, &fires)];
        self.push(case.alert, "strong", seen, &with(8_000.0, 1.0), &strong, Some(&pages));
        self.push(case.alert, "not enough", time, &with(case.bad[0], 1.0), &silent, None);
        self.push_fires(case.alert, time, &with(case.bad[1], 1.0));
        // One bad event of a few is no burn rate.
        self.push(case.alert, "too little traffic", time, &with(8_000.0, 1e-6), &silent, None);
    }

    fn push(
        &mut self,
        alert: &str,
        strength: &str,
        seconds: u32,
        fault: &[(&str, String)],
        expects: &[Value],
        pages: Option<&Value>,
    ) {
        let mut test = json!({
            "name": format!("{alert}: {strength}"),
            "interval": format!("{}s", self.step),
            "input_series": self.input(fault, seconds),
            "alert_rule_test": expects,
        });
        if let Some(pages) = pages {
            test["promql_expr_test"] = json!([pages]);
        }
        self.tests.push(test);
    }

    /// Only that it fires; what it says is looked at when the fault is strong.
    fn push_fires(&mut self, alert: &str, time: u32, fault: &[(&str, String)]) {
        let expr = format!("count(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}})");
        let fires = json!({
            "expr": expr, "eval_time": format!("{time}s"),
            "exp_samples": [{ "labels": "{}", "value": 1 }],
        });
        self.push(alert, "just enough", time, fault, &[], Some(&fires));
    }

    /// The healthy series up to a time, these in place of their namesakes.
    fn input(&self, fault: &[(&str, String)], seconds: u32) -> Vec<Value> {
        let mut series: BTreeMap<String, &str> =
            HEALTHY.iter().map(|(name, values)| (written_out(name), *values)).collect();
        for (name, values) in fault {
            series.insert(written_out(name), values);
        }
        let (samples, step) = ((seconds / self.step + 1).to_string(), self.step.to_string());
        let values = |values: &str| values.replace('N', &samples).replace('T', &step);
        series
            .iter()
            .map(|(name, text)| json!({ "series": name, "values": values(text) }))
            .collect()
    }

    /// Runs promtool over the rules and the cases.
    pub(crate) fn passes(&self) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let rules = write_rules(self.set, folder.path());
        let file = folder.path().join("cases.yaml");
        let text = json!({
            "rule_files": rules, "evaluation_interval": self.interval, "tests": self.tests,
        });
        // JSON is YAML.
        std::fs::write(&file, text.to_string()).unwrap();
        let output = promtool().args(["test", "rules"]).arg(&file).output().unwrap();
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(String::from_utf8_lossy(&said).into_owned())
    }
}

/// promtool's own checks of the rule files, all lints on.
pub(crate) fn check_rules(set: &RuleSet) {
    let folder = tempfile::tempdir().unwrap();
    let rules = write_rules(set, folder.path());
    let mut command = promtool();
    let output = command.args(["check", "rules", "--lint=all", "--lint-fatal"]).args(&rules);
    let output = output.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

fn write_rules(set: &RuleSet, folder: &Path) -> Vec<PathBuf> {
    let files = render::files(set, Scale::REAL).unwrap();
    let rules = files.iter().filter(|(name, _)| name.ends_with(".rules.yaml"));
    let write = |(name, text): &(String, String)| {
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    rules.map(write).collect()
}

/// The tool that `make tools` installs, or the one on PATH.
fn promtool() -> Command {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin/promtool");
    let program = if installed.exists() { installed } else { PathBuf::from("promtool") };
    let works = Command::new(&program).arg("--version").output().is_ok();
    assert!(works, "{} does not start: install it with `make tools`", program.display());
    Command::new(program)
}

fn series(case: &Case, strength: usize) -> Vec<(&'static str, String)> {
    case.fault.iter().map(|(name, values)| (*name, values[strength].to_owned())).collect()
}

fn at(seconds: u32, alert: &str, expected: &Value) -> Value {
    json!({ "eval_time": format!("{seconds}s"), "alertname": alert, "exp_alerts": expected })
}

/// No page beside this alert, what follows from it and what it may follow from.
fn no_other_page(set: &RuleSet, rule: &Rule, seconds: u32) -> Value {
    let causes = set.rules.iter().filter(|cause| cause.consequences.contains(&rule.name));
    let mut known: Vec<&str> = causes.map(|cause| cause.name.as_str()).collect();
    known.push(&rule.name);
    let mut place = 0;
    while let Some(name) = known.get(place) {
        let follows = set.rules.iter().find(|one| one.name == *name);
        for next in follows.iter().flat_map(|rule| &rule.consequences) {
            if !known.contains(&next.as_str()) {
                known.push(next);
            }
        }
        place += 1;
    }
    let known = known.join("|");
    json!({
        "expr":
            format!("ALERTS{{alertstate=\"firing\",severity=\"critical\",alertname!~\"{known}\"}}"),
        "eval_time": format!("{seconds}s"),
        "exp_samples": [],
    })
}

/// Labels and annotations of the firing alert, all of them.
fn expected(
    rule: &Rule,
    severity: &str,
    objective: Option<&str>,
    labels: &[(&str, &str)],
    value: &str,
) -> Value {
    let mut all: BTreeMap<&str, &str> = labels.iter().copied().collect();
    let mut description = rule.description.replace("{value}", value);
    for (name, text) in labels {
        description = description.replace(&format!("{{{{ $labels.{name} }}}}"), text);
    }
    all.insert("severity", severity);
    all.insert("product", "stateset-sequencer");
    if let Some(objective) = objective {
        all.insert("objective", objective);
    }
    json!({
        "exp_labels": all,
        "exp_annotations": {
            "summary": rule.summary,
            "description": description,
            "runbook_url": format!("{}/{}", alerts::RUNBOOKS_URL, rule.name),
            "dashboard_url": format!("{}/{}", alerts::DASHBOARDS_URL, rule.board),
        },
    })
}
