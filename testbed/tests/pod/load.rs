//! Writers at work on a pod, each over connections of its own, and what each was told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testbed::agent::{Agent, body, query};
use testbed::pod::Container;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use ves::wire::{EventsPage, IngestResponse};
use ves::{Event, Receipt, Stream, wire};

const WRITERS: usize = 4;
const EVENTS_PER_REQUEST: usize = 3;
const INGEST: &str = "/api/v1/ves/events/ingest";
/// After a request that failed.
const PAUSE: Duration = Duration::from_millis(20);

/// The API of a sequencer, asked with the platform's key; a clone shares its connections.
#[derive(Clone)]
pub(crate) struct Api {
    url: String,
    key: String,
    http: reqwest::Client,
}

/// One request of a writer.
pub(crate) struct Request {
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) outcome: Outcome,
}

/// What became of it.
pub(crate) enum Outcome {
    /// All its events have a number.
    Acknowledged,
    /// Another answer.
    Refused(String),
    /// No connection, or one that ended without an answer.
    Unanswered(String),
}

/// Everything that the writers know.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) requests: Vec<Request>,
    receipts: BTreeMap<Stream, Vec<Receipt>>,
}

/// Writers that go on until they are stopped.
pub(crate) struct Load {
    shared: Arc<Shared>,
    writers: JoinSet<Told>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// Requests.
    acknowledged: AtomicUsize,
}

/// A request whose head the server has read, and whose body has yet to come.
pub(crate) struct Held {
    connection: TcpStream,
    body: String,
}

impl Api {
    /// As the pod's own variables say.
    pub(crate) fn of(container: Container<'_>) -> Self {
        let key = container.variable("BOOTSTRAP_ADMIN_API_KEY");
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Self { url: container.url("api"), key, http }
    }

    /// A registered agent.
    pub(crate) async fn agent(&self) -> Agent {
        let agent = Agent::new();
        let answer = self.post("/api/v1/agents/keys", agent.key_body().to_string()).await;
        answer.unwrap().error_for_status().unwrap();
        agent
    }

    /// Highest number of a stream.
    pub(crate) async fn head(&self, stream: Stream) -> u64 {
        let head: wire::HeadResponse =
            self.get(&format!("/api/v1/ves/head?{}", query(stream))).await;
        head.head_sequence
    }

    async fn receipts(&self, stream: Stream) -> Vec<Receipt> {
        #[derive(serde::Deserialize)]
        struct Seen {
            receipt: Receipt,
        }
        let (mut receipts, mut from) = (Vec::new(), Some(1));
        while let Some(first) = from {
            let path = format!("/api/v1/ves/events?{}&from={first}&limit=1000", query(stream));
            let page: EventsPage<Seen> = self.get(&path).await;
            receipts.extend(page.events.into_iter().map(|seen| seen.receipt));
            from = page.next_from;
        }
        receipts
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let request = self.http.get(format!("{}{path}", self.url));
        let answer = request.header("authorization", format!("ApiKey {}", self.key)).send().await;
        answer.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    async fn post(&self, path: &str, body: String) -> reqwest::Result<reqwest::Response> {
        let request = self.http.post(format!("{}{path}", self.url)).body(body);
        let request = request.header("content-type", "application/json");
        request.header("authorization", format!("ApiKey {}", self.key)).send().await
    }
}

impl Told {
    /// Everything that was acknowledged is there under its number, with the same receipt.
    pub(crate) async fn check(&self, api: &Api) {
        for (stream, receipts) in &self.receipts {
            let found = api.receipts(*stream).await;
            for receipt in receipts {
                let place = usize::try_from(receipt.sequence_number).unwrap() - 1;
                assert_eq!(found.get(place), Some(receipt), "an acknowledged event is lost");
            }
        }
    }

    /// Remembers an answer.
    pub(crate) fn add(&mut self, stream: Stream, response: IngestResponse) {
        self.receipts.entry(stream).or_default().extend(response.receipts);
    }
}

impl Load {
    /// Starts them, each with an agent and a stream.
    pub(crate) async fn begin(container: Container<'_>) -> Self {
        let shared = Arc::new(Shared::default());
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let api = Api::of(container);
            let agent = api.agent().await;
            writers.spawn(write(api, agent, Arc::clone(&shared)));
        }
        Self { shared, writers }
    }

    /// Requests that were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Stops them.
    pub(crate) async fn end(self) -> Told {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut all = Told::default();
        for told in self.writers.join_all().await {
            all.requests.extend(told.requests);
            all.receipts.extend(told.receipts);
        }
        all
    }
}

async fn write(api: Api, agent: Agent, shared: Arc<Shared>) -> Told {
    let mut told = Told::default();
    while !shared.stop.load(Ordering::Relaxed) {
        let body = request_body(&agent, &agent.events(EVENTS_PER_REQUEST));
        let began = Instant::now();
        let answer = match api.post(INGEST, body).await {
            Ok(answer) => Ok((answer.status(), answer.text().await)),
            Err(error) => Err(error),
        };
        let outcome = match answer {
            Err(error) | Ok((_, Err(error))) => Outcome::Unanswered(format!("{error:?}")),
            Ok((status, Ok(text))) => match serde_json::from_str::<IngestResponse>(&text) {
                Ok(response) if response.receipts.len() == EVENTS_PER_REQUEST => {
                    told.add(agent.stream, response);
                    Outcome::Acknowledged
                }
                _ => Outcome::Refused(format!("{status}: {text}")),
            },
        };
        let acknowledged = matches!(outcome, Outcome::Acknowledged);
        told.requests.push(Request { began, ended: Instant::now(), outcome });
        if acknowledged {
            shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        } else {
            tokio::time::sleep(PAUSE).await;
        }
    }
    told
}

impl Held {
    /// Sends the head, and waits until the server asks for the body.
    pub(crate) async fn begin(api: &Api, agent: &Agent) -> Self {
        let body = request_body(agent, &agent.events(1));
        let address = api.url.trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST {INGEST} HTTP/1.1\r\nhost: {address}\r\nauthorization: ApiKey {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
            api.key,
            body.len()
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"\r\n\r\n") {
            said.push(connection.read_u8().await.unwrap());
        }
        let said = String::from_utf8_lossy(&said);
        assert!(said.starts_with("HTTP/1.1 100 "), "{said}");
        Self { connection, body }
    }

    /// Sends the body.
    pub(crate) async fn finish(mut self) -> IngestResponse {
        self.connection.write_all(self.body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        self.connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }
}

fn request_body(agent: &Agent, events: &[Event]) -> String {
    let envelopes: Vec<String> = events.iter().map(Event::to_json).collect();
    body(agent.id, &envelopes)
}
