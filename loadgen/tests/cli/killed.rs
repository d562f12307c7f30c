//! The sequencer dies in the middle of a run and comes back: what it acknowledged stays.

use std::time::Duration;

use crate::loadgen::{command, record, run, start};
use crate::stack::Sequencer;

#[test]
fn a_kill_and_a_restart_during_the_run_lose_no_acknowledged_event() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let url = sequencer.url.clone();
    let port = format!("--port={}", sequencer.port());
    let out = folder.path().join("out");
    let out_text = out.display().to_string();
    let arguments = ["run", "smoke", "--url", &url, "--out", &out_text, "--duration", "14s"];
    let mut running = start(command(&[&arguments[..], &["--rate", "200"]].concat()));
    running.line("requests/s");
    sequencer.running.kill();
    std::thread::sleep(Duration::from_millis(300));
    let again = Sequencer::start(folder.path(), &[&port]);
    let ended = running.end();
    let record = record(&out);
    let ledger = &record["ledger"];
    assert_eq!(ledger["is_sound"], true, "{ended:?} {ledger}");
    let acknowledged = ledger["acknowledged"].as_u64().unwrap();
    assert!(acknowledged > 2000, "{acknowledged}: {ended:?}");
    assert_eq!(record["totals"]["offered_events"], 2800);
    assert!(record["totals"]["retries"].as_u64() > Some(0), "{}", record["totals"]);
    let classes = record["errors"].to_string();
    assert!(classes.contains("connect"), "{classes}");

    let file = out.join("ledger.ndjson").display().to_string();
    let verified = run(&["verify", &file, "--url", &again.url]);
    assert_eq!(verified.code, 0, "{verified:?}");
}
