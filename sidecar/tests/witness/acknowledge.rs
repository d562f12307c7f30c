//! The life of a violation: open across restarts, until somebody says why it is over.

use std::os::unix::fs::PermissionsExt as _;

use crate::fixture::{LIMIT, Watched, command, execute, listed, open_series};

const SPOIL: &str = "UPDATE events SET payload = '{\"count\":0}' WHERE sequence_number = 3";

fn error_of(output: &std::process::Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_violation_is_open_until_somebody_says_why_it_is_over() {
    let watched = Watched::with_events(5).await;
    execute(&watched.database(), SPOIL).await;
    watched.wait_until_open(&["payload_hash"]).await;
    let found = listed(&watched.state_dir());
    let id = found[0]["id"].as_str().unwrap().to_owned();

    // Evidence: both sides, readable by its owner alone.
    let file = watched.state_dir().join(found[0]["evidence"].as_str().unwrap());
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&watched.state_dir()), 0o700);
    assert_eq!(mode(&watched.state_dir().join("witness.key")), 0o600);
    let evidence: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(evidence["now"]["payload"]["count"], 0, "{evidence:#}");
    assert!(evidence["before"]["payload_plain_hash"].is_string(), "{evidence:#}");

    // It stays over a restart, and the counter begins anew.
    let watched = watched.restart_sidecar(true);
    let open = open_series("payload_hash");
    watched.sidecar().wait_for(&open, LIMIT, |open| open == 1.0).await;
    watched.wait_until_audited().await;
    let total = "stateset_sidecar_witness_violations_total{kind=\"payload_hash\"}";
    assert_eq!(watched.sidecar().sample(total).await, Some(0.0), "it was known");

    // What is no acknowledgement changes nothing.
    let state_dir = watched.state_dir();
    for (arguments, says) in [
        (["acknowledge", "nobody", "--reason", "x"], "there is no violation nobody"),
        (["acknowledge", &id, "--reason", " "], "--reason must say what happened"),
    ] {
        let (code, error) = error_of(&command(&state_dir, &arguments));
        assert!(code == Some(1) && error.contains(says), "{code:?} {error}");
    }
    watched.assert_open(&["payload_hash"]);

    // While nobody runs, too.
    let by = ["acknowledge", &id, "--reason", "restored from the archive", "--user", "ops"];
    let output = command(&state_dir, &by);
    assert!(output.status.success(), "{:?}", error_of(&output));
    watched.sidecar().wait_for(&open, LIMIT, |open| open == 0.0).await;
    let (code, error) = error_of(&command(&state_dir, &by));
    assert!(code == Some(1) && error.contains("acknowledged before"), "{error}");
    let all = command(&state_dir, &["list", "--all", "--json"]).stdout;
    let all: serde_json::Value = serde_json::from_slice(&all).unwrap();
    assert_eq!(all[0]["ended_by"], "ops");
    assert_eq!(all[0]["reason"], "restored from the archive");
    let text = command(&state_dir, &["list"]).stdout;
    assert_eq!(String::from_utf8(text).unwrap(), "no violations\n");
}

#[test]
fn a_folder_that_holds_no_memory_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = folder.path().join("nothing");
    let (code, error) = error_of(&command(&nothing, &["list"]));
    assert!(
        code == Some(1) && error.contains("no witness's memory in SIDECAR_STATE_DIR"),
        "{error}"
    );
    assert!(!nothing.exists());
    std::fs::write(folder.path().join("witness.key"), "x").unwrap();
    let (code, error) = error_of(&command(folder.path(), &["list"]));
    assert!(code == Some(1) && error.contains("64 hex digits"), "{error}");
}
