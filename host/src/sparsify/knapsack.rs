//! Multiple-choice knapsack: one choice for each layer, so that the errors add up to as little as the costs allow.
//!
//! specs/compression.md §0. For kept groups (§5), and for anything else that has a cost and an error a layer.

/// What may be chosen for a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// What it costs, at least 0. A choice with a cost or an error that is not finite is never taken.
    pub cost: f64,
    /// What it does to the outputs.
    pub error: f64,
}

impl Choice {
    fn is_usable(&self) -> bool {
        self.cost.is_finite() && self.cost >= 0.0 && self.error.is_finite()
    }
}

/// Steps that costs are counted in where they are no whole numbers, or too large ones.
const BUCKETS: usize = 1 << 16;
/// Halvings of the multiplier's range.
const BISECTIONS: usize = 100;

/// The index of the choice of every layer with the least sum of errors whose costs sum to at most `capacity`; `None` if
/// there is none. Ties go to the lower index.
///
/// # Numerics
/// Exact where all costs are whole numbers and the capacity is at most 65536. Otherwise costs are rounded up to 1/65536
/// of the capacity, which is safe but can miss the optimum; the answer is then the better of that and [`lagrangian`].
pub fn solve(layers: &[Vec<Choice>], capacity: f64) -> Option<Vec<usize>> {
    let dearest =
        |layer: &Vec<Choice>| layer.iter().filter(|c| c.is_usable()).fold(0.0_f64, |most, c| most.max(c.cost));
    if capacity.is_nan() || capacity < 0.0 {
        return None;
    }
    let capacity = capacity.min(layers.iter().map(dearest).sum());
    let whole = layers.iter().flatten().filter(|c| c.is_usable()).all(|c| c.cost.fract() == 0.0);
    if whole && capacity <= BUCKETS as f64 {
        return by_tables(layers, capacity as usize, 1.0);
    }
    let rounded = by_tables(layers, BUCKETS, capacity / BUCKETS as f64);
    let relaxed = lagrangian(layers, capacity);
    let error = |choice: &Vec<usize>| sums(layers, choice).1;
    [rounded, relaxed].into_iter().flatten().min_by(|a, b| error(a).total_cmp(&error(b)))
}

/// Dynamic programming over `0..=capacity` units: the table of a layer has for every capacity the least error so far, so
/// that "at most" needs no search at the end.
fn by_tables(layers: &[Vec<Choice>], capacity: usize, unit: f64) -> Option<Vec<usize>> {
    let mut least = vec![0.0; capacity + 1];
    let mut taken: Vec<Vec<u32>> = Vec::with_capacity(layers.len());
    let units = |choice: &Choice| if choice.cost == 0.0 { 0 } else { (choice.cost / unit).ceil() as usize };
    for layer in layers {
        let mut next = vec![f64::INFINITY; capacity + 1];
        let mut from = vec![0; capacity + 1];
        for (o, choice) in layer.iter().enumerate().filter(|(_, c)| c.is_usable()) {
            let cost = units(choice);
            if cost > capacity {
                continue;
            }
            for ((next, from), before) in next[cost..].iter_mut().zip(&mut from[cost..]).zip(&least) {
                if before + choice.error < *next {
                    (*next, *from) = (before + choice.error, o as u32);
                }
            }
        }
        least = next;
        taken.push(from);
    }
    if !least[capacity].is_finite() {
        return None;
    }
    let mut left = capacity;
    let mut chosen = vec![0; layers.len()];
    for (l, layer) in layers.iter().enumerate().rev() {
        chosen[l] = taken[l][left] as usize;
        left -= units(&layer[chosen[l]]);
    }
    Some(chosen)
}

/// As [`solve`], by bisection on the price of a unit of cost: for any capacity, but only optimal among the choices on the
/// lower hulls of the layers, so up to one layer's choice away from the optimum. What is left of the capacity then goes
/// where it helps most.
pub fn lagrangian(layers: &[Vec<Choice>], capacity: f64) -> Option<Vec<usize>> {
    let at = |price: f64| best(layers, |c| (c.error + price * c.cost, c.cost));
    let fits = |chosen: &Vec<usize>| sums(layers, chosen).0 <= capacity;
    let mut chosen = best(layers, |c| (c.cost, c.error)).filter(fits)?;
    let errors: f64 = layers.iter().flatten().filter(|c| c.is_usable()).map(|c| c.error.abs()).sum();
    let (mut low, mut high) = (0.0, errors.max(f64::MIN_POSITIVE) / capacity.max(f64::MIN_POSITIVE));
    for _ in 0..BISECTIONS {
        match at(high).filter(fits) {
            Some(cheap) => {
                chosen = cheap;
                break;
            }
            None => (low, high) = (high, 2.0 * high),
        }
    }
    if let Some(free) = at(0.0).filter(fits) {
        return Some(free);
    }
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(low, high);
        match at(middle).filter(fits) {
            Some(cheap) => (high, chosen) = (middle, cheap),
            None => low = middle,
        }
    }
    fill(layers, capacity, &mut chosen);
    Some(chosen)
}

/// The usable choice of each layer that is least by `key`; ties to the lower index.
fn best(layers: &[Vec<Choice>], key: impl Fn(&Choice) -> (f64, f64)) -> Option<Vec<usize>> {
    let one = |layer: &Vec<Choice>| {
        let usable = layer.iter().enumerate().filter(|(_, c)| c.is_usable()).map(|(o, c)| (key(c), o));
        usable.min_by(|(a, _), (b, _)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))).map(|(_, o)| o)
    };
    layers.iter().map(one).collect()
}

/// Takes the single change that lowers the error most while one fits.
fn fill(layers: &[Vec<Choice>], capacity: f64, chosen: &mut [usize]) {
    loop {
        let left = capacity - sums(layers, chosen).0;
        let mut most: Option<(f64, usize, usize)> = None;
        for (l, layer) in layers.iter().enumerate() {
            let now = layer[chosen[l]];
            for (o, choice) in layer.iter().enumerate().filter(|(_, c)| c.is_usable()) {
                let gain = now.error - choice.error;
                if choice.cost - now.cost <= left && gain > most.map_or(0.0, |(gain, ..)| gain) {
                    most = Some((gain, l, o));
                }
            }
        }
        let Some((_, l, o)) = most else { return };
        let before = std::mem::replace(&mut chosen[l], o);
        if sums(layers, chosen).0 > capacity {
            chosen[l] = before;
            return;
        }
    }
}

/// Cost and error of a choice.
fn sums(layers: &[Vec<Choice>], chosen: &[usize]) -> (f64, f64) {
    let each = || layers.iter().zip(chosen).map(|(layer, &o)| layer[o]);
    (each().map(|c| c.cost).sum(), each().map(|c| c.error).sum())
}

#[cfg(test)]
mod tests;
