//! An agent at work: registers its key, posts signed events, counts what failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;
use ves::Event;

use crate::agent::{Agent, body};
use crate::stack::{ADMIN_KEY, Sequencer};

/// Longest wait for an answer; a request without one has failed.
const LIMIT: Duration = Duration::from_secs(5);

/// An agent with a key that the sequencer knows.
#[derive(Clone)]
pub struct Writer {
    /// Who signs.
    pub agent: Agent,
    url: String,
    http: reqwest::Client,
}

impl Writer {
    /// A new agent in a new stream.
    pub async fn register(sequencer: &Sequencer) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(LIMIT).build().unwrap();
        let new = Self { agent: Agent::new(), url: sequencer.url.clone(), http };
        let answer = new.send("/api/v1/agents/keys", new.agent.key_body().to_string()).await;
        assert!(answer.is_some(), "the key is not registered");
        new
    }

    /// Registers the same key with a sequencer that has lost it.
    pub async fn register_again(&self) {
        let answer = self.send("/api/v1/agents/keys", self.agent.key_body().to_string()).await;
        assert!(answer.is_some(), "the key is not registered");
    }

    /// Posts so many new events; gives the answer of the ingest route.
    pub async fn post(&self, count: usize) -> Value {
        self.post_events(&self.agent.events(count)).await.expect("the events are accepted")
    }

    /// Posts these events; nothing when there was no good answer.
    pub async fn post_events(&self, events: &[Event]) -> Option<Value> {
        let envelopes: Vec<String> = events.iter().map(Event::to_json).collect();
        self.send("/api/v1/ves/events/ingest", body(self.agent.id, &envelopes)).await
    }

    async fn send(&self, path: &str, body: String) -> Option<Value> {
        let request = self.http.post(format!("{}{path}", self.url)).body(body);
        let request = request.header("content-type", "application/json");
        let answer = request.header("authorization", format!("ApiKey {ADMIN_KEY}")).send().await;
        let answer = answer.ok()?.error_for_status().ok()?;
        answer.json().await.ok()
    }
}

/// What became of a load's requests.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Answered as accepted.
    pub good: u64,
    /// Answered otherwise, or not.
    pub failed: u64,
    /// Longest time to an answer.
    pub slowest: Duration,
}

/// A writer that posts one event after the other until told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Outcome>,
}

impl Load {
    /// Posts an event each `pause`.
    pub fn start(writer: &Writer, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, writer) = (Arc::clone(&stop), writer.clone());
        let task = tokio::spawn(async move {
            let mut outcome = Outcome::default();
            while !told.load(Ordering::Relaxed) {
                let sent = Instant::now();
                match writer.post_events(&writer.agent.events(1)).await {
                    Some(answer) if answer["eventsAccepted"] == 1 => outcome.good += 1,
                    _ => outcome.failed += 1,
                }
                outcome.slowest = outcome.slowest.max(sent.elapsed());
                tokio::time::sleep(pause).await;
            }
            outcome
        });
        Self { stop, task }
    }

    /// Ends it after the request in flight.
    pub async fn stop(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}
