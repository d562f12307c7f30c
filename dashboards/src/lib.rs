//! Grafana boards, built from the catalogue's symbols and the alerts' own numbers.
//!
//! [`boards::all`] declares every board once. Everything else is a projection of it: the JSON
//! files that Grafana reads, ConfigMaps and a provisioning folder ([`export`]), what is put into a
//! running Grafana ([`grafana`]), the table of panels in the monitoring guide ([`guide`]), panels
//! filled from a Prometheus ([`live`]), and pages that draw those ([`preview`]).
//!
//! A query is written without `job` and `instance`: [`query::for_board`] adds them to every
//! selector, so that none is forgotten. A board has a panel for each alert that names it, whether
//! its author thought of it or not ([`builder::Board::with_alerts`]).

pub mod boards;
pub mod builder;
pub mod commands;
pub mod difference;
pub mod export;
pub mod grafana;
pub mod guide;
pub mod live;
pub mod preview;
pub mod query;
