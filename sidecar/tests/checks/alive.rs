//! A sequencer that is dead, frozen, draining, or is none.

use std::time::Duration;

use rustix::process::Signal;

use crate::stack::{ADMIN_KEY, Sequencer, Sidecar, Stack};
use crate::watch::{FAIL, OK, QUICK, until, until_within};

const UP: &str = "stateset_sidecar_sequencer_up";

#[tokio::test]
async fn a_killed_sequencer_is_down_and_up_again_when_it_is_back() {
    let stack = Stack::start(&QUICK);
    until(&stack.sidecar, "sequencer_live", OK, "answers").await;
    let ports = ports(&stack.sequencer);
    stack.sequencer.running.kill();
    until(&stack.sidecar, "sequencer_live", FAIL, "refused").await;
    assert_eq!(stack.sidecar.sample(UP).await, Some(0.0));
    until(&stack.sidecar, "sequencer_ready", FAIL, "refused").await;

    let _again = Sequencer::start(stack.folder.path(), &ports.each_ref().map(String::as_str));
    until(&stack.sidecar, "sequencer_live", OK, "answers").await;
    until(&stack.sidecar, "sequencer_ready", OK, "traffic").await;
    assert_eq!(stack.sidecar.sample(UP).await, Some(1.0));
}

#[tokio::test]
async fn a_frozen_sequencer_is_down_until_it_goes_on() {
    let stack = Stack::start(&QUICK);
    until(&stack.sidecar, "sequencer_live", OK, "answers").await;
    stack.sequencer.running.signal(Signal::STOP);
    until(&stack.sidecar, "sequencer_live", FAIL, "no answer within 0.5 s").await;
    stack.sequencer.running.signal(Signal::CONT);
    until(&stack.sidecar, "sequencer_live", OK, "answers").await;
    stack.sidecar.wait_for(UP, Duration::from_secs(5), |up| up > 0.0).await;
}

#[tokio::test]
async fn a_draining_sequencer_takes_no_traffic_until_a_new_one_does() {
    let stack = Stack::start(&QUICK);
    until(&stack.sidecar, "sequencer_ready", OK, "traffic").await;
    let ports = ports(&stack.sequencer);
    let drain = format!("{}/drain?delay_seconds=60", stack.sequencer.operations_url);
    let asked = reqwest::Client::new().post(drain).header("x-api-key", ADMIN_KEY).send().await;
    assert!(asked.unwrap().status().is_success());
    until(&stack.sidecar, "sequencer_ready", FAIL, "draining").await;
    until(&stack.sidecar, "sequencer_live", OK, "answers").await;
    stack.sequencer.running.kill();
    let _again = Sequencer::start(stack.folder.path(), &ports.each_ref().map(String::as_str));
    until(&stack.sidecar, "sequencer_ready", OK, "traffic").await;
}

#[tokio::test]
async fn something_else_that_answers_is_no_sequencer() {
    let stack = Stack::start(&QUICK);
    let (folder, other) = (tempfile::tempdir().unwrap(), &stack.sidecar.url);
    let sidecar = Sidecar::start(folder.path(), other, other, &QUICK);
    let says = "the service is \"stateset-sidecar\"";
    until(&sidecar, "sequencer_live", FAIL, says).await;
    until(&sidecar, "sequencer_ready", FAIL, "not what a sequencer says").await;
    drop(sidecar);
    let Sequencer { url, operations_url, .. } = &stack.sequencer;
    let sidecar = Sidecar::start(folder.path(), url, operations_url, &QUICK);
    until(&sidecar, "sequencer_live", OK, "answers").await;
}

/// The promise: dead, frozen and recovered are reported within 25 s with the default timers.
#[tokio::test]
async fn dead_frozen_and_back_are_reported_within_25_seconds_by_default() {
    const PROMISE: Duration = Duration::from_secs(25);
    let defaults = ["--check-interval-secs=10", "--check-timeout-secs=2", "--canary=false"];
    let (killed, frozen) = (Stack::start(&defaults), Stack::start(&defaults));
    for stack in [&killed, &frozen] {
        until(&stack.sidecar, "sequencer_live", OK, "answers").await;
    }
    let frozen = async {
        let Stack { sidecar, sequencer, .. } = &frozen;
        sequencer.running.signal(Signal::STOP);
        until_within(sidecar, "sequencer_live", FAIL, "is stopped by a signal", PROMISE).await;
        sequencer.running.signal(Signal::CONT);
        until_within(sidecar, "sequencer_live", OK, "answers", PROMISE).await;
    };
    let killed = async {
        let Stack { sidecar, sequencer, folder } = killed;
        let ports = ports(&sequencer);
        sequencer.running.kill();
        until_within(&sidecar, "sequencer_live", FAIL, "refused", PROMISE).await;
        let _again = Sequencer::start(folder.path(), &ports.each_ref().map(String::as_str));
        until_within(&sidecar, "sequencer_live", OK, "answers", PROMISE).await;
    };
    tokio::join!(frozen, killed);
}

/// The flags that start the next one in the place of this one.
fn ports(sequencer: &Sequencer) -> [String; 2] {
    let (api, operations) = (sequencer.port(), sequencer.operations_port());
    [format!("--port={api}"), format!("--ops-port={operations}")]
}
