//! The chart as helm renders it, without a cluster: every document fits its Kubernetes type, every
//! pod keeps the policies, every name is one that the programs know, and every override changes
//! rule and board as the commands do.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alerts;
mod cases;
mod docs;
mod documents;
mod install;
mod names;
mod notes;
mod operator;
mod policy;
mod values;
