//! Groups that lie in memory at fixed strides: nested loops, checked not to overlap.

use super::{Groups, Run};
use crate::error::GroupError;

/// A loop over elements that lie `stride` apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loop {
    /// How often it runs.
    pub len: usize,
    /// Elements from one run to the next; without meaning when `len` is 1.
    pub stride: usize,
}

impl Loop {
    /// Runs once.
    pub const ONCE: Self = Self { len: 1, stride: 0 };
}

/// The groups of one part as a caller describes them; [`GroupLayout::try_new`] checks the description.
///
/// A *part* is a slice in which every group has the same number of members: the filters of a layer, its biases, the
/// rows of the next layer that read those filters. Group `j = a * groups[1].len + b` starts at
/// `a * groups[0].stride + b * groups[1].stride`; from there `members` lead to its elements, outermost loop first.
/// A part that starts inside a tensor is the slice from there on.
///
/// The usual groups have names: [`GroupKind`](super::GroupKind). Others are, for example:
///
/// | groups | `groups` | `members` |
/// | --- | --- | --- |
/// | kernel `[f, :, :, c]` of an `[o, h, w, i]` tensor | `(o, h*w*i), (i, 1)` | `once, once, (h*w, i)` |
/// | row `[f, u, :, :]` of one filter of it | `(o, h*w*i), (h, w*i)` | `once, once, (w*i, 1)` |
/// | channel `j` of a dense input flattened from `[i, h, w]` | `once, (i, h*w)` | `once, (o, i*h*w), (h*w, 1)` |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayoutSpec {
    /// From group to group, outer loop first.
    pub groups: [Loop; 2],
    /// From member to member of one group, outermost loop first.
    pub members: [Loop; 3],
}

/// One loop of the walk over a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    len: usize,
    /// Elements of the part from one run to the next.
    stride: usize,
    /// Groups from one run to the next: 0 for a loop over members.
    group: usize,
}

/// Groups of a part that do not overlap and lie within the first [`GroupLayout::span`] elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupLayout {
    steps: [Step; 5],
    groups: usize,
    span: usize,
}

impl GroupLayout {
    /// Checks a layout.
    ///
    /// # Errors
    /// [`GroupError::Empty`] for a loop that never runs, [`GroupError::Overlap`] unless every loop steps over all that
    /// the loops with smaller strides reach, [`GroupError::Part`] when the span does not fit into `usize`.
    pub fn try_new(spec: LayoutSpec) -> Result<Self, GroupError> {
        let [outer, inner] = spec.groups;
        let [far, middle, near] = spec.members;
        let loops = [outer, inner, far, middle, near];
        if loops.iter().any(|l| l.len == 0) {
            return Err(GroupError::Empty);
        }
        let too_long = GroupError::Part { span: usize::MAX, got: 0 };
        let reach = |l: &Loop| (l.len - 1).checked_mul(l.stride);
        let mut last = 0_usize;
        for (i, l) in loops.iter().enumerate() {
            // All that the loops with strides up to this one's can reach; an equal stride always overlaps.
            let mut below = 0_usize;
            for (_, other) in loops.iter().enumerate().filter(|(j, o)| *j != i && o.len > 1 && o.stride <= l.stride) {
                below = reach(other).and_then(|r| below.checked_add(r)).ok_or(too_long)?;
            }
            if l.len > 1 && l.stride <= below {
                return Err(GroupError::Overlap);
            }
            last = reach(l).and_then(|r| last.checked_add(r)).ok_or(too_long)?;
        }
        let span = last.checked_add(1).ok_or(too_long)?;
        let step = |l: Loop, group| Step { len: l.len, stride: l.stride, group };
        let groups = [step(outer, inner.len), step(inner, 1)];
        let members = [step(far, 0), step(middle, 0), step(near, 0)];
        // The innermost loop is the one with the smaller stride. Either way a group meets its members in one order,
        // so that its sum has the same bits in every layout.
        let steps = if inner.len > 1 && (near.len == 1 || inner.stride < near.stride) {
            let ([a, b, c], [d, e]) = (members, groups);
            [a, b, c, d, e]
        } else {
            let ([a, b], [c, d, e]) = (groups, members);
            [a, b, c, d, e]
        };
        // Does not overflow: the groups lie in `span` different elements.
        Ok(Self { steps, groups: outer.len * inner.len, span })
    }

    /// `groups` rows of `row_len` consecutive elements: the filters of an OHWI tensor, the neurons of a dense layer.
    ///
    /// # Errors
    /// As [`GroupLayout::try_new`].
    pub fn rows(groups: usize, row_len: usize) -> Result<Self, GroupError> {
        Self::try_new(LayoutSpec {
            groups: [Loop::ONCE, Loop { len: groups, stride: row_len }],
            members: [Loop::ONCE, Loop::ONCE, Loop { len: row_len, stride: 1 }],
        })
    }

    /// `groups` columns of a row-major matrix with `rows` rows: the input channels of an OHWI tensor, the channels of
    /// a depthwise kernel `[h, w, c]`.
    ///
    /// # Errors
    /// As [`GroupLayout::try_new`].
    pub fn columns(groups: usize, rows: usize) -> Result<Self, GroupError> {
        Self::try_new(LayoutSpec {
            groups: [Loop::ONCE, Loop { len: groups, stride: 1 }],
            members: [Loop::ONCE, Loop::ONCE, Loop { len: rows, stride: groups }],
        })
    }

    /// Groups of one element: biases, the scale of a normalisation, single weights.
    ///
    /// # Errors
    /// As [`GroupLayout::try_new`].
    pub fn elements(groups: usize) -> Result<Self, GroupError> {
        Self::rows(groups, 1)
    }

    /// How many groups there are.
    pub const fn groups(&self) -> usize {
        self.groups
    }

    /// Elements that a part must have.
    pub const fn span(&self) -> usize {
        self.span
    }
}

impl Groups for GroupLayout {
    fn groups(&self) -> usize {
        self.groups
    }

    fn span(&self) -> usize {
        self.span
    }

    #[inline]
    fn walk(&self, mut visit: impl FnMut(Run<'_>)) {
        let [a, b, c, d, inner] = self.steps;
        let Step { len, stride, .. } = inner;
        for i in 0..a.len {
            for j in 0..b.len {
                for k in 0..c.len {
                    for l in 0..d.len {
                        let first = i * a.stride + j * b.stride + k * c.stride + l * d.stride;
                        let group = i * a.group + j * b.group + k * c.group + l * d.group;
                        visit(if inner.group == 0 {
                            Run::Members { group, first, len, stride }
                        } else {
                            Run::Across { group, first, len, stride }
                        });
                    }
                }
            }
        }
    }
}
