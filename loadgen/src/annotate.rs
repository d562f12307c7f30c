//! A mark in Grafana over the time of a run, for who looks at the boards later.

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::environment::Key;

/// Longest wait for Grafana; a mark is not worth more.
const LIMIT: Duration = Duration::from_secs(5);

/// Where marks go.
#[derive(Clone, Debug)]
pub struct Grafana {
    /// Its base URL.
    pub url: String,
    /// A service account's token.
    pub token: Key,
}

impl Grafana {
    /// Marks the time between two moments.
    ///
    /// # Errors
    /// Why there is no mark, in words without secrets.
    pub async fn mark(
        &self,
        between: (SystemTime, SystemTime),
        profile: &str,
        text: &str,
    ) -> Result<(), String> {
        let milliseconds = |time: SystemTime| {
            let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_millis()).unwrap_or(0)
        };
        let body = json!({
            "time": milliseconds(between.0),
            "timeEnd": milliseconds(between.1),
            "tags": ["load-test", profile],
            "text": text,
        });
        let http = reqwest::Client::builder()
            .timeout(LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|_| "no HTTP client".to_owned())?;
        let url = format!("{}/api/annotations", self.url.trim_end_matches('/'));
        let request = http.post(url).bearer_auth(self.token.expose()).json(&body);
        let answer = request.send().await.map_err(|_| "Grafana does not answer".to_owned())?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("Grafana answered {status}")) }
    }
}
