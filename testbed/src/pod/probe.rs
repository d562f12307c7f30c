//! A probe as the kubelet asks it: a connection each time, and the limits of the manifest.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::seconds;

/// Between two questions of who waits; the kubelet's own period only bounds the wait.
const PAUSE: Duration = Duration::from_millis(50);

/// A probe of a container.
pub struct Probe {
    url: String,
    http: reqwest::Client,
    /// Time until the kubelet has seen too many failures.
    patience: Duration,
}

impl Probe {
    /// The probe of this manifest at this address.
    pub(super) fn new(url: String, manifest: &Value) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(seconds(&manifest["timeoutSeconds"], 1))
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        let failures = manifest["failureThreshold"].as_u64().unwrap_or(3);
        let period = seconds(&manifest["periodSeconds"], 10);
        let delay = seconds(&manifest["initialDelaySeconds"], 0);
        Self { url, http, patience: delay + period * u32::try_from(failures).unwrap() }
    }

    /// The status of one answer; none when there was no answer in time.
    pub async fn status(&self) -> Option<u16> {
        let answer = self.http.get(&self.url).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// Waits for this status; gives how long that took.
    ///
    /// # Panics
    /// When it does not come before the kubelet would act.
    pub async fn wait_for(&self, status: u16) -> Duration {
        let started = Instant::now();
        loop {
            let now = self.status().await;
            if now == Some(status) {
                return started.elapsed();
            }
            assert!(started.elapsed() < self.patience, "{} answers {now:?}", self.url);
            tokio::time::sleep(PAUSE).await;
        }
    }
}
