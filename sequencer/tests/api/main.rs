//! The service from outside: the real server over a real store, spoken to over HTTP.
//!
//! Nearly every test ends with [`app::TestApp::finish`], which reads the whole log back over HTTP
//! and lets the auditor of `ves` look for anything wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod admission;
mod agent_keys;
mod agents;
mod answer;
mod api_keys;
mod app;
mod auth;
mod breaker;
mod client;
mod commitments;
mod concurrency;
mod contract;
mod conventions;
mod drain;
mod embedded;
mod follower;
mod fuzz;
mod health;
mod ingest;
mod limits;
mod metrics;
#[path = "../support/otlp.rs"]
mod otlp;
mod overload;
mod place;
#[path = "../support/process.rs"]
#[allow(dead_code, reason = "shared with the fault suite, which uses all of it")]
mod process;
mod proofs;
mod raw;
mod reads;
mod refusals;
mod replays;
mod restart;
#[path = "../support/scrape.rs"]
mod scrape;
mod sidecar_key;
mod slow_clients;
mod start;
mod store;
mod stream;
mod traces;
mod vectors;
mod whole_log;
mod whole_request;

use testbed::{agent, postgres};
