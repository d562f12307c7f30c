//! Generated pages in the repository equal what the catalogue says now.

use std::path::Path;

#[test]
fn the_metrics_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let expect = catalog::docs::metrics_reference();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &expect).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expect, "docs/metrics.md is out of date: run `make generate`");
}
