//! The store from outside and the canary: the real binary beside a real sequencer, and faults.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod canary;
mod lies;
mod postgres_look;
mod quick_check;
mod replication;
mod rooms;
mod server;
mod sqlite_look;

use testbed::{postgres, program, proxy, stack};
