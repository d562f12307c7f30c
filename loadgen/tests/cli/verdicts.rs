//! Each verdict and its exit code, and which comes first.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::loadgen::{command, record, run, run_into, start};
use crate::stack::Sequencer;

#[test]
fn a_threshold_that_does_not_hold_is_99_and_says_what_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let out = folder.path().join("out");
    let arguments = [
        "smoke",
        "--url",
        &sequencer.url,
        "--duration",
        "3s",
        "--threshold",
        "latency.p50 < 1us",
        "--threshold",
        "errors.ratio < 1% of ingest in any 1s window",
    ];
    let (ended, record) = run_into(&out, &arguments);
    assert_eq!((ended.code, record["verdict"].as_str()), (99, Some("thresholds_failed")));
    assert!(ended.err.contains("latency.p50 < 1us did not hold"), "{ended:?}");
    let thresholds = record["thresholds"].as_array().unwrap();
    let verdict = |expression: &str| {
        let found = thresholds.iter().find(|one| one["expression"] == expression);
        found.and_then(|one| one["verdict"].as_str()).unwrap_or("none").to_owned()
    };
    assert_eq!(verdict("errors.ratio < 0.1%"), "pass", "{thresholds:?}");
    assert_eq!(verdict("errors.ratio < 1% of ingest in any 1s window"), "pass");
    assert_eq!(verdict("latency.p50 < 1us"), "fail");
    assert_eq!(record["ledger"]["is_sound"], true);
}

#[test]
fn a_threshold_can_end_a_run_early() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let profile = folder.path().join("strict.toml");
    let text = "name = \"strict\"\nusers = 2\nrate = 20\nhold = \"1m\"\nthresholds = [\n\
                { expression = \"latency.min > 10s in any 2s window\", abort_after = \"2s\" }]\n\
                [scenarios]\ningest = 1\n";
    std::fs::write(&profile, text).unwrap();
    let out = folder.path().join("out");
    let (ended, record) =
        run_into(&out, &[profile.to_str().unwrap(), "--url", &sequencer.url, "--quiet"]);
    assert_eq!(ended.code, 99, "{ended:?}");
    assert!(ended.seconds < 30.0, "{}", ended.seconds);
    assert!(ended.err.contains("ended the run"), "{ended:?}");
    assert!(record["thresholds"][0]["aborted_at_seconds"].as_f64() >= Some(1.9), "{record}");
}

/// One request at a time cannot make two thousand a second of a store that syncs each commit.
#[test]
fn a_load_that_was_not_offered_is_invalid_before_it_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let profile = folder.path().join("narrow.toml");
    let text = "name = \"narrow\"\nusers = 2\nrate = 2000\nhold = \"3s\"\nmax_in_flight = 1\n\
                thresholds = [\"latency.p50 < 1us\"]\n[scenarios]\ningest = 1\n";
    std::fs::write(&profile, text).unwrap();
    let out = folder.path().join("out").display().to_string();
    let path = profile.display().to_string();
    let ended = run(&["run", &path, "--url", &sequencer.url, "--out", &out, "--quiet"]);
    let record = record(&folder.path().join("out"));
    assert_eq!((ended.code, record["verdict"].as_str()), (98, Some("invalid")), "{ended:?}");
    let reasons = record["reasons"].to_string();
    assert!(reasons.contains("not offered"), "{reasons}");
    assert!(record["generator"]["offered_ratio"].as_f64() < Some(0.99));
    assert_eq!(record["thresholds"][0]["verdict"], "fail");
    assert_eq!(record["ledger"]["is_sound"], true);
}

#[test]
fn ctrl_c_ends_in_order_with_a_record_marked_interrupted() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = tempfile::tempdir().unwrap();
        let sequencer = Sequencer::start(folder.path(), &[]);
        let out = folder.path().join("out");
        let folder = out.display().to_string();
        let mut running =
            start(command(&["run", "smoke", "--url", &sequencer.url, "--out", &folder]));
        running.line("requests/s");
        let asked = Instant::now();
        running.signal(signal);
        let ended = running.end();
        assert_eq!(ended.code, 105, "{ended:?}");
        assert!(asked.elapsed() < Duration::from_secs(15));
        let record = record(&out);
        assert_eq!(record["verdict"], "interrupted");
        assert!(record["totals"]["events"].as_u64() > Some(0));
        assert!(record["duration_seconds"].as_f64() < Some(19.0));
    }
}
