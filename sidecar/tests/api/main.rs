//! The sidecar from outside: the real binary beside a real sequencer, over HTTP.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod health;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/stack.rs"]
mod stack;
