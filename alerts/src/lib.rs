//! Alert rules, recording rules and burn rates, built from the catalogue's symbols.
//!
//! [`rules::all`] declares every alert once. Everything else is a projection of it: the rule files
//! for Prometheus, the PrometheusRule resource, examples for Prometheus and Alertmanager
//! ([`render`]), the tables of the monitoring guide ([`guide`]), and, from their own crates, panels
//! with threshold lines and the headers of runbooks.
//!
//! This crate loads nothing into a server: [`prometheus`] is only asked.

pub mod commands;
pub mod guide;
pub mod overrides;
pub mod prometheus;
pub mod promql;
pub mod render;
pub mod rule;
pub mod rules;
pub mod scale;
pub mod selectors;
pub mod slo;

/// Where alerts and boards say that runbooks are: the sidecar renders them.
pub const RUNBOOKS_URL: &str = "http://127.0.0.1:9091/runbooks";
/// Where alerts say that boards are.
pub const DASHBOARDS_URL: &str = "http://127.0.0.1:3000/d";
