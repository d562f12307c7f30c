//! The store from outside and the canary: the real binary beside a real sequencer, and faults.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod canary;
mod lies;
mod postgres_look;
#[path = "../support/program.rs"]
mod program;
mod quick_check;
mod replication;
mod rooms;
mod server;
mod sqlite_look;
#[path = "../support/stack.rs"]
mod stack;

#[path = "../../../sequencer/tests/support/postgres.rs"]
mod postgres;
#[path = "../../../sequencer/tests/support/proxy.rs"]
mod proxy;
