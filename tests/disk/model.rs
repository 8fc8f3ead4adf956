//! What may be on a disk after its power was cut: made from the trace that the shim has written.
//!
//! Of each file, what was written before its last sync is there. Each later write and truncation
//! was done, or not; of a write some 512-byte sectors may be there and others not. That a file was
//! made or removed is certain only once its folder was synced; until then the last of those changes
//! may be missing. What a sync was to make durable that failed is done or not, once and for all: no
//! later sync brings it back, because Linux may have called its pages clean (which is more than a
//! journalling file system does to anybody; a store that stands this stands those).

use std::collections::BTreeMap;
use std::path::Path;

use casewright::rng::Rng;

use crate::check::Ack;
use crate::shim::DATABASE;

/// What stands behind the database's name.
type Suffix = String;

/// Writes are whole in pieces of this size.
const SECTOR: usize = 512;

/// The file of acknowledgements, which is none of the disk's.
const ACKS: &str = ".acks";

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Create,
    Write { offset: usize, data: Vec<u8> },
    Truncate(usize),
    Sync,
    SyncFailed,
    Unlink,
    FolderSync,
}

/// One operation, in the order in which they were done.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) suffix: Suffix,
    pub(crate) op: Op,
}

impl Event {
    pub(crate) fn is_ack(&self) -> bool {
        self.suffix == ACKS && matches!(self.op, Op::Write { .. })
    }
}

/// Reads the shim's trace: see `struct record` there.
pub(crate) fn read(trace: &[u8]) -> Vec<Event> {
    let mut rest = trace;
    let mut take = |length: usize| -> Option<&[u8]> {
        let (taken, left) = rest.split_at_checked(length)?;
        rest = left;
        Some(taken)
    };
    let mut events = Vec::new();
    while let Some(head) = take(16) {
        let length = u32::from_ne_bytes(head[4..8].try_into().expect("4 bytes")) as usize;
        let offset = u64::from_ne_bytes(head[8..16].try_into().expect("8 bytes")) as usize;
        let suffix = take(head[1].into()).expect("a suffix").to_vec();
        let data = take(length).expect("data").to_vec();
        let op = match head[0] {
            b'C' => Op::Create,
            b'W' => Op::Write { offset, data },
            b'T' => Op::Truncate(offset),
            b'S' => Op::Sync,
            b'F' => Op::SyncFailed,
            b'U' => Op::Unlink,
            b'D' => Op::FolderSync,
            other => panic!("{other} in a trace"),
        };
        events.push(Event { suffix: String::from_utf8(suffix).expect("a name"), op });
    }
    events
}

/// What was acknowledged in these events.
pub(crate) fn acks(events: &[Event]) -> Vec<Ack> {
    let lines = events.iter().filter(|event| event.is_ack()).filter_map(|event| match &event.op {
        Op::Write { data, .. } => std::str::from_utf8(data).ok(),
        _ => None,
    });
    lines.map(|line| Ack::from_line(line.trim_end())).collect()
}

/// A file, apart from its name.
#[derive(Debug, Default)]
struct Inode {
    durable: Vec<u8>,
    pending: Vec<Op>,
}

impl Inode {
    /// Everything that was done to it is on the disk.
    fn sync(&mut self) {
        for op in std::mem::take(&mut self.pending) {
            self.apply(&op, |_| true);
        }
    }

    /// Chance decides what of it is on the disk.
    fn settle(&mut self, rng: &Rng) {
        for op in std::mem::take(&mut self.pending) {
            match rng.unit() {
                luck if luck < 0.4 => self.apply(&op, |_| true),
                luck if luck < 0.7 => {}
                _ => self.apply(&op, |_| rng.unit() < 0.5),
            }
        }
    }

    fn apply(&mut self, op: &Op, mut has_sector: impl FnMut(usize) -> bool) {
        match op {
            Op::Write { offset, data } => {
                // Sectors of the file, not of the write.
                let (mut at, end) = (*offset, offset + data.len());
                while at < end {
                    let next = (at / SECTOR + 1) * SECTOR;
                    let piece = &data[at - offset..next.min(end) - offset];
                    if has_sector(at) {
                        let size = self.durable.len().max(at + piece.len());
                        self.durable.resize(size, 0);
                        self.durable[at..at + piece.len()].copy_from_slice(piece);
                    }
                    at = next;
                }
            }
            Op::Truncate(size) if has_sector(0) => self.durable.resize(*size, 0),
            _ => {}
        }
    }
}

/// Does the events, cuts the power, and puts what is left into `folder`.
pub(crate) fn cut(events: &[Event], rng: &Rng, folder: &Path) {
    let mut inodes: Vec<Inode> = Vec::new();
    // What a running process sees under a name, and what the disk has.
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut durable: BTreeMap<&str, usize> = BTreeMap::new();
    let mut pending: Vec<(&str, Option<usize>)> = Vec::new();
    for event in events {
        let name = event.suffix.as_str();
        // Locks hold no data, and the log's index is made anew from the log.
        if [ACKS, ".lock", "-shm"].contains(&name) {
            continue;
        }
        match &event.op {
            Op::FolderSync => rename(&mut durable, &mut pending, usize::MAX),
            Op::Create => {
                inodes.push(Inode::default());
                seen.insert(name, inodes.len() - 1);
                pending.push((name, Some(inodes.len() - 1)));
            }
            Op::Unlink => {
                seen.remove(name);
                pending.push((name, None));
            }
            op => {
                let inode = seen.get(name).and_then(|inode| inodes.get_mut(*inode));
                let inode = inode.unwrap_or_else(|| panic!("{name:?} was never made"));
                match op {
                    Op::Sync => inode.sync(),
                    Op::SyncFailed => inode.settle(rng),
                    op => inode.pending.push(op.clone()),
                }
            }
        }
    }
    let kept = (rng.unit() * (pending.len() + 1) as f64) as usize;
    rename(&mut durable, &mut pending, kept);
    for (name, inode) in durable {
        let inode = &mut inodes[inode];
        inode.settle(rng);
        std::fs::write(folder.join(format!("{DATABASE}{name}")), &inode.durable).expect("written");
    }
    if rng.unit() < 0.5 {
        // Whatever of the index has reached the disk must not be believed.
        let garbage: Vec<u8> = (0..2048).flat_map(|_| rng.bytes()).collect();
        std::fs::write(folder.join(format!("{DATABASE}-shm")), garbage).expect("written");
    }
}

/// Does the first so many of the pending changes of names.
fn rename<'a>(
    durable: &mut BTreeMap<&'a str, usize>,
    pending: &mut Vec<(&'a str, Option<usize>)>,
    count: usize,
) {
    let count = count.min(pending.len());
    for (name, inode) in pending.drain(..count) {
        match inode {
            Some(inode) => durable.insert(name, inode),
            None => durable.remove(name),
        };
    }
}
