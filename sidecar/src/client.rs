//! The sequencer over HTTP, as any outsider sees it. Nothing that it answers is trusted: every body
//! has a bound, every wait has a limit, every failure says what happened.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use ves::Stream;
use ves::wire::{
    AgentKeysPage, CommitmentsPage, EventsPage, HeadResponse, IngestRequest, IngestResponse,
    ProofResponse, SequencerInfo,
};

use crate::config::{Config, Secret};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest answer that is read. A page of 1,000 events is bounded by the sequencer to 16 MiB of
/// payloads; with the envelopes it stays below this.
const MAX_BODY_BYTES: usize = 32 << 20;
/// A message of the sequencer is shown up to here.
const MAX_MESSAGE_CHARACTERS: usize = 300;

/// Why a call did not succeed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CallError {
    /// No answer within the limit.
    #[error("no answer within {:.1} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// No connection, or it broke.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// An answer that is not a success.
    #[error("answered {status} {code}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Stable code of the API; empty when something else answered.
        code: String,
        /// What is wrong.
        message: String,
        /// The whole answer, null when it is not JSON.
        body: Value,
    },
    /// A success in another shape than the API's: an older sequencer, or none.
    #[error("answered something unexpected, is it a sequencer of this version? {0}")]
    Unexpected(String),
    /// A body beyond the bound.
    #[error("answered more than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// No key is configured, and the call needs one.
    #[error("no API key: set SEQUENCER_API_KEY to the sequencer's BOOTSTRAP_SIDECAR_API_KEY")]
    NoKey,
}

impl CallError {
    /// HTTP status, when there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The API's code, when it refused.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } if !code.is_empty() => Some(code),
            _ => None,
        }
    }
}

/// Result of a call.
pub type Called<T> = Result<T, CallError>;

/// One sequencer: its API and its operations port.
#[derive(Clone, Debug)]
pub struct Sequencer {
    http: reqwest::Client,
    api: Url,
    operations: Url,
    has_key: bool,
}

/// A stream as the list of stores shows it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamHead {
    /// Tenant of the stream.
    pub tenant_id: Uuid,
    /// Store of the stream.
    pub store_id: Uuid,
    /// Highest number, 0 if none.
    pub head_sequence: u64,
    /// Highest committed number, 0 if none.
    pub committed_sequence: u64,
}

impl StreamHead {
    /// The stream.
    #[must_use]
    pub fn stream(&self) -> Stream {
        Stream { tenant_id: self.tenant_id, store_id: self.store_id }
    }
}

/// A page of the list of streams.
#[derive(Clone, Debug, Deserialize)]
pub struct StreamsPage {
    /// The streams, in ascending order.
    pub items: Vec<StreamHead>,
    /// Names the next page; none after the last.
    pub next: Option<String>,
}

impl Sequencer {
    /// The configured sequencer, called with this key.
    ///
    /// # Errors
    /// When a URL or the key cannot be used.
    pub fn new(config: &Config, key: Option<&Secret>) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let value = HeaderValue::from_str(&format!("ApiKey {}", key.expose()));
            let mut value = value.map_err(|_| {
                anyhow::anyhow!("SEQUENCER_API_KEY or CANARY_API_KEY holds what no key holds")
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        // A second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(4)
            // A redirect would carry the credential to wherever it points; a proxy, too.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let api = crate::config::parse_url(&config.sequencer_url)?;
        let operations = crate::config::parse_url(&config.sequencer_ops_url)?;
        Ok(Self { http, api, operations, has_key: key.is_some() })
    }

    /// A GET of the API: `path` begins with `/` and holds its query.
    ///
    /// # Errors
    /// As every call.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, limit: Duration) -> Called<T> {
        parse(&self.get_bytes(path, limit).await?)
    }

    /// The same, as the bytes that came.
    ///
    /// # Errors
    /// As every call.
    pub async fn get_bytes(&self, path: &str, limit: Duration) -> Called<Bytes> {
        within(limit, self.http.get(at(&self.api, path)?)).await
    }

    /// A GET of the operations port.
    ///
    /// # Errors
    /// As every call.
    pub async fn get_operations(&self, path: &str, limit: Duration) -> Called<Bytes> {
        within(limit, self.http.get(at(&self.operations, path)?)).await
    }

    /// A POST to the API.
    ///
    /// # Errors
    /// As every call, and when there is no key.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        limit: Duration,
    ) -> Called<T> {
        self.require_key()?;
        parse(&within(limit, self.http.post(at(&self.api, path)?).json(body)).await?)
    }

    /// Who the sequencer is and which keys its receipts carry. Needs no credential.
    ///
    /// # Errors
    /// As every call.
    pub async fn info(&self, limit: Duration) -> Called<SequencerInfo> {
        self.get("/api/v1/ves/sequencer", limit).await
    }

    /// A page of all streams that the key may see, after what the last page named.
    ///
    /// # Errors
    /// As every call.
    pub async fn streams(&self, after: Option<&str>, limit: Duration) -> Called<StreamsPage> {
        self.require_key()?;
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        self.get(&format!("/api/v1/admin/stores?limit=1000&agents=false{after}"), limit).await
    }

    /// How far a stream has come.
    ///
    /// # Errors
    /// As every call.
    pub async fn head(&self, stream: Stream, limit: Duration) -> Called<HeadResponse> {
        self.require_key()?;
        self.get(&format!("/api/v1/ves/head?{}", query(stream)), limit).await
    }

    /// A page of a stream, each event as its raw text.
    ///
    /// # Errors
    /// As every call.
    pub async fn events(
        &self,
        stream: Stream,
        from: u64,
        count: u32,
        limit: Duration,
    ) -> Called<EventsPage> {
        self.require_key()?;
        let query = query(stream);
        self.get(&format!("/api/v1/ves/events?{query}&from={from}&limit={count}"), limit).await
    }

    /// Commitments that start at a number or later, ascending.
    ///
    /// # Errors
    /// As every call.
    pub async fn commitments(
        &self,
        stream: Stream,
        from: u64,
        limit: Duration,
    ) -> Called<CommitmentsPage> {
        self.require_key()?;
        let query = query(stream);
        self.get(&format!("/api/v1/ves/commitments?{query}&from={from}&limit=1000"), limit).await
    }

    /// The inclusion proof of a number.
    ///
    /// # Errors
    /// As every call.
    pub async fn proof(
        &self,
        stream: Stream,
        number: u64,
        limit: Duration,
    ) -> Called<ProofResponse> {
        self.require_key()?;
        self.get(&format!("/api/v1/ves/proofs/{number}?{}", query(stream)), limit).await
    }

    /// All signing keys of an agent.
    ///
    /// # Errors
    /// As every call.
    pub async fn agent_keys(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        limit: Duration,
    ) -> Called<AgentKeysPage> {
        self.require_key()?;
        let path = format!("/api/v1/agents/keys?tenant_id={tenant_id}&agent_id={agent_id}");
        self.get(&path, limit).await
    }

    /// Posts events of one agent and one stream.
    ///
    /// # Errors
    /// As every call; a refused event is a success of the call.
    pub async fn ingest(&self, body: &IngestRequest, limit: Duration) -> Called<IngestResponse> {
        self.post("/api/v1/ves/events/ingest", body, limit).await
    }

    /// A call that needs a credential is not made without one: it would only count as a failure
    /// of somebody's credential at the sequencer.
    fn require_key(&self) -> Called<()> {
        if self.has_key { Ok(()) } else { Err(CallError::NoKey) }
    }
}

fn query(Stream { tenant_id, store_id }: Stream) -> String {
    format!("tenant_id={tenant_id}&store_id={store_id}")
}

fn at(base: &Url, path: &str) -> Called<Url> {
    let text = format!("{}{path}", base.as_str().trim_end_matches('/'));
    text.parse().map_err(|_| CallError::Unreachable(format!("{text} is not a URL")))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Called<T> {
    serde_json::from_slice(body).map_err(|error| CallError::Unexpected(error.to_string()))
}

async fn within(limit: Duration, request: RequestBuilder) -> Called<Bytes> {
    tokio::time::timeout(limit, answer(request)).await.unwrap_or(Err(CallError::TimedOut(limit)))
}

async fn answer(request: RequestBuilder) -> Called<Bytes> {
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(CallError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(body.freeze());
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| body["error"][name].as_str();
    let message = text("message").unwrap_or("no error of a sequencer");
    Err(CallError::Refused {
        status: status.as_u16(),
        code: text("code").unwrap_or_default().to_owned(),
        message: message.chars().take(MAX_MESSAGE_CHARACTERS).collect(),
        body,
    })
}

/// The innermost cause is the one that helps.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn unreachable(error: reqwest::Error) -> CallError {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    CallError::Unreachable(cause.to_string())
}
