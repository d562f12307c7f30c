//! Writers that remember what they were told, and what they were not.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::task::JoinSet;
use uuid::Uuid;
use ves::wire::{EventsPage, IngestResponse};
use ves::{Event, Receipt, Stream};

use crate::agent::{Agent, Numbers, query};
use crate::answer::Answer;
use crate::client::Client;
use crate::whole_log;

/// Longest wait for the writers to end.
const LIMIT: Duration = Duration::from_secs(60);

/// Everything that clients know.
pub(crate) struct Load {
    pub(crate) agents: Vec<Agent>,
    acknowledged: Vec<Acknowledged>,
    /// Sent and never answered.
    unanswered: Vec<Vec<Event>>,
    /// The longest wait for any answer, good or bad.
    slowest: Duration,
    numbers: Numbers,
    /// The file whose length is the time of an acknowledgement; without one the time is 0.
    clock: Option<PathBuf>,
}

/// A receipt as it was given.
struct Acknowledged {
    stream: Stream,
    receipt: Receipt,
    at: u64,
}

/// Writers at work.
pub(crate) struct Running {
    stop: Arc<AtomicBool>,
    writers: JoinSet<Told>,
}

#[derive(Default)]
struct Told {
    acknowledged: Vec<Acknowledged>,
    unanswered: Vec<Vec<Event>>,
    slowest: Duration,
}

impl Load {
    /// Four agents, two in each of two streams, with registered keys.
    pub(crate) async fn new(client: &Client) -> Self {
        let (one, two) = (Agent::new(), Agent::new());
        let agents = vec![Agent::in_stream(one.stream), Agent::in_stream(two.stream), one, two];
        for agent in &agents {
            client.post("/api/v1/agents/keys", &agent.key_body()).await.ok();
        }
        let numbers = Numbers::printed();
        let (acknowledged, unanswered) = (Vec::new(), Vec::new());
        let slowest = Duration::ZERO;
        Self { agents, acknowledged, unanswered, slowest, numbers, clock: None }
    }

    /// From here on the length of this file is the time of each acknowledgement.
    pub(crate) fn clock(mut self, file: &Path) -> Self {
        self.clock = Some(file.to_owned());
        self
    }

    /// A number below `bound`, from the printed seed.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.numbers.below(bound)
    }

    /// Writers that end with the first request that is not answered.
    pub(crate) fn begin(&mut self, client: &Client) -> Running {
        self.begin_with(client, None)
    }

    /// Writers that repeat a request after this pause until it is answered.
    pub(crate) fn begin_stubborn(&mut self, client: &Client, pause: Duration) -> Running {
        self.begin_with(client, Some(pause))
    }

    fn begin_with(&mut self, client: &Client, pause: Option<Duration>) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        for agent in &self.agents {
            let writer = Writer {
                client: client.clone(),
                agent: agent.clone(),
                numbers: Numbers::from_seed(self.numbers.next()),
                clock: self.clock.clone(),
                pause,
            };
            writers.spawn(writer.run(Arc::clone(&stop)));
        }
        Running { stop, writers }
    }

    /// Tells the writers to stop, and takes over what they know.
    pub(crate) async fn end(&mut self, running: Running) {
        running.stop.store(true, Ordering::Relaxed);
        self.end_by_itself(running).await;
    }

    /// Takes over what the writers know, each stopped by an answer that is no success.
    pub(crate) async fn end_by_itself(&mut self, running: Running) {
        let told = tokio::time::timeout(LIMIT, running.writers.join_all()).await;
        for told in told.expect("the writers end") {
            self.acknowledged.extend(told.acknowledged);
            self.unanswered.extend(told.unanswered);
            self.slowest = self.slowest.max(told.slowest);
        }
    }

    /// Every acknowledged event is there under its number with its receipt, without gap or
    /// duplicate. `audit` also checks every hash and signature, which takes longer.
    pub(crate) async fn check(&self, client: &Client, audit: bool) {
        self.check_at(client, audit, u64::MAX).await;
    }

    /// The same for what was acknowledged up to this time.
    pub(crate) async fn check_at(&self, client: &Client, audit: bool, time: u64) {
        for stream in [self.agents[0].stream, self.agents[1].stream] {
            if audit {
                whole_log::check(client, stream).await;
            }
            let events = read(client, stream).await;
            assert!(events.iter().map(|e| e.sequence_number).eq(1..=events.len() as u64));
            let known =
                self.acknowledged.iter().filter(|known| known.stream == stream && known.at <= time);
            for Acknowledged { receipt, .. } in known {
                let place = usize::try_from(receipt.sequence_number).unwrap() - 1;
                let found = events.get(place).map(|event| &event.receipt);
                assert_eq!(found, Some(receipt), "an acknowledged event is lost");
            }
            let ids: HashSet<Uuid> = events.iter().map(|event| event.event_id).collect();
            assert_eq!(ids.len(), events.len(), "an event has two numbers");
        }
    }

    /// Repeats what was never answered; each event has its number afterwards.
    pub(crate) async fn retry(&mut self, client: &Client) {
        for batch in std::mem::take(&mut self.unanswered) {
            let response = client.ingest(&batch).await;
            assert_eq!(response.receipts.len(), batch.len(), "{:?}", response.rejections);
            let (stream, at) = (batch[0].stream, time(self.clock.as_deref()));
            let told = response.receipts.into_iter();
            self.acknowledged.extend(told.map(|receipt| Acknowledged { stream, receipt, at }));
        }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// The longest wait for any answer, good or bad.
    pub(crate) fn slowest(&self) -> Duration {
        self.slowest
    }

    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }
}

/// What a quick look needs of an event.
#[derive(Deserialize)]
struct Seen {
    event_id: Uuid,
    sequence_number: u64,
    receipt: Receipt,
}

/// Reads a stream without checking what it says.
async fn read(client: &Client, stream: Stream) -> Vec<Seen> {
    let (mut events, mut from) = (Vec::new(), Some(1));
    while let Some(first) = from {
        let path = format!("/api/v1/ves/events?{}&from={first}&limit=1000", query(stream));
        let answer = client.get(&path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let page: EventsPage<Seen> = serde_json::from_str(&answer.text).unwrap();
        events.extend(page.events);
        from = page.next_from;
    }
    events
}

/// One agent at work.
struct Writer {
    client: Client,
    agent: Agent,
    numbers: Numbers,
    clock: Option<PathBuf>,
    /// Before a request is repeated; without one it is not, and the writer ends.
    pause: Option<Duration>,
}

impl Writer {
    /// Posts until told to stop or the server is gone.
    async fn run(mut self, stop: Arc<AtomicBool>) -> Told {
        let mut told = Told::default();
        let mut repeated = None;
        while !stop.load(Ordering::Relaxed) {
            let new = || self.agent.events(1 + self.numbers.below(12));
            let batch = repeated.take().unwrap_or_else(new);
            let asked = Instant::now();
            let response = try_post(&self.client, &batch).await;
            told.slowest = told.slowest.max(asked.elapsed());
            let Some(response) = response else {
                let Some(pause) = self.pause else {
                    told.unanswered.push(batch);
                    return told;
                };
                tokio::time::sleep(pause).await;
                repeated = Some(batch);
                continue;
            };
            assert_eq!(response.receipts.len(), batch.len(), "{:?}", response.rejections);
            let (stream, at) = (self.agent.stream, time(self.clock.as_deref()));
            let receipts = response.receipts.into_iter();
            told.acknowledged.extend(receipts.map(|receipt| Acknowledged { stream, receipt, at }));
        }
        told.unanswered.extend(repeated);
        told
    }
}

fn time(clock: Option<&Path>) -> u64 {
    clock.map_or(0, |file| std::fs::metadata(file).unwrap().len())
}

/// The answer, or nothing when the connection broke before it was complete.
async fn try_post(client: &Client, batch: &[Event]) -> Option<IngestResponse> {
    let envelopes: Vec<String> = batch.iter().map(Event::to_json).collect();
    let body = crate::agent::body(batch[0].source_agent_id, &envelopes);
    let request = client.request("POST", "/api/v1/ves/events/ingest").body(body);
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let answer = Answer { status, headers, text: response.text().await.ok()? };
    if answer.status == 503 {
        return None;
    }
    Some(serde_json::from_value(answer.ok()).unwrap())
}
