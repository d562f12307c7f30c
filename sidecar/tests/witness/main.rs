//! The witness over a real sequencer whose store is changed behind its back, whose backup is
//! restored, and over a server that lies.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acknowledge;
#[path = "../../../sequencer/tests/api/agent.rs"]
#[allow(dead_code, clippy::print_stdout, reason = "shared with the sequencer's tests")]
mod agent;
mod backup;
mod fixture;
mod follows;
mod liar;
mod lies;
mod memory;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/stack.rs"]
mod stack;
mod tampered;
#[path = "../support/writer.rs"]
mod writer;
