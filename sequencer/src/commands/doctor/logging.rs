//! Logging: enough to know what happened, and not what callers sent.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::check::{Check, Finding};
use crate::config::Config;

pub(super) fn look(config: &Config) -> Finding {
    let (check, fix) = (Check::LogLevel, "set RUST_LOG=info");
    let Ok(filter) = EnvFilter::try_new(&config.rust_log) else {
        return check.fail("RUST_LOG is no log filter; a start is refused", fix);
    };
    let name = &config.rust_log;
    match filter.max_level_hint() {
        Some(level) if level > LevelFilter::INFO => {
            check.warn(format!("RUST_LOG is {name}: too much is written, and slowly"), fix)
        }
        Some(level) if level < LevelFilter::INFO => {
            check.warn(format!("RUST_LOG is {name}: starts, stops and drains are not written"), fix)
        }
        _ => check.pass(format!("RUST_LOG is {name}")),
    }
}
