//! The program as people run it: over its command line, against the real sequencer, and against
//! targets that lie, hang or are not there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod configuration;
mod killed;
mod ledger;
mod liar;
mod live;
mod scenarios;
mod smoke;
mod targets;
mod tls;
mod verdicts;

mod loadgen;

use testbed::{program, stack};
