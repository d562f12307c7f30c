//! What a sidecar beside the server costs its clients, at half of what the server takes.
//!
//! Rounds alternate between a server alone and the same server with a sidecar that has caught up
//! with its log; the table shows the median of the rounds' ratios.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{self, Connection};
use crate::fixture::{self, Agent, StoreKind, Target};
use crate::overload::{number, open_load};
use crate::{median, say};

const CLIENTS: usize = 64;
/// Of one load, warm-up included.
const ROUND: Duration = Duration::from_secs(11);
/// For which the sidecar may work through what was there before it.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(300);
/// Over which the cost of an idle sidecar is measured.
const IDLE: Duration = Duration::from_secs(30);
const SCRAPES: usize = 200;

pub(crate) fn run(rounds: usize) {
    let program = sidecar_program();
    say("## A sidecar beside the server: milliseconds a request at half of the peak\n");
    say("| store | round | offered | alone p50 | p99 | with it p50 | p99 | p99 with / without \
         | its CPU | its lag after |");
    say("|---|---|---|---|---|---|---|---|---|---|");
    for kind in [StoreKind::Sqlite, StoreKind::Postgres] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = fixture::database_url(kind, folder.path());
        let target = Target::start(kind, folder.path(), &url);
        measure(&program, &target, kind, folder.path(), rounds);
        target.stop();
    }
    say("");
}

fn measure(program: &Path, target: &Target, kind: StoreKind, folder: &Path, rounds: usize) {
    let agent = Agent::register(target);
    let streams = agent.streams(1);
    let mut stock = agent.requests(target, &streams, 400 * CLIENTS, 1).into_iter();
    let clients = (0..CLIENTS).map(|_| stock.by_ref().take(400).collect()).collect();
    let per_second = client::run(&target.address, clients, 1).events_per_second / 2.0;
    let load = || {
        let stock = number(per_second * ROUND.as_secs_f64() * 1.1) + 1_000;
        let stock = agent.requests(target, &streams, stock, 1);
        let outcome = open_load(&target.address, stock, per_second, ROUND);
        assert_eq!(outcome.failed, 0, "requests without an answer");
        let milliseconds = |q| outcome.accepted.value_at_quantile(q) as f64 / 1000.0;
        (milliseconds(0.5), milliseconds(0.99))
    };
    let mut ratios = Vec::new();
    for round in 0..rounds {
        let alone = load();
        let sidecar = Sidecar::start(program, target, folder);
        sidecar.catch_up();
        let (cpu, began) = (sidecar.cpu(), Instant::now());
        let beside = load();
        let cpu = (sidecar.cpu() - cpu).as_secs_f64() / began.elapsed().as_secs_f64();
        let lag = sidecar.sample("stateset_sidecar_witness_lag_events").unwrap_or(f64::NAN);
        ratios.push(beside.1 / alone.1);
        say(&format!(
            "| {} | {} | {per_second:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} % | {:.0} % of a \
             core | {lag:.0} events |",
            kind.as_str(),
            round + 1,
            alone.0,
            alone.1,
            beside.0,
            beside.1,
            100.0 * beside.1 / alone.1,
            100.0 * cpu,
        ));
        if round + 1 == rounds {
            sidecar.catch_up();
            idle(&sidecar, kind, median(&mut ratios));
        }
    }
}

/// The cost of a sidecar whose sequencer has nothing to do.
fn idle(sidecar: &Sidecar, kind: StoreKind, ratio: f64) {
    let cpu = sidecar.cpu();
    std::thread::sleep(IDLE);
    let cpu = (sidecar.cpu() - cpu).as_secs_f64() / IDLE.as_secs_f64();
    let mut scrapes: Vec<f64> = (0..SCRAPES)
        .map(|_| {
            let asked = Instant::now();
            sidecar.scrape();
            asked.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    say(&format!(
        "\n{}: median p99 with / without {:.0} %; idle {:.1} % of a core, {:.1} MiB resident, a \
         scrape {:.1} ms (median of {SCRAPES})\n",
        kind.as_str(),
        100.0 * ratio,
        100.0 * cpu,
        sidecar.resident_mib(),
        median(&mut scrapes),
    ));
}

/// The program built beside this one.
fn sidecar_program() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    let folder = own.parent().and_then(Path::parent).expect("a folder of programs");
    let program = folder.join("sidecar");
    let path = program.display();
    assert!(program.is_file(), "{path} is missing: cargo build --release -p sidecar");
    program
}

/// A running sidecar, killed when dropped.
struct Sidecar {
    child: Child,
    address: String,
}

impl Sidecar {
    fn start(program: &Path, target: &Target, folder: &Path) -> Self {
        let mut child = Command::new(program)
            .env_clear()
            .arg("--sidecar-port=0")
            .arg(format!("--sequencer-url=http://{}", target.address))
            .arg(format!("--sequencer-ops-url=http://{}", target.ops_address))
            .arg(format!("--sequencer-api-key={}", target.key))
            .arg(format!("--data-dir={}", folder.display()))
            .arg(format!("--sidecar-state-dir={}", folder.join("sidecar").display()))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the sidecar starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let entry: Value = serde_json::from_str(&line).ok()?;
            entry["address"].as_str().map(str::to_owned)
        });
        // Reads to the end, or the child would block on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: address.expect("it serves") }
    }

    fn catch_up(&self) {
        let began = Instant::now();
        let lag = || self.sample("stateset_sidecar_witness_lag_events");
        let verified = || self.sample("stateset_sidecar_witness_verified_events_total");
        while lag() != Some(0.0) || verified().unwrap_or(0.0) == 0.0 {
            assert!(began.elapsed() < CATCH_UP_LIMIT, "it does not catch up: {:?}", lag());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn scrape(&self) -> String {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut connection = Connection::open(&self.address).await;
            let (status, body) = connection.send(request.as_bytes()).await;
            assert_eq!(status, 200);
            String::from_utf8_lossy(body).into_owned()
        })
    }

    fn sample(&self, name: &str) -> Option<f64> {
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        self.scrape().lines().find_map(value)
    }

    fn cpu(&self) -> Duration {
        client::cpu_of(&self.child.id().to_string())
    }

    fn resident_mib(&self) -> f64 {
        fixture::resident_bytes_of(self.child.id()) as f64 / f64::from(1 << 20)
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
