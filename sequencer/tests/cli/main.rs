//! The commands from outside: the real binary, as a person at a terminal uses it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod drain;
mod keys;
mod program;
mod refusals;
mod run;
mod tampered;
