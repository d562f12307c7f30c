//! The life of the process: open, serve, drain, close.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use catalog::{BuildInfo, SequencerMetrics};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use ves::SigningKey;

use crate::app::App;
use crate::auth::{AgentKeys, Authenticator, api_key};
use crate::breaker::{Breaker, Policy};
use crate::clock;
use crate::config::{Config, Secret};
use crate::health::Health;
use crate::http::routes::{self, Surface};
use crate::http::server::{Limits, serve};
use crate::http::service;
use crate::identity::Identity;
use crate::ingest::{Admission, commit_loop, commit_queue};
use crate::lifecycle::Lifecycle;
use crate::opening::open_store;
use crate::rate_limit::RateLimits;
use crate::sealing::Sealer;
use crate::secrets::Secrets;
use crate::store::{ApiKeyOrigin, ApiKeyRecord, Guarded, Inserted, Store};
use crate::stream::Live;
use crate::telemetry::export::{self, Export};

/// How often last uses of credentials are written, and receipt keys of other replicas are read.
const HOUSEKEEPING: Duration = Duration::from_secs(5);

/// An open breaker of the database asks after this, and then as often: its answer decides whether
/// this process is of any use, so it never waits longer.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// A running sequencer.
pub struct Server {
    app: Arc<App>,
    api_address: SocketAddr,
    ops_address: SocketAddr,
    bootstrap_key: Secret,
    created: Vec<String>,
    stop_background: CancellationToken,
    stop_ops: CancellationToken,
    lifecycle: JoinHandle<()>,
    api: JoinHandle<()>,
    ops: JoinHandle<()>,
    background: Vec<JoinHandle<()>>,
    committer: JoinHandle<()>,
    export: Export,
}

/// The metrics of a process with this store driver.
#[must_use]
pub fn metrics(store: &str) -> Arc<SequencerMetrics> {
    let build = BuildInfo { version: crate::VERSION, commit: crate::COMMIT, store };
    Arc::new(SequencerMetrics::new(build, &routes::specs()))
}

impl Server {
    /// Opens everything and starts to serve.
    ///
    /// # Errors
    /// One sentence about what is missing, wrong or in use.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        config.validate()?;
        let secrets = Secrets::load(&config)?;
        let metrics = metrics(config.database()?.driver());
        let store = open_store(&config, &metrics).await?;
        Self::start_with(config, secrets, store, metrics).await
    }

    /// Starts to serve over an open store.
    ///
    /// # Errors
    /// When the store fails or a port is in use.
    pub async fn start_with(
        config: Config,
        secrets: Secrets,
        store: Arc<dyn Store>,
        metrics: Arc<SequencerMetrics>,
    ) -> anyhow::Result<Self> {
        let Secrets { bootstrap_key, sidecar_key, signing_key, created } = secrets;
        let api = bind(config.host, config.port, "PORT").await?;
        let ops = bind(config.ops_host, config.ops_port, "OPS_PORT").await?;
        let (api_address, ops_address) = (api.local_addr()?, ops.local_addr()?);
        set_keys(store.as_ref(), &bootstrap_key, sidecar_key.as_ref()).await?;
        let identity = Arc::new(identify(&config, signing_key, store.as_ref()).await?);
        let guarded = guard(store, &config, &metrics);
        let store: Arc<dyn Store> = Arc::clone(&guarded) as _;
        let cache = config.credential_cache_entries;
        let authenticator = Authenticator::new(Arc::clone(&store), Arc::clone(&metrics), &config);
        let authenticator = Arc::new(authenticator);
        let lifecycle = Lifecycle::default();
        let (closing, bounds) = (lifecycle.closing(), config.stream_policy());
        let live = Live::new(&store, &identity, &authenticator, &metrics, bounds, closing);
        let breaker = Arc::clone(guarded.breaker());
        let (queue, jobs) = commit_queue(&config, Arc::clone(&breaker), Arc::clone(&metrics));
        let committer = tokio::spawn(commit_loop(
            jobs,
            Arc::clone(&store),
            Arc::clone(&metrics),
            identity.key_version(),
            Arc::clone(live.heads()),
        ));
        let (tracing, export) = export::start(&config, &metrics)?;
        let policy = config.seal_policy();
        let app = Arc::new(App {
            authenticator,
            live: Arc::new(live),
            agent_keys: AgentKeys::new(Arc::clone(&store), &metrics, cache),
            tracing,
            rate_limits: RateLimits::new(&config, Arc::clone(&metrics)),
            admission: Admission::new(&config, &metrics),
            queue,
            sealer: Arc::new(Sealer::new(Arc::clone(&store), Arc::clone(&metrics), policy)),
            identity,
            inflight: Semaphore::new(config.max_inflight_bytes as usize),
            health: Health::default(),
            lifecycle,
            store,
            breaker,
            metrics,
            config,
        });
        let limits = limits(&app.config);
        let (stop_background, stop_ops) = (CancellationToken::new(), CancellationToken::new());
        let serve_on = |listener, surface, stop: &CancellationToken| {
            tokio::spawn(serve(listener, service(Arc::clone(&app), surface), limits, stop.clone()))
        };
        Ok(Self {
            lifecycle: tokio::spawn(drain_when_told(Arc::clone(&app))),
            api: serve_on(api, Surface::Api, app.lifecycle.closing()),
            ops: serve_on(ops, Surface::Operations, &stop_ops),
            background: start_background(&app, guarded, &stop_background),
            app,
            api_address,
            ops_address,
            bootstrap_key,
            created,
            stop_background,
            stop_ops,
            committer,
            export,
        })
    }

    /// Address of the API.
    #[must_use]
    pub fn api_address(&self) -> SocketAddr {
        self.api_address
    }

    /// Address of the operations port.
    #[must_use]
    pub fn ops_address(&self) -> SocketAddr {
        self.ops_address
    }

    /// The platform's credential.
    #[must_use]
    pub fn bootstrap_key(&self) -> &Secret {
        &self.bootstrap_key
    }

    /// Secrets that this start created, to be shown once.
    #[must_use]
    pub fn created(&self) -> &[String] {
        &self.created
    }

    /// Waits until a request asks the process to end.
    pub async fn exit_requested(&self) {
        self.app.lifecycle.exit_requested().cancelled().await;
    }

    /// Stops in order: not ready, wait for balancers, finish requests, flush, close the store. A
    /// drain that began before goes on with its own delay.
    ///
    /// # Errors
    /// When a part of it ended by a panic.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.app.lifecycle.drain(self.app.config.drain_delay());
        self.lifecycle.await.context("the drain ended badly")?;
        self.api.await.context("the API port ended badly")?;
        self.stop_background.cancel();
        for task in self.background {
            task.await.context("a background task ended badly")?;
        }
        self.stop_ops.cancel();
        self.ops.await.context("the operations port ended badly")?;
        if let Err(error) = self.app.authenticator.flush_uses().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "last uses are not written");
        }
        let store = Arc::clone(&self.app.store);
        // The last owner of the queue: the committer finishes what is in it and ends. A request
        // that outlived SHUTDOWN_TIMEOUT_SECS still holds one, so the wait has a limit too.
        drop(self.app);
        let limit = Duration::from_secs(5);
        if tokio::time::timeout(limit, self.committer).await.is_err() {
            tracing::warn!("requests outlived SHUTDOWN_TIMEOUT_SECS; they were not answered");
        }
        store.close().await;
        self.export.stop().await;
        Ok(())
    }
}

async fn identify(
    config: &Config,
    signing_key: SigningKey,
    store: &dyn Store,
) -> anyhow::Result<Identity> {
    let public_key = signing_key.public_key();
    let keys = store.set_sequencer_key(public_key.as_bytes(), clock::now()).await?;
    let sequencer_id = match config.ves_sequencer_id {
        Some(id) => id,
        None => store.sequencer_id(Uuid::new_v4()).await?,
    };
    Ok(Identity::new(sequencer_id, signing_key, keys))
}

async fn drain_when_told(app: Arc<App>) {
    app.lifecycle.run().await;
}

async fn bind(host: std::net::IpAddr, port: u16, name: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind((host, port))
        .await
        .with_context(|| format!("cannot listen on {host}:{port} ({name})"))
}

fn limits(config: &Config) -> Limits {
    Limits {
        max_connections: config.max_connections,
        header_read_timeout: Duration::from_secs(config.header_read_timeout_secs),
        max_headers: config.max_headers,
        max_header_bytes: config.max_header_bytes,
        write_timeout: Duration::from_secs(config.write_timeout_secs),
        shutdown_timeout: Duration::from_secs(config.shutdown_timeout_secs),
    }
}

fn guard(store: Arc<dyn Store>, config: &Config, metrics: &Arc<SequencerMetrics>) -> Arc<Guarded> {
    let policy = Policy {
        failure_threshold: config.circuit_breaker_failure_threshold,
        success_threshold: config.circuit_breaker_success_threshold,
        slow_call: Duration::from_millis(config.circuit_breaker_slow_call_ms),
        probe_interval: PROBE_INTERVAL,
    };
    let breaker = Arc::new(Breaker::new(policy, Arc::clone(metrics)));
    Arc::new(Guarded::new(store, breaker, config.store_call_timeout()))
}

/// Makes the configured credentials live and retires those that were configured before.
async fn set_keys(
    store: &dyn Store,
    bootstrap: &Secret,
    sidecar: Option<&Secret>,
) -> anyhow::Result<()> {
    if sidecar.is_none() {
        store.retire_api_keys(ApiKeyOrigin::Sidecar, clock::now()).await?;
    }
    let sidecar = sidecar.map(|key| platform_record(key, ApiKeyOrigin::Sidecar));
    for record in sidecar.into_iter().chain([platform_record(bootstrap, ApiKeyOrigin::Bootstrap)]) {
        let name = record.origin.variable().unwrap_or_default();
        ensure!(
            store.set_configured_key(&record).await? == Inserted::Yes,
            "{name} holds a key that is or was a credential of another kind; set a new one"
        );
    }
    Ok(())
}

/// A credential that belongs to no tenant. The sidecar's right to write is narrowed where it is
/// used ([`crate::auth::Principal::require_change`]).
fn platform_record(key: &Secret, origin: ApiKeyOrigin) -> ApiKeyRecord {
    let key_hash = api_key::hash(key.expose());
    ApiKeyRecord {
        key_hash,
        key_prefix: api_key::public_prefix(&key_hash),
        tenant_id: Uuid::nil(),
        store_ids: Vec::new(),
        read: true,
        write: true,
        admin: origin == ApiKeyOrigin::Bootstrap,
        agent_id: None,
        rate_limit: None,
        origin,
        created_at: clock::now(),
        last_used_at: None,
        revoked_at: None,
    }
}

fn start_background(
    app: &Arc<App>,
    store: Arc<Guarded>,
    stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    let stop_probing = stop.clone();
    let probing = tokio::spawn(async move { store.recover(stop_probing).await });
    let sealer = Arc::clone(&app.sealer);
    let stop_sealer = stop.clone();
    let sealing = tokio::spawn(async move { sealer.run(stop_sealer).await });
    let (live, stop_live) = (Arc::clone(&app.live), stop.clone());
    let following = tokio::spawn(async move { live.run(&stop_live).await });
    let (app, stop) = (Arc::clone(app), stop.clone());
    let housekeeping = tokio::spawn(async move {
        while stop.run_until_cancelled(tokio::time::sleep(HOUSEKEEPING)).await.is_some() {
            if let Err(error) = app.authenticator.flush_uses().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "last uses not written");
            }
            if let Err(error) = app.identity.refresh(app.store.as_ref()).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "receipt keys not read");
            }
        }
    });
    vec![probing, sealing, following, housekeeping]
}
