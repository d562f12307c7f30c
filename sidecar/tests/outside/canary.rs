//! The canary's rounds against a real sequencer.

use std::time::Duration;

use crate::stack::Stack;

const LIMIT: Duration = Duration::from_secs(30);
const SUCCESS: &str = "stateset_sidecar_canary_success";

#[tokio::test]
async fn a_round_walks_the_whole_path() {
    let stack = Stack::start(&[]);
    stack.sidecar.wait_for(SUCCESS, LIMIT, |value| value == 1.0).await;
    let scrape = stack.sidecar.get("/metrics").await.text;
    for step in ["post", "read_back", "commitment", "proof", "total"] {
        let series = format!("stateset_sidecar_canary_duration_seconds_count{{step=\"{step}\"}}");
        assert_eq!(crate::stack::sample_of(&scrape, &series), Some(1.0), "{series}");
    }
}
