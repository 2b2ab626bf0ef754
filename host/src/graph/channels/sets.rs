//! Disjoint sets of channels, and the chains of sets that lie next to each other in every tensor.

use super::{Graph, TensorId, last};

/// Disjoint sets over the channels of all tensors, numbered one tensor after the other.
pub(super) struct Sets {
    parent: Vec<usize>,
    /// Sets that must stay.
    frozen: Vec<bool>,
    /// Number of the first channel of each tensor, and of one after the last.
    first: Vec<usize>,
}

impl Sets {
    pub(super) fn new(graph: &Graph) -> Self {
        let mut first = vec![0];
        for t in 0..graph.tensors.len() {
            first.push(first[t] + last(graph, TensorId(t)));
        }
        let channels = first[graph.tensors.len()];
        Self { parent: (0..channels).collect(), frozen: vec![false; channels], first }
    }

    /// The number of channel `c` of tensor `t`.
    fn channel(&self, t: TensorId, c: usize) -> usize {
        self.first[t.0] + c
    }

    /// The leader of the set of a channel: the one with the lowest number.
    fn find(&self, mut channel: usize) -> usize {
        while self.parent[channel] != channel {
            channel = self.parent[channel];
        }
        channel
    }

    /// Binds channel `i` of `a` to channel `j` of `b`.
    pub(super) fn join(&mut self, a: TensorId, i: usize, b: TensorId, j: usize) {
        let (i, j) = (self.channel(a, i), self.channel(b, j));
        let (a, b) = (self.find(i), self.find(j));
        let (lead, other) = (a.min(b), a.max(b));
        for channel in [i, j, other] {
            self.parent[channel] = lead;
        }
        self.frozen[lead] |= self.frozen[other];
    }

    /// All channels of `t` must stay.
    pub(super) fn freeze(&mut self, t: TensorId) {
        for channel in self.first[t.0]..self.first[t.0 + 1] {
            let lead = self.find(channel);
            self.frozen[lead] = true;
        }
    }
}

/// The sets once all are joined, each named by its leader.
pub(super) struct Bound {
    /// Of each channel, unless it must stay.
    leader: Vec<Option<usize>>,
    /// The set whose channels lie one after those of this one, in every tensor.
    next: Vec<Option<usize>>,
    first: Vec<usize>,
}

impl From<Sets> for Bound {
    fn from(sets: Sets) -> Self {
        let channels = sets.parent.len();
        let leader: Vec<usize> = (0..channels).map(|channel| sets.find(channel)).collect();
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); channels];
        leader.iter().enumerate().for_each(|(channel, &leader)| members[leader].push(channel));
        // A tensor's last channel has none after it.
        let next = |channel: usize| sets.first.binary_search(&(channel + 1)).is_err().then_some(channel + 1);
        let next = |this: &Vec<usize>| {
            let other = leader[next(*this.first()?)?];
            let shifted = members[other].iter().copied().map(Some);
            this.iter().map(|&channel| next(channel)).eq(shifted).then_some(other)
        };
        Self {
            next: members.iter().map(next).collect(),
            leader: leader.iter().map(|&leader| (!sets.frozen[leader]).then_some(leader)).collect(),
            first: sets.first,
        }
    }
}

impl Bound {
    /// How many channels there are, which is above every leader.
    pub(super) fn len(&self) -> usize {
        self.leader.len()
    }

    /// The set of channel `c` of tensor `t`; `None` if it must stay.
    pub(super) fn set(&self, t: TensorId, c: usize) -> Option<usize> {
        self.leader[self.first[t.0] + c]
    }

    /// `set` and all that follow it.
    pub(super) fn chain(&self, set: usize) -> Vec<usize> {
        std::iter::successors(Some(set), |&set| self.next[set].filter(|&next| self.leader[next].is_some())).collect()
    }
}
