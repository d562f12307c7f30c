//! Work that one process does at a time, and several processes on one store.

use super::*;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(60);
/// Over at once.
const SHORT: Duration = Duration::from_millis(1);

/// What every store promises to the one process that is there.
pub(super) async fn a_lease_is_its_holders(store: &dyn Store) {
    let (agent, owner) = (Agent::new(), Uuid::new_v4());
    commit(store, &[prepared(agent.events(2))], 1).await;
    let fence = store.hold_lease("work", owner, LONG).await.unwrap().unwrap();
    assert_eq!(store.hold_lease("work", owner, LONG).await.unwrap(), Some(fence), "extended");
    let (first, tiles) = sealing::batch(store, agent.stream, 1, 1, Hash32::ZERO).await;
    assert!(matches!(store.seal(&first, &tiles, Some(fence)).await.unwrap(), Sealed::Stored));
    store.end_lease("work", owner).await.unwrap();
    assert!(store.hold_lease("work", owner, LONG).await.unwrap().is_some());
    store.end_lease("work", owner).await.unwrap();
    store.end_lease("nobody's", owner).await.unwrap();
}

/// A file has one process by its lock; on a server the lease says who it is.
#[tokio::test]
async fn a_lease_has_one_holder() {
    let (one, two) = both().await;
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    let first = one.hold_lease("work", a, LONG).await.unwrap().unwrap();
    assert_eq!(two.hold_lease("work", b, LONG).await.unwrap(), None);
    assert!(two.hold_lease("other work", b, LONG).await.unwrap().is_some());
    two.end_lease("work", b).await.unwrap();
    assert_eq!(two.hold_lease("work", b, LONG).await.unwrap(), None, "it was not theirs to end");
    one.end_lease("work", a).await.unwrap();
    let second = two.hold_lease("work", b, SHORT).await.unwrap().unwrap();
    assert!(second.epoch > first.epoch);
    // The term is over without a word of its holder.
    tokio::time::sleep(SHORT * 5).await;
    let third = one.hold_lease("work", a, LONG).await.unwrap().unwrap();
    assert!(third.epoch > second.epoch);
    assert_eq!(two.hold_lease("work", b, LONG).await.unwrap(), None);
}

/// As when the database's clock was set back a day after its holder died.
#[tokio::test]
async fn a_lease_from_the_future_is_taken() {
    let (one, two) = both().await;
    let day = Duration::from_secs(86_400);
    let first = one.hold_lease("work", Uuid::new_v4(), day).await.unwrap().unwrap();
    let second = two.hold_lease("work", Uuid::new_v4(), LONG).await.unwrap().unwrap();
    assert!(second.epoch > first.epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_want_a_lease_one_has_it() {
    let (one, two) = both().await;
    for _ in 0..20 {
        let name: &'static str = Box::leak(Uuid::new_v4().to_string().into_boxed_str());
        let takers = (0..8).map(|place| {
            let store = if place % 2 == 0 { &one } else { &two };
            store.hold_lease(name, Uuid::new_v4(), LONG)
        });
        let held = futures_util::future::join_all(takers).await;
        assert_eq!(held.into_iter().filter_map(Result::unwrap).count(), 1);
    }
}

#[tokio::test]
async fn a_late_seal_of_a_former_holder_is_refused() {
    let (one, two) = both().await;
    let agent = Agent::new();
    commit(&*one, &[prepared(agent.events(3))], 1).await;
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    let old = one.hold_lease("work", a, SHORT).await.unwrap();
    let (late, late_tiles) = sealing::batch(&*one, agent.stream, 1, 3, Hash32::ZERO).await;
    tokio::time::sleep(SHORT * 5).await;
    let new = two.hold_lease("work", b, LONG).await.unwrap();
    assert!(matches!(one.seal(&late, &late_tiles, old).await.unwrap(), Sealed::ChainMoved));
    assert_eq!(one.head(agent.stream).await.unwrap().committed_sequence, 0, "nothing is left");
    assert_eq!(one.commitment(late.batch_id).await.unwrap(), None);
    let (sealed, tiles) = sealing::batch(&*two, agent.stream, 1, 3, Hash32::ZERO).await;
    assert!(matches!(two.seal(&sealed, &tiles, new).await.unwrap(), Sealed::Stored));
    assert_eq!(one.last_commitment(agent.stream).await.unwrap(), Some(sealed));
}

/// Two processes on one database.
async fn both() -> (Arc<dyn Store>, Arc<dyn Store>) {
    let url = Postgres::shared().database().await;
    (open_postgres(&url).await, open_postgres(&url).await)
}

/// One process's clock is far ahead of the other's.
#[tokio::test]
async fn time_never_goes_back_between_clocks_that_differ() {
    let (ahead, behind) = both().await;
    let agent = Agent::new();
    let commits =
        [(&ahead, 1000, 1000), (&behind, 5, 1000), (&ahead, 1001, 1001), (&behind, 6, 1001)];
    for (number, (store, now, expect)) in (1..).zip(commits) {
        let outcome = &commit(store.as_ref(), &[prepared(agent.events(1))], now).await[0];
        assert_eq!(outcome.events, [accepted(number, expect)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_late_clock_ends_is_good_for_all_it_has_signed() {
    let (ahead, behind) = both().await;
    for round in 0..20 {
        let agent = Agent::new();
        let (tenant, next) = (agent.stream.tenant_id, agent.with_key(2));
        commit(&*ahead, &[prepared(agent.events(1))], 5000).await;
        ahead.insert_agent_key(&identities::agent_key(&next, 2)).await.unwrap();
        // What is committed meanwhile is before the end or refused.
        let batches: Vec<_> =
            (0..6).map(|_| [prepared(agent.events(1)), prepared(next.events(1))]).collect();
        let commits = batches.iter().zip(5001..).map(|(batch, now)| {
            let store = if now % 3 == 0 { &behind } else { &ahead };
            store.commit_events(batch, at(now), 1)
        });
        let revoke = behind.revoke_agent_key(tenant, agent.id, 2, at(round));
        let third = identities::agent_key(&agent, 3);
        let rotate = behind.rotate_agent_key(&third, at(round));
        let (outcomes, revoked, _) =
            tokio::join!(futures_util::future::join_all(commits), revoke, rotate);
        let revoked = revoked.unwrap().unwrap().window;
        let rotated = identities::window(&*ahead, &agent, 1).await;
        outcomes.into_iter().for_each(|outcome| drop(outcome.unwrap()));
        audit(&*ahead, &agent, [(1, rotated), (2, revoked)]).await;
        // Ended is ended, whatever the clock of the process that is asked.
        for (store, key, reason) in
            [(&ahead, &agent, "expired"), (&behind, &next, "revoked"), (&ahead, &next, "revoked")]
        {
            let late = store.commit_events(&[prepared(key.events(1))], at(9000), 1).await.unwrap();
            let refused = EventOutcome::Refused(Refusal::AgentKeyInvalid(reason));
            assert_eq!(late[0].events, [refused]);
        }
    }
}

/// What a process remembers of entities is not older than the head that it remembers.
#[tokio::test]
async fn versions_count_what_others_wrote_before_a_refusal() {
    let (one, two) = both().await;
    let agent = Agent::new();
    let on = |entity: &str, base| {
        agent.event_with(|draft| (draft.entity_id, draft.base_version) = (entity.to_owned(), base))
    };
    commit(&*one, &[prepared(vec![on("x", None)])], 1).await;
    commit(&*two, &[prepared(vec![on("x", None)])], 2).await;
    // A refusal is decided on what the store has, and the head comes with it.
    let outcome = &commit(&*one, &[prepared(vec![on("z", Some(7)), on("y", None)])], 3).await[0];
    let conflict = Refusal::VersionConflict { expected: 7, actual: 0 };
    assert_eq!(outcome.events, [EventOutcome::Refused(conflict), accepted(3, 3)]);
    let outcome = &commit(&*one, &[prepared(vec![on("x", None)])], 4).await[0];
    assert_eq!(outcome.events, [accepted(4, 4)]);
    let (events, version) =
        one.entity_events(agent.stream, ("shelf", "x"), 1, 9, BYTES).await.unwrap();
    assert_eq!((events.len(), version), (3, 3));
}

/// Every event of the stream was signed with a key that was good when it got its number.
async fn audit(store: &dyn Store, agent: &Agent, windows: [(u32, KeyWindow); 2]) {
    let (events, head) = store.events(agent.stream, 1, 100, BYTES).await.unwrap();
    assert_eq!(events.len() as u64, head);
    for stored in events {
        let key = stored.event.agent_key_id;
        let (_, window) = windows.iter().find(|(id, _)| *id == key).unwrap();
        let status = window.audit_status(stored.placement.sequenced_at);
        assert_eq!(status, ves::KeyStatus::Active, "{:?} {window:?}", stored.placement);
    }
}
