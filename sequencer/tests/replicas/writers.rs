//! Writers that go on with the next replica when one does not answer, and repeat there what was
//! not answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use ves::wire::IngestResponse;
use ves::{Event, Receipt, Stream};

use crate::agent::{Agent, Numbers, body};
use crate::client::Client;
use crate::whole_log;

/// Longest time in which a batch must be answered by some replica.
const LIMIT: Duration = Duration::from_secs(20);
/// Pause before the next replica is asked.
const PAUSE: Duration = Duration::from_millis(20);

/// Writers at work.
pub(crate) struct Writers {
    replicas: Arc<Mutex<Vec<Client>>>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Told>,
    numbers: Numbers,
}

/// What writers were told.
#[derive(Default)]
pub(crate) struct Told {
    acknowledged: Vec<(Stream, Receipt)>,
    /// Events that each replica acknowledged, by its address.
    pub(crate) by_replica: BTreeMap<String, usize>,
    /// Requests that were sent again.
    pub(crate) repeated: usize,
}

impl Writers {
    /// Nobody writes yet.
    pub(crate) fn new(replicas: &[Client]) -> Self {
        Self {
            replicas: Arc::new(Mutex::new(replicas.to_vec())),
            stop: Arc::default(),
            tasks: JoinSet::new(),
            numbers: Numbers::printed(),
        }
    }

    /// A writer that takes these agents in turn, up to so many events a request, and begins with
    /// this replica.
    pub(crate) fn spawn(&mut self, agents: Vec<Agent>, most: usize, first: usize) {
        let writer = Writer {
            replicas: Arc::clone(&self.replicas),
            place: first,
            agents,
            most,
            numbers: Numbers::from_seed(self.numbers.next()),
            told: Told::default(),
        };
        self.tasks.spawn(writer.run(Arc::clone(&self.stop)));
    }

    /// From now on writers know this replica too.
    pub(crate) fn add(&self, replica: Client) {
        self.replicas.lock().unwrap().push(replica);
    }

    /// Waits until each writer has the answer to its last request.
    pub(crate) async fn end(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Told::default();
        for told in self.tasks.join_all().await {
            all.acknowledged.extend(told.acknowledged);
            all.repeated += told.repeated;
            for (replica, events) in told.by_replica {
                *all.by_replica.entry(replica).or_default() += events;
            }
        }
        all
    }
}

impl Told {
    pub(crate) fn events(&self) -> usize {
        self.acknowledged.len()
    }

    /// The logs hold exactly what was acknowledged, each event under the number of its receipt,
    /// and every hash, signature and commitment is right.
    pub(crate) async fn check(&self, replica: &Client) {
        let mut expect: BTreeMap<Stream, BTreeMap<u64, &Receipt>> = BTreeMap::new();
        for (stream, receipt) in &self.acknowledged {
            let before =
                expect.entry(*stream).or_default().insert(receipt.sequence_number, receipt);
            assert!(before.is_none_or(|before| before == receipt), "two events, one number");
        }
        for (stream, receipts) in expect {
            let events = whole_log::check(replica, stream).await;
            let found = events.iter().map(|event| (event.sequence_number, &event.receipt));
            assert!(found.eq(receipts), "{stream:?} does not hold what was acknowledged");
        }
    }
}

struct Writer {
    replicas: Arc<Mutex<Vec<Client>>>,
    /// The replica that is asked.
    place: usize,
    agents: Vec<Agent>,
    most: usize,
    numbers: Numbers,
    told: Told,
}

impl Writer {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Told {
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            let agent = &self.agents[turn % self.agents.len()];
            let (stream, batch) = (agent.stream, agent.events(1 + self.numbers.below(self.most)));
            turn += 1;
            let receipts = self.post(&batch).await;
            let told = receipts.into_iter().map(|receipt| (stream, receipt));
            self.told.acknowledged.extend(told);
        }
        self.told
    }

    /// The receipts, from whichever replica gives them.
    async fn post(&mut self, batch: &[Event]) -> Vec<Receipt> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let replica = {
                let replicas = self.replicas.lock().unwrap();
                replicas[self.place % replicas.len()].clone()
            };
            let answer = tokio::time::timeout_at(deadline.into(), try_post(&replica, batch)).await;
            if let Some(response) = answer.expect("a replica answers in time") {
                assert_eq!(response.receipts.len(), batch.len(), "{:?}", response.rejections);
                *self.told.by_replica.entry(replica.base).or_default() += batch.len();
                return response.receipts;
            }
            assert!(Instant::now() < deadline, "no replica takes a request");
            self.told.repeated += 1;
            self.place += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The answer, or nothing when there was none or another replica is to be asked.
async fn try_post(replica: &Client, batch: &[Event]) -> Option<IngestResponse> {
    let envelopes: Vec<String> = batch.iter().map(Event::to_json).collect();
    let request = replica.request("POST", "/api/v1/ves/events/ingest");
    let body = body(batch[0].source_agent_id, &envelopes);
    let response =
        request.header("content-type", "application/json").body(body).send().await.ok()?;
    let status = response.status().as_u16();
    let text = response.text().await.ok()?;
    if status == 503 {
        return None;
    }
    assert_eq!(status, 200, "{text}");
    Some(serde_json::from_str(&text).unwrap())
}
