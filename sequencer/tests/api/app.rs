//! A real server on free ports over a store in a temporary folder, and a client for it.

use std::sync::Arc;

use clap::Parser;
use sequencer::config::Config;
use sequencer::server::Server;
use serde_json::{Value, json};
use ves::wire::IngestResponse;
use ves::{Event, Stream};

use crate::agent::Agent;
pub(crate) use crate::client::Client;
use crate::client::connections;
use crate::place::{Behind, Place};
use crate::whole_log;

/// The platform key of every test server.
pub(crate) const ROOT_KEY: &str = "ss_00000000rootrootrootrootrootrootroot";
/// The sidecar's key of every test server.
pub(crate) const SIDECAR_KEY: &str = "ss_ca000000sidecarsidecarsidecarsidecar";
/// Seed of the receipt key of every test server.
pub(crate) const SEED: &str = "0707070707070707070707070707070707070707070707070707070707070707";

#[derive(Parser)]
#[command(no_binary_name = true, args_override_self = true)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

/// A running server and the platform's client.
pub(crate) struct TestApp {
    server: Option<Server>,
    place: Arc<Place>,
    flags: Vec<String>,
    pub(crate) client: Client,
    pub(crate) operations: Client,
}

/// The configuration from these flags over the ones every test uses. Later flags win.
pub(crate) fn config(place: &Place, flags: &[&str]) -> Config {
    let url = format!("--database-url={}", place.database_url());
    let data = format!("--data-dir={}", place.path().display());
    let mut all = vec![
        "--host=127.0.0.1",
        "--port=0",
        "--ops-host=127.0.0.1",
        "--ops-port=0",
        "--drain-delay-secs=0",
        "--min-free-disk-bytes=0",
        "--committer-max-wait-secs=0",
        "--bootstrap-admin-api-key",
        ROOT_KEY,
        "--bootstrap-sidecar-api-key",
        SIDECAR_KEY,
        "--ves-sequencer-signing-key",
        SEED,
        url.as_str(),
        data.as_str(),
    ];
    all.extend(flags);
    Flags::try_parse_from(all).unwrap().config
}

impl TestApp {
    /// Starts with defaults; sealing in the background is off.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts with more flags.
    pub(crate) async fn start_with(flags: &[&str]) -> Self {
        Self::start_in(Arc::new(Place::new().await), flags).await
    }

    /// Starts over the embedded store, whatever driver is under test.
    pub(crate) async fn embedded(flags: &[&str]) -> Self {
        Self::start_in(Arc::new(Place::embedded()), flags).await
    }

    /// Starts over the store of a place.
    pub(crate) async fn start_in(place: Arc<Place>, flags: &[&str]) -> Self {
        let config = config(&place, flags);
        let key = config.bootstrap_admin_api_key.clone().unwrap().expose().to_owned();
        let server = Server::start(config).await.unwrap();
        sequencer::client::prepare_tls();
        let http = connections();
        let client = |address| Client {
            base: format!("http://{address}"),
            key: key.clone(),
            http: http.clone(),
        };
        Self {
            client: client(server.api_address()),
            operations: client(server.ops_address()),
            server: Some(server),
            place,
            flags: flags.iter().map(ToString::to_string).collect(),
        }
    }

    /// Stops in order and starts over the same store.
    pub(crate) async fn restart(self) -> Self {
        let flags = self.flags.clone();
        self.restart_with(&flags.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// The same with other flags.
    pub(crate) async fn restart_with(mut self, flags: &[&str]) -> Self {
        self.server.take().unwrap().stop().await.unwrap();
        Self::start_in(Arc::clone(&self.place), flags).await
    }

    /// Takes the server, to stop it by hand.
    pub(crate) fn take_server(&mut self) -> Server {
        self.server.take().unwrap()
    }

    /// Audits every stream over HTTP and stops.
    pub(crate) async fn finish(mut self) {
        for stream in self.streams().await {
            whole_log::check(&self.client, stream).await;
        }
        self.server.take().unwrap().stop().await.unwrap();
    }

    /// Stops without looking at the log, for tests that damage it.
    pub(crate) async fn stop(mut self) -> Arc<Place> {
        self.server.take().unwrap().stop().await.unwrap();
        Arc::clone(&self.place)
    }

    pub(crate) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// A connection behind the server's back.
    pub(crate) async fn behind(&self) -> Behind {
        self.place.behind().await
    }

    async fn streams(&self) -> Vec<Stream> {
        let mut behind = self.behind().await;
        let rows = behind.texts(
            "SELECT hex(tenant_id) || ' ' || hex(store_id) FROM streams",
            "SELECT tenant_id::text || ' ' || store_id::text FROM streams",
        );
        let stream = |row: String| {
            let (tenant, store) = row.split_once(' ').unwrap();
            Stream { tenant_id: tenant.parse().unwrap(), store_id: store.parse().unwrap() }
        };
        rows.await.into_iter().map(stream).collect()
    }

    /// A new agent whose key is registered.
    pub(crate) async fn agent(&self) -> Agent {
        let agent = Agent::new();
        self.register(&agent).await;
        agent
    }

    pub(crate) async fn register(&self, agent: &Agent) {
        self.client.post("/api/v1/agents/keys", &agent.key_body()).await.ok();
    }

    /// A new credential with these rights over the defaults: read and write for one tenant.
    pub(crate) async fn credential(&self, changes: Value) -> Client {
        let mut wanted = json!({ "read": true, "write": true, "admin": false });
        for (name, value) in changes.as_object().unwrap() {
            wanted[name] = value.clone();
        }
        let created = self.client.post("/api/v1/admin/api-keys", &wanted).await.ok();
        self.client.with_key(created["api_key"].as_str().unwrap())
    }

    pub(crate) async fn ingest(&self, events: &[Event]) -> IngestResponse {
        self.client.ingest(events).await
    }

    /// Posts so many new events, at most 1000 a request.
    pub(crate) async fn fill(&self, agent: &Agent, count: usize) {
        let mut left = count;
        while left > 0 {
            let size = left.min(1000);
            let response = self.ingest(&agent.events(size)).await;
            assert_eq!(response.events_accepted, size as u64, "{:?}", response.rejections.first());
            left -= size;
        }
    }

    /// The scrape.
    pub(crate) async fn scrape(&self) -> String {
        self.operations.get("/metrics").await.text
    }
}
