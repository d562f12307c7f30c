//! Traffic of every kind, and every fault that the fleet can take at once, each long enough for
//! several scrapes.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection, SqliteConnection};

use crate::agent::{Agent, body, query};
use crate::fleet::{Fleet, Pair};
use crate::program::{bare, program};
use crate::proxy::Line;
use crate::stack::{ADMIN_KEY, Sequencer, sqlite_url};
use crate::writer::{Load, Writer};

/// Several scrapes, and a rate over them.
const SEEN: Duration = Duration::from_secs(6);
/// Longest wait for anything.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two events of a load.
const PAUSE: Duration = Duration::from_millis(40);

/// Everything, one after the other; Prometheus has seen it all afterwards.
///
/// Gives the replica that was started again, to be kept.
pub(crate) async fn everything(fleet: &Fleet) -> Sequencer {
    let pairs = [&fleet.embedded, &fleet.replica, &fleet.other];
    let mut writers = Vec::new();
    for pair in pairs {
        writers.push(Writer::register(&pair.sequencer).await);
    }
    let loads: Vec<Load> = writers.iter().map(|writer| Load::start(writer, PAUSE)).collect();
    for (pair, writer) in pairs.iter().zip(&writers) {
        asked(pair, writer).await;
    }
    // More than its witness verifies in a few seconds.
    for _ in 0..5 {
        writers[0].post(1_000).await;
    }
    let readers = streams(&fleet.embedded, &writers[0]).await;
    quick_check(&fleet.embedded).await;
    busy_database(&fleet.database_url).await;
    slow_and_cut(fleet).await;
    for (pair, writer) in pairs.iter().zip(&writers) {
        asked(pair, writer).await;
    }
    drop(readers);
    tampered(&fleet.embedded).await;
    for load in loads {
        load.stop().await;
    }
    draining(fleet).await
}

/// A client of one sequencer with the platform's key.
pub(crate) struct Caller<'a> {
    http: reqwest::Client,
    sequencer: &'a Sequencer,
    key: String,
}

impl<'a> Caller<'a> {
    fn new(sequencer: &'a Sequencer) -> Self {
        let http = reqwest::Client::builder().timeout(LIMIT).build().unwrap();
        Self { http, sequencer, key: ADMIN_KEY.to_owned() }
    }

    fn with_key(&self, key: &str) -> Self {
        Self { http: self.http.clone(), sequencer: self.sequencer, key: key.to_owned() }
    }

    /// The answer's status and body, whatever they are.
    async fn send(&self, method: &str, path: &str, body: Option<String>) -> (u16, Value) {
        let url = format!("{}{path}", self.sequencer.url);
        let mut request = self.http.request(method.parse().unwrap(), url);
        if !self.key.is_empty() {
            request = request.header("authorization", format!("ApiKey {}", self.key));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> u16 {
        self.send("GET", path, None).await.0
    }

    async fn is_answered(&self) -> bool {
        self.http.get(format!("{}/ready", self.sequencer.url)).send().await.is_ok()
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("POST", path, Some(body.to_string())).await
    }
}

/// Every kind of request, good and bad, for long enough to be rates.
async fn asked(pair: &Pair, writer: &Writer) {
    let caller = Caller::new(&pair.sequencer);
    let (agent, q) = (&writer.agent, query(writer.agent.stream));
    let limited = json!({
        "read": true, "write": true, "admin": false, "rate_limit": 2,
        "tenant_id": agent.stream.tenant_id,
    });
    let (status, made) = caller.post("/api/v1/admin/api-keys", &limited).await;
    assert!(status < 300, "{made}");
    let limited = caller.with_key(made["api_key"].as_str().unwrap());
    let started = Instant::now();
    while started.elapsed() < SEEN {
        writer.post(7).await;
        let again = agent.events(2);
        writer.post_events(&again).await;
        writer.post_events(&again).await;
        let stranger = Agent::in_stream(agent.stream);
        let forged = agent.envelope_with(|event| {
            event["agent_signature"] = json!(format!("0x{}", "1".repeat(128)));
        });
        for (who, text) in
            [(stranger.id, stranger.event().to_json()), (agent.id, forged.to_string())]
        {
            caller.send("POST", "/api/v1/ves/events/ingest", Some(body(who, &[text]))).await;
        }
        caller.send("POST", "/api/v1/ves/events/ingest", Some("{".to_owned())).await;
        for path in [
            format!("/api/v1/ves/events?{q}&limit=10"),
            format!("/api/v1/ves/head?{q}"),
            format!("/api/v1/ves/entities/shelf/SH-1?{q}"),
            format!("/api/v1/ves/commitments?{q}"),
            format!("/api/v1/ves/proofs/1?{q}"),
            format!("/api/v1/ves/events/{}?{q}", again[0].event_id),
            "/nowhere".to_owned(),
        ] {
            caller.get(&path).await;
        }
        for _ in 0..4 {
            limited.get(&format!("/api/v1/ves/head?{q}")).await;
        }
        caller.with_key("").get(&format!("/api/v1/ves/head?{q}")).await;
        let wrong = "ss_00000000wrongwrongwrongwrongwrongwrong00";
        caller.with_key(wrong).get(&format!("/api/v1/ves/head?{q}")).await;
        // A key that is registered already: a conflict.
        let other = Agent { id: agent.id, ..Agent::in_stream(agent.stream) };
        caller.post("/api/v1/agents/keys", &other.key_body()).await;
    }
}

/// One live stream that nobody reads, which is cut in the end, and others that are refused while it
/// takes the only place.
async fn streams(pair: &Pair, writer: &Writer) -> Vec<reqwest::Response> {
    let path = format!("/api/v1/ves/events/stream?{}&from=1", query(writer.agent.stream));
    let url = format!("{}{path}", pair.sequencer.url);
    let http = reqwest::Client::new();
    let (mut open, mut refused) = (Vec::new(), 0);
    let started = Instant::now();
    while started.elapsed() < SEEN {
        let request = http.get(&url).header("authorization", format!("ApiKey {ADMIN_KEY}"));
        let answer = request.header("accept", "application/x-ndjson").send().await.unwrap();
        match answer.status().as_u16() {
            200 => open.push(answer),
            503 => refused += 1,
            other => panic!("answered {other}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!open.is_empty() && refused > 0, "{} open, {refused} refused", open.len());
    open
}

async fn quick_check(pair: &Pair) {
    let folder = pair.folder.path();
    let checked = bare(&program("sidecar"))
        .args(["store", "quick-check"])
        .arg(format!("--database-url={}", sqlite_url(folder)))
        .arg(format!("--sidecar-state-dir={}", folder.join("sidecar").display()))
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// Slow statements that hold everybody up, a transaction that is left open, one that waits for it,
/// and dead rows.
async fn busy_database(url: &str) {
    let mut holder = PgConnection::connect(url).await.unwrap();
    // Events wait for the heads of their streams, and are accepted later than was promised.
    for _ in 0..3 {
        let lock = "BEGIN; LOCK TABLE streams IN EXCLUSIVE MODE; SELECT pg_sleep(1); COMMIT";
        holder.execute(lock).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for sql in [
        "ALTER TABLE streams SET (autovacuum_enabled = off)",
        "CREATE TABLE held (x int); INSERT INTO held VALUES (1)",
        "BEGIN; UPDATE held SET x = 2",
    ] {
        holder.execute(sql).await.unwrap();
    }
    let mut waiter = PgConnection::connect(url).await.unwrap();
    let waits =
        tokio::spawn(async move { waiter.execute("UPDATE held SET x = 3").await.map(drop) });
    tokio::time::sleep(SEEN * 2).await;
    holder.execute("ROLLBACK").await.unwrap();
    waits.await.unwrap().unwrap();
}

/// The load generator at work on the replica whose database goes.
fn load_test(fleet: &Fleet) -> Child {
    let (url, out) = (&fleet.replica.sequencer.url, fleet.replica.folder.path().join("load"));
    bare(&program("loadgen"))
        .args(["run", "ingest", "--users", "4", "--ramp", "2s", "--duration", "25s"])
        .args(["--url", url, "--metrics-port", &fleet.loadgen_port.to_string()])
        .arg("--out")
        .arg(out)
        .env("SEQUENCER_API_KEY", ADMIN_KEY)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The database of one replica far away, then, under a load test, gone: slow operations, then an
/// open breaker and 503s.
async fn slow_and_cut(fleet: &Fleet) {
    let caller = Caller::new(&fleet.replica.sequencer);
    fleet.line.set(Line::Up(Duration::from_millis(300)));
    tokio::time::sleep(SEEN).await;
    fleet.line.set(Line::Up(Duration::ZERO));
    ready_again(&caller).await;
    let load = load_test(fleet);
    tokio::time::sleep(SEEN * 2).await;
    fleet.line.set(Line::Cut);
    let started = Instant::now();
    while started.elapsed() < SEEN {
        caller.get(&format!("/api/v1/ves/head?{}", query(Agent::new().stream))).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    fleet.line.set(Line::Up(Duration::ZERO));
    ready_again(&caller).await;
    // Whatever it says of a database that was cut: its own metrics are what is looked at.
    let ended = tokio::task::spawn_blocking(move || load.wait_with_output()).await;
    let ended = ended.unwrap().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(matches!(ended.status.code(), Some(0 | 98 | 99)), "{:?}: {said}", ended.status);
    assert!(said.contains("metrics at http://") && said.contains("requests/s"), "{said}");
}

async fn ready_again(caller: &Caller<'_>) {
    let started = Instant::now();
    while caller.get("/ready").await != 200 {
        assert!(started.elapsed() < LIMIT, "it does not recover");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A row changed behind the sequencer's back, found by the witness.
async fn tampered(pair: &Pair) {
    let mut store = SqliteConnection::connect(&sqlite_url(pair.folder.path())).await.unwrap();
    // The canary's stream is not that long yet.
    let changed = "UPDATE events SET payload = '{\"count\":0}' WHERE sequence_number = 60";
    store.execute(changed).await.unwrap();
    store.close().await.unwrap();
    let open = "stateset_sidecar_witness_open_violations{kind=\"payload_hash\"}";
    pair.sidecar.wait_for(open, LIMIT, |open| open >= 1.0).await;
    tokio::time::sleep(SEEN).await;
}

/// One replica stops, taking its time, and starts again in its place.
async fn draining(fleet: &Fleet) -> Sequencer {
    let Pair { folder, sequencer, sidecar } = &fleet.other;
    let caller = Caller::new(sequencer);
    sequencer.running.signal(Signal::TERM);
    let started = Instant::now();
    while caller.is_answered().await {
        assert!(started.elapsed() < LIMIT, "it does not end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ports = [
        format!("--port={}", sequencer.port()),
        format!("--ops-port={}", sequencer.operations_port()),
    ];
    let flags = ports.each_ref().map(String::as_str);
    let again = Sequencer::start_over(&fleet.database_url, folder.path(), &flags);
    let restarts = "stateset_sidecar_sequencer_restarts_total";
    sidecar.wait_for(restarts, LIMIT, |restarts| restarts >= 1.0).await;
    tokio::time::sleep(SEEN).await;
    again
}
