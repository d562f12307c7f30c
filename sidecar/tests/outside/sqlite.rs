//! The look at the embedded store.

use std::time::Duration;

use crate::stack::{Stack, database_file};

const LIMIT: Duration = Duration::from_secs(30);
const DATABASE: &str = "stateset_sidecar_store_sqlite_database_bytes";

#[tokio::test]
async fn the_figures_are_those_of_the_files() {
    let stack = Stack::start(&[]);
    let bytes = std::fs::metadata(database_file(stack.folder.path())).unwrap().len();
    stack.sidecar.wait_for(DATABASE, LIMIT, |value| value == bytes as f64).await;
}
