//! Erdős–Rényi-kernel densities: how many weights of each layer a sparse network has (specs/sparse_and_graph.md §6.1).

/// The density of each layer for the density `target` of all together, in `(0, 1]`.
///
/// Layer `l` gets `eps · Σ dims / Π dims`; layers for which that is more than 1 are dense, and `eps` makes up for it.
pub fn densities(shapes: &[Vec<usize>], target: f64) -> Vec<f64> {
    let sizes: Vec<f64> = shapes.iter().map(|shape| shape.iter().product::<usize>() as f64).collect();
    let raw: Vec<f64> =
        shapes.iter().zip(&sizes).map(|(shape, size)| shape.iter().sum::<usize>() as f64 / size).collect();
    let mut dense = vec![false; shapes.len()];
    loop {
        let (mut budget, mut divisor) = (0.0, 0.0);
        for ((size, raw), dense) in sizes.iter().zip(&raw).zip(&dense) {
            budget += if *dense { size * (target - 1.0) } else { size * target };
            divisor += if *dense { 0.0 } else { raw * size };
        }
        let eps = budget / divisor;
        let most = raw.iter().zip(&dense).filter(|(_, dense)| !**dense).fold(0.0_f64, |most, (raw, _)| most.max(*raw));
        if most * eps > 1.0 {
            raw.iter().zip(&mut dense).for_each(|(raw, dense)| *dense |= *raw == most);
            continue;
        }
        return raw.iter().zip(dense).map(|(raw, dense)| if dense { 1.0 } else { eps * raw }).collect();
    }
}

/// Weights of each layer, `total` in all: [`densities`] rounded so that the sum is exact, and at least one a layer.
///
/// What rounding down leaves goes to the layers that lost most by it, ties to the lower index.
pub fn counts(shapes: &[Vec<usize>], total: usize) -> Vec<usize> {
    let sizes: Vec<usize> = shapes.iter().map(|shape| shape.iter().product()).collect();
    let all: usize = sizes.iter().sum();
    let exact: Vec<f64> = densities(shapes, total as f64 / all.max(1) as f64)
        .iter()
        .zip(&sizes)
        .map(|(density, size)| density * *size as f64)
        .collect();
    let mut counts: Vec<usize> =
        exact.iter().zip(&sizes).map(|(exact, size)| (*exact as usize).max(1).min(*size)).collect();
    let total = total.clamp(sizes.iter().filter(|size| **size > 0).count(), all);
    let lost = |counts: &[usize], l: usize| exact[l] - counts[l] as f64;
    while counts.iter().sum::<usize>() < total {
        let open = (0..counts.len()).filter(|&l| counts[l] < sizes[l]);
        let Some(l) = open.max_by(|&a, &b| lost(&counts, a).total_cmp(&lost(&counts, b)).then(b.cmp(&a))) else {
            break;
        };
        counts[l] += 1;
    }
    while counts.iter().sum::<usize>() > total {
        let open = (0..counts.len()).filter(|&l| counts[l] > 1);
        let Some(l) = open.min_by(|&a, &b| lost(&counts, a).total_cmp(&lost(&counts, b)).then(a.cmp(&b))) else {
            break;
        };
        counts[l] -= 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one tolerance table of this file: the vectors have ten digits.
    const DIGITS: f64 = 1e-9;

    fn lenet() -> Vec<Vec<usize>> {
        vec![vec![6, 1, 5, 5], vec![16, 6, 5, 5], vec![120, 256], vec![84, 120], vec![10, 84]]
    }

    #[test]
    fn densities_of_lenet_are_those_of_the_spec() {
        let low = [0.6926970954, 0.0814937759, 0.0748087396, 0.1236959099, 0.6839656194];
        let high = [1.0, 0.1709803922, 0.1569546569, 0.2595238095, 1.0];
        for (target, expected) in [(0.1, low), (0.2, high)] {
            for (got, expected) in densities(&lenet(), target).iter().zip(expected) {
                assert!((got - expected).abs() < DIGITS, "{got} is not {expected}");
            }
        }
        assert_eq!(densities(&lenet(), 1.0), [1.0; 5]);
    }

    #[test]
    fn counts_add_up_to_the_total_and_leave_no_layer_empty() {
        let sizes = [150, 2400, 30720, 10080, 840];
        for total in [1, 5, 6, 100, 4419, 4420, 22095, 44189, 44190, 50000] {
            let counts = counts(&lenet(), total);
            assert_eq!(counts.iter().sum::<usize>(), total.clamp(5, 44190));
            assert!(counts.iter().zip(sizes).all(|(count, size)| (1..=size).contains(count)), "{counts:?}");
        }
        assert_eq!(counts(&lenet(), 4419), [104, 196, 2298, 1247, 574]);
    }
}
