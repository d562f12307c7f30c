//! A real sidecar beside a real sequencer, over HTTP.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod bundle;
mod health;
mod history;
mod routes;

use testbed::stack;
