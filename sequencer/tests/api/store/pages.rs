//! Pages that end before their limit.

use sequencer::store::{Store, StoredEvent};
use ves::Event;

use super::{commit, prepared};
use crate::agent::Agent;

pub(super) async fn pages_end_with_the_event_that_fills_them(store: &dyn Store) {
    let agent = Agent::new();
    let events: Vec<Event> = (0..10)
        .map(|n| {
            agent.event_with(|draft| {
                draft.entity_id = format!("e{}", n % 2);
                // With quotes and braces 100 bytes; characters are not what is counted.
                draft.payload = serde_json::json!({ "a": "ü".repeat(46) });
            })
        })
        .collect();
    assert_eq!(events[0].payload.as_str().len(), 100);
    commit(store, &[prepared(events)], 1).await;
    let numbers = |page: &[StoredEvent]| -> Vec<u64> {
        page.iter().map(|event| event.placement.sequence_number).collect()
    };
    for (from, limit, max_bytes, expect) in [
        (1, 1000, 0, vec![1]),
        (1, 1000, 100, vec![1]),
        (3, 1000, 101, vec![3, 4]),
        (3, 2, 1000, vec![3, 4]),
        (8, 1000, 300, vec![8, 9, 10]),
        (8, 1000, 301, vec![8, 9, 10]),
    ] {
        let read = store.events(agent.stream, from, limit, max_bytes).await.unwrap();
        assert_eq!((numbers(&read.0), read.1), (expect, 10), "{from} {limit} {max_bytes}");
    }
    for (from, limit, max_bytes, expect) in [
        (1, 1000, 0, vec![2]),
        (3, 1000, 101, vec![4, 6]),
        (3, 1, 1000, vec![4]),
        (3, 1000, 1000, vec![4, 6, 8, 10]),
    ] {
        let entity = ("shelf", "e1");
        let read = store.entity_events(agent.stream, entity, from, limit, max_bytes).await;
        let read = read.unwrap();
        assert_eq!((numbers(&read.0), read.1), (expect, 5), "{from} {limit} {max_bytes}");
    }
}
