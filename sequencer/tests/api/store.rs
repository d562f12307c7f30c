//! What every store driver must do, written against the trait: another driver adds one line.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sequencer::server;
use sequencer::store::postgres::{PostgresOptions, PostgresStore, Transport};
use sequencer::store::sqlite::{SqliteOptions, SqliteStore};
use sequencer::store::{
    AgentKeyRecord, BatchOutcome, EventOutcome, Inserted, Migration, Placement, PreparedBatch,
    PreparedEvent, Sealed, Store, StoreError,
};
use tempfile::TempDir;
use uuid::Uuid;
use ves::merkle::{proof_from_tiles, proof_tiles, tiles};
use ves::{Commitment, Event, Hash32, KeyWindow, Refusal, StoredStatus, Stream, Timestamp, merkle};

use crate::agent::Agent;
use crate::postgres::Postgres;

mod directory;
mod identities;
mod leases;
mod pages;
mod sealing;
mod tls;

/// Bytes that no page of these tests reaches.
const BYTES: usize = 1 << 30;

/// An empty store and what must live as long as it.
async fn sqlite() -> (Arc<dyn Store>, TempDir) {
    let folder = TempDir::new().unwrap();
    let options = SqliteOptions {
        path: folder.path().join("store.db"),
        max_readers: 4,
        acquire_timeout: Duration::from_secs(5),
    };
    let metrics = server::metrics("sqlite");
    let store = SqliteStore::open(&options, Migration::Apply, metrics).await.unwrap();
    (Arc::new(store), folder)
}

/// The same over an empty database.
async fn postgres() -> (Arc<dyn Store>, ()) {
    (open_postgres(&Postgres::shared().database().await).await, ())
}

/// A store as one process has it, over a database that others may have too.
async fn open_postgres(url: &str) -> Arc<dyn Store> {
    let options = PostgresOptions {
        url: url.to_owned(),
        max_connections: 4,
        min_connections: 0,
        acquire_timeout: Duration::from_secs(20),
        idle_timeout: Duration::from_secs(60),
        max_lifetime: Duration::from_secs(600),
        statement_timeout: Duration::from_secs(20),
        transport: Transport::Encrypted,
    };
    let metrics = server::metrics("postgres");
    Arc::new(PostgresStore::open(&options, Migration::Apply, metrics).await.unwrap())
}

/// Runs each behaviour over an empty store of each driver.
macro_rules! behaviours {
    ($($room:ident::$name:ident)+) => {
        behaviours! { sqlite: $($room::$name)+ }
        behaviours! { postgres: $($room::$name)+ }
    };
    ($driver:ident: $($room:ident::$name:ident)+) => {
        mod $driver {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let (store, _kept) = super::$driver().await;
                super::$room::$name(store.as_ref()).await;
                store.close().await;
            })+
        }
    };
}

behaviours! {
    log::numbers_are_dense_and_batches_of_one_commit_see_each_other
    log::what_goes_in_comes_out
    log::a_repeat_is_found_whatever_its_commit
    log::time_never_goes_back
    log::a_key_must_be_good_at_the_moment_of_the_number
    log::a_key_that_ended_gets_no_number
    log::pages_end_at_the_head
    pages::pages_end_with_the_event_that_fills_them
    log::streams_are_walked_in_order
    log::concurrent_commits_are_one_after_the_other
    log::a_closed_store_says_so
    sealing::a_chain_grows_at_its_end_only
    sealing::trees_are_read_by_tiles
    sealing::the_backlog_is_what_is_in_no_batch
    leases::a_lease_is_its_holders
    identities::agent_keys_live_and_end
    identities::a_rotation_ends_older_keys_and_shortens_only
    identities::receipt_keys_are_numbered
    identities::the_sequencers_id_is_kept
    identities::credentials_live_and_end
    identities::one_configured_credential_of_an_origin_is_live
    directory::the_directory_counts_what_is_there
    directory::agents_are_what_their_keys_say
    directory::the_directory_is_paged_by_key
}

/// A moment in microseconds.
fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_770_000_000_000_000 + micros)
}

/// The window of a key that does not end.
const ALWAYS: KeyWindow =
    KeyWindow { status: StoredStatus::Active, valid_from: None, valid_to: None, revoked_at: None };

fn prepared(events: Vec<Event>) -> PreparedBatch {
    let stream = events[0].stream;
    let with_hash = |event: Event| PreparedEvent { signing_hash: event.signing_hash(), event };
    PreparedBatch { stream, events: events.into_iter().map(with_hash).collect() }
}

/// Commits after it has registered the keys of all events, unless they are.
async fn commit(store: &dyn Store, batches: &[PreparedBatch], now: i64) -> Vec<BatchOutcome> {
    let events = batches.iter().flat_map(|batch| &batch.events).map(|prepared| &prepared.event);
    let keys: BTreeSet<_> = events
        .map(|event| (event.stream.tenant_id, event.source_agent_id, event.agent_key_id))
        .collect();
    for (tenant_id, agent_id, key_id) in keys {
        let (algorithm, public_key, created_at) = (1, [7; 32], at(0));
        let key = AgentKeyRecord {
            tenant_id,
            agent_id,
            key_id,
            algorithm,
            public_key,
            window: ALWAYS,
            created_at,
        };
        store.insert_agent_key(&key).await.unwrap();
    }
    store.commit_events(batches, at(now), 1).await.unwrap()
}

fn accepted(number: u64, now: i64) -> EventOutcome {
    EventOutcome::Accepted(placement(number, now))
}

fn placement(sequence_number: u64, now: i64) -> Placement {
    Placement { sequence_number, sequenced_at: at(now), key_version: 1 }
}

mod log {
    use super::*;

    pub(super) async fn numbers_are_dense_and_batches_of_one_commit_see_each_other(
        store: &dyn Store,
    ) {
        let (one, two) = (Agent::new(), Agent::new());
        let command = Some(Uuid::new_v4());
        let on = |base: u64| {
            one.event_with(|draft| {
                draft.entity_id = "e".to_owned();
                draft.base_version = Some(base);
                draft.command_id = command.filter(|_| base == 0);
            })
        };
        let first = on(0);
        let clash = one.event_with(|draft| draft.command_id = command);
        let batches = [
            prepared(vec![first.clone(), one.event()]),
            prepared(two.events(1)),
            prepared(vec![on(1), first.clone(), on(7), clash]),
            prepared(two.events(2)),
        ];
        let conflict = Refusal::VersionConflict { expected: 7, actual: 2 };
        let outcome = |events, head_sequence| BatchOutcome { events, head_sequence };
        let expect = [
            outcome(vec![accepted(1, 5), accepted(2, 5)], 2),
            outcome(vec![accepted(1, 5)], 1),
            outcome(
                vec![
                    accepted(3, 5),
                    EventOutcome::Replayed(placement(1, 5)),
                    EventOutcome::Refused(conflict),
                    EventOutcome::Refused(Refusal::DuplicateCommandId),
                ],
                3,
            ),
            outcome(vec![accepted(2, 5), accepted(3, 5)], 3),
        ];
        assert_eq!(commit(store, &batches, 5).await, expect);
        assert_eq!(store.head(one.stream).await.unwrap().head_sequence, 3);
        assert_eq!(store.head(Agent::new().stream).await.unwrap(), Default::default());
    }

    pub(super) async fn what_goes_in_comes_out(store: &dyn Store) {
        let agent = Agent::new();
        let mut events = agent.events(300);
        events[0].command_id = Some(Uuid::new_v4());
        // An entity of its own: the others are in one of 16.
        (events[1].entity_id, events[1].base_version) = ("new".to_owned(), Some(0));
        events[2].signature_scheme = Some(1);
        events[3].entity_id = "ü/💡\u{1}".to_owned();
        events[4].created_at = "2026-02-03T04:05:06.123456789+05:30".to_owned();
        events[5].payload = ves::Payload::Plain("{\"a\":\"\\u0000\"}".to_owned());
        events[6].payload = ves::Payload::Encrypted("{\"x\":1}".to_owned());
        events[6].payload_cipher_hash = Hash32([9; 32]);
        events[7].agent_key_id = i32::MAX.cast_unsigned();
        let outcome = &commit(store, &[prepared(events.clone())], 1).await[0];
        assert_eq!(outcome.head_sequence, 300);
        let (read, head) = store.events(agent.stream, 1, 1000, BYTES).await.unwrap();
        assert_eq!(head, 300);
        for (number, (event, read)) in (1..).zip(events.iter().zip(&read)) {
            assert_eq!(&read.event, event);
            assert_eq!(read.signing_hash, event.signing_hash());
            assert_eq!(read.placement, placement(number, 1));
        }
        let leaves = store.leaf_sources(agent.stream, 10, 20).await.unwrap();
        assert_eq!(leaves.len(), 11);
        assert_eq!(leaves[0].signing_hash, events[9].signing_hash());
        assert_eq!(leaves[0].agent_signature, events[9].agent_signature);
        let beyond = store.leaf_sources(agent.stream, 299, 301).await;
        assert!(matches!(beyond, Err(StoreError::Gap { missing: 301, head: 300 })), "{beyond:?}");
    }

    pub(super) async fn a_repeat_is_found_whatever_its_commit(store: &dyn Store) {
        let agent = Agent::new();
        let event = agent.event_with(|draft| draft.command_id = Some(Uuid::new_v4()));
        commit(store, &[prepared(vec![event.clone()])], 1).await;
        let mut other = event.clone();
        other.base_version = Some(0);
        let outcome = &commit(store, &[prepared(vec![event.clone(), other])], 2).await[0];
        let expect = [
            EventOutcome::Replayed(placement(1, 1)),
            EventOutcome::Refused(Refusal::DuplicateEventId),
        ];
        assert_eq!(outcome.events, expect);
        let found = store.find_events(agent.stream, &[Uuid::new_v4(), event.event_id]).await;
        let found = found.unwrap();
        assert_eq!((found.len(), &found[0].event), (1, &event));
        assert_eq!(store.find_events(agent.stream, &[]).await.unwrap().len(), 0);
        let elsewhere = agent.in_store(Uuid::new_v4()).stream;
        assert_eq!(store.find_events(elsewhere, &[event.event_id]).await.unwrap().len(), 0);
    }

    pub(super) async fn time_never_goes_back(store: &dyn Store) {
        let (agent, other) = (Agent::new(), Agent::new());
        for (now, expect) in [(100, 100), (50, 100), (101, 101)] {
            let outcome = &commit(store, &[prepared(agent.events(1))], now).await[0];
            let EventOutcome::Accepted(placement) = outcome.events[0] else { panic!() };
            assert_eq!(placement.sequenced_at, at(expect));
        }
        let outcome = &commit(store, &[prepared(other.events(1))], 7).await[0];
        assert_eq!(outcome.events, [accepted(1, 7)], "another stream has a time of its own");
    }

    pub(super) async fn a_key_must_be_good_at_the_moment_of_the_number(store: &dyn Store) {
        let agent = Agent::new();
        let until = KeyWindow { valid_to: Some(at(100)), ..ALWAYS };
        let mut key = identities::agent_key(&agent, agent.key_id);
        key.window = until;
        store.insert_agent_key(&key).await.unwrap();
        let batch = || prepared(agent.events(1));
        let expired = EventOutcome::Refused(Refusal::AgentKeyInvalid("expired"));
        let replayed = [batch()];
        for (batch, now, expect) in [
            (replayed.clone(), 100, accepted(1, 100)),
            ([batch()], 101, expired.clone()),
            ([batch()], 50, accepted(2, 100)),
            (replayed, 101, EventOutcome::Replayed(placement(1, 100))),
        ] {
            assert_eq!(commit(store, &batch, now).await[0].events, [expect], "at {now}");
        }
    }

    pub(super) async fn a_key_that_ended_gets_no_number(store: &dyn Store) {
        let agent = Agent::new();
        let (tenant, next) = (agent.stream.tenant_id, agent.with_key(2));
        let refused = |why| EventOutcome::Refused(Refusal::AgentKeyInvalid(why));
        let unknown = [prepared(next.events(1))];
        let nobody = store.commit_events(&unknown, at(1), 1).await.unwrap();
        assert_eq!(nobody[0].events, [refused("not_found")]);
        commit(store, &[prepared(agent.events(1))], 100).await;
        // The clock went back meanwhile: the key ends after what it has signed nevertheless.
        let key = identities::agent_key(&agent, 2);
        store.rotate_agent_key(&key, at(50)).await.unwrap();
        assert_eq!(identities::window(store, &agent, 1).await.valid_to, Some(at(100)));
        let late = commit(store, &[prepared(agent.events(1))], 101).await;
        assert_eq!(late[0].events, [refused("expired")]);
        commit(store, &[prepared(next.events(1))], 102).await;
        let revoked = store.revoke_agent_key(tenant, agent.id, 2, at(60)).await.unwrap().unwrap();
        assert_eq!(revoked.window.revoked_at, Some(at(103)));
        let late = commit(store, &[prepared(next.events(1))], 103).await;
        assert_eq!(late[0].events, [refused("revoked")]);
    }

    pub(super) async fn pages_end_at_the_head(store: &dyn Store) {
        let agent = Agent::new();
        let events: Vec<Event> = (0..10)
            .map(|n| agent.event_with(|draft| draft.entity_id = format!("e{}", n % 2)))
            .collect();
        commit(store, &[prepared(events)], 1).await;
        for (from, limit, expect) in [(0, 3, 3), (8, 3, 3), (9, 3, 2), (11, 3, 0), (u64::MAX, 9, 0)]
        {
            let (page, head) = store.events(agent.stream, from, limit, BYTES).await.unwrap();
            assert_eq!((page.len(), head), (expect, 10), "from {from} limit {limit}");
        }
        let entity =
            |from, limit| store.entity_events(agent.stream, ("shelf", "e1"), from, limit, BYTES);
        let (page, version) = entity(5, 2).await.unwrap();
        let numbers: Vec<u64> = page.iter().map(|event| event.placement.sequence_number).collect();
        assert_eq!((numbers, version), (vec![6, 8], 5));
        let nobody = store.entity_events(agent.stream, ("shelf", "none"), 1, 9, BYTES).await;
        let nobody = nobody.unwrap();
        assert_eq!((nobody.0.len(), nobody.1), (0, 0));
    }

    pub(super) async fn streams_are_walked_in_order(store: &dyn Store) {
        let mut expect: Vec<Stream> = Vec::new();
        for _ in 0..7 {
            let agent = Agent::new();
            commit(store, &[prepared(agent.events(2))], 1).await;
            expect.push(agent.stream);
        }
        expect.sort_unstable();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = store.streams(after, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.stream);
            assert!(page.iter().all(|s| (s.head_sequence, s.committed_sequence) == (2, 0)));
            seen.extend(page.iter().map(|state| state.stream));
        }
        assert_eq!(seen, expect);
        let unknown = Agent::new().stream;
        let asked = [&expect[3..], &[unknown], &expect[..2]].concat();
        assert_eq!(store.heads(&asked).await.unwrap(), [2, 2, 2, 2, 0, 2, 2]);
        assert!(store.heads(&[]).await.unwrap().is_empty());
    }

    pub(super) async fn concurrent_commits_are_one_after_the_other(store: &dyn Store) {
        let agent = Agent::new();
        store.insert_agent_key(&identities::agent_key(&agent, 1)).await.unwrap();
        let batch = || [prepared(agent.events(3))];
        let batches: Vec<_> = (0..20).map(|_| batch()).collect();
        let commits = batches.iter().map(|batch| store.commit_events(batch, at(1), 1));
        let outcomes = futures_util::future::join_all(commits).await;
        let mut numbers = Vec::new();
        for outcome in outcomes {
            for event in &outcome.unwrap()[0].events {
                let EventOutcome::Accepted(placement) = event else { panic!("{event:?}") };
                numbers.push(placement.sequence_number);
            }
        }
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(1..=60));
    }

    pub(super) async fn a_closed_store_says_so(store: &dyn Store) {
        let agent = Agent::new();
        commit(store, &[prepared(agent.events(1))], 1).await;
        store.close().await;
        let again = store.commit_events(&[prepared(agent.events(1))], at(2), 1).await;
        assert!(matches!(again, Err(StoreError::Failed(_))));
        assert!(matches!(store.head(agent.stream).await, Err(StoreError::Failed(_))));
        assert!(matches!(store.ping().await, Err(StoreError::Failed(_))));
    }
}
