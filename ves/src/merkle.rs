//! Merkle trees over the events of a batch (VES 15) and inclusion proofs (VES 16).

mod tiles;

use sha2::{Digest as _, Sha256};

use crate::bytes::{Hash32, Sig64};
use crate::preimage::{Preimage, label};
use crate::stream::Stream;

pub use tiles::{TILE_HEIGHT, Tile, proof_from_tiles, proof_tiles, tiles};

/// The padding leaf: SHA-256 of `VES_PAD_LEAF_V1` (VES 15.2).
pub const PAD: Hash32 = Hash32([
    0xd9, 0xdd, 0x0e, 0x00, 0x3b, 0xa5, 0x37, 0x0a, 0x69, 0x80, 0x13, 0xc4, 0x8e, 0xd6, 0x9c, 0x6c,
    0x41, 0xd9, 0xeb, 0xc1, 0x23, 0x6d, 0x44, 0xb2, 0x80, 0xc5, 0x2c, 0xea, 0xcf, 0xda, 0xd5, 0x24,
]);

/// Longest proof path a verifier takes (VES 16.1).
pub const MAX_PROOF_PATH: usize = 64;

/// A proof that a leaf stands at an index under a root (VES 16.1).
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct InclusionProof {
    /// What is proved.
    pub leaf_hash: Hash32,
    /// Its place in the batch, from 0.
    pub leaf_index: u64,
    /// Sibling hashes, leaf level first.
    pub proof_path: Vec<Hash32>,
    /// Per level: the running value is the left input. Follows from the index.
    pub directions: Vec<bool>,
    /// The root it leads to.
    pub merkle_root: Hash32,
}

/// A leaf: SHA-256 over 147 bytes (VES 15.1). The one function for the live path, recovery,
/// witness and audit.
pub fn leaf_hash(
    stream: &Stream,
    sequence_number: u64,
    signing_hash: &Hash32,
    signature: &Sig64,
) -> Hash32 {
    Preimage::hashed(label::LEAF)
        .uuid(&stream.tenant_id)
        .uuid(&stream.store_id)
        .u64(sequence_number)
        .raw(&signing_hash.0)
        .raw(&signature.0)
        .finish()
}

/// An inner node: SHA-256 over 75 bytes (VES 15.2).
pub fn node_hash(left: &Hash32, right: &Hash32) -> Hash32 {
    let hasher = Sha256::new().chain_update(label::NODE);
    Hash32(hasher.chain_update(left.0).chain_update(right.0).finalize().into())
}

/// Levels above the leaves: log2 of the padded count, 0 for none or one (VES 15.3).
pub fn tree_depth(leaf_count: u64) -> u32 {
    match leaf_count {
        0 | 1 => 0,
        _ => u64::BITS - (leaf_count - 1).leading_zeros(),
    }
}

/// The root of a tree (VES 15.3); one leaf is its own root. `None` for no leaves, because such a
/// tree can be neither committed nor proved against.
pub fn root(leaves: &[Hash32]) -> Option<Hash32> {
    let mut level = leaves.to_vec();
    let mut pad = PAD;
    while level.len() > 1 {
        level = next_level(&level, &pad);
        pad = node_hash(&pad, &pad);
    }
    level.first().copied()
}

/// Builds the root of leaves that come one by one, in the memory of the tree's depth (VES 15.3).
#[derive(Clone, Debug, Default)]
pub struct RootBuilder {
    /// Leaves so far. Its set bits are the sizes of the complete trees below.
    count: u64,
    /// Roots of complete trees over all leaves, largest first.
    complete: Vec<Hash32>,
}

impl RootBuilder {
    /// Takes the next leaf.
    pub fn push(&mut self, leaf: Hash32) {
        let mut node = leaf;
        for _ in 0..self.count.trailing_ones() {
            if let Some(left) = self.complete.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.complete.push(node);
        self.count += 1;
    }

    /// Leaves taken.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The root over all leaves taken, as [`root`] gives it.
    pub fn finish(mut self) -> Option<Hash32> {
        let mut incomplete: Option<Hash32> = None;
        let mut pad = PAD;
        for level in 0..tree_depth(self.count) {
            let left = if self.count >> level & 1 == 1 { self.complete.pop() } else { None };
            incomplete = match (left, incomplete) {
                (Some(left), right) => Some(node_hash(&left, &right.unwrap_or(pad))),
                (None, left) => left.map(|left| node_hash(&left, &pad)),
            };
            pad = node_hash(&pad, &pad);
        }
        incomplete.or(self.complete.pop())
    }
}

/// Whether a path leads from a leaf at an index to a root (VES 16.2 with its \[H\] rules).
///
/// Always refused: a path longer than [`MAX_PROOF_PATH`] and index bits above the path length.
/// With `leaf_count`, the index must also lie below it and the path be exactly as long as the
/// tree is deep. The caller must have recomputed `leaf` from the event.
pub fn verify_inclusion(
    leaf: &Hash32,
    root: &Hash32,
    path: &[Hash32],
    leaf_index: u64,
    leaf_count: Option<u64>,
) -> bool {
    let Ok(length) = u32::try_from(path.len()) else { return false };
    if path.len() > MAX_PROOF_PATH || leaf_index.checked_shr(length).unwrap_or(0) != 0 {
        return false;
    }
    if leaf_count.is_some_and(|count| leaf_index >= count || length != tree_depth(count)) {
        return false;
    }
    let mut value = *leaf;
    let mut index = leaf_index;
    for sibling in path {
        let is_left = index & 1 == 0;
        value = if is_left { node_hash(&value, sibling) } else { node_hash(sibling, &value) };
        index >>= 1;
    }
    value == *root
}

/// Combines neighbours; a last one without neighbour meets the padding node of its level.
fn next_level(level: &[Hash32], pad: &Hash32) -> Vec<Hash32> {
    let pairs = level.chunks(2).filter_map(|pair| match pair {
        [left, right] => Some(node_hash(left, right)),
        [left] => Some(node_hash(left, pad)),
        _ => None,
    });
    pairs.collect()
}
