//! Sliding-window geometry as tables: which input meets which output under which tap.
//!
//! The same pairs grouped by output, by input or by tap turn forward, input gradient and weight gradient of every
//! sliding operator into gathers: nothing is zero-filled first and nothing is written twice.

use niwaki_core::shape::{Axis, Window};

/// One meeting of an input, an output and a tap along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) tap: usize,
}

/// Links of one axis, grouped.
#[derive(Debug, Clone)]
pub(super) struct Links {
    starts: Vec<usize>,
    links: Vec<Link>,
}

impl Links {
    fn grouped(axis: &Axis, groups: usize, group: impl Fn(&Link) -> usize) -> Self {
        let all = |output: usize| {
            let taps = axis.taps(output);
            (0..taps.len).map(move |t| Link {
                input: taps.input_start + t * axis.dilation(),
                output,
                tap: taps.kernel_start + t,
            })
        };
        let mut links: Vec<Link> = (0..axis.output()).flat_map(all).collect();
        links.sort_by_key(&group);
        let mut starts = vec![0; groups + 1];
        for link in &links {
            starts[group(link) + 1] += 1;
        }
        for g in 0..groups {
            starts[g + 1] += starts[g];
        }
        Self { starts, links }
    }

    /// The links of group `g`, by ascending output.
    #[inline(always)]
    pub(super) fn of(&self, g: usize) -> &[Link] {
        &self.links[self.starts[g]..self.starts[g + 1]]
    }
}

/// Links of one axis in all three groupings.
#[derive(Debug, Clone)]
pub(super) struct AxisLinks {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) taps: usize,
    pub(super) dilation: usize,
    pub(super) by_output: Links,
    pub(super) by_input: Links,
    pub(super) by_tap: Links,
}

impl AxisLinks {
    fn new(axis: &Axis) -> Self {
        Self {
            inputs: axis.input(),
            outputs: axis.output(),
            taps: axis.kernel(),
            dilation: axis.dilation(),
            by_output: Links::grouped(axis, axis.output(), |l| l.output),
            by_input: Links::grouped(axis, axis.input(), |l| l.input),
            by_tap: Links::grouped(axis, axis.kernel(), |l| l.tap),
        }
    }
}

/// Links of both axes of a window.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub(super) y: AxisLinks,
    pub(super) x: AxisLinks,
}

impl Grid {
    pub(super) fn new(window: &Window) -> Self {
        Self { y: AxisLinks::new(&window.y), x: AxisLinks::new(&window.x) }
    }

    /// Input positions.
    pub(super) fn input_area(&self) -> usize {
        self.y.inputs * self.x.inputs
    }

    /// Output positions.
    pub(super) fn output_area(&self) -> usize {
        self.y.outputs * self.x.outputs
    }

    /// Taps of the kernel.
    pub(super) fn kernel_area(&self) -> usize {
        self.y.taps * self.x.taps
    }
}
