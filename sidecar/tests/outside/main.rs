//! The store from outside and the canary: the real binary beside a real sequencer, and faults.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod canary;
#[path = "../support/program.rs"]
mod program;
mod sqlite;
#[path = "../support/stack.rs"]
mod stack;
