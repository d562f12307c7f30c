//! The pages of `dashboards preview` in a real browser, filled by a real Prometheus.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the status page is driven in more ways")]
#[path = "../../../sidecar/tests/page/browser.rs"]
mod browser;
mod exporter;
mod pages;

use testbed::prometheus;
