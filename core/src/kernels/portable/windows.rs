//! Windows of a tiled convolution: copied together, expanded to 16 bits.

use crate::kernels::tiles::drive::ByteRows;
use crate::kernels::tiles::filters::{GROUP, GROUP_WORDS};

/// Two elements as the halves of a word.
pub(super) fn halves(low: i8, high: i8) -> i32 {
    i32::from(high) << 16 | (i32::from(low) & 0xFFFF)
}

/// [`InnerLoops::expand`](crate::kernels::InnerLoops::expand)
pub(crate) fn expand(x: &[i8], places: [usize; 2], rows: ByteRows, pairs: &mut [i32]) {
    let mut groups = pairs.as_chunks_mut::<GROUP_WORDS>().0.iter_mut();
    for row in 0..rows.count {
        let [a, b] = places.map(|place| {
            let start = place + row * rows.pitch;
            x.get(start..start + rows.len).unwrap_or_default().as_chunks::<GROUP>().0
        });
        for ((a, b), group) in a.iter().zip(b).zip(&mut groups) {
            let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (*a, *b);
            *group = [halves(a0, a2), halves(b0, b2), halves(a1, a3), halves(b1, b3)];
        }
    }
}

/// [`InnerLoops::copy`](crate::kernels::InnerLoops::copy)
pub(crate) fn copy(x: &[i8], rows: ByteRows, distance: usize, patch: &mut [i8]) {
    for row in 0..rows.count {
        let (from, to) = (row * rows.pitch, row * distance);
        let (x, patch) = (x.get(from..from + rows.len), patch.get_mut(to..to + rows.len));
        patch.into_iter().flatten().zip(x.into_iter().flatten()).for_each(|(to, &from)| *to = from);
    }
}
