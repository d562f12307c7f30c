//! What the pod of the chart would run, as processes from its rendered manifest: the probes pass,
//! `helm test` passes, a drain under load loses nothing, the sidecar outlives the sequencer, and
//! all of it ends within the grace period.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "figures are shown when asked for")]

mod load;

use std::time::{Duration, Instant};

use testbed::chart::Render;
use testbed::pod::{Cluster, Container, Pod, Process};
use testbed::postgres::Postgres;
use testbed::stack::sample_of;
use tokio::net::TcpStream;
use ves::Stream;

use crate::load::{Api, Held, Load, Outcome, Request, Told};

/// Rendered in place of the default, which is longer than a test should take.
const DELAY: Duration = Duration::from_secs(2);
/// End of the delay, in which a request may meet the closing port: no balancer sends one any more.
const CLOSING: Duration = Duration::from_secs(1);
/// Longest wait for what the manifest does not limit.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_of_the_embedded_store_drains_without_loss() {
    live_and_drain(&cluster("dev-values.yaml", None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_of_a_database_server_drains_without_loss() {
    let database = Postgres::shared().database().await;
    live_and_drain(&cluster("ci/postgres-url.yaml", Some(database))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_cannot_reach_the_store_leaves_the_drain_to_the_signal() {
    let postgres = Postgres::start();
    let cluster = cluster("ci/postgres-url.yaml", Some(postgres.database().await));
    migrate(&cluster).await;
    let pod = cluster.pod("sequencer").unwrap();
    let container = pod.container("sequencer");
    let [mut sidecar, mut sequencer] = start(pod).await;
    postgres.stop("INT");
    // A key that was just looked up is known for some seconds more.
    let http = reqwest::Client::new();
    eventually("the key cannot be looked up", async || {
        let request = http.get(format!("{}/health/detailed", container.url("operations")));
        let key = container.variable("BOOTSTRAP_ADMIN_API_KEY");
        let answer = request.header("authorization", format!("ApiKey {key}")).send().await;
        (answer.unwrap().status() == 503).then_some(())
    })
    .await;
    container.probe("readinessProbe").wait_for(503).await;
    let alive = container.probe("livenessProbe");
    let grace = Grace::begin(pod);
    let mut hook = container.pre_stop();
    let status = hook.end(grace.left()).await;
    assert!(!status.success(), "{status}");
    println!("preStop: {status} after {:?}: {}", grace.began.elapsed(), hook.log().trim());
    // The store's end is no reason to restart.
    alive.wait_for(200).await;
    let told = Instant::now();
    sequencer.terminate();
    // It serves while balancers have not noticed.
    alive.wait_for(200).await;
    grace.ends("sequencer", &mut sequencer).await;
    assert!(told.elapsed() >= DELAY, "it ended without the delay: {:?}", told.elapsed());
    outlives(pod, &mut sidecar, &grace).await;
}

/// The whole life of a pod.
async fn live_and_drain(cluster: &Cluster) {
    migrate(cluster).await;
    let pod = cluster.pod("sequencer").unwrap();
    let container = pod.container("sequencer");
    leaves_time(pod, container);
    let [mut sidecar, mut sequencer] = start(pod).await;
    let api = Api::of(container);
    let stream = helm_test(cluster).await;
    is_witnessed(cluster, stream, api.head(stream).await).await;

    let load = Load::begin(container).await;
    let flows = async || (load.acknowledged() >= 40).then_some(());
    eventually("the load flows", flows).await;
    let (told, grace) = drain(pod, &mut sequencer, load).await;
    outlives(pod, &mut sidecar, &grace).await;

    let mut verify = container.exec(&["/usr/local/bin/sequencer", "verify"]);
    assert!(verify.end(PATIENCE).await.success(), "the log is not sound");
    let mut again = container.start();
    container.probe("startupProbe").wait_for(200).await;
    told.check(&api).await;
    again.terminate();
    assert!(again.end(pod.grace_period()).await.success());
}

fn cluster(values: &str, database: Option<String>) -> Cluster {
    let render = Render::of(&[values]).set("drain.delaySeconds=2");
    // How full the disk of this machine is proves nothing of the chart.
    Cluster::new(render.set("minFreeDiskBytes=0").documents(), database)
}

async fn migrate(cluster: &Cluster) {
    if let Some(job) = cluster.pod("sequencer-migrate") {
        let mut migration = job.container("migrate").start();
        assert!(migration.end(job.deadline()).await.success());
    }
}

/// The grace period holds the delay and what requests may take after it, as the variables say both.
fn leaves_time(pod: Pod<'_>, container: Container<'_>) {
    let seconds = |name: &str| Duration::from_secs(container.variable(name).parse().unwrap());
    assert_eq!(seconds("DRAIN_DELAY_SECS"), DELAY);
    let requests = seconds("REQUEST_TIMEOUT_SECS").max(seconds("SHUTDOWN_TIMEOUT_SECS"));
    assert!(pod.grace_period() > DELAY + requests, "{:?}", pod.grace_period());
}

/// Sidecar first, then the sequencer; waits until all probes pass.
async fn start(pod: Pod<'_>) -> [Process; 2] {
    let containers = pod.containers();
    let names: Vec<&str> = containers.iter().map(Container::name).collect();
    assert_eq!(names, ["sidecar", "sequencer"]);
    let processes = [containers[0].start(), containers[1].start()];
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let took = containers[1].probe(probe).wait_for(200).await;
        println!("{probe} passes after {took:?}");
    }
    containers[0].probe("livenessProbe").wait_for(200).await;
    processes
}

/// What `helm test` runs; gives the stream that it wrote.
async fn helm_test(cluster: &Cluster) -> Stream {
    let pod = cluster.pod("sequencer-test").unwrap();
    let mut test = pod.container("demo").start();
    assert!(test.end(pod.deadline()).await.success());
    let said = test.log();
    let id = |what: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(what));
        line.unwrap_or_else(|| panic!("it names no {what}")).trim().parse().unwrap()
    };
    Stream { tenant_id: id("tenant "), store_id: id("store ") }
}

/// The release's witness verifies a stream to its head: in postgres mode a pod of its own, else the
/// sidecar.
async fn is_witnessed(cluster: &Cluster, stream: Stream, head: u64) {
    let own = cluster.pod("sequencer-witness");
    let witness = own.or_else(|| cluster.pod("sequencer")).unwrap().container("sidecar");
    assert_eq!(witness.variable("WITNESS"), "true");
    let process = own.map(|_| witness.start());
    let Stream { tenant_id, store_id } = stream;
    let series = format!(
        "stateset_sidecar_witness_verified_sequence{{store=\"{store_id}\",tenant=\"{tenant_id}\"}}"
    );
    eventually("the witness verifies the stream of `helm test`", async || {
        let scrape = reqwest::get(format!("{}/metrics", witness.url("sidecar"))).await.ok()?;
        let verified = sample_of(&scrape.text().await.ok()?, &series)?;
        (verified == head as f64).then_some(())
    })
    .await;
    witness.probe("livenessProbe").wait_for(200).await;
    if let (Some(mut process), Some(pod)) = (process, own) {
        process.terminate();
        assert!(process.end(pod.grace_period()).await.success());
    }
}

/// The time that the kubelet leaves a pod that ends.
struct Grace {
    began: Instant,
    period: Duration,
}

impl Grace {
    fn begin(pod: Pod<'_>) -> Self {
        Self { began: Instant::now(), period: pod.grace_period() }
    }

    fn left(&self) -> Duration {
        self.period.saturating_sub(self.began.elapsed())
    }

    /// Waits for an orderly end within it.
    async fn ends(&self, name: &str, process: &mut Process) {
        let asked = Instant::now();
        let status = process.end(self.left()).await;
        assert!(status.success(), "{name}: {status}");
        println!("{name} ended after {:?}", asked.elapsed());
    }
}

/// The end of a sequencer under load: not ready at once, serving for the delay, then the rest of
/// what it has begun; nothing that began before is lost.
async fn drain(pod: Pod<'_>, sequencer: &mut Process, load: Load) -> (Told, Grace) {
    let container = pod.container("sequencer");
    let api = Api::of(container);
    let agent = api.agent().await;
    let grace = Grace::begin(pod);
    let closes_at = grace.began + DELAY;
    let mut hook = container.pre_stop();
    let took = container.probe("readinessProbe").wait_for(503).await;
    let not_ready = Instant::now();
    container.probe("livenessProbe").wait_for(200).await;
    let held = Held::begin(&api, &agent).await;
    let status = hook.end(grace.left()).await;
    assert!(status.success() && Instant::now() >= closes_at, "{status}");
    println!("not ready {took:?} after preStop began, which took {:?}", grace.began.elapsed());

    sequencer.terminate();
    let address = container.url("api").replace("http://", "");
    eventually("the port closes", async || TcpStream::connect(&address).await.err()).await;
    let late = held.finish().await;
    grace.ends("sequencer", sequencer).await;
    let mut told = load.end().await;
    judge(&told, not_ready, closes_at);
    told.add(agent.stream, late);
    (told, grace)
}

/// No request failed but those that met the closing port, or came after it.
fn judge(told: &Told, not_ready: Instant, closes_at: Instant) {
    let (mut good, mut while_not_ready, mut at_the_end, mut after) = (0, 0, 0, 0);
    for Request { began, ended, outcome } in &told.requests {
        match outcome {
            Outcome::Acknowledged if *began < not_ready => good += 1,
            Outcome::Acknowledged => while_not_ready += 1,
            Outcome::Unanswered(_) if *began >= closes_at => after += 1,
            Outcome::Unanswered(_) if *began + CLOSING >= closes_at && *ended >= closes_at => {
                at_the_end += 1;
            }
            Outcome::Refused(why) | Outcome::Unanswered(why) => {
                let before = closes_at.saturating_duration_since(*began);
                panic!("a request failed that began {before:?} before the end: {why}");
            }
        }
    }
    println!("acknowledged: {good}, then {while_not_ready} while not ready");
    println!("unanswered: {at_the_end} at the end, {after} after it");
    assert!(while_not_ready > 0, "nothing was served during the delay");
}

/// The sidecar lives when the sequencer is gone, and ends when told.
async fn outlives(pod: Pod<'_>, sidecar: &mut Process, grace: &Grace) {
    assert!(sidecar.is_running(), "it ended before the sequencer");
    pod.container("sidecar").probe("livenessProbe").wait_for(200).await;
    sidecar.terminate();
    grace.ends("sidecar", sidecar).await;
}

/// Asks until there is an answer.
async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
