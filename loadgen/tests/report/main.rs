//! The report as people get it: written by the program, opened in a real browser from a file.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../sidecar/tests/page/browser.rs"]
#[expect(dead_code, reason = "the status page needs more of a browser than a report does")]
mod browser;
mod commands;
mod page;
