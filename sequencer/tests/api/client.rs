//! A client of one port with one credential.

use serde_json::{Value, json};
use ves::wire::IngestResponse;
use ves::{Event, Stream};

use crate::agent::{Agent, body, query};
use crate::answer::Answer;

/// The connections that clients share.
pub(crate) fn connections() -> reqwest::Client {
    sequencer::client::prepare_tls();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Speaks to one port with one credential.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) base: String,
    pub(crate) key: String,
    pub(crate) http: reqwest::Client,
}

impl Client {
    /// The same port with another credential; empty is none.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().unwrap();
        let request = self.http.request(method, format!("{}{path}", self.base));
        if self.key.is_empty() {
            return request;
        }
        request.header("authorization", format!("ApiKey {}", self.key))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request("GET", path).send().await.unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request("DELETE", path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, json: &Value) -> Answer {
        self.post_text(path, json.to_string()).await
    }

    pub(crate) async fn post_text(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request("POST", path).header("content-type", "application/json");
        Answer::of(request.body(body).send().await.unwrap()).await
    }

    /// Posts an ingest body as it is.
    pub(crate) async fn post_events(&self, body: impl Into<reqwest::Body>) -> Answer {
        self.post_text("/api/v1/ves/events/ingest", body).await
    }

    /// Posts signed events, whatever the answer.
    pub(crate) async fn try_ingest(&self, events: &[Event]) -> Answer {
        let envelopes: Vec<String> = events.iter().map(Event::to_json).collect();
        self.post_events(body(events[0].source_agent_id, &envelopes)).await
    }

    /// Posts signed events; the answer must be 200.
    pub(crate) async fn ingest(&self, events: &[Event]) -> IngestResponse {
        serde_json::from_value(self.try_ingest(events).await.ok()).unwrap()
    }

    /// Posts envelopes as they are; the answer must be 200.
    pub(crate) async fn ingest_raw(&self, agent: &Agent, envelopes: &[String]) -> IngestResponse {
        let answer = self.post_events(body(agent.id, envelopes)).await;
        serde_json::from_value(answer.ok()).unwrap()
    }

    pub(crate) async fn head(&self, stream: Stream) -> Value {
        self.get(&format!("/api/v1/ves/head?{}", query(stream))).await.ok()
    }

    pub(crate) async fn head_sequence(&self, stream: Stream) -> u64 {
        self.head(stream).await["head_sequence"].as_u64().unwrap()
    }

    /// Seals a range, whatever the answer.
    pub(crate) async fn seal(&self, stream: Stream, start: u64, end: u64) -> Answer {
        let wanted = json!({
            "tenant_id": stream.tenant_id,
            "store_id": stream.store_id,
            "sequence_start": start,
            "sequence_end": end,
        });
        self.post("/api/v1/ves/commitments", &wanted).await
    }
}
