//! The witness over a real sequencer whose store is changed behind its back, whose backup is
//! restored, and over a server that lies.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acknowledge;
mod backup;
mod fixture;
mod follows;
mod liar;
mod lies;
mod memory;
mod tampered;

use testbed::{agent, program, stack, writer};
