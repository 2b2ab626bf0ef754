//! Augmentation: training samples, changed a little at random.

use rand_chacha::{ChaCha8Rng, rand_core::Rng};

/// Appends `sample` to `batch`, moved by up to `limit` pixels along rows and columns; zeros move in.
///
/// # Shapes
/// `sample: [H, W, C]` as `shape` says; a `limit` of 0 copies it and draws no random number.
pub(super) fn shifted(sample: &[f32], shape: &[usize], limit: usize, rng: &mut ChaCha8Rng, batch: &mut Vec<f32>) {
    let &[rows, columns, channels] = shape else {
        batch.extend_from_slice(sample);
        return;
    };
    if limit == 0 {
        batch.extend_from_slice(sample);
        return;
    }
    let span = 2 * limit as u32 + 1;
    let mut draw = || (rng.next_u32() % span) as isize - limit as isize;
    let (down, right) = (draw(), draw());
    for row in 0..rows {
        let source = row.checked_add_signed(-down).filter(|&r| r < rows);
        for column in 0..columns {
            let from = column.checked_add_signed(-right).filter(|&c| c < columns);
            match source.zip(from) {
                Some((r, c)) => batch.extend_from_slice(&sample[(r * columns + c) * channels..][..channels]),
                None => batch.extend(std::iter::repeat_n(0.0, channels)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn every_shift_within_the_limit_occurs_and_no_other() {
        let sample: Vec<f32> = (1..=50).map(|v| v as f32).collect();
        let mut seen = std::collections::BTreeSet::new();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..400 {
            let mut moved = Vec::new();
            shifted(&sample, &[5, 5, 2], 1, &mut rng, &mut moved);
            // Where the element at row 2, column 2 went, whose first channel is 25.
            let at = moved.iter().position(|&v| v == 25.0).expect("it stays inside") / 2;
            seen.insert((at / 5, at % 5));
            assert_eq!(moved.len(), sample.len());
            assert!(moved.chunks(2).all(|p| p == [0.0, 0.0] || p[1] == p[0] + 1.0), "channels stay together");
        }
        assert_eq!(seen.len(), 9);
        assert!(seen.iter().all(|&(r, c)| (1..=3).contains(&r) && (1..=3).contains(&c)));
    }
}
