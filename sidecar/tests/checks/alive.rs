//! A sequencer that is dead, frozen, draining, or is none.

use std::time::Duration;

use rustix::process::Signal;

use crate::stack::{Sequencer, Stack};
use crate::watch::{FAIL, OK, QUICK, until};

const UP: &str = "stateset_sidecar_sequencer_up";

#[tokio::test]
async fn a_killed_sequencer_is_down_and_up_again_when_it_is_back() {
    let stack = Stack::start(&QUICK);
    until(&stack.sidecar, "sequencer_live", OK, "answers").await;
    let ports = (stack.sequencer.port(), stack.sequencer.operations_port());
    stack.sequencer.running.kill();
    until(&stack.sidecar, "sequencer_live", FAIL, "refused").await;
    assert_eq!(stack.sidecar.sample(UP).await, Some(0.0));
    until(&stack.sidecar, "sequencer_ready", FAIL, "refused").await;

    let ports = [format!("--port={}", ports.0), format!("--ops-port={}", ports.1)];
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
