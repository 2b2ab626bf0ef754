//! Offsets for blocks of memory with lifetimes: first fit over many orders.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Memory that is needed from one time to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// A multiple of the alignment.
    pub(super) bytes: usize,
    /// First time at which it is needed.
    pub(super) first: usize,
    /// Last time at which it is needed.
    pub(super) last: usize,
    /// A block that ends when this one begins and over which it may lie if it starts at least so many bytes earlier.
    pub(super) follows: Option<(usize, isize)>,
}

/// A finished plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offsets {
    pub(super) bytes: usize,
    pub(super) offsets: Vec<usize>,
}

/// Networks of so many blocks or fewer have every order tried.
const EXHAUSTIVE: usize = 8;
/// Orders tried for larger ones.
const TRIES: usize = 4_000;

/// What must hold between two blocks that live at one time.
#[derive(Debug, Clone, Copy)]
enum Relation {
    Apart,
    /// Apart, or the first starts at least so far before the second.
    Before(isize),
    /// Apart, or the first starts at least so far after the second.
    After(isize),
}

/// The relation of block `a` to block `b`, if they meet.
fn relation(blocks: &[Block], a: usize, b: usize) -> Option<Relation> {
    let (x, y) = (&blocks[a], &blocks[b]);
    if x.first > y.last || y.first > x.last {
        return None;
    }
    Some(match (x.follows, y.follows) {
        (Some((other, lead)), _) if other == b && y.last == x.first => Relation::Before(lead),
        (_, Some((other, lead))) if other == a && x.last == y.first => Relation::After(lead),
        _ => Relation::Apart,
    })
}

/// The most bytes that any plan needs at one time.
pub(super) fn lower_bound(blocks: &[Block]) -> usize {
    let times = blocks.iter().map(|b| b.last + 1).max().unwrap_or(0);
    let at = |time: usize| -> usize {
        let live = |b: &&Block| b.first <= time && time <= b.last;
        let all: usize = blocks.iter().filter(live).map(|b| b.bytes).sum();
        // What a block and the one that it follows can have in common.
        let shared = blocks.iter().filter(live).filter_map(|b| {
            let (other, lead) = b.follows.filter(|&(other, _)| b.first == time && blocks[other].last == time)?;
            let together = (lead.max(0) as usize + blocks[other].bytes).max(b.bytes);
            Some((b.bytes + blocks[other].bytes).saturating_sub(together))
        });
        all - shared.sum::<usize>()
    };
    (0..times).map(at).max().unwrap_or(0)
}

/// The smallest layout that was found.
pub(super) fn best(blocks: &[Block]) -> Offsets {
    let bound = lower_bound(blocks);
    let mut search = Search { blocks, relations: relations(blocks), best: None };
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    type Key = fn(&Block) -> (std::cmp::Reverse<usize>, usize);
    let keys: [Key; 4] = [
        |b| (std::cmp::Reverse(b.bytes), b.first),
        |b| (std::cmp::Reverse((b.last - b.first + 1) * b.bytes), b.first),
        |b| (std::cmp::Reverse(b.last - b.first), b.first),
        |b| (std::cmp::Reverse(0), b.first),
    ];
    for key in keys {
        order.sort_by_key(|&i| key(&blocks[i]));
        search.keep(&order);
        order.reverse();
        search.keep(&order);
    }
    if search.bytes() > bound && blocks.len() <= EXHAUSTIVE {
        order.sort_unstable();
        search.every(&mut order, 0, bound);
    } else {
        search.wander(bound);
    }
    let offsets = search.best.map_or_else(Vec::new, |(_, _, offsets)| offsets);
    let bytes = offsets.iter().zip(blocks).map(|(offset, block)| offset + block.bytes).max().unwrap_or(0);
    Offsets { bytes, offsets }
}

/// For each block those that it meets, with how.
fn relations(blocks: &[Block]) -> Vec<Vec<(usize, Relation)>> {
    let of = |a: usize| {
        let others = (0..blocks.len()).filter(move |&b| b != a);
        others.filter_map(|b| relation(blocks, a, b).map(|r| (b, r))).collect()
    };
    (0..blocks.len()).map(of).collect()
}

struct Search<'a> {
    blocks: &'a [Block],
    relations: Vec<Vec<(usize, Relation)>>,
    /// Bytes, order and offsets.
    best: Option<(usize, Vec<usize>, Vec<usize>)>,
}

impl Search<'_> {
    fn bytes(&self) -> usize {
        self.best.as_ref().map_or(usize::MAX, |(bytes, ..)| *bytes)
    }

    /// Places in this order; whether that was no worse than the best before, which it then replaces.
    fn keep(&mut self, order: &[usize]) -> bool {
        let Some((bytes, offsets)) = self.place(order) else { return false };
        let better = bytes <= self.bytes();
        if better {
            self.best = Some((bytes, order.to_vec(), offsets));
        }
        better
    }

    /// Each block at the lowest offset that those before it allow; `None` once that is worse than the best.
    fn place(&self, order: &[usize]) -> Option<(usize, Vec<usize>)> {
        const UNPLACED: usize = usize::MAX;
        let mut offsets = vec![UNPLACED; self.blocks.len()];
        let (mut total, limit) = (0, self.bytes());
        let mut taken: Vec<(isize, isize)> = Vec::new();
        for &i in order {
            let bytes = self.blocks[i].bytes as isize;
            taken.clear();
            // Offsets strictly between the two are forbidden.
            for &(other, relation) in self.relations[i].iter().filter(|(other, _)| offsets[*other] != UNPLACED) {
                let (start, end) = (offsets[other] as isize, (offsets[other] + self.blocks[other].bytes) as isize);
                taken.push(match relation {
                    Relation::Apart => (start - bytes, end),
                    Relation::Before(lead) => ((start - lead).max(start - bytes), end),
                    Relation::After(lead) => (start - bytes, (start + lead).min(end)),
                });
            }
            taken.sort_unstable();
            let mut offset = 0;
            for &(after, before) in &taken {
                if offset > after && offset < before {
                    offset = before;
                }
            }
            offsets[i] = offset as usize;
            total = total.max(offsets[i] + self.blocks[i].bytes);
            if total > limit {
                return None;
            }
        }
        Some((total, offsets))
    }

    /// Tries every order of what follows the first `fixed`.
    fn every(&mut self, order: &mut [usize], fixed: usize, bound: usize) {
        if fixed == order.len() {
            self.keep(order);
        }
        for next in fixed..order.len() {
            if self.bytes() <= bound {
                return;
            }
            order.swap(fixed, next);
            self.every(order, fixed + 1, bound);
            order.swap(fixed, next);
        }
    }

    /// Moves one block at a time to another turn and keeps what is no worse.
    fn wander(&mut self, bound: usize) {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        for _ in 0..TRIES {
            let Some((bytes, order, _)) = self.best.as_ref().filter(|_| self.blocks.len() > 1) else { return };
            if *bytes <= bound {
                return;
            }
            let mut order = order.clone();
            let block = order.remove(rng.next_u32() as usize % order.len());
            order.insert(rng.next_u32() as usize % (order.len() + 1), block);
            self.keep(&order);
        }
    }
}
