//! How much load this program makes: its health scenario against a bare goose loop in the same run,
//! signed single-event ingest, and wrk beside both where it is installed. All against the stub,
//! which shares the machine.
#![expect(clippy::print_stdout, reason = "the result of the benchmark")]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use goose::GooseAttack;
use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionResult};
use loadgen::calibrate::drive;
use loadgen::calibrate::stub::{Behaviour, Stub};
use loadgen::profile::Profile;

const USERS: usize = 32;
/// Long enough that a second of noise does not decide.
const MEASURED: Duration = Duration::from_secs(8);
/// Share of a bare loop that the health scenario must reach.
const SHARE: f64 = 0.5;
/// Signed single events a second that must be reached.
const INGEST_PER_SECOND: f64 = 8000.0;

fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new()?;
    let stub = Stub::start(Behaviour::Fast)?;
    let url = format!("http://{}", stub.address);
    let bare = runtime.block_on(bare(&url))?;
    println!("bare goose loop      {bare:>9.0} requests/s, {USERS} users");
    let (health, _) = runtime.block_on(scenario(&stub, "health", ""))?;
    let share = health / bare;
    let verdict = if share >= SHARE { "reached" } else { "MISSED" };
    println!("health scenario      {health:>9.0} requests/s, {share:.2} of it: {verdict}");
    let ahead = "[events]\nsign_ahead = 160000\nagents = 2\nstreams = 2\n";
    let (ingest, late) = runtime.block_on(scenario(&stub, "ingest", ahead))?;
    let verdict = if ingest >= INGEST_PER_SECOND { "reached" } else { "MISSED" };
    println!("signed single events {ingest:>9.0} events/s, p99 {late:.1} ms: {verdict}");
    match wrk(&url) {
        Some(rate) => println!("wrk                  {rate:>9.0} requests/s, {USERS} connections"),
        None => println!("wrk is not installed: apt-get install wrk shows it beside these"),
    }
    anyhow::ensure!(share >= SHARE && ingest >= INGEST_PER_SECOND, "a target was missed");
    Ok(())
}

/// Requests a second of a loop that does nothing else, without goose's own metrics.
async fn bare(url: &str) -> anyhow::Result<f64> {
    let count = Arc::new(AtomicU64::new(0));
    let users = USERS.to_string();
    let arguments = [
        "--host",
        url,
        "--users",
        &users,
        "--increase-rate",
        "1000",
        "--no-telnet",
        "--no-metrics",
        "--no-print-metrics",
        "-qqq",
    ];
    let configuration = GooseConfiguration::parse_args_default(&arguments)?;
    let scenario = Scenario::new("bare").register_transaction(counted(Arc::clone(&count)));
    let attack = GooseAttack::initialize_with_config(configuration)?.register_scenario(scenario);
    let measured = async {
        // After the start of all users.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (before, began) = (count.load(Ordering::Relaxed), Instant::now());
        tokio::time::sleep(MEASURED).await;
        let done = count.load(Ordering::Relaxed) - before;
        let rate = done as f64 / began.elapsed().as_secs_f64();
        goose::trigger_killswitch("measured");
        rate
    };
    let (attacked, rate) = tokio::join!(attack.execute(), measured);
    attacked.context("goose")?;
    goose::reset_killswitch();
    Ok(rate)
}

fn counted(count: Arc<AtomicU64>) -> Transaction {
    type Turn<'r> = std::pin::Pin<Box<dyn Future<Output = TransactionResult> + Send + 'r>>;
    fn of<F: for<'r> Fn(&'r mut GooseUser) -> Turn<'r> + Send + Sync + 'static>(does: F) -> Arc<F> {
        Arc::new(does)
    }
    Transaction::new(of(move |user: &mut GooseUser| {
        let count = Arc::clone(&count);
        Box::pin(async move {
            let answer = user.get("/health").await?;
            if let Ok(response) = answer.response
                && response.bytes().await.is_ok()
            {
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        })
    }))
}

/// Requests a second of a scenario, over its whole seconds, and its p99 in milliseconds.
async fn scenario(stub: &Stub, name: &str, more: &str) -> anyhow::Result<(f64, f64)> {
    let seconds = MEASURED.as_secs() + 1;
    let text = format!(
        "name = \"reach\"\nusers = {USERS}\nhold = \"{seconds}s\"\n[scenarios]\n{name} = 1\n{more}"
    );
    let profile: Profile = toml::from_str(&text)?;
    let story = drive(stub, &profile).await?;
    // The first second has the start of the users in it, the last is no whole one.
    let whole: Vec<_> = story.seconds.iter().skip(1).filter(|past| past.seconds > 0.9).collect();
    let answered: u64 = whole.iter().map(|past| past.counts().answered).sum();
    let seconds: f64 = whole.iter().map(|past| past.seconds).sum();
    let failed: u64 = whole.iter().map(|past| past.counts().failed).sum();
    anyhow::ensure!(failed == 0 && seconds > 0.0, "{failed} requests failed");
    let latency = story.sum(|_| true).latency().service;
    Ok((answered as f64 / seconds, latency.p99_us as f64 / 1e3))
}

fn wrk(url: &str) -> Option<f64> {
    let connections = format!("-c{USERS}");
    let target = format!("{url}/health");
    let output = Command::new("wrk").args(["-t1", &connections, "-d5s", &target]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"))?;
    line.trim().parse().ok()
}
