//! A row is changed behind the sequencer's back: the running witness finds it by reading history
//! again, says what it is, and is quiet again once it is mended and acknowledged.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::fixture::{LIMIT, Watched, execute, listed, open_series, value};

/// What is changed, and the kinds it must show.
struct Case {
    name: &'static str,
    /// Table, column and row.
    place: (&'static str, &'static str, &'static str),
    /// The new value.
    to: &'static str,
    kinds: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "payload",
        place: ("events", "payload", "sequence_number = 3"),
        to: "'{\"count\":0}'",
        kinds: &["payload_hash"],
    },
    Case {
        name: "payload that is no JSON",
        place: ("events", "payload", "sequence_number = 3"),
        to: "'{'",
        kinds: &["gap"],
    },
    Case {
        name: "signature",
        place: ("events", "agent_signature", "sequence_number = 4"),
        to: "zeroblob(64)",
        kinds: &["root", "signature"],
    },
    Case {
        name: "content under the signature",
        place: ("events", "event_type", "sequence_number = 4"),
        to: "'x'",
        kinds: &["receipt", "root", "signature"],
    },
    Case {
        name: "number",
        place: ("events", "sequence_number", "sequence_number = 5"),
        to: "1005",
        kinds: &["gap"],
    },
    Case {
        name: "root",
        place: ("commitments", "merkle_root", "sequence_start = 1"),
        to: "zeroblob(32)",
        kinds: &["chain", "root"],
    },
    Case {
        name: "root that is none",
        place: ("commitments", "merkle_root", "sequence_start = 1"),
        to: "x'00'",
        kinds: &["chain", "root"],
    },
    Case {
        name: "state root",
        place: ("commitments", "new_state_root", "sequence_start = 1"),
        to: "zeroblob(32)",
        kinds: &["chain", "rewritten"],
    },
    Case {
        name: "time",
        place: ("events", "sequenced_at", "sequence_number = 6"),
        to: "0",
        kinds: &["receipt"],
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn a_row_changed_behind_its_back_is_found_and_mended() {
    let watched = Watched::with_events(20).await;
    for Case { name, place: (table, column, row), to, kinds } in CASES {
        println!("{name}");
        let before = format!("SELECT quote({column}) FROM {table} WHERE {row}");
        let before = value(&watched.database(), &before).await.unwrap();
        execute(&watched.database(), &format!("UPDATE {table} SET {column} = {to} WHERE {row}"))
            .await;
        watched.wait_until_open(kinds).await;
        let found = listed(&watched.state_dir());
        // Found again and again, it stays one violation.
        watched.wait_until_audited().await;
        assert_eq!(listed(&watched.state_dir()), found, "{name}");
        for kind in *kinds {
            let open = watched.sidecar().sample(&open_series(kind)).await;
            assert!(open.is_some_and(|open| open >= 1.0), "{name}: {kind} is {open:?}");
        }

        let row = if *column == "sequence_number" { "sequence_number = 1005" } else { row };
        execute(
            &watched.database(),
            &format!("UPDATE {table} SET {column} = {before} WHERE {row}"),
        )
        .await;
        watched.acknowledge_all().await;
        watched.wait_until_audited().await;
        watched.assert_open(&[]);
    }
    // What was mended is found again when it comes back.
    let spoil = "UPDATE events SET payload = '{\"count\":0}' WHERE sequence_number = 3";
    execute(&watched.database(), spoil).await;
    watched.wait_until_open(&["payload_hash"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_violation_that_stays_is_quiet_until_it_changes() {
    let watched = Watched::with_events(10).await;
    let spoil = |count| format!("UPDATE events SET payload = '{{\"count\":{count}}}' WHERE id = 3");
    execute(&watched.database(), &spoil(1)).await;
    watched.wait_until_open(&["payload_hash"]).await;
    watched.acknowledge_all().await;
    watched.wait_until_audited().await;
    watched.assert_open(&[]);
    execute(&watched.database(), &spoil(2)).await;
    watched.wait_until_open(&["payload_hash"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_wrong_before_it_came_is_found_at_the_tail() {
    let watched = Watched::with_events(1).await;
    let Watched { stack, writer } = watched;
    stack.sidecar.running.kill();
    writer.post(20).await;
    let database = crate::stack::database_file(stack.folder.path());
    wait_until_sealed(&database, "21").await;
    execute(&database, "UPDATE events SET agent_signature = zeroblob(64) WHERE id = 5").await;
    execute(&database, "UPDATE events SET payload = '{}' WHERE id = 6").await;
    execute(&database, "DELETE FROM events WHERE id = 9").await;
    let sidecar = crate::fixture::start_sidecar(stack.folder.path(), &stack.sequencer);
    let stack = crate::stack::Stack { sidecar, ..stack };
    let watched = Watched { stack, writer };
    watched.wait_until_verified(21.0).await;
    watched.wait_until_open(&["gap", "payload_hash", "root", "signature"]).await;
    let found = listed(&watched.state_dir());
    let at = |kind: &str| {
        let of_kind = found.as_array().unwrap().iter().find(|v| v["kind"] == kind);
        of_kind.unwrap()["sequence_number"].as_u64().unwrap()
    };
    assert_eq!((at("signature"), at("payload_hash"), at("gap")), (5, 6, 9), "{found:#}");
    // It goes on.
    watched.post(5).await;
}

async fn wait_until_sealed(database: &Path, end: &str) {
    let started = Instant::now();
    let sql = "SELECT CAST(committed_sequence AS TEXT) FROM streams";
    while value(database, sql).await.as_deref() != Some(end) {
        assert!(started.elapsed() < LIMIT, "it is not committed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
