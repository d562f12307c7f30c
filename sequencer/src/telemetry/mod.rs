//! What the process tells about its work: logs on standard error, traces over OTLP.
//!
//! Metrics are not here: `catalog` declares them and everybody records.

pub mod export;
mod logs;
pub mod trace;

pub use logs::start;
pub use trace::{Part, Tracing};
