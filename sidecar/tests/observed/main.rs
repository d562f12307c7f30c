//! What a real Prometheus sees of three sequencers and their sidecars under load and faults: every
//! query of every panel has data and moves, every rule evaluates, no metric of a rule is missing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod excused;
mod fleet;
mod provoke;

use std::process::Output;

use serde_json::Value;
use testbed::{agent, postgres, program, prometheus, proxy, stack, tls, writer};

use crate::excused::{STILL, is_test};
use crate::fleet::Fleet;
use crate::program::{bare, program};

/// What one of our commands says of this Prometheus.
fn command(name: &str, arguments: &[&str]) -> Output {
    let mut command = bare(&program(name));
    command.args(arguments).stdout(std::process::Stdio::piped()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_every_panel_has_data_and_moves() {
    let fleet = Fleet::start().await;
    let _again = provoke::everything(&fleet).await;
    let url = fleet.prometheus.url();
    every_rule_evaluates(&url).await;
    let checked = command("alerts", &["check", "--prometheus", &url]);
    assert!(checked.status.success(), "{}", said(&checked));

    let view = ["--scrape-interval", "1s", "--range", "4m"];
    let asked = [&["check", "--format", "json", "--prometheus", &url][..], &view].concat();
    let checked = command("dashboards", &asked);
    let queries: Vec<Value> = String::from_utf8_lossy(&checked.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(queries.len() > 300, "{}", said(&checked));
    let mut wrong = Vec::new();
    let mut excuses: Vec<&str> = STILL.iter().map(|still| still.expr).collect();
    for query in &queries {
        let excuse = |text: &&str| query["expr"].as_str().unwrap().contains(*text);
        let excused = STILL.iter().map(|still| still.expr).find(|text| excuse(text));
        excuses.retain(|other| Some(*other) != excused);
        match (query["outcome"].as_str().unwrap(), query["moved"] == true, excused) {
            ("data", true, _) | ("data" | "empty", _, Some(_)) => {}
            _ => wrong.push(query.to_string()),
        }
    }
    assert!(wrong.is_empty(), "{} queries without a figure:\n{}", wrong.len(), wrong.join("\n"));
    assert!(excuses.is_empty(), "of no query any more: {excuses:?}");
    // What people are shown of the same, with the exit code that scripts read.
    let checked = command("dashboards", &[&["check", "--prometheus", &url][..], &view].concat());
    let text = said(&checked);
    assert!(checked.status.success(), "{text}");
    assert!(text.contains("all boards: ") && text.contains(" 0 missing, 0 refused"), "{text}");
}

/// Prometheus itself says that no rule fails, and how long all of them take.
async fn every_rule_evaluates(url: &str) {
    let answer = reqwest::get(format!("{url}/api/v1/rules")).await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let groups = answer["data"]["groups"].as_array().unwrap();
    let rules = || groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    assert!(rules().count() > 50, "{answer}");
    for rule in rules() {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    let seconds: f64 = groups.iter().filter_map(|group| group["evaluationTime"].as_f64()).sum();
    // A figure, not a verdict: this machine may be busy with anything.
    let line = format!("all rules over three instances evaluate in {:.1} ms\n", seconds * 1e3);
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}

/// A test that is named as a proof exists.
#[test]
fn every_excuse_names_a_test_that_moves_the_metric() {
    for still in STILL {
        assert!(is_test(still.moved_by), "{}: there is no test {}", still.expr, still.moved_by);
    }
}
