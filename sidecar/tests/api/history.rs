//! The curves: what they show of work, and that a dead sequencer is a gap and not a zero.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stack::{Sequencer, Sidecar, Stack};

const LIMIT: Duration = Duration::from_secs(30);

/// Asks until the answer is as wanted.
async fn history_until(sidecar: &Sidecar, wanted: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let history = sidecar.get("/api/history").await.json();
        if wanted(&history) {
            return history;
        }
        assert!(started.elapsed() < LIMIT, "{history:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn last<'a>(history: &'a Value, series: &str) -> Option<&'a Value> {
    history["series"][series].as_array()?.last()
}

fn known(history: &Value, series: &str) -> Vec<f64> {
    let values = history["series"][series].as_array().unwrap_or_else(|| panic!("no {series}"));
    values.iter().filter_map(Value::as_f64).collect()
}

#[tokio::test]
async fn work_is_seen_and_death_is_a_gap() {
    // The canary's events are the work.
    let Stack { folder, sequencer, sidecar } =
        Stack::start(&["--history-interval-secs=0.2", "--canary-interval-secs=0.5"]);
    let history = history_until(&sidecar, |history| {
        ["events_per_second", "ingest_p99_seconds", "canary_total_seconds", "disk_used_ratio"]
            .iter()
            .all(|series| known(history, series).iter().any(|value| *value > 0.0))
    })
    .await;
    let p99 = known(&history, "ingest_p99_seconds")[0];
    assert!(p99 > 0.0 && p99 < 10.0, "{p99}");
    let times: Vec<_> =
        known(&serde_json::json!({ "series": { "time": history["time"] } }), "time");
    assert!(times.is_sorted(), "{times:?}");
    for (name, values) in history["series"].as_object().unwrap() {
        assert_eq!(values.as_array().unwrap().len(), times.len(), "{name}");
    }

    let since = times.last().unwrap();
    let new = sidecar.get(&format!("/api/history?since={since}")).await.json();
    assert_eq!(new["complete"], false);
    assert!(new["time"].as_array().unwrap().len() < times.len());

    let (port, operations) = (sequencer.port(), sequencer.operations_port());
    sequencer.running.kill();
    let dead = history_until(&sidecar, |history| {
        last(history, "sequencer_answers").is_some_and(|answers| answers == 0.0)
    })
    .await;
    for series in ["events_per_second", "requests_per_second", "pool_active", "ingest_p50_seconds"]
    {
        assert_eq!(last(&dead, series), Some(&Value::Null), "{series} is a gap, not a zero");
    }
    assert!(last(&dead, "disk_used_ratio").unwrap().is_number(), "the disk is seen all the same");

    // The next process counts from 0: no negative and no monstrous rate.
    let ports = [format!("--port={port}"), format!("--ops-port={operations}")];
    let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
    let _next = Sequencer::start(folder.path(), &ports);
    let back = history_until(&sidecar, |history| {
        last(history, "requests_per_second").is_some_and(Value::is_number)
    })
    .await;
    for series in ["events_per_second", "requests_per_second"] {
        let values = known(&back, series);
        assert!(values.iter().all(|rate| (0.0..1_000.0).contains(rate)), "{series}: {values:?}");
    }
}
