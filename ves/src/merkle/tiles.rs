//! A tree kept as tiles of 256 nodes (VES 15.3), so that a proof reads one tile for every eight
//! levels and hashes a few hundred nodes, never the whole range.
//!
//! Tile (band b, index i) holds the nodes of level 8·b from 256·i on. Padding nodes at the end of
//! a level are left out: they follow from the level.

use super::{InclusionProof, PAD, next_level, node_hash, tree_depth};
use crate::bytes::Hash32;

/// Levels that one tile spans.
pub const TILE_HEIGHT: u32 = 8;

/// Nodes of one level in a full tile: 2^[`TILE_HEIGHT`].
const TILE_NODES: usize = 256;

/// A row of neighbouring nodes of one level (VES 15.3).
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Tile {
    /// The nodes stand at level `band * TILE_HEIGHT`; leaves are level 0.
    pub band: u32,
    /// The first node stands at `index * 256` of its level.
    pub index: u64,
    /// 1 to 256 nodes, without trailing padding nodes.
    pub hashes: Vec<Hash32>,
}

/// The root and all tiles of a tree, band by band. No leaves give the zero hash and no tiles.
pub fn tiles(leaves: &[Hash32]) -> (Hash32, Vec<Tile>) {
    let mut tiles = Vec::new();
    let mut level = leaves.to_vec();
    let mut pad = PAD;
    for band in 0.. {
        let rows = (0..).zip(level.chunks(TILE_NODES));
        tiles.extend(rows.map(|(index, row)| Tile { band, index, hashes: row.to_vec() }));
        for _ in 0..TILE_HEIGHT {
            if level.len() > 1 {
                level = next_level(&level, &pad);
                pad = node_hash(&pad, &pad);
            }
        }
        if level.len() <= 1 {
            break;
        }
    }
    (level.first().copied().unwrap_or(Hash32::ZERO), tiles)
}

/// Which tiles (band, index) the proof of a leaf needs, lowest band first: at most eight.
///
/// Empty when the index is not below the count.
pub fn proof_tiles(leaf_index: u64, leaf_count: u64) -> Vec<(u32, u64)> {
    if leaf_index >= leaf_count {
        return Vec::new();
    }
    let bands = tree_depth(leaf_count).div_ceil(TILE_HEIGHT).max(1);
    (0..bands).map(|band| (band, shifted(leaf_index, (band + 1) * TILE_HEIGHT))).collect()
}

/// Builds a proof from the tiles named by [`proof_tiles`], in any order (VES 16.1).
///
/// `None` when the index is not below the count, a tile is missing or has the wrong length, or
/// two tiles contradict each other: the store is damaged then.
pub fn proof_from_tiles(
    leaf_index: u64,
    leaf_count: u64,
    tiles: &[Tile],
) -> Option<InclusionProof> {
    let depth = tree_depth(leaf_count);
    let mut climb = Climb { pad: PAD, value: None, path: Vec::new() };
    for (band, index) in proof_tiles(leaf_index, leaf_count) {
        let tile = tiles.iter().find(|tile| (tile.band, tile.index) == (band, index))?;
        let level = band * TILE_HEIGHT;
        let nodes_in_level = shifted(leaf_count - 1, level) + 1;
        let first = index.checked_mul(TILE_NODES as u64)?;
        let expected = (nodes_in_level - first).min(TILE_NODES as u64);
        if usize::try_from(expected) != Ok(tile.hashes.len()) {
            return None;
        }
        let position = usize::try_from(shifted(leaf_index, level) - first).ok()?;
        climb.through(&tile.hashes, position, TILE_HEIGHT.min(depth - level))?;
    }
    let leaf_tile = tiles.iter().find(|tile| (tile.band, tile.index) == (0, leaf_index >> 8))?;
    let leaf_hash = *leaf_tile.hashes.get(usize::try_from(leaf_index % 256).ok()?)?;
    let directions = (0..climb.path.len()).map(|level| leaf_index >> level & 1 == 0).collect();
    let merkle_root = climb.value?;
    Some(InclusionProof { leaf_hash, leaf_index, proof_path: climb.path, directions, merkle_root })
}

/// The way from a leaf towards the root.
struct Climb {
    /// The padding node of the level reached.
    pad: Hash32,
    /// The node reached, none before the first tile.
    value: Option<Hash32>,
    path: Vec<Hash32>,
}

impl Climb {
    /// Goes up `levels` levels inside one tile, from the node at `position`.
    fn through(&mut self, nodes: &[Hash32], mut position: usize, levels: u32) -> Option<()> {
        let start = *nodes.get(position)?;
        if self.value.is_some_and(|below| below != start) {
            return None;
        }
        let mut nodes = nodes.to_vec();
        for _ in 0..levels {
            self.path.push(nodes.get(position ^ 1).copied().unwrap_or(self.pad));
            nodes = next_level(&nodes, &self.pad);
            self.pad = node_hash(&self.pad, &self.pad);
            position /= 2;
        }
        self.value = nodes.get(position).copied();
        Some(())
    }
}

/// A shift by the width of the number or more gives 0 instead of overflowing.
fn shifted(value: u64, bits: u32) -> u64 {
    value.checked_shr(bits).unwrap_or(0)
}
