//! The event sequencer.
pub mod store;
