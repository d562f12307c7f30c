//! Commitments, trees and the backlog of a store.

use super::*;

/// A commitment over these numbers of a stream, and its tree.
pub(super) async fn batch(
    store: &dyn Store,
    stream: Stream,
    start: u64,
    end: u64,
    previous: Hash32,
) -> (Commitment, Vec<merkle::Tile>) {
    let sources = store.leaf_sources(stream, start, end).await.unwrap();
    let leaves: Vec<Hash32> = (start..)
        .zip(&sources)
        .map(|(n, leaf)| merkle::leaf_hash(&stream, n, &leaf.signing_hash, &leaf.agent_signature))
        .collect();
    let (root, tiles) = tiles(&leaves);
    let (id, count) = (Uuid::new_v4(), u32::try_from(leaves.len()).unwrap());
    (Commitment::seal(&stream, id, start, root, count, previous, at(9)), tiles)
}

pub(super) async fn a_chain_grows_at_its_end_only(store: &dyn Store) {
    let agent = Agent::new();
    let stream = agent.stream;
    commit(store, &[prepared(agent.events(6))], 1).await;
    let (first, tiles) = batch(store, stream, 1, 3, Hash32::ZERO).await;
    assert!(matches!(store.seal(&first, &tiles, None).await.unwrap(), Sealed::Stored));
    assert!(matches!(store.seal(&first, &tiles, None).await.unwrap(), Sealed::ChainMoved));
    let (gap, gap_tiles) = batch(store, stream, 5, 6, first.new_state_root).await;
    assert!(matches!(store.seal(&gap, &gap_tiles, None).await.unwrap(), Sealed::ChainMoved));
    let root = first.new_state_root;
    let mut beyond = Commitment::seal(&stream, Uuid::new_v4(), 4, root, 4, root, at(9));
    assert!(matches!(store.seal(&beyond, &[], None).await.unwrap(), Sealed::ChainMoved));
    beyond.store_id = Uuid::new_v4();
    assert!(matches!(store.seal(&beyond, &[], None).await.unwrap(), Sealed::ChainMoved));
    let (second, tiles) = batch(store, stream, 4, 6, root).await;
    assert!(matches!(store.seal(&second, &tiles, None).await.unwrap(), Sealed::Stored));

    assert_eq!(store.commitment(first.batch_id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.commitment(gap.batch_id).await.unwrap(), None);
    assert_eq!(store.last_commitment(stream).await.unwrap(), Some(second.clone()));
    for (number, expect) in [(1, Some(&first)), (3, Some(&first)), (4, Some(&second)), (7, None)] {
        let found = store.commitment_of(stream, number).await.unwrap();
        assert_eq!(found.as_ref(), expect, "{number}");
    }
    let page = store.commitments(stream, 2, 10).await.unwrap();
    assert_eq!(page, std::slice::from_ref(&second));
    assert_eq!(store.commitments(stream, 0, 1).await.unwrap(), [first]);
    assert_eq!(store.commitments(stream, 1, 0).await.unwrap(), []);
    let head = store.head(stream).await.unwrap();
    assert_eq!((head.head_sequence, head.committed_sequence), (6, 6));
    assert_eq!(head.last_state_root, Some(second.new_state_root));
}

pub(super) async fn trees_are_read_by_tiles(store: &dyn Store) {
    let agent = Agent::new();
    commit(store, &[prepared(agent.events(600))], 1).await;
    let (sealed, tiles) = batch(store, agent.stream, 1, 600, Hash32::ZERO).await;
    store.seal(&sealed, &tiles, None).await.unwrap();
    for index in [0, 1, 255, 256, 511, 599] {
        let wanted = proof_tiles(index, 600);
        let tiles = store.tiles(sealed.batch_id, &wanted).await.unwrap();
        let proof = proof_from_tiles(index, 600, &tiles).unwrap();
        assert_eq!(proof.merkle_root, sealed.merkle_root, "{index}");
    }
    let missing = store.tiles(sealed.batch_id, &[(7, 7)]).await;
    assert!(matches!(missing, Err(StoreError::Corrupt(_))), "{missing:?}");
}

pub(super) async fn the_backlog_is_what_is_in_no_batch(store: &dyn Store) {
    assert_eq!(store.backlog_total().await.unwrap(), (0, None));
    let (old, new) = (Agent::new(), Agent::new());
    commit(store, &[prepared(new.events(2))], 20).await;
    commit(store, &[prepared(old.events(5))], 10).await;
    assert_eq!(store.backlog_total().await.unwrap(), (7, Some(at(10))));
    let backlog = store.backlog(10).await.unwrap();
    let streams: Vec<Stream> = backlog.iter().map(|entry| entry.stream).collect();
    assert_eq!(streams, [old.stream, new.stream], "oldest first");
    assert_eq!((backlog[0].committed_sequence, backlog[0].head_sequence), (0, 5));
    assert_eq!(backlog[0].oldest_at, at(10));
    let (sealed, tiles) = batch(store, old.stream, 1, 5, Hash32::ZERO).await;
    store.seal(&sealed, &tiles, None).await.unwrap();
    assert_eq!(store.backlog(10).await.unwrap().len(), 1);
    assert_eq!(store.backlog_total().await.unwrap(), (2, Some(at(20))));
}
