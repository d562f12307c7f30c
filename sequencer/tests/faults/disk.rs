//! A disk that loses its power: what was synced is there, of the rest anything may be.

use std::collections::BTreeMap;
use std::path::Path;

use crate::agent::Numbers;
use crate::recorder::{Effect, Operation};

/// What a disk writes whole or not at all, bytes.
const SECTOR: usize = 512;

/// One folder. Names and contents are synced apart: a name by a sync of the folder, content by
/// one of its file.
#[derive(Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    /// As the process sees them.
    names: Names,
    /// As they are after a power loss, at least.
    synced_names: Names,
    /// Not synced yet, in order. File systems keep this order, so a part from the start is kept.
    pending_names: Vec<Rename>,
    /// Takes syncs for nothing, as a disk that lies.
    pub(crate) forgets_syncs: bool,
}

type Names = BTreeMap<String, usize>;

/// A name that comes (`to` only), goes (`from` only), or moves.
#[derive(Clone)]
struct Rename {
    from: Option<String>,
    to: Option<(String, usize)>,
}

#[derive(Default)]
struct File {
    synced: Vec<u8>,
    pending: Vec<Change>,
}

enum Change {
    Write { offset: usize, data: Vec<u8> },
    Truncate { size: usize },
}

/// What happens to changes that were not synced.
#[derive(Clone, Copy)]
enum Fate {
    /// The disk kept the order: a part from the start is there, its last write torn.
    InOrder,
    /// Each sector is there with this chance, in percent.
    Scattered(usize),
}

impl Disk {
    /// Does what the process did.
    pub(crate) fn perform(&mut self, operation: &Operation) {
        let path = &operation.path;
        match &operation.effect {
            Effect::Create => {
                self.files.push(File::default());
                self.rename(None, Some((path.clone(), self.files.len() - 1)));
            }
            Effect::Unlink => self.rename(Some(path.clone()), None),
            Effect::Rename { to } => {
                let file = self.names[path];
                self.rename(Some(path.clone()), Some((to.clone(), file)));
            }
            Effect::Link { to } => {
                let file = self.names[path];
                self.rename(None, Some((to.clone(), file)));
            }
            Effect::Sync if self.forgets_syncs => {}
            Effect::Sync if path.is_empty() => {
                self.pending_names.clear();
                self.synced_names.clone_from(&self.names);
            }
            Effect::Sync => {
                let file = self.file(path);
                for change in std::mem::take(&mut file.pending) {
                    change.apply(&mut file.synced);
                }
            }
            Effect::FailedSync if path.is_empty() => {}
            Effect::FailedSync => {
                let pending = &mut self.file(path).pending;
                pending.retain(|change| matches!(change, Change::Truncate { .. }));
            }
            Effect::Write { offset, data } => {
                let change = Change::Write { offset: *offset, data: data.clone() };
                self.file(path).pending.push(change);
            }
            Effect::Truncate { size } => {
                self.file(path).pending.push(Change::Truncate { size: *size });
            }
        }
    }

    /// Writes into an empty folder what may be there after the power is lost now.
    pub(crate) fn lose_power(&self, numbers: &mut Numbers, folder: &Path) {
        let mut names = self.synced_names.clone();
        let kept = numbers.below(self.pending_names.len() + 1);
        for change in &self.pending_names[..kept] {
            change.apply(&mut names);
        }
        let fates = [0, 10, 50, 90, 100].map(Fate::Scattered);
        let fate = *numbers.pick(&[&fates[..], &[Fate::InOrder; 3]].concat());
        for (name, file) in names {
            let content = self.files[file].lose_power(fate, numbers);
            std::fs::write(folder.join(name), content).unwrap();
        }
    }

    fn rename(&mut self, from: Option<String>, to: Option<(String, usize)>) {
        let change = Rename { from, to };
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    fn file(&mut self, path: &str) -> &mut File {
        &mut self.files[self.names[path]]
    }
}

impl Rename {
    fn apply(&self, names: &mut Names) {
        if let Some(from) = &self.from {
            names.remove(from);
        }
        if let Some((to, file)) = &self.to {
            names.insert(to.clone(), *file);
        }
    }
}

impl File {
    fn lose_power(&self, fate: Fate, numbers: &mut Numbers) -> Vec<u8> {
        let mut content = self.synced.clone();
        // The length may be on the disk before the bytes: then there are zeros.
        let long = numbers.below(2) == 0;
        let in_order = numbers.below(self.pending.len() + 1);
        for (place, change) in self.pending.iter().enumerate() {
            match (fate, change) {
                (Fate::InOrder, change) if place < in_order => change.apply(&mut content),
                (Fate::InOrder, Change::Write { offset, data }) if place == in_order => {
                    let kept = numbers.below(data.len().div_ceil(SECTOR) + 1);
                    for (at, sector) in sectors(*offset, data).take(kept) {
                        write(&mut content, at, sector);
                    }
                }
                (Fate::Scattered(percent), Change::Write { offset, data }) => {
                    for (at, sector) in sectors(*offset, data) {
                        if numbers.below(100) < percent {
                            write(&mut content, at, sector);
                        } else if long && content.len() < at + sector.len() {
                            content.resize(at + sector.len(), 0);
                        }
                    }
                }
                (Fate::Scattered(percent), Change::Truncate { .. }) => {
                    if numbers.below(100) < percent {
                        change.apply(&mut content);
                    }
                }
                (Fate::InOrder, _) => {}
            }
        }
        content
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => write(content, *offset, data),
            Self::Truncate { size } => content.resize(*size, 0),
        }
    }
}

fn write(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(data);
}

/// The parts of a write by the disk's own sectors, with their offsets.
fn sectors(offset: usize, data: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = offset;
    std::iter::from_fn(move || {
        let done = at - offset;
        let length = (SECTOR - at % SECTOR).min(data.len() - done);
        let part = (at, &data[done..done + length]);
        at += length;
        (length > 0).then_some(part)
    })
}
