//! The run that CI makes.

use crate::loadgen::{run, run_into};
use crate::stack::Sequencer;

#[test]
fn smoke_passes_and_every_acknowledged_event_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let out = folder.path().join("out");
    let operations = sequencer.operations_url.clone();
    let arguments =
        ["smoke", "--url", &sequencer.url, "--operations-url", &operations, "--seed", "42"];
    let (ended, record) = run_into(&out, &arguments);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.seconds < 120.0, "{}", ended.seconds);
    assert_eq!(record["verdict"], "pass");
    assert_eq!(record["seed"], 42);
    let totals = &record["totals"];
    assert_eq!((&totals["offered_requests"], &totals["events"]), (&1000.into(), &1000.into()));
    for latency in ["service", "response"] {
        for quantile in ["p50_us", "p99_us", "p999_us"] {
            assert!(record["latency"][latency][quantile].as_u64() > Some(0), "{quantile}");
        }
        assert!(record["curves"][latency].as_array().is_some_and(|curve| curve.len() > 5));
    }
    let ledger = &record["ledger"];
    assert_eq!((&ledger["acknowledged"], &ledger["verified"]), (&1000.into(), &1000.into()));
    assert_eq!(ledger["is_sound"], true);
    assert_eq!(record["signing"]["mode"], "ahead");
    let seconds = record["timeline"].as_array().unwrap();
    assert!(seconds.len() >= 20, "{}", seconds.len());
    // A start that falls on the turn of a second may be counted on either side.
    let offered = |second: &serde_json::Value| second["offered_requests"].as_u64().unwrap();
    assert!(seconds[..19].iter().all(|second| (49..=51).contains(&offered(second))));
    assert_eq!(seconds.iter().map(offered).sum::<u64>(), 1000);
    let series = record["target_metrics"].as_array().unwrap();
    assert!(series.iter().any(|one| one["name"] == "events_per_second"), "{series:?}");
    assert_eq!(record["versions"]["target_build"]["store"], "sqlite");
    for (file, holds) in [
        ("run.json", "\"format\""),
        ("report.html", "</html>"),
        ("summary.md", "smoke"),
        ("junit.xml", "</testsuites>"),
    ] {
        let text = std::fs::read_to_string(out.join(file)).unwrap();
        assert!(text.contains(holds) && !text.contains("rootroot"), "{file}: {text}");
    }

    let file = out.join("ledger.ndjson").display().to_string();
    let again = run(&["verify", &file, "--url", &sequencer.url]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.contains("the ledger verifies"), "{again:?}");
}
