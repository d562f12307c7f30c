//! The load generator: goose gives users, scenarios and weights; this crate gives the clock, the
//! ledger and the verdict.
//!
//! A run ends as a [`record::Record`], from which every report is a projection.

pub mod annotate;
pub mod calibrate;
pub mod caller;
pub mod cast;
pub mod commands;
pub mod engine;
pub mod environment;
pub mod interrupt;
pub mod known;
pub mod ledger;
pub mod numbers;
mod outcome;
pub mod pacer;
pub mod preflight;
pub mod process;
pub mod profile;
pub mod record;
pub mod recorder;
pub mod report;
pub mod route;
pub mod run;
pub mod scenario;
pub mod serve;
pub mod session;
pub mod signer;
pub mod threshold;
pub mod verdict;
pub mod view;
pub mod watch;
