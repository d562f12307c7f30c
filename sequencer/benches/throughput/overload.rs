//! More load than the server takes: what it still does, and how it says no.
//!
//! The load is open: requests are sent when they are due, whatever became of those before. A
//! refused request goes back to those that are not sent yet, as a client would repeat it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::LocalSet;

use crate::client::{self, Connection, new_histogram};
use crate::fixture::{self, Agent, StoreKind, Target};
use crate::say;

/// Most connections of the load; a due request without one is late.
const MAX_CONNECTIONS: usize = 3_500;
/// The load ends early when the server does not recover for so long.
const RECOVERY_LIMIT: Duration = Duration::from_secs(30);
/// Answers in a row, accepted and quick, that count as recovered.
const GOOD_IN_A_ROW: usize = 20;
const QUICK: Duration = Duration::from_millis(100);
/// At the beginning of the load, not counted: the server has no rate yet.
const WARM_UP: Duration = Duration::from_secs(1);

struct Case {
    clients: usize,
    events_per_request: usize,
    /// Offered load as a multiple of the measured peak.
    multiple: f64,
}

const CASES: &[Case] = &[
    Case { clients: 8, events_per_request: 100, multiple: 3.0 },
    Case { clients: 64, events_per_request: 1, multiple: 1.5 },
];

/// What became of the requests of an open load.
pub(crate) struct Outcome {
    pub(crate) accepted: Histogram<u64>,
    refused: Histogram<u64>,
    lateness: Histogram<u64>,
    /// Answers 200 that came while the load lasted.
    in_time: usize,
    /// Requests without any answer, or with another one.
    pub(crate) failed: usize,
    offered: usize,
    seconds: f64,
}

pub(crate) fn run(scale_percent: usize) {
    let seconds = (10 * scale_percent).div_ceil(100).max(3);
    say("## Overload: events/s, and milliseconds\n");
    say(
        "| store | events a request | peak | offered | goodput | of the peak | accepted p50 | p99 \
         | refused | refused p95 | failed | sent late p95 | /health p95 | /metrics p95 \
         | recovered after |",
    );
    say("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for kind in [StoreKind::Sqlite, StoreKind::Postgres] {
        for case in CASES {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let url = fixture::database_url(kind, folder.path());
            let target = Target::start(kind, folder.path(), &url);
            measure(&target, kind, case, seconds);
            target.stop();
        }
    }
    say("");
}

fn measure(target: &Target, kind: StoreKind, case: &Case, seconds: usize) {
    let agent = Agent::register(target);
    let stream = agent.streams(1);
    let size = case.events_per_request;
    let render = |requests| agent.requests(target, &stream, requests, size);
    let closed = |requests: usize| {
        let each = (requests / case.clients).max(1);
        let mut rendered = render(each * case.clients).into_iter();
        let clients = (0..case.clients).map(|_| rendered.by_ref().take(each).collect()).collect();
        client::run(&target.address, clients, size).events_per_second
    };
    // The first run says how long the second must be to take some seconds.
    let guess = closed(2_000_usize.div_ceil(size).max(case.clients * 4));
    let peak = closed(number(guess * seconds as f64 / 2.0 / size as f64));
    let per_second = case.multiple * peak / size as f64;
    let stock =
        number(1.6 * peak * (seconds as f64 + 1.0) / size as f64) + 2 * MAX_CONNECTIONS / size;
    let stock = render(stock);
    let health = Prober::start(&target.address, fixture::get(target, "/health"));
    let metrics = Prober::start(&target.ops_address, fixture::get(target, "/metrics"));
    let duration = WARM_UP + Duration::from_secs(seconds as u64);
    let outcome = open_load(&target.address, stock, per_second, duration);
    let (health, metrics) = (health.stop(), metrics.stop());
    let recovered = recovery(target, &agent, stream[0]);
    let goodput = outcome.in_time as f64 * size as f64 / outcome.seconds;
    let quantile = |histogram: &Histogram<u64>, q| histogram.value_at_quantile(q) as f64 / 1000.0;
    say(&format!(
        "| {} | {size} | {peak:.0} | {:.1}x = {:.0} | {goodput:.0} | {:.0} % | {:.0} | {:.0} | {} \
         | {:.1} | {} | {:.1} | {:.1} | {:.1} | {recovered} |",
        kind.as_str(),
        case.multiple,
        outcome.offered as f64 * size as f64 / outcome.seconds,
        100.0 * goodput / peak,
        quantile(&outcome.accepted, 0.5),
        quantile(&outcome.accepted, 0.99),
        outcome.refused.len(),
        quantile(&outcome.refused, 0.95),
        outcome.failed,
        quantile(&outcome.lateness, 0.95),
        quantile(&health, 0.95),
        quantile(&metrics, 0.95),
    ));
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
pub(crate) fn number(value: f64) -> usize {
    value.ceil() as usize
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// What the tasks of one open load share.
struct Load {
    address: String,
    stock: RefCell<VecDeque<Vec<u8>>>,
    idle: RefCell<Vec<Connection>>,
    open: RefCell<usize>,
    /// From the end of the warm-up to the end of the load.
    counted: Range<Instant>,
    outcome: RefCell<Outcome>,
}

pub(crate) fn open_load(
    address: &str,
    stock: Vec<Vec<u8>>,
    per_second: f64,
    duration: Duration,
) -> Outcome {
    let began = Instant::now();
    let load = Rc::new(Load {
        counted: began + WARM_UP..began + duration,
        address: address.to_owned(),
        stock: RefCell::new(stock.into()),
        idle: RefCell::default(),
        open: RefCell::new(0),
        outcome: RefCell::new(Outcome {
            accepted: new_histogram(),
            refused: new_histogram(),
            lateness: new_histogram(),
            in_time: 0,
            failed: 0,
            offered: 0,
            seconds: (duration - WARM_UP).as_secs_f64(),
        }),
    });
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = LocalSet::new();
    let sending = Rc::clone(&load);
    local.block_on(&runtime, async move {
        let mut sent = 0.0;
        while began.elapsed() < duration {
            while began + Duration::from_secs_f64(sent / per_second) <= Instant::now() {
                let due = began + Duration::from_secs_f64(sent / per_second);
                tokio::task::spawn_local(one(Rc::clone(&sending), due));
                sent += 1.0;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    // Those under way end by themselves: an answer or the server's time-out.
    runtime.block_on(local);
    let load = Rc::into_inner(load).expect("all tasks have ended");
    load.outcome.into_inner()
}

impl Load {
    /// Takes a connection back after its answer.
    fn keep(&self, connection: Connection, answer: Option<(u16, bool)>) {
        match answer {
            Some((_, false)) => self.idle.borrow_mut().push(connection),
            Some((_, true)) | None => *self.open.borrow_mut() -= 1,
        }
    }
}

async fn one(load: Rc<Load>, due: Instant) {
    let counts = load.counted.contains(&due);
    let idle = load.idle.borrow_mut().pop();
    let may_open = idle.is_some() || *load.open.borrow() < MAX_CONNECTIONS;
    let request = load.stock.borrow_mut().pop_front().filter(|_| may_open);
    if counts {
        load.outcome.borrow_mut().offered += 1;
    }
    let Some(request) = request else {
        load.outcome.borrow_mut().failed += usize::from(counts);
        return;
    };
    let sent = Instant::now();
    let mut answer = None;
    if let Some(mut connection) = idle {
        answer = connection.try_send(&request).await;
        load.keep(connection, answer);
    }
    // The server ends connections that were idle for long; that is no failure.
    if answer.is_none() {
        *load.open.borrow_mut() += 1;
        let mut connection = Connection::open(&load.address).await;
        answer = connection.try_send(&request).await;
        load.keep(connection, answer);
    }
    let took = micros(sent);
    let status = answer.map_or(0, |(status, _)| status);
    if status == 503 {
        load.stock.borrow_mut().push_back(request);
    }
    let mut outcome = load.outcome.borrow_mut();
    if status == 200 && load.counted.contains(&Instant::now()) {
        outcome.in_time += 1;
    }
    if !counts {
        return;
    }
    outcome.lateness.saturating_record(u64::try_from((sent - due).as_micros()).unwrap_or(u64::MAX));
    match status {
        200 => outcome.accepted.saturating_record(took),
        503 => outcome.refused.saturating_record(took),
        _ => outcome.failed += 1,
    }
}

/// Asks the same twenty times a second, on a thread of its own.
struct Prober {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Histogram<u64>>,
}

impl Prober {
    fn start(address: &str, request: Vec<u8>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, address) = (Arc::clone(&stop), address.to_owned());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut latency = new_histogram();
                let mut connection = Connection::open(&address).await;
                while !stopped.load(Ordering::Relaxed) {
                    let sent = Instant::now();
                    let (status, _) = connection.send(&request).await;
                    assert_eq!(status, 200);
                    latency.saturating_record(micros(sent));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                latency
            })
        });
        Self { stop, thread }
    }

    fn stop(self) -> Histogram<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the prober ends well")
    }
}

/// Time from the end of the load to the first of many good answers in a row.
fn recovery(target: &Target, agent: &Agent, stream: ves::Stream) -> String {
    let requests = agent.requests(target, &[stream], 2_000, 1);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let began = Instant::now();
        let mut connection = Connection::open(&target.address).await;
        let (mut good, mut since) = (0, Duration::ZERO);
        for request in requests {
            let sent = Instant::now();
            let (status, _) = connection.send(&request).await;
            if status == 200 && sent.elapsed() < QUICK {
                good += 1;
            } else {
                (good, since) = (0, began.elapsed());
            }
            if good == GOOD_IN_A_ROW {
                return format!("{:.1} s", since.as_secs_f64());
            }
            if began.elapsed() > RECOVERY_LIMIT {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        "never".to_owned()
    })
}
