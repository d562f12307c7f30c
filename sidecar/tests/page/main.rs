//! The status page in a real browser, over a real sidecar beside a real sequencer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
mod faults;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/stack.rs"]
mod stack;
mod states;
