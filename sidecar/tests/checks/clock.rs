//! A sequencer whose clock is set.

use testbed::clock::Clock;

use crate::stack::{Sequencer, Sidecar, sqlite_url};
use crate::watch::{FAIL, OK, QUICK, WARN, until};

const SKEW: &str = "stateset_sidecar_clock_skew_seconds{source=\"sequencer\"}";

#[tokio::test]
async fn a_clock_that_is_set_is_said_until_it_is_right_again() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::in_folder(folder.path());
    let mut serve = Sequencer::command(&sqlite_url(folder.path()), folder.path(), &[]);
    clock.show(&mut serve);
    let sequencer = Sequencer::run(serve);
    let (url, operations) = (&sequencer.url, &sequencer.operations_url);
    let sidecar = Sidecar::start(folder.path(), url, operations, &QUICK);
    until(&sidecar, "clock", OK, "apart").await;
    clock.set(5);
    until(&sidecar, "clock", WARN, "5.0 s ahead of the sidecar's").await;
    clock.set(-60);
    until(&sidecar, "clock", FAIL, "behind the sidecar's").await;
    let skew = sidecar.sample(SKEW).await.unwrap();
    assert!((-60.0..=-59.0).contains(&skew), "{skew}");
    clock.set(0);
    until(&sidecar, "clock", OK, "apart").await;
}
