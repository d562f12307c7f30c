//! A thin HTTP client of the API, for the commands: typed answers, errors that read well.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;
use ves::wire::{
    AgentKeyEntry, AgentKeysPage, CommitmentRequest, CommitmentsPage, EventsPage, HeadResponse,
    IngestRequest, IngestResponse, ProofResponse, SequencerInfo,
};
use ves::{Commitment, Event, SigningKey, Stream, proof_of_possession_challenge};

use crate::config::Secret;
use crate::telemetry::trace::outgoing_headers;

/// Longer than the server's own default limit, so that its 504 is seen and not our timeout.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No answer.
    #[error("cannot reach {url}: {cause}")]
    Unreachable {
        /// What was asked, without its query.
        url: String,
        /// The innermost cause, the one that helps.
        cause: String,
    },
    /// An answer that is not a success.
    #[error("{url} answered {status} {code}: {message}")]
    Refused {
        /// What was asked, without its query.
        url: String,
        /// HTTP status.
        status: u16,
        /// Stable code of the API; empty when something else answered.
        code: String,
        /// What is wrong.
        message: String,
    },
    /// A success that is not in the expected shape.
    #[error("{url} answered something unexpected; is it a sequencer?")]
    Unexpected {
        /// What was asked, without its query.
        url: String,
        /// What does not fit.
        #[source]
        source: serde_json::Error,
    },
    /// A request that cannot be built.
    #[error("the request cannot be built: {0}")]
    Unsendable(String),
}

impl ClientError {
    /// The API's code, when it refused.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}

type Result<T> = std::result::Result<T, ClientError>;

/// A client of one sequencer.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    /// A client that shows this credential, if any.
    ///
    /// # Errors
    /// When the URL or the credential cannot be used.
    pub fn new(url: &str, key: Option<&Secret>) -> anyhow::Result<Self> {
        let base = parse_url(url)?;
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let value = HeaderValue::from_str(&format!("ApiKey {}", key.expose()));
            let mut value = value.ok().context("the API key holds characters no key has")?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        prepare_tls();
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            // A redirect would carry the credential to wherever it points.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("the HTTP client cannot start")?;
        Ok(Self { http, base })
    }

    /// Who the sequencer is.
    ///
    /// # Errors
    /// As every call: no answer, a refusal, or an unexpected answer.
    pub async fn sequencer(&self) -> Result<SequencerInfo> {
        self.get("/api/v1/ves/sequencer").await
    }

    /// Registers the public half of a key, with proof that the private half is at hand.
    ///
    /// # Errors
    /// As every call.
    pub async fn register_key(
        &self,
        (tenant_id, agent_id, key_id): (Uuid, Uuid, u32),
        key: &SigningKey,
    ) -> Result<()> {
        let public_key = key.public_key();
        let proof = key.sign(&proof_of_possession_challenge(public_key.as_bytes()));
        let body = json!({
            "tenantId": tenant_id,
            "agentId": agent_id,
            "keyId": key_id,
            "publicKey": ves::Hash32(*public_key.as_bytes()),
            "proofOfPossession": proof,
        });
        self.post::<Value>("/api/v1/agents/keys", &body).await.map(|_| ())
    }

    /// All signing keys of an agent.
    ///
    /// # Errors
    /// As every call.
    pub async fn agent_keys(&self, tenant_id: Uuid, agent_id: Uuid) -> Result<Vec<AgentKeyEntry>> {
        let path = format!("/api/v1/agents/keys?tenant_id={tenant_id}&agent_id={agent_id}");
        Ok(self.get::<AgentKeysPage>(&path).await?.keys)
    }

    /// Posts events of one agent and one stream.
    ///
    /// # Errors
    /// As every call; a refused event is a success of the call.
    pub async fn ingest(&self, agent_id: Uuid, events: &[Event]) -> Result<IngestResponse> {
        let body = ingest_request(agent_id, events)?;
        self.post("/api/v1/ves/events/ingest", &body).await
    }

    /// A page of a stream, each event as its raw text.
    ///
    /// # Errors
    /// As every call.
    pub async fn events(&self, stream: Stream, from: u64, limit: u32) -> Result<EventsPage> {
        let query = query(stream);
        self.get(&format!("/api/v1/ves/events?{query}&from={from}&limit={limit}")).await
    }

    /// How far a stream has come.
    ///
    /// # Errors
    /// As every call.
    pub async fn head(&self, stream: Stream) -> Result<HeadResponse> {
        self.get(&format!("/api/v1/ves/head?{}", query(stream))).await
    }

    /// Seals a range of a stream.
    ///
    /// # Errors
    /// As every call.
    pub async fn seal(&self, stream: Stream, start: u64, end: u64) -> Result<Commitment> {
        let Stream { tenant_id, store_id } = stream;
        let body =
            CommitmentRequest { tenant_id, store_id, sequence_start: start, sequence_end: end };
        self.post("/api/v1/ves/commitments", &body).await
    }

    /// Commitments that start at a number or later, ascending.
    ///
    /// # Errors
    /// As every call.
    pub async fn commitments(
        &self,
        stream: Stream,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Commitment>> {
        let query = query(stream);
        let path = format!("/api/v1/ves/commitments?{query}&from={from}&limit={limit}");
        Ok(self.get::<CommitmentsPage>(&path).await?.commitments)
    }

    /// The inclusion proof of a number.
    ///
    /// # Errors
    /// As every call.
    pub async fn proof(&self, stream: Stream, sequence_number: u64) -> Result<ProofResponse> {
        self.get(&format!("/api/v1/ves/proofs/{sequence_number}?{}", query(stream))).await
    }

    /// Tells the server behind an operations port to drain; gives the time until its API port
    /// closes.
    ///
    /// # Errors
    /// As every call.
    pub async fn drain(&self, delay: Option<Duration>) -> Result<Duration> {
        let delay = delay.map(|delay| format!("?delay_seconds={}", delay.as_secs()));
        let path = format!("/drain{}", delay.unwrap_or_default());
        let answer: Value = self.post(&path, &json!({})).await?;
        let seconds = answer["closes_in_seconds"].as_f64().unwrap_or_default();
        Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    }

    /// Streams with their heads after a page's `next`, and the next `next`; what the credential
    /// may see. For administrators, and for who reads everything.
    ///
    /// # Errors
    /// As every call.
    pub async fn streams(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<(Stream, u64)>, Option<String>)> {
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        let page: StoresPage =
            self.get(&format!("/api/v1/admin/stores?agents=false&limit={limit}{after}")).await?;
        let stream = |StoreItem { tenant_id, store_id, head_sequence }| {
            (Stream { tenant_id, store_id }, head_sequence)
        };
        Ok((page.items.into_iter().map(stream).collect(), page.next))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let url = self.url(path)?;
        answer(url.clone(), self.http.get(url)).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let url = self.url(path)?;
        answer(url.clone(), self.http.post(url).json(body)).await
    }

    fn url(&self, path: &str) -> Result<Url> {
        let text = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        text.parse().map_err(|_| ClientError::Unsendable(format!("{text} is not a URL")))
    }
}

/// What of the list of stores is used here.
#[derive(Deserialize)]
struct StoresPage {
    items: Vec<StoreItem>,
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoreItem {
    tenant_id: Uuid,
    store_id: Uuid,
    head_sequence: u64,
}

/// Chooses who does the cryptography of https in this process. To be called before any client of
/// `reqwest` is made; a second call changes nothing.
pub fn prepare_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The body of the ingest route.
///
/// # Errors
/// When an event is not JSON, which an [`Event`] always is.
pub fn ingest_request(agent_id: Uuid, events: &[Event]) -> Result<IngestRequest> {
    let raw = |event: &Event| RawValue::from_string(event.to_json());
    let events: serde_json::Result<_> = events.iter().map(raw).collect();
    let events = events.map_err(|error| ClientError::Unsendable(error.to_string()))?;
    Ok(IngestRequest { agent_id, events })
}

/// Reads the address of a sequencer.
///
/// # Errors
/// When it is not an http or https URL.
pub fn parse_url(url: &str) -> anyhow::Result<Url> {
    let parsed = url.parse().ok();
    let parsed = parsed.filter(|url: &Url| matches!(url.scheme(), "http" | "https"));
    parsed.with_context(|| format!("{url} is not a URL that begins with http:// or https://"))
}

fn query(Stream { tenant_id, store_id }: Stream) -> String {
    format!("tenant_id={tenant_id}&store_id={store_id}")
}

async fn answer<T: DeserializeOwned>(mut url: Url, request: RequestBuilder) -> Result<T> {
    url.set_query(None);
    let url = url.to_string();
    let unreachable = |error: reqwest::Error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let cause = if error.is_timeout() { "no answer in time".into() } else { cause.to_string() };
        ClientError::Unreachable { url: url.clone(), cause }
    };
    let response = request.headers(outgoing_headers()).send().await.map_err(unreachable)?;
    let status = response.status();
    let body = response.bytes().await.map_err(unreachable)?;
    if status.is_success() {
        return serde_json::from_slice(&body)
            .map_err(|source| ClientError::Unexpected { url, source });
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| body["error"][name].as_str().map(str::to_owned);
    let message = text("message").unwrap_or_else(|| "no sequencer's error".to_owned());
    let code = text("code").unwrap_or_default();
    Err(ClientError::Refused { url, status: status.as_u16(), code, message })
}
