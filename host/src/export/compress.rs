//! Compressed rows: the order of the columns, and the units of each row.

use niwaki_core::kernels::tiles::compressed::{self, Unit};
use niwaki_core::kernels::tiles::filters::Filter;
use niwaki_core::shape::MAX_DIM;

/// Rows whose weights at a column and at the next one are a unit, fewer of which are not worth a column.
const GAIN_MIN: usize = 2;
/// The same for the first two columns of a path that begins with an input that stands elsewhere already.
const PATH_MIN: usize = 3;

/// The words of the rows of a dense layer of `inputs` inputs, and the input of each column.
pub(super) fn rows(filters: &[Filter<'_>], inputs: usize) -> (Vec<i32>, Vec<i16>) {
    let mut plan = Plan::new(filters, inputs);
    plan.order();
    plan.repeat();
    let mut words = Vec::new();
    for (row, filter) in filters.iter().enumerate() {
        let weight = |column: usize| i16::from(filter.weights[plan.columns[column]]);
        let units = units(plan.covers(row), weight);
        compressed::pack(filter.start, filter.multiplier, &units, &mut |word| words.push(word));
    }
    (words, plan.columns.iter().map(|&input| input as i16).collect())
}

/// Units of the columns `covers` in rising order: a column, and whether the next one belongs to it.
fn units(covers: Vec<(usize, bool)>, weight: impl Fn(usize) -> i16) -> Vec<Unit> {
    let (mut units, mut at) = (Vec::new(), 0);
    for (column, both) in covers {
        while column - at > usize::from(u8::MAX) {
            units.push(Unit { distance: u8::MAX, weights: [0; 2] });
            at += usize::from(u8::MAX);
        }
        let second = if both { weight(column + 1) } else { 0 };
        units.push(Unit { distance: (column - at) as u8, weights: [weight(column), second] });
        at = column;
    }
    units
}

/// Columns while they are chosen, with what they do for each row.
struct Plan {
    /// The input of each column.
    columns: Vec<usize>,
    /// Inputs that a row uses.
    by_row: Vec<Vec<usize>>,
    /// Rows that use an input.
    by_input: Vec<Vec<usize>>,
    /// For each row the columns whose weights are units with those of the next ones.
    pairs: Vec<Vec<usize>>,
    /// For each row and input whether it is used and in no pair.
    alone: Vec<Vec<bool>>,
    /// Rows where an input is alone.
    alone_rows: Vec<usize>,
}

impl Plan {
    fn new(filters: &[Filter<'_>], inputs: usize) -> Self {
        let used = |filter: &Filter<'_>, input: usize| filter.weights.get(input).is_some_and(|&w| w != 0);
        let alone: Vec<Vec<bool>> =
            filters.iter().map(|filter| (0..inputs).map(|input| used(filter, input)).collect()).collect();
        let by_row: Vec<Vec<usize>> =
            alone.iter().map(|row| (0..inputs).filter(|&input| row[input]).collect()).collect();
        let by_input: Vec<Vec<usize>> =
            (0..inputs).map(|input| (0..alone.len()).filter(|&row| alone[row][input]).collect()).collect();
        let alone_rows = by_input.iter().map(Vec::len).collect();
        Self { columns: Vec::new(), pairs: vec![Vec::new(); by_row.len()], by_row, by_input, alone, alone_rows }
    }

    /// The rows where `last` is alone, for each input with which it could be a pair, lower numbers first among equals.
    fn best_next(&self, last: usize) -> (usize, usize) {
        let mut shared = vec![0; self.by_input.len()];
        for &row in self.by_input[last].iter().filter(|&&row| self.alone[row][last]) {
            let others = self.by_row[row].iter().filter(|&&input| input != last && self.alone[row][input]);
            others.for_each(|&input| shared[input] += 1);
        }
        let best = (0..shared.len()).reduce(|best, input| if shared[input] > shared[best] { input } else { best });
        best.map_or((0, 0), |input| (input, shared[input]))
    }

    /// Adds a column; where it and the one before are alone in a row they are a pair from now on.
    fn push(&mut self, input: usize, last: Option<usize>) {
        self.columns.push(input);
        let Some(last) = last else { return };
        for &row in &self.by_input[last] {
            if self.alone[row][last] && self.alone[row][input] {
                self.pairs[row].push(self.columns.len() - 2);
                for paired in [last, input] {
                    self.alone[row][paired] = false;
                    self.alone_rows[paired] -= 1;
                }
            }
        }
    }

    /// Every input that any row uses once: each is followed by the one with which it is a pair in most rows, where there
    /// is none by the one that most rows use.
    fn order(&mut self) {
        let mut left: Vec<bool> = self.by_input.iter().map(|rows| !rows.is_empty()).collect();
        let mut last = None;
        loop {
            let mut shared = vec![0_usize; left.len()];
            let open = last.map_or(&[][..], |last: usize| &self.by_input[last]);
            for &row in open.iter().filter(|&&row| last.is_some_and(|last| self.alone[row][last])) {
                self.by_row[row].iter().filter(|&&i| self.alone[row][i]).for_each(|&input| shared[input] += 1);
            }
            let value = |input: usize| (shared[input], self.by_input[input].len());
            let candidates = (0..left.len()).filter(|&input| left[input]);
            let Some(next) = candidates.reduce(|best, i| if value(i) > value(best) { i } else { best }) else { break };
            left[next] = false;
            self.push(next, last);
            last = Some(next);
        }
        if self.columns.is_empty() {
            self.columns.push(0);
        }
    }

    /// Paths of inputs that stand elsewhere already, as long as each further column makes pairs in enough rows: a column
    /// costs about a unit, whatever the number of rows.
    fn repeat(&mut self) {
        // What an input could gain only shrinks: one that gained too little is done with.
        let mut done = vec![false; self.alone_rows.len()];
        while self.columns.len() + 1 < MAX_DIM {
            let candidates = (0..done.len()).filter(|&input| !done[input] && self.alone_rows[input] >= PATH_MIN);
            let most = |best: usize, i: usize| if self.alone_rows[i] > self.alone_rows[best] { i } else { best };
            let Some(mut last) = candidates.reduce(most) else { break };
            if self.best_next(last).1 < PATH_MIN {
                done[last] = true;
                continue;
            }
            self.push(last, None);
            while self.columns.len() < MAX_DIM {
                let (next, gain) = self.best_next(last);
                if gain < GAIN_MIN {
                    break;
                }
                self.push(next, Some(last));
                last = next;
            }
        }
    }

    /// The units of a row: its pairs, and the inputs alone at their first columns.
    fn covers(&self, row: usize) -> Vec<(usize, bool)> {
        let mut covers: Vec<(usize, bool)> = self.pairs[row].iter().map(|&column| (column, true)).collect();
        let mut alone = self.alone[row].clone();
        for (column, &input) in self.columns.iter().enumerate() {
            if std::mem::take(&mut alone[input]) {
                covers.push((column, false));
            }
        }
        covers.sort_unstable();
        covers
    }
}
