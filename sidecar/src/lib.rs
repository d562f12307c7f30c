//! The sidecar: a second small process beside each sequencer, which sees what the sequencer
//! cannot say about itself.
//!
//! * [`checks`] probe what the sequencer stands on, with hysteresis, so that nothing flaps.
//! * [`process`] and [`store`] read the sequencer's process and its store from outside.
//! * [`canary`] walks the whole path of an event as a client does.
//! * [`witness`] verifies the log through the public API and remembers what it saw.
//! * [`history`] keeps the last minutes; [`http`] shows all of it: [`status`] as JSON, [`page`] for
//!   people, [`bundle`] to take away.
//!
//! Every room has a loop that produces results and a view that is read; a scrape or a page view
//! asks nobody. Nothing here is on the way of a request to the sequencer.

pub mod app;
mod blocking;
pub mod bundle;
pub mod canary;
pub mod checks;
pub mod client;
pub mod clock;
pub mod config;
pub mod health;
pub mod history;
pub mod http;
pub mod page;
pub mod process;
pub mod progress;
pub mod run;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod witness;

/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Commit it was built from.
pub const COMMIT: &str = match option_env!("BUILD_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};
