//! Asking over HTTP: bounded in time and size, and nothing that is answered is trusted.

use std::time::Duration;

use reqwest::tls::TlsInfo;
use serde_json::Value;
use ves::wire::SequencerInfo;
use ves::{Hash32, Timestamp};

use crate::client::prepare_tls;
use crate::clock;
use crate::config::redacted;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer that is read; all rules of a large Prometheus fit.
const MAX_BYTES: usize = 32 << 20;

/// The HTTP client of the checks. It shows no credential of the deployment to anybody.
pub(super) struct Asker(reqwest::Client);

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
    /// The same as JSON; null when it is none.
    pub(super) json: Value,
    /// The certificate that was shown, DER.
    pub(super) certificate: Option<Vec<u8>>,
}

impl Asker {
    pub(super) fn new() -> anyhow::Result<Self> {
        prepare_tls();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .tls_info(true)
            .build()?;
        Ok(Self(http))
    }

    /// Asks `base` for a path.
    ///
    /// # Errors
    /// In words, when there is no answer.
    pub(super) async fn get(&self, base: &str, path: &str) -> Result<Answer, String> {
        self.get_with(base, path, None).await
    }

    pub(super) async fn get_with(
        &self,
        base: &str,
        path: &str,
        key: Option<&str>,
    ) -> Result<Answer, String> {
        let mut request = self.0.get(format!("{}{path}", base.trim_end_matches('/')));
        if let Some(key) = key {
            request = request.header("authorization", format!("ApiKey {key}"));
        }
        self.answer(request).await.map_err(|error| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(inner) = cause.source() {
                cause = inner;
            }
            let cause =
                if error.is_timeout() { "no answer in time".into() } else { cause.to_string() };
            format!("{} cannot be asked: {cause}", redacted(base))
        })
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let mut response = request.send().await?;
        let status = response.status().as_u16();
        let info = response.extensions().get::<TlsInfo>();
        let certificate = info.and_then(TlsInfo::peer_certificate).map(<[u8]>::to_vec);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BYTES {
                break;
            }
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { status, text, json, certificate })
    }
}

/// A running server, by its first answer.
pub(super) struct Server {
    /// As it was named.
    pub(super) url: String,
    pub(super) version: String,
    /// How far its clock is ahead of ours at least, seconds.
    pub(super) clock_skew_seconds: Option<f64>,
    /// Public half of its newest receipt key.
    pub(super) signs_with: Option<Hash32>,
    pub(super) certificate: Option<Vec<u8>>,
}

impl Server {
    /// # Errors
    /// In words, when it does not answer as a sequencer does.
    pub(super) async fn ask(asker: &Asker, url: &str) -> Result<Self, String> {
        let asked = clock::now();
        let Answer { status, json, certificate, .. } = asker.get(url, "/health").await?;
        let answered = clock::now();
        if status != 200 || json["service"] != "stateset-sequencer" {
            let url = redacted(url);
            return Err(format!("{url}/health answers {status}, and not as a sequencer does"));
        }
        let info = asker.get(url, "/api/v1/ves/sequencer").await;
        let info: Option<SequencerInfo> =
            info.ok().and_then(|info| serde_json::from_value(info.json).ok());
        let newest = info.and_then(|info| info.keys.into_iter().max_by_key(|key| key.key_version));
        let theirs = json["timestamp"].as_str().and_then(Timestamp::parse);
        let skew = |theirs: Timestamp| clock::skew_seconds(theirs.as_micros(), asked, answered);
        Ok(Self {
            url: url.to_owned(),
            version: json["version"].as_str().unwrap_or("unknown").to_owned(),
            clock_skew_seconds: theirs.map(skew),
            signs_with: newest.map(|key| key.public_key),
            certificate,
        })
    }
}
