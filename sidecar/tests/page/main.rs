//! The status page in a real browser, over a real sidecar beside a real sequencer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
mod faults;
mod states;

use testbed::stack;
