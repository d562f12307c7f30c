//! Waiting for what the sidecar says of a check: its metric and the reason in its log.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stack::Sidecar;

/// Timers that make a fault visible within two seconds.
pub(crate) const QUICK: [&str; 4] = [
    "--check-interval-secs=0.25",
    "--check-timeout-secs=0.5",
    "--system-interval-secs=0.25",
    "--canary=false",
];
/// Longest time from a fault to its being shown at these timers; generous, because all tests share
/// two cores.
const LIMIT: Duration = Duration::from_secs(15);

pub(crate) const OK: f64 = 1.0;
pub(crate) const WARN: f64 = 0.5;
pub(crate) const FAIL: f64 = 0.0;

/// Waits until a check shows this status for a reason with these words; gives how long that took.
pub(crate) async fn until(sidecar: &Sidecar, check: &str, status: f64, words: &str) -> Duration {
    until_within(sidecar, check, status, words, LIMIT).await
}

/// The same within a limit.
pub(crate) async fn until_within(
    sidecar: &Sidecar,
    check: &str,
    status: f64,
    words: &str,
    limit: Duration,
) -> Duration {
    let began = Instant::now();
    let series = format!("stateset_sidecar_check_status{{check=\"{check}\"}}");
    loop {
        let shown = sidecar.sample(&series).await;
        let said = said(sidecar, check);
        if shown == Some(status) && said.contains(words) {
            let took = began.elapsed();
            eprintln!("{check} {status} after {:.1} s: {said}", took.as_secs_f64());
            return took;
        }
        assert!(
            began.elapsed() < limit,
            "{check} is {shown:?} ({said}), not {status} because of \"{words}\", after {limit:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The reason in the last change of a check.
fn said(sidecar: &Sidecar, check: &str) -> String {
    let log = sidecar.running.log();
    let of_check = |entry: &&Value| {
        entry["message"] == "a check has changed" && entry["check"].as_str() == Some(check)
    };
    let last = log.iter().rev().find(of_check);
    last.and_then(|entry| entry["reason"].as_str()).unwrap_or_default().to_owned()
}
