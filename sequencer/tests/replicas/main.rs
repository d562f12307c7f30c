//! Several processes of the real binary on one real PostgreSQL: one log, whoever writes to it, and
//! whichever of them ends in whatever way.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "figures and seeds are shown when asked for")]

#[path = "../api/answer.rs"]
#[allow(dead_code, reason = "shared with the API tests, which use all of it")]
mod answer;
mod churn;
#[path = "../api/client.rs"]
#[allow(dead_code, reason = "shared with the API tests, which use all of it")]
mod client;
mod cluster;
mod contention;
mod credentials;
#[path = "../api/follower.rs"]
#[allow(dead_code, reason = "shared with the API tests, which use all of it")]
mod follower;
mod live;
#[path = "../support/process.rs"]
#[allow(dead_code, reason = "shared with the fault tests, which use all of it")]
mod process;
mod sealing;
mod start;
#[path = "../api/whole_log.rs"]
#[allow(dead_code, reason = "shared with the API tests, which use all of it")]
mod whole_log;
mod writers;

use testbed::{agent, postgres};
