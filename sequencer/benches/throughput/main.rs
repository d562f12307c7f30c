//! Speed, as ratios within one run on one machine.
//!
//! `make bench` runs it. Every figure for a store stands beside the ceiling measured in the same
//! round; rounds alternate between the two, and the table shows the median of the rounds.
//! Flags: `--rounds N` (3), `--scale PERCENT` of the events (100), `--only ingest|reads|memory`,
//! `--clients N` for only the rows with that many. `--only overload` and `--only growth` (with
//! `--events N`) are measured only when asked for, and so is `--only sidecar`, what a sidecar
//! beside the server costs.

mod beside;
mod client;
mod fixture;
mod growth;
mod naive;
mod overload;
mod volatile;

use std::time::Instant;

use client::{Measured, new_histogram};
use fixture::{Agent, StoreKind, Target};
use testbed::postgres;
use ves::Stream;

/// One row of the table.
#[derive(Clone, Copy)]
struct Shape {
    clients: usize,
    events_per_request: usize,
    streams: usize,
    /// Events in one round.
    events: usize,
}

const SHAPES: &[Shape] = &[
    Shape { clients: 1, events_per_request: 1, streams: 1, events: 6_000 },
    Shape { clients: 16, events_per_request: 1, streams: 1, events: 30_000 },
    Shape { clients: 64, events_per_request: 1, streams: 1, events: 40_000 },
    Shape { clients: 8, events_per_request: 100, streams: 1, events: 80_000 },
    Shape { clients: 1, events_per_request: 1, streams: 8, events: 6_000 },
    Shape { clients: 16, events_per_request: 1, streams: 8, events: 30_000 },
    Shape { clients: 64, events_per_request: 1, streams: 8, events: 40_000 },
    Shape { clients: 8, events_per_request: 100, streams: 8, events: 80_000 },
];

/// Measured in turn. The first is what the others are compared with.
const KINDS: [StoreKind; 4] =
    [StoreKind::Ceiling, StoreKind::Sqlite, StoreKind::Postgres, StoreKind::Naive];

struct Options {
    rounds: usize,
    scale_percent: usize,
    only: Option<String>,
    clients: Option<usize>,
}

impl Options {
    fn takes(&self, shape: &Shape) -> bool {
        self.clients.is_none_or(|clients| clients == shape.clients)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, kind, folder, url] = arguments.as_slice()
        && flag == "--serve"
    {
        return fixture::serve(kind, folder, url);
    }
    let options = Options {
        rounds: number(&arguments, "--rounds").unwrap_or(3),
        scale_percent: number(&arguments, "--scale").unwrap_or(100),
        only: value(&arguments, "--only").map(str::to_owned),
        clients: number(&arguments, "--clients"),
    };
    let wanted = |name: &str| options.only.as_deref().is_none_or(|only| only == name);
    if wanted("ingest") {
        ingest(&options);
    }
    if wanted("reads") {
        reads();
    }
    if wanted("memory") {
        memory(&options);
    }
    if options.only.as_deref() == Some("overload") {
        overload::run(options.scale_percent);
    }
    if options.only.as_deref() == Some("sidecar") {
        beside::run(options.rounds);
    }
    if options.only.as_deref() == Some("growth") {
        growth::run(&options, number(&arguments, "--events").unwrap_or(10_000_000));
    }
}

fn value<'a>(arguments: &'a [String], flag: &str) -> Option<&'a str> {
    let place = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(place + 1).map(String::as_str)
}

fn number(arguments: &[String], flag: &str) -> Option<usize> {
    value(arguments, flag)?.parse().ok()
}

#[expect(clippy::print_stdout, reason = "the output of a benchmark")]
fn say(line: &str) {
    println!("{line}");
}

fn ingest(options: &Options) {
    say("## Ingest: events/s, and milliseconds per request (median of the rounds)\n");
    say("| clients | events a request | streams | store | events/s | p50 | p95 | p99 \
         | client CPU | of the ceiling | of naive |");
    say("|---|---|---|---|---|---|---|---|---|---|---|");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let targets = KINDS.map(|kind| {
        let folder = folder.path().join(kind.as_str());
        (kind, Target::start(kind, &folder, &fixture::database_url(kind, &folder)))
    });
    for shape in SHAPES.iter().filter(|shape| options.takes(shape)) {
        let mut rounds: [Vec<Measured>; KINDS.len()] = Default::default();
        for _ in 0..options.rounds {
            for (place, (_, target)) in targets.iter().enumerate() {
                rounds[place].push(measure(target, shape, options.scale_percent));
            }
        }
        let ratio = |place: usize, to: usize| {
            let pairs = rounds[place].iter().zip(&rounds[to]);
            let ratios = pairs.map(|(one, other)| one.events_per_second / other.events_per_second);
            format!("{:.0} %", median(&mut ratios.collect::<Vec<_>>()) * 100.0)
        };
        let ratios: Vec<[String; 2]> = (0..KINDS.len())
            .map(|place| match KINDS[place] {
                StoreKind::Ceiling => [String::new(), String::new()],
                StoreKind::Postgres => [ratio(place, 0), ratio(place, KINDS.len() - 1)],
                StoreKind::Sqlite | StoreKind::Naive => [ratio(place, 0), String::new()],
            })
            .collect();
        for ((kind, rounds), ratios) in KINDS.iter().zip(&mut rounds).zip(&ratios) {
            row(shape, *kind, rounds, ratios);
        }
    }
    for (_, target) in targets {
        target.stop();
    }
    say("");
}

fn row(shape: &Shape, kind: StoreKind, rounds: &mut [Measured], ratios: &[String; 2]) {
    rounds.sort_by(|a, b| a.events_per_second.total_cmp(&b.events_per_second));
    let middle = &rounds[rounds.len() / 2];
    let quantile = |q| middle.latency.value_at_quantile(q) as f64 / 1000.0;
    let [of_ceiling, of_naive] = ratios;
    say(&format!(
        "| {} | {} | {} | {} | {:.0} | {:.1} | {:.1} | {:.1} | {:.0} % | {of_ceiling} \
         | {of_naive} |",
        shape.clients,
        shape.events_per_request,
        shape.streams,
        kind.as_str(),
        middle.events_per_second,
        quantile(0.5),
        quantile(0.95),
        quantile(0.99),
        middle.client_cpu_ratio * 100.0,
    ));
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn measure(target: &Target, shape: &Shape, scale_percent: usize) -> Measured {
    let agent = Agent::register(target);
    let streams = agent.streams(shape.streams);
    let requests = shape.events * scale_percent / 100 / shape.events_per_request;
    let mut rendered =
        agent.requests(target, &streams, requests, shape.events_per_request).into_iter();
    let each = requests / shape.clients;
    let clients = (0..shape.clients).map(|_| rendered.by_ref().take(each).collect()).collect();
    client::run(&target.address, clients, shape.events_per_request)
}

/// Sealing, proofs, and a start on an existing store.
fn reads() {
    const BATCH: usize = 10_000;
    // Sealing on demand only: the batch is to be one.
    let on_demand = [("COMMITTER_MAX_WAIT_SECS", "0")];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = fixture::database_url(StoreKind::Sqlite, folder.path());
    let target = Target::start_with(StoreKind::Sqlite, folder.path(), &url, &on_demand);
    let agent = Agent::register(&target);
    let stream = agent.streams(1)[0];
    let rendered = agent.requests(&target, &[stream], BATCH / 100, 100);
    client::run(&target.address, vec![rendered], 100);
    say("## Commitments and proofs (SQLite)\n");
    say(&format!("* sealing {BATCH} events, over HTTP: {:.1} ms", seal(&target, stream, BATCH)));
    let first = proofs(&target, stream, BATCH);
    let again = proofs(&target, stream, BATCH);
    say(&format!(
        "* proofs in that batch, 2,000 numbers, first time: p50 {} p95 {}",
        first.0, first.1
    ));
    say(&format!("* the same again: p50 {} p95 {}", again.0, again.1));
    target.stop();
    let mut starts: Vec<f64> = (0..5)
        .map(|_| {
            let started = Instant::now();
            let target = Target::start(StoreKind::Sqlite, folder.path(), &url);
            let (status, body) = fixture::exchange(&target, &fixture::get(&target, "/ready"));
            assert_eq!(status, 200, "{body}");
            let elapsed = started.elapsed().as_secs_f64() * 1000.0;
            target.stop();
            elapsed
        })
        .collect();
    say(&format!("* start to ready on that store: {:.0} ms (median of 5)\n", median(&mut starts)));
}

fn seal(target: &Target, stream: Stream, events: usize) -> f64 {
    let body = serde_json::json!({
        "tenant_id": stream.tenant_id,
        "store_id": stream.store_id,
        "sequence_start": 1,
        "sequence_end": events,
    });
    let request = fixture::post(target, "/api/v1/ves/commitments", &body.to_string());
    let started = Instant::now();
    let (status, body) = fixture::exchange(target, &request);
    let elapsed = started.elapsed().as_secs_f64() * 1000.0;
    assert_eq!(status, 200, "{body}");
    elapsed
}

fn proofs(target: &Target, stream: Stream, events: usize) -> (String, String) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let latency = runtime.block_on(async {
        let mut connection = client::Connection::open(&target.address).await;
        let mut latency = new_histogram();
        // A stride that is coprime to the batch visits numbers all over it.
        for place in 0..2_000 {
            let number = place * 7_919 % events + 1;
            let (tenant, store) = (stream.tenant_id, stream.store_id);
            let path = format!("/api/v1/ves/proofs/{number}?tenant_id={tenant}&store_id={store}");
            let request = fixture::get(target, &path);
            let sent = Instant::now();
            let (status, _) = connection.send(&request).await;
            assert_eq!(status, 200);
            latency.saturating_record(u64::try_from(sent.elapsed().as_micros()).unwrap_or(0));
        }
        latency
    });
    let quantile = |q| format!("{:.2} ms", latency.value_at_quantile(q) as f64 / 1000.0);
    (quantile(0.5), quantile(0.95))
}

/// Resident memory after a million events.
fn memory(options: &Options) {
    const ROUND: usize = 100_000;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = fixture::database_url(StoreKind::Sqlite, folder.path());
    let target = Target::start(StoreKind::Sqlite, folder.path(), &url);
    let at_start = target.resident_bytes();
    let agent = Agent::register(&target);
    let streams = agent.streams(1);
    let rounds = (10 * options.scale_percent / 100).max(1);
    for _ in 0..rounds {
        let mut rendered = agent.requests(&target, &streams, ROUND / 100, 100).into_iter();
        let clients = (0..8).map(|_| rendered.by_ref().take(ROUND / 800).collect()).collect();
        client::run(&target.address, clients, 100);
    }
    let mib = |bytes: u64| bytes / (1 << 20);
    say("## Memory (SQLite)\n");
    say(&format!(
        "* resident at start: {} MiB; after {} events: {} MiB",
        mib(at_start),
        rounds * ROUND,
        mib(target.resident_bytes())
    ));
    target.stop();
}
