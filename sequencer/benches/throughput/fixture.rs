//! Servers to measure and events to send them.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use clap::Parser;
use sequencer::config::Config;
use sequencer::opening;
use sequencer::secrets::Secrets;
use sequencer::server::{self, Server};
use sequencer::store::Store;
use uuid::Uuid;
use ves::{Event, EventDraft, SigningKey, Stream};

use crate::client::Connection;
use crate::naive::Naive;
use crate::postgres::Postgres;
use crate::volatile::Volatile;

/// Which store a server runs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StoreKind {
    Ceiling,
    Sqlite,
    Postgres,
    Naive,
}

impl StoreKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ceiling => "ceiling",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Naive => "naive",
        }
    }
}

/// Where a store of this kind is to live: an empty database, or a file in the folder.
pub(crate) fn database_url(kind: StoreKind, folder: &Path) -> String {
    match kind {
        StoreKind::Ceiling | StoreKind::Sqlite => {
            format!("sqlite://{}/sequencer.db", folder.display())
        }
        StoreKind::Postgres | StoreKind::Naive => {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(Postgres::shared().database())
        }
    }
}

/// A server in a process of its own, so that its memory and CPU are its own.
pub(crate) struct Target {
    child: Child,
    pub(crate) address: String,
    pub(crate) ops_address: String,
    pub(crate) key: String,
}

impl Target {
    /// Starts this program again as a server and waits until it listens.
    pub(crate) fn start(kind: StoreKind, folder: &Path, url: &str) -> Self {
        Self::start_with(kind, folder, url, &[])
    }

    /// The same with some of its environment.
    pub(crate) fn start_with(
        kind: StoreKind,
        folder: &Path,
        url: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .args(["--serve", kind.as_str()])
            .arg(folder)
            .arg(url)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut line = || lines.next().expect("a line").expect("text");
        let (address, ops_address, key) = (line(), line(), line());
        Self { child, address, ops_address, key }
    }

    /// Resident memory, bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        resident_bytes_of(self.child.id())
    }

    /// Ends the server in order and waits for it.
    pub(crate) fn stop(mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("the server can be waited for");
        assert!(status.success(), "the server ended with {status}");
    }
}

/// Resident memory of a process, bytes.
pub(crate) fn resident_bytes_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = kib.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

/// The child's side: serves until its standard input is closed.
#[expect(clippy::print_stdout, reason = "tells the parent where it listens")]
pub(crate) fn serve(kind: &str, folder: &str, url: &str) {
    let config = config(Path::new(folder), url);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let secrets = Secrets::load(&config).expect("secrets");
        let metrics = server::metrics(kind);
        let store: Arc<dyn Store> = match kind {
            "ceiling" => Arc::new(Volatile::default()),
            "naive" => {
                // For the tables.
                let store = opening::open_store(&config, &metrics).await.expect("the store opens");
                store.close().await;
                Arc::new(Volatile::over(Naive::open(url).await))
            }
            _ => opening::open_store(&config, &metrics).await.expect("the store opens"),
        };
        let server =
            Server::start_with(config, secrets, store, metrics).await.expect("the server starts");
        println!("{}\n{}", server.api_address(), server.ops_address());
        println!("{}", server.bootstrap_key().expose());
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
            .await
            .expect("a thread")
            .expect("a pipe");
        server.stop().await.expect("the server stops");
    });
}

/// The configuration of a server over this store.
pub(crate) fn config(folder: &Path, url: &str) -> Config {
    let data = format!("--data-dir={}", folder.display());
    let url = format!("--database-url={url}");
    // Both given: a server over PostgreSQL makes no secrets of its own.
    let key = "--bootstrap-admin-api-key=ss_00000000benchbenchbenchbenchbenchbench";
    let seed = format!("--ves-sequencer-signing-key={}", "07".repeat(32));
    Flags::parse_from(["server", "--port=0", "--ops-port=0", &data, &url, key, &seed]).config
}

/// An agent of one tenant that signs events.
pub(crate) struct Agent {
    pub(crate) tenant_id: Uuid,
    pub(crate) agent_id: Uuid,
    seed: [u8; 32],
}

impl Agent {
    /// A new agent that no server knows.
    pub(crate) fn unregistered() -> Self {
        Self { tenant_id: Uuid::new_v4(), agent_id: Uuid::new_v4(), seed: [7; 32] }
    }

    /// A new agent, registered with the server.
    pub(crate) fn register(target: &Target) -> Self {
        let agent = Self::unregistered();
        let public_key = SigningKey::from_seed(&agent.seed).public_key();
        let body = serde_json::json!({
            "tenantId": agent.tenant_id,
            "agentId": agent.agent_id,
            "keyId": 1,
            "publicKey": ves::Hash32(*public_key.as_bytes()),
        });
        let request = post(target, "/api/v1/agents/keys", &body.to_string());
        let (status, body) = exchange(target, &request);
        assert_eq!(status, 200, "{body}");
        agent
    }

    /// Streams of its tenant.
    pub(crate) fn streams(&self, count: usize) -> Vec<Stream> {
        let stream = |_| Stream { tenant_id: self.tenant_id, store_id: Uuid::new_v4() };
        (0..count).map(stream).collect()
    }

    /// Rendered ingest requests, signed on all cores.
    pub(crate) fn requests(
        &self,
        target: &Target,
        streams: &[Stream],
        requests: usize,
        events_per_request: usize,
    ) -> Vec<Vec<u8>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut rendered: Vec<Vec<u8>> = vec![Vec::new(); requests];
        std::thread::scope(|scope| {
            for chunk in rendered.chunks_mut(requests.div_ceil(cores)) {
                scope.spawn(move || {
                    let key = SigningKey::from_seed(&self.seed);
                    for (place, slot) in chunk.iter_mut().enumerate() {
                        let stream = streams[place % streams.len()];
                        let event = |number| self.event(&key, stream, number);
                        let events: Vec<String> = (0..events_per_request).map(event).collect();
                        let agent_id = self.agent_id;
                        let events = events.join(",");
                        let body = format!("{{\"agentId\":\"{agent_id}\",\"events\":[{events}]}}");
                        *slot = post(target, "/api/v1/ves/events/ingest", &body);
                    }
                });
            }
        });
        rendered
    }

    fn event(&self, key: &SigningKey, stream: Stream, number: usize) -> String {
        let draft = self.draft(stream, number);
        draft.sign(key).expect("a draft without odd numbers").to_json()
    }

    /// An event whose signature holds nothing: signing is most of its cost.
    pub(crate) fn unsigned_event(&self, stream: Stream, number: usize) -> Event {
        thread_local! {
            static PATTERN: RefCell<Option<Event>> = const { RefCell::new(None) };
        }
        let draft = self.draft(stream, number);
        PATTERN.with_borrow_mut(|pattern| {
            let pattern = pattern.get_or_insert_with(|| {
                let key = SigningKey::from_seed(&self.seed);
                self.draft(stream, number).sign(&key).expect("a draft without odd numbers")
            });
            Event {
                stream,
                event_id: draft.event_id,
                source_agent_id: self.agent_id,
                entity_id: draft.entity_id,
                ..pattern.clone()
            }
        })
    }

    fn draft(&self, stream: Stream, number: usize) -> EventDraft {
        let event_id = Uuid::new_v4();
        EventDraft {
            stream,
            event_id,
            source_agent_id: self.agent_id,
            agent_key_id: 1,
            entity_type: "shelf".to_owned(),
            entity_id: format!("SH-{}", event_id.as_u128() % 10_000),
            event_type: "shelf.counted".to_owned(),
            created_at: "2026-02-03T04:05:06.789Z".to_owned(),
            payload: serde_json::json!({ "count": number, "by": "scanner-3", "aisle": "K7" }),
            command_id: None,
            base_version: None,
        }
    }
}

/// A rendered POST.
pub(crate) fn post(target: &Target, path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: ApiKey {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        target.address,
        target.key,
        body.len()
    )
    .into_bytes()
}

/// A rendered GET.
pub(crate) fn get(target: &Target, path: &str) -> Vec<u8> {
    let (host, key) = (&target.address, &target.key);
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: ApiKey {key}\r\n\r\n").into()
}

/// One request on a connection of its own.
pub(crate) fn exchange(target: &Target, request: &[u8]) -> (u16, String) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = Connection::open(&target.address).await;
        let (status, body) = connection.send(request).await;
        (status, String::from_utf8_lossy(body).into_owned())
    })
}
