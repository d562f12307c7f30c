//! A ledger that does not fit the log is found out, whichever of the two was changed.

use serde_json::Value;

use crate::loadgen::{run, run_into};
use crate::stack::Sequencer;

#[test]
fn every_changed_line_of_a_ledger_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let out = folder.path().join("out");
    let (ended, _) =
        run_into(&out, &["smoke", "--url", &sequencer.url, "--duration", "2s", "--quiet"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let text = std::fs::read_to_string(out.join("ledger.ndjson")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 102);

    let changed = |change: &dyn Fn(&mut Value)| {
        let mut line: Value = serde_json::from_str(lines[20]).unwrap();
        change(&mut line["event"]);
        let line = line.to_string();
        let mut lines = lines.clone();
        lines[20] = &line;
        lines.join("\n")
    };
    let other = "00".repeat(32);
    let without: Vec<&str> =
        lines.iter().enumerate().filter(|(place, _)| *place != 20).map(|(_, line)| *line).collect();
    for (ledger, expect) in [
        (changed(&|event| event["receipt_hash"] = other.clone().into()), "is another"),
        (changed(&|event| event["event_id"] = uuid::Uuid::new_v4().to_string().into()), "holds"),
        (changed(&|event| event["sequence_number"] = 100_000.into()), "is not there at 100000"),
        (
            changed(&|event| event["store_id"] = uuid::Uuid::new_v4().to_string().into()),
            "is not there",
        ),
        (without.join("\n"), "closed with 100 events and holds 99"),
    ] {
        let file = folder.path().join("changed.ndjson");
        std::fs::write(&file, ledger).unwrap();
        let ended = run(&["verify", file.to_str().unwrap(), "--url", &sequencer.url]);
        assert_eq!(ended.code, 99, "{expect}: {ended:?}");
        assert!(ended.out.contains(expect), "{expect}: {ended:?}");
        assert!(ended.out.contains("does NOT verify"), "{ended:?}");
    }

    let file = out.join("ledger.ndjson").display().to_string();
    let json = run(&["verify", &file, "--url", &sequencer.url, "--json"]);
    let summary: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.code, &summary["verified"]), (0, &100.into()));
    let missing = run(&["verify", "/nonexistent", "--url", &sequencer.url]);
    assert_eq!(missing.code, 104, "{missing:?}");
}

/// A log that starts anew has lost everything.
#[test]
fn a_lost_log_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let out = folder.path().join("out");
    let (ended, _) =
        run_into(&out, &["smoke", "--url", &sequencer.url, "--duration", "1s", "--quiet"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    drop(sequencer);
    let empty = tempfile::tempdir().unwrap();
    let other = Sequencer::start(empty.path(), &[]);
    let file = out.join("ledger.ndjson").display().to_string();
    let verified = run(&["verify", &file, "--url", &other.url]);
    assert_eq!(verified.code, 99, "{verified:?}");
    assert!(verified.out.contains("missing      50"), "{verified:?}");
}
