//! The load generator: goose gives users, scenarios and weights; this crate gives the clock, the
//! ledger and the verdict.
//!
//! A run ends as a [`record::Record`], from which every report is a projection.

pub mod record;
