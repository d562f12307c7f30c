//! The event sequencer: signed events in, gapless numbers and signed receipts out.
//!
//! The life of one event: [`http`] takes the request apart and asks [`auth`] who is calling;
//! [`ingest`] checks every event off the write path and hands the good ones to the one committer,
//! which numbers and stores them in groups through [`store`]; the handler answers with receipts
//! signed by [`identity`]; [`stream`] takes them to whoever follows; [`sealing`] later commits them
//! in Merkle batches.

pub mod api;
pub mod app;
pub mod auth;
pub mod breaker;
pub mod client;
pub mod clock;
pub mod commands;
pub mod config;
pub mod error;
pub mod health;
pub mod http;
pub mod identity;
pub mod ingest;
pub mod lease;
pub mod lifecycle;
pub mod opening;
pub mod process;
pub mod rate_limit;
pub mod sealing;
pub mod secrets;
pub mod server;
pub mod store;
pub mod stream;
pub mod telemetry;

/// Released version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Commit it was built from, when the build was told.
pub const COMMIT: &str = match option_env!("BUILD_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};
