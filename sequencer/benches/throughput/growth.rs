//! Does a store slow down as it grows? The same load on an empty store and on a full one, each
//! beside the ceiling of its moment.

use std::path::Path;
use std::time::Instant;

use sequencer::opening;
use sequencer::server;
use sequencer::store::{
    AgentKeyRecord, EventOutcome, PreparedBatch, PreparedEvent, Store, StoreError,
};
use ves::{KeyWindow, StoredStatus, Stream, Timestamp};

use crate::fixture::{self, Agent, StoreKind, Target};
use crate::{Options, Shape, measure, median, say};

/// Events of one group commit while the store is filled.
const FILL: usize = 1_000;
const SHAPE: Shape = Shape { clients: 64, events_per_request: 1, streams: 1, events: 40_000 };

/// Fills each store with this many events and measures before and after.
pub(crate) fn run(options: &Options, events: usize) {
    say(&format!("## Growth: 64 clients, 1 event a request, before and after {events} events\n"));
    say("| store | events/s empty | of the ceiling | events/s full | of the ceiling \
         | full to empty | the same by ratios | filled in |");
    say("|---|---|---|---|---|---|---|---|");
    for kind in [StoreKind::Sqlite, StoreKind::Postgres] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = fixture::database_url(kind, folder.path());
        let (empty, empty_ratio) = beside_the_ceiling(options, kind, folder.path(), &url);
        let started = Instant::now();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(fill(&url, folder.path(), events));
        let filled = started.elapsed().as_secs();
        let (full, full_ratio) = beside_the_ceiling(options, kind, folder.path(), &url);
        say(&format!(
            "| {} | {empty:.0} | {:.0} % | {full:.0} | {:.0} % | {:.0} % | {:.0} % | {filled} s |",
            kind.as_str(),
            empty_ratio * 100.0,
            full_ratio * 100.0,
            full / empty * 100.0,
            full_ratio / empty_ratio * 100.0,
        ));
    }
    say("");
}

/// Events/s of a store, and its share of the ceiling: medians of the rounds.
fn beside_the_ceiling(options: &Options, kind: StoreKind, folder: &Path, url: &str) -> (f64, f64) {
    let ceiling_folder = tempfile::tempdir().expect("a temporary folder");
    let ceiling = Target::start(StoreKind::Ceiling, ceiling_folder.path(), "");
    let store = Target::start(kind, folder, url);
    let (mut speeds, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let best = measure(&ceiling, &SHAPE, options.scale_percent).events_per_second;
        let speed = measure(&store, &SHAPE, options.scale_percent).events_per_second;
        speeds.push(speed);
        ratios.push(speed / best);
    }
    store.stop();
    ceiling.stop();
    (median(&mut speeds), median(&mut ratios))
}

/// Writes events through the store's own group commit, in streams of 100,000. Their signatures are
/// not checked on this way and hold nothing.
async fn fill(url: &str, folder: &Path, events: usize) {
    let config = fixture::config(folder, url);
    let metrics = server::metrics("fill");
    let store = opening::open_store(&config, &metrics).await.expect("the store opens");
    let agent = Agent::unregistered();
    register(store.as_ref(), &agent).await;
    let mut left = events;
    while left > 0 {
        let stream = agent.streams(1)[0];
        let mut in_stream = left.min(100_000);
        left -= in_stream;
        while in_stream > 0 {
            let size = in_stream.min(FILL);
            in_stream -= size;
            write(store.as_ref(), &agent, stream, size).await.expect("the store writes");
        }
    }
    store.close().await;
}

async fn write(
    store: &dyn Store,
    agent: &Agent,
    stream: Stream,
    size: usize,
) -> Result<(), StoreError> {
    let prepared = |number| {
        let event = agent.unsigned_event(stream, number);
        PreparedEvent { signing_hash: event.signing_hash(), event }
    };
    let batch = PreparedBatch { stream, events: (0..size).map(prepared).collect() };
    let outcomes = store.commit_events(&[batch], sequencer::clock::now(), 1).await?;
    let accepted = |outcome: &EventOutcome| matches!(outcome, EventOutcome::Accepted(_));
    assert!(outcomes[0].events.iter().all(accepted), "{:?}", outcomes[0].events.first());
    Ok(())
}

async fn register(store: &dyn Store, agent: &Agent) {
    let window = KeyWindow {
        status: StoredStatus::Active,
        valid_from: None,
        valid_to: None,
        revoked_at: None,
    };
    let key = AgentKeyRecord {
        tenant_id: agent.tenant_id,
        agent_id: agent.agent_id,
        key_id: 1,
        algorithm: 1,
        public_key: [7; 32],
        window,
        created_at: Timestamp::from_micros(0),
    };
    store.insert_agent_key(&key).await.expect("the store takes a key");
}
