//! What the sidecar's scrapes show is the catalogue, exactly, and one scrape is cheap.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../sequencer/tests/support/scrape.rs"]
mod scrape;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use catalog::sidecar as decl;
use catalog::{JOB_SIDECAR, LabelValues};
use sqlx::{Connection as _, Executor as _, PgConnection, SqliteConnection};
use testbed::{postgres, program, stack, tls, writer};

use crate::postgres::Postgres;
use crate::program::{bare, program};
use crate::scrape::{Family, check_family, parse, promtool_has_no_complaint};
use crate::stack::{Sequencer, Sidecar, Stack, sqlite_url};
use crate::tls::certificate;
use crate::writer::Writer;

const LIMIT: Duration = Duration::from_secs(40);
const QUICK: &[&str] = &["--witness-poll-secs=0.1", "--witness-audit-events-per-second=100000"];

/// Families that a process of the kernel's own may not have: pressure figures.
const KERNEL_MAY_LACK: &[&str] = &["stateset_sidecar_memory_pressure_some_avg60_ratio"];

#[tokio::test(flavor = "multi_thread")]
async fn the_scrapes_are_the_catalogue_in_both_directions() {
    assert_eq!(JOB_SIDECAR, "stateset-sidecar");
    let mut scrapes = vec![over_sqlite().await, over_postgres().await];
    scrapes.iter().for_each(|scrape| promtool_has_no_complaint(scrape));
    let mut found = union(scrapes.drain(..));
    let pressure = Path::new("/proc/pressure/memory").exists();
    for metric in decl::ALL {
        if KERNEL_MAY_LACK.contains(&metric.name) && !pressure {
            found.remove(metric.name);
            continue;
        }
        let family = found.remove(metric.name);
        check_family(metric, &family.unwrap_or_else(|| panic!("{} is not shown", metric.name)));
    }
    assert!(found.is_empty(), "not declared: {:?}", found.keys());
}

/// The families of several scrapes, with the series of all.
fn union(scrapes: impl Iterator<Item = String>) -> BTreeMap<String, Family> {
    let mut all: BTreeMap<String, Family> = BTreeMap::new();
    for scrape in scrapes {
        for (name, family) in parse(&scrape).0 {
            match all.get_mut(&name) {
                Some(known) => known.labels.extend(family.labels),
                None => drop(all.insert(name, family)),
            }
        }
    }
    all
}

/// Every check, the embedded store, a canary, a witness that has found something.
async fn over_sqlite() -> String {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate(folder.path(), 300);
    let certificate = format!("--tls-certificates={certificate}");
    let Stack { folder, sequencer, sidecar } = Stack::start(&[QUICK, &[&certificate]].concat());
    let writer = Writer::register(&sequencer).await;
    writer.post(20).await;
    let quick_check = bare(&program("sidecar"))
        .args(["store", "quick-check"])
        .arg(format!("--database-url={}", sqlite_url(folder.path())))
        .arg(format!("--sidecar-state-dir={}", folder.path().join("sidecar").display()))
        .output()
        .unwrap();
    assert!(quick_check.status.success(), "{}", String::from_utf8_lossy(&quick_check.stderr));
    let audited = "stateset_sidecar_witness_audit_completed_timestamp_seconds";
    sidecar.wait_for(audited, LIMIT, |_| true).await;
    let url = sqlite_url(folder.path());
    let mut store = SqliteConnection::connect(&url).await.unwrap();
    // The canary's stream is not that long yet.
    let changed = "UPDATE events SET payload = '{\"count\":0}' WHERE sequence_number = 13";
    store.execute(changed).await.unwrap();
    store.close().await.unwrap();
    let open = "stateset_sidecar_witness_open_violations{kind=\"payload_hash\"}";
    sidecar.wait_for(open, LIMIT, |open| open >= 1.0).await;
    settled(&sidecar).await
}

/// The same over a server that keeps statistics of statements.
async fn over_postgres() -> String {
    let server = Postgres::start_with(&[], |_| {
        vec!["shared_preload_libraries=pg_stat_statements".to_owned()]
    });
    let url = server.database().await;
    let mut administrator = PgConnection::connect(&url).await.unwrap();
    administrator.execute("CREATE EXTENSION pg_stat_statements").await.unwrap();
    administrator.close().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start_over(&url, folder.path(), &[]);
    let (api, operations) = (&sequencer.url, &sequencer.operations_url);
    let database = format!("--database-url={url}");
    let flags = [QUICK, &[&database]].concat();
    let sidecar = Sidecar::start(folder.path(), api, operations, &flags);
    let skew = "stateset_sidecar_clock_skew_seconds{source=\"database\"}";
    sidecar.wait_for(skew, LIMIT, |_| true).await;
    settled(&sidecar).await
}

/// A scrape once the canary has finished a round and every closed label has its series.
async fn settled(sidecar: &Sidecar) -> String {
    let canary = "stateset_sidecar_canary_success";
    sidecar.wait_for(canary, LIMIT, |success| success == 1.0).await;
    let looked = "stateset_sidecar_store_last_look_timestamp_seconds";
    sidecar.wait_for(looked, LIMIT, |_| true).await;
    sidecar.get("/metrics").await.text
}

/// The kinds of the protocol's auditor are the values of the label, in the same words.
#[test]
fn the_kinds_of_violations_are_those_of_the_protocol() {
    let kinds: BTreeSet<&str> = ves::ViolationKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let LabelValues::Closed(label) = decl::WITNESS_VIOLATIONS.labels[0].values else {
        panic!("the kinds are not closed");
    };
    assert_eq!(kinds, label.iter().copied().collect());
}
