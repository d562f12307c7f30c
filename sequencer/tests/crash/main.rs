//! The real binary, killed and stopped in every way: nothing that was acknowledged is lost.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "seeds are shown when a test fails")]

#[path = "../api/agent.rs"]
#[allow(dead_code, reason = "shared with the API tests, which use all of it")]
mod agent;
#[path = "../api/answer.rs"]
#[allow(dead_code, reason = "shared with the API tests, which use all of it")]
mod answer;
#[path = "../api/client.rs"]
#[allow(dead_code, reason = "shared with the API tests, which use all of it")]
mod client;
mod killed;
mod load;
mod process;
mod signals;
#[path = "../api/whole_log.rs"]
mod whole_log;
