//! Real components for tests and drills, each on a free port of this machine with a folder of its
//! own, ended with whoever started it, by process id: our programs as users run them, an agent that
//! signs events, a PostgreSQL, a line that can be cut, a Prometheus, an Alertmanager and who it
//! tells.
//!
//! What cannot be started panics with what is missing and how to install it: a test fails by that,
//! and a drill catches it and goes on with the next.
#![expect(clippy::unwrap_used, reason = "tests and drills fail by panicking")]

pub mod agent;
pub mod alertmanager;
pub mod chart;
pub mod clock;
pub mod control_group;
pub mod disk;
pub mod pod;
pub mod postgres;
pub mod program;
pub mod prometheus;
pub mod proxy;
pub mod receiver;
pub mod stack;
pub mod tls;
pub mod writer;
