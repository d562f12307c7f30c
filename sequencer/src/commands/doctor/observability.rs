//! Observability: the server answers, and somebody would notice if it did not.

use catalog::{JOB_SEQUENCER, JOB_SIDECAR};
use serde_json::Value;

use super::Facts;
use super::check::{Check, Finding};
use crate::config::redacted;

/// As the sidecar warns and fails.
const SKEW_WARN_SECONDS: f64 = 1.0;
const SKEW_FAIL_SECONDS: f64 = 10.0;
/// Alerts without which nobody is told of the worst.
const ALERTS: [&str; 4] = ["SequencerDown", "SidecarDown", "WitnessViolation", "Watchdog"];
/// Where what is missing comes from.
const RULES_FIX: &str =
    "load alerts/generated/*.rules.yaml, as alerts/generated/prometheus.example.yaml does";

pub(super) async fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = vec![live(facts), ready(facts).await, clocks(facts), sidecar(facts).await];
    findings.extend(prometheus(facts).await);
    findings
}

fn live(facts: &Facts<'_>) -> Finding {
    let check = Check::ServerLive;
    match (&facts.server, &facts.arguments.url) {
        (Ok(server), _) => check.pass(format!("{} answers", redacted(&server.url))),
        (Err(why), None) => check.skipped(why),
        (Err(why), Some(_)) => {
            check.fail(why, "start the server, or correct --url (SEQUENCER_URL)")
        }
    }
}

async fn ready(facts: &Facts<'_>) -> Finding {
    let check = Check::ServerReady;
    let server = match &facts.server {
        Ok(server) => server,
        Err(why) => return check.skipped(why),
    };
    let answer = match facts.asker.get(&server.url, "/ready").await {
        Ok(answer) => answer,
        Err(why) => return check.fail(why, "look at the server's log"),
    };
    let reasons: Vec<_> = answer.json["reasons"].as_array().into_iter().flatten().collect();
    let reasons: Vec<_> = reasons.into_iter().filter_map(Value::as_str).collect();
    let found = format!("the server is {}: {}", answer.json["status"], reasons.join("; "));
    let fix = "mend what the reason names; /health/detailed on OPS_PORT says since when";
    match (answer.status, answer.json["status"].as_str()) {
        (200, Some("ready")) => check.pass("the server is ready"),
        (200, Some("degraded")) => check.warn(found, fix),
        _ => check.fail(found, fix),
    }
}

fn clocks(facts: &Facts<'_>) -> Finding {
    let check = Check::Clocks;
    let server = facts.server.as_ref().ok().and_then(|server| server.clock_skew_seconds);
    let database = facts.store.server().ok().and_then(|server| server.clock_skew_seconds);
    let seen = [("the server's", server), ("the database's", database)];
    let seen = seen.into_iter().filter_map(|(whose, skew)| Some((whose, skew?)));
    let Some((whose, skew)) = seen.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())) else {
        return check.skipped("neither a server nor a database was asked");
    };
    let (size, way) = (skew.abs(), if skew < 0.0 { "behind" } else { "ahead of" });
    let found = format!("{whose} clock is {size:.1} s {way} this machine's");
    let fix = "let NTP set the clocks of all machines";
    match size {
        size if size > SKEW_FAIL_SECONDS => check.fail(found, fix),
        size if size > SKEW_WARN_SECONDS => check.warn(found, fix),
        _ => check.pass("the clocks agree"),
    }
}

async fn sidecar(facts: &Facts<'_>) -> Finding {
    let check = Check::SidecarHealthy;
    let Some(url) = &facts.arguments.sidecar_url else {
        return check.skipped("no sidecar was asked: name it with --sidecar-url (SIDECAR_URL)");
    };
    let fix = "start the sidecar, or correct --sidecar-url (SIDECAR_URL)";
    match facts.asker.get(url, "/health").await {
        Ok(answer) if answer.json["service"] != "stateset-sidecar" => {
            check.fail(format!("{} is no sidecar", redacted(url)), fix)
        }
        Ok(answer) if answer.status == 200 => check.pass("the sidecar is healthy"),
        Ok(answer) => {
            let stuck = &answer.json["stuck_loops"];
            check.fail(format!("loops of the sidecar stand still: {stuck}"), "restart the sidecar")
        }
        Err(why) => check.fail(why, fix),
    }
}

async fn prometheus(facts: &Facts<'_>) -> [Finding; 4] {
    let checks = [
        Check::PrometheusScrapes,
        Check::PrometheusRules,
        Check::AlertmanagerKnown,
        Check::WatchdogFiring,
    ];
    let Some(url) = &facts.arguments.prometheus_url else {
        let why = "no Prometheus was asked: name it with --prometheus-url (PROMETHEUS_URL)";
        return checks.map(|check| check.skipped(why));
    };
    let ask = async |path: &str| match facts.asker.get(url, &format!("/api/v1/{path}")).await {
        Ok(answer) if answer.json["status"] == "success" => Ok(answer.json["data"].clone()),
        Ok(_) => Err(format!("{} does not answer as Prometheus does", redacted(url))),
        Err(why) => Err(why),
    };
    let fix = "correct --prometheus-url (PROMETHEUS_URL), or start Prometheus";
    let up = match ask("query?query=up").await {
        Ok(up) => up,
        // One that is not there is said once, and not waited for four times.
        Err(why) => {
            let unseen = "Prometheus cannot be asked (prometheus-scrapes)";
            return checks.map(|check| match check {
                Check::PrometheusScrapes => check.fail(&why, fix),
                check => check.skipped(unseen),
            });
        }
    };
    let rules = ask("rules?type=alert").await;
    let alertmanagers = ask("alertmanagers").await;
    let judged = |check: Check, answer: Result<Value, String>, judge: fn(&Value) -> Finding| {
        answer.map_or_else(|why| check.fail(why, fix), |answer| judge(&answer))
    };
    [
        scrapes(&up),
        judged(Check::PrometheusRules, rules.clone(), self::rules),
        judged(Check::AlertmanagerKnown, alertmanagers, self::alertmanagers),
        judged(Check::WatchdogFiring, rules, watchdog),
    ]
}

fn scrapes(up: &Value) -> Finding {
    let check = Check::PrometheusScrapes;
    let fix = "scrape OPS_PORT of every sequencer and SIDECAR_PORT of its sidecar, by the jobs in \
               alerts/generated/prometheus.example.yaml";
    for job in [JOB_SEQUENCER, JOB_SIDECAR] {
        let series = up["result"].as_array().into_iter().flatten();
        let ours: Vec<_> = series.filter(|one| one["metric"]["job"] == job).collect();
        if ours.is_empty() {
            return check.fail(format!("Prometheus has no target of the job {job}"), fix);
        }
        if let Some(down) = ours.iter().find(|one| one["value"][1] != "1") {
            let instance = &down["metric"]["instance"];
            return check.fail(format!("Prometheus cannot scrape {instance} of {job}"), fix);
        }
    }
    check.pass("Prometheus scrapes every sequencer and sidecar it knows")
}

/// The rules of all groups.
fn all(rules: &Value) -> Vec<&Value> {
    let groups = rules["groups"].as_array().into_iter().flatten();
    groups.filter_map(|group| group["rules"].as_array()).flatten().collect()
}

fn rules(rules: &Value) -> Finding {
    let check = Check::PrometheusRules;
    let rules = all(rules);
    if let Some(name) = ALERTS.iter().find(|name| !rules.iter().any(|rule| rule["name"] == **name))
    {
        return check.fail(format!("Prometheus has no rule {name}"), RULES_FIX);
    }
    match rules.iter().find(|rule| rule["health"] == "err") {
        Some(rule) => {
            let (name, error) = (&rule["name"], &rule["lastError"]);
            check.fail(format!("the rule {name} cannot be evaluated: {error}"), RULES_FIX)
        }
        None => check.pass(format!("{} alerts are loaded, and all are evaluated", rules.len())),
    }
}

fn alertmanagers(answer: &Value) -> Finding {
    let check = Check::AlertmanagerKnown;
    match answer["activeAlertmanagers"].as_array().map_or(0, Vec::len) {
        0 => check.fail(
            "Prometheus knows no Alertmanager: nobody hears of an alert",
            "name one under alerting in the configuration of Prometheus",
        ),
        count => check.pass(format!("Prometheus tells {count} Alertmanagers")),
    }
}

fn watchdog(rules: &Value) -> Finding {
    let check = Check::WatchdogFiring;
    if all(rules).iter().any(|rule| rule["name"] == "Watchdog" && rule["state"] == "firing") {
        return check.pass("Watchdog is firing, as it always should");
    }
    check.fail("Watchdog is not firing, so no other alert would", RULES_FIX)
}
