//! Trees, tiles and proofs tell one story, and an altered proof tells none.

use proptest::prelude::*;
use ves::Hash32;
use ves::merkle::{
    PAD, RootBuilder, node_hash, proof_from_tiles, proof_tiles, root, tiles, tree_depth,
    verify_inclusion,
};

use crate::sample::cases;

fn leaves(count: u64) -> Vec<Hash32> {
    let leaf = |number: u64| {
        let mut bytes = [0xa5; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Hash32(bytes)
    };
    (0..count).map(leaf).collect()
}

/// The rule of VES 15.3 word for word: pad, then combine halves.
fn naive_root(leaves: &[Hash32]) -> Hash32 {
    let mut padded = leaves.to_vec();
    padded.resize(leaves.len().next_power_of_two(), PAD);
    fn combine(nodes: &[Hash32]) -> Hash32 {
        match nodes {
            [node] => *node,
            _ => {
                let (left, right) = nodes.split_at(nodes.len() / 2);
                node_hash(&combine(left), &combine(right))
            }
        }
    }
    combine(&padded)
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn all_ways_give_one_root(count in 1..3000_u64) {
        let leaves = leaves(count);
        let (tile_root, tiles) = tiles(&leaves);
        prop_assert_eq!(root(&leaves), Some(tile_root));
        prop_assert_eq!(naive_root(&leaves), tile_root);
        let mut builder = RootBuilder::default();
        leaves.iter().for_each(|leaf| builder.push(*leaf));
        prop_assert_eq!((builder.count(), builder.finish()), (count, Some(tile_root)));
        prop_assert!(tiles.iter().all(|tile| (1..=256).contains(&tile.hashes.len())));
    }

    #[test]
    fn a_proof_from_its_tiles_verifies(count in 1..3000_u64, pick: prop::sample::Index) {
        let index = pick.index(usize::try_from(count).unwrap()) as u64;
        let leaves = leaves(count);
        let (root, all) = tiles(&leaves);
        let wanted = proof_tiles(index, count);
        let some: Vec<_> = all
            .into_iter()
            .filter(|tile| wanted.contains(&(tile.band, tile.index)))
            .collect();
        prop_assert_eq!(some.len(), wanted.len());
        let proof = proof_from_tiles(index, count, &some).unwrap();
        prop_assert_eq!(proof.merkle_root, root);
        prop_assert_eq!(proof.leaf_hash, leaves[usize::try_from(index).unwrap()]);
        prop_assert_eq!(proof.proof_path.len(), tree_depth(count) as usize);
        prop_assert_eq!(proof.directions.len(), proof.proof_path.len());
        let (leaf, path) = (&proof.leaf_hash, &proof.proof_path);
        prop_assert!(verify_inclusion(leaf, &root, path, index, Some(count)));
        prop_assert!(verify_inclusion(leaf, &root, path, index, None));
    }

    #[test]
    fn an_altered_proof_fails(
        count in 1..3000_u64, pick: prop::sample::Index, bit in 0..256_usize,
        place: prop::sample::Index, other_index: u64,
    ) {
        let index = pick.index(usize::try_from(count).unwrap()) as u64;
        let (root, tiles) = tiles(&leaves(count));
        let proof = proof_from_tiles(index, count, &tiles).unwrap();
        let (leaf, path) = (proof.leaf_hash, proof.proof_path);
        let flip = |hash: &Hash32| {
            let mut hash = *hash;
            hash.0[bit / 8] ^= 1 << (bit % 8);
            hash
        };
        for leaf_count in [None, Some(count)] {
            let holds = |leaf: &Hash32, root: &Hash32, path: &[Hash32], index: u64| {
                verify_inclusion(leaf, root, path, index, leaf_count)
            };
            prop_assert!(holds(&leaf, &root, &path, index));
            prop_assert!(!holds(&flip(&leaf), &root, &path, index));
            prop_assert!(!holds(&leaf, &flip(&root), &path, index));
            if !path.is_empty() {
                let mut altered = path.clone();
                let at = place.index(path.len());
                altered[at] = flip(&altered[at]);
                prop_assert!(!holds(&leaf, &root, &altered, index));
                prop_assert!(!holds(&leaf, &root, &path[1..], index));
                prop_assert!(!holds(&leaf, &root, &path[..path.len() - 1], index));
            }
            let longer = [path.as_slice(), &[PAD]].concat();
            prop_assert!(!holds(&leaf, &root, &longer, index));
            let near = [index ^ 1, index + 1, index + (1 << path.len()), other_index];
            for wrong in near.into_iter().filter(|wrong| *wrong != index) {
                prop_assert!(!holds(&leaf, &root, &path, wrong), "index {}", wrong);
            }
        }
        let other_depth = [count * 2 + 1, count / 2];
        for wrong in other_depth.into_iter().filter(|n| tree_depth(*n) != tree_depth(count)) {
            prop_assert!(!verify_inclusion(&leaf, &root, &path, index, Some(wrong)));
        }
    }

    #[test]
    fn a_damaged_tile_gives_no_false_proof(
        count in 257..3000_u64, pick: prop::sample::Index, tile: prop::sample::Index,
        node: prop::sample::Index, bit in 0..256_usize, shorten: bool,
    ) {
        let index = pick.index(usize::try_from(count).unwrap()) as u64;
        let (root, mut tiles) = tiles(&leaves(count));
        let tile = tile.index(tiles.len());
        let nodes = &mut tiles[tile].hashes;
        if shorten {
            nodes.pop();
        } else {
            let node = node.index(nodes.len());
            nodes[node].0[bit / 8] ^= 1 << (bit % 8);
        }
        if let Some(proof) = proof_from_tiles(index, count, &tiles)
            && proof.merkle_root == root
        {
            // The damage lies outside the tiles of this proof.
            let damaged = (tiles[tile].band, tiles[tile].index);
            prop_assert!(!proof_tiles(index, count).contains(&damaged));
        }
    }
}

#[test]
fn the_empty_tree_proves_nothing() {
    assert_eq!(root(&[]), None);
    assert_eq!(tiles(&[]), (Hash32::ZERO, Vec::new()));
    assert_eq!(proof_tiles(0, 0), Vec::new());
    assert_eq!(proof_from_tiles(0, 0, &[]), None);
    assert!(!verify_inclusion(&PAD, &PAD, &[], 0, Some(0)));
}

#[test]
fn the_largest_counts_do_not_overflow() {
    assert_eq!(tree_depth(u64::MAX), 64);
    assert_eq!(proof_tiles(u64::MAX - 1, u64::MAX).len(), 8);
    assert_eq!(proof_from_tiles(u64::MAX - 1, u64::MAX, &[]), None);
    let path = vec![PAD; 65];
    assert!(!verify_inclusion(&PAD, &PAD, &path, 0, None));
    assert!(!verify_inclusion(&PAD, &PAD, &path[..64], u64::MAX, None));
}
