//! The sidecar's own health: it never speaks for the sequencer.

use crate::stack::Stack;

#[tokio::test]
async fn a_sidecar_beside_a_dead_sequencer_is_healthy() {
    let stack = Stack::start(&[]);
    let healthy = stack.sidecar.get("/health").await;
    assert_eq!(healthy.status, 200, "{}", healthy.text);
    assert_eq!(healthy.json()["service"], "stateset-sidecar");

    stack.sequencer.running.kill();
    for path in ["/health", "/ready"] {
        let answer = stack.sidecar.get(path).await;
        assert_eq!((answer.status, &answer.json()["status"]), (200, &"healthy".into()));
    }
    // As its container asks.
    let port = format!("--sidecar-port={}", crate::stack::port_of(&stack.sidecar.url));
    let asks = || {
        let mut ask = testbed::program::bare(&testbed::program::program("sidecar"));
        ask.args(["--health", &port]).status().unwrap().code()
    };
    assert_eq!(asks(), Some(0));
    assert!(stack.sidecar.running.stop().success());
    assert_eq!(asks(), Some(1));
}
