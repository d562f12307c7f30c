//! The real binary under real breakage: killed, stopped, its power cut, its disk full, its clock
//! set. After each fault the whole log is checked, and nothing that was acknowledged is lost.
//!
//! The short form of each test runs with all others. The long ones, and those that need root, are
//! ignored there and run by `make faults`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "seeds are shown when a test fails")]

#[path = "../api/answer.rs"]
#[allow(dead_code, reason = "shared with the API tests, which use all of it")]
mod answer;
#[path = "../support/balancer.rs"]
mod balancer;
#[path = "../api/client.rs"]
#[allow(dead_code, reason = "shared with the API tests, which use all of it")]
mod client;
mod clock;
mod database;
mod disk;
mod full_disk;
mod killed;
#[path = "../support/load.rs"]
mod load;
mod outage;
mod power_loss;
#[path = "../support/process.rs"]
mod process;
mod recorder;
mod refusing_disk;
#[path = "../support/replica.rs"]
mod replica;
mod rolling;
mod signals;
#[path = "../api/whole_log.rs"]
mod whole_log;

use testbed::{agent, postgres, proxy};
