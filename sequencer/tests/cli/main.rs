//! The commands from outside: the real binary, as a person at a terminal uses it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beside;
mod doctor;
mod doctor_asks;
mod drain;
mod keys;
mod observe;
#[path = "../support/otlp.rs"]
#[allow(dead_code, reason = "shared with the API tests, which use all of it")]
mod otlp;
mod over_postgres;
mod program;
mod refusals;
mod run;
mod tampered;
mod traces;

use testbed::postgres;
