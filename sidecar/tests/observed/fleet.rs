//! Three sequencers, each with its sidecar, and a Prometheus with our rules that scrapes all six.

use std::net::SocketAddr;
use std::path::Path;

use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

use crate::postgres::Postgres;
use crate::program::{bare, free_port, program};
use crate::prometheus::Prometheus;
use crate::proxy::Proxy;
use crate::stack::{Sequencer, Sidecar, sqlite_url};
use crate::tls::certificate;
use crate::writer::Writer;

/// The witness and the checks in fast motion.
const QUICK: &[&str] = &["--witness-poll-secs=0.2", "--witness-audit-events-per-second=100000"];
/// A witness that takes seconds for the history that it finds.
const SLOW: &str = "--witness-cpu-cores=0.05";
/// Batches of 1,000 events.
const HISTORY_BATCHES: usize = 5;
/// A sequencer whose limits are near.
const NARROW: &[&str] = &[
    "--max-stream-subscribers=1",
    "--stream-stall-secs=1",
    "--credential-cache-entries=2",
    "--otel-exporter-otlp-endpoint=http://127.0.0.1:9",
];
/// One that gives its database up soon.
const IMPATIENT: &[&str] = &["--circuit-breaker-slow-call-ms=150", UNSEALED];
/// One that takes its time to end.
const ORDERLY: &[&str] = &["--drain-delay-secs=5", UNSEALED];
/// Batches of the replicas are sealed when their events have missed the objective.
const UNSEALED: &str = "--committer-max-wait-secs=63";

/// A sequencer, its sidecar, and the folder of both.
pub(crate) struct Pair {
    pub(crate) folder: TempDir,
    pub(crate) sequencer: Sequencer,
    pub(crate) sidecar: Sidecar,
}

/// All of it; ended when dropped.
pub(crate) struct Fleet {
    /// On the embedded store, with narrow limits.
    pub(crate) embedded: Pair,
    /// Two replicas on one database, the first behind a line that can be cut.
    pub(crate) replica: Pair,
    pub(crate) other: Pair,
    pub(crate) line: Proxy,
    pub(crate) database_url: String,
    /// Where Prometheus looks for the load generator.
    pub(crate) loadgen_port: u16,
    pub(crate) prometheus: Prometheus,
    _database: Postgres,
    _standby: Postgres,
}

impl Pair {
    fn start(folder: TempDir, database_url: &str, flags: &[&str]) -> Self {
        let sequencer = Sequencer::start_over(database_url, folder.path(), flags);
        Self::beside(sequencer, folder, database_url, &[])
    }

    /// A sidecar with these flags beside a sequencer.
    fn beside(sequencer: Sequencer, folder: TempDir, database_url: &str, flags: &[&str]) -> Self {
        let (api, operations) = (&sequencer.url, &sequencer.operations_url);
        let own = [
            format!("--data-dir={}", folder.path().display()),
            format!("--database-url={database_url}"),
        ];
        let own = own.iter().map(String::as_str);
        let flags: Vec<&str> = own.chain(QUICK.iter().chain(flags).copied()).collect();
        let sidecar = Sidecar::start(folder.path(), api, operations, &flags);
        Self { folder, sequencer, sidecar }
    }

    /// Where Prometheus scrapes both.
    fn targets(&self) -> [&str; 2] {
        [&self.sequencer.operations_url, &self.sidecar.url]
            .map(|url| url.trim_start_matches("http://"))
    }
}

impl Fleet {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tls = format!("--tls-certificates={}", certificate(folder.path(), 300));
        let store = sqlite_url(folder.path());
        let sequencer = Sequencer::start_over(&store, folder.path(), NARROW);
        // History that its witness has to work through, slowly.
        let writer = Writer::register(&sequencer).await;
        for _ in 0..HISTORY_BATCHES {
            writer.post(1_000).await;
        }
        let embedded = Pair::beside(sequencer, folder, &store, &[&tls, SLOW]);

        let settings = |_: &Path| {
            vec![
                "shared_preload_libraries=pg_stat_statements".to_owned(),
                "wal_level=replica".to_owned(),
            ]
        };
        let database = Postgres::start_with(&[], settings);
        let database_url = database.database().await;
        let mut administrator = PgConnection::connect(&database_url).await.unwrap();
        administrator.execute("CREATE EXTENSION pg_stat_statements").await.unwrap();
        administrator.close().await.unwrap();
        let standby = database.standby();
        let line = Proxy::to(SocketAddr::from(([127, 0, 0, 1], database.port()))).await;
        let (direct, carried) = (database.port().to_string(), line.address().port().to_string());
        let behind_line = database_url.replace(&direct, &carried);
        let folder = || tempfile::tempdir().unwrap();
        let replica = Pair::start(folder(), &behind_line, IMPATIENT);
        let other = Pair::start(folder(), &database_url, ORDERLY);
        let loadgen_port = free_port();
        let prometheus = watched(&[&embedded, &replica, &other], loadgen_port);
        Self {
            embedded,
            replica,
            other,
            line,
            database_url,
            loadgen_port,
            prometheus,
            _database: database,
            _standby: standby,
        }
    }
}

/// A Prometheus with the generated example, told where the processes are.
fn watched(pairs: &[&Pair], loadgen_port: u16) -> Prometheus {
    let rules = pairs[0].folder.path().join("rules");
    let mut generate = bare(&program("alerts"));
    let generated = generate.arg("generate").arg("--out").arg(&rules).output().unwrap();
    assert!(generated.status.success(), "{}", String::from_utf8_lossy(&generated.stderr));
    let example = std::fs::read_to_string(rules.join("prometheus.example.yaml")).unwrap();
    let mut config = example.replace("15s", "1s");
    for (place, default) in ["127.0.0.1:8081", "127.0.0.1:9091"].into_iter().enumerate() {
        let line = config.lines().find(|line| line.ends_with(default)).unwrap().to_owned();
        let targets = pairs.iter().map(|pair| line.replace(default, pair.targets()[place]));
        // Something else listens where a process of ours should: it answers, without our metrics.
        let alien = line.replace(default, "ADDRESS");
        let targets: Vec<String> = targets.chain([alien]).collect();
        config = config.replace(&line, &targets.join("\n"));
    }
    config = config.replace("127.0.0.1:9092", &format!("127.0.0.1:{loadgen_port}"));
    // As the operator does: the target has a label of its own with the name of one of ours.
    let foreign = "  relabel_configs:\n  - target_label: service\n    replacement: foreign\n";
    let (before, after) =
        ("  metric_relabel_configs:", format!("{foreign}  metric_relabel_configs:"));
    config = config.replace(before, &after);
    config = config.replace("*.rules.yaml", &format!("{}/*.rules.yaml", rules.display()));
    Prometheus::start(&config)
}
