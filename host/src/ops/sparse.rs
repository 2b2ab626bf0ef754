//! The constants of operators over node sets: who gathers from whom, and which features a node has.

use niwaki_core::error::GraphError;
use niwaki_core::graph::{Csr, Undirected};

/// Which nodes each node gathers from. The loops that a rule adds by itself are not in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjacency {
    offsets: Vec<u32>,
    neighbours: Vec<u32>,
    symmetric: bool,
}

impl Adjacency {
    /// Checks rows of neighbours; see [`Csr::try_new`].
    ///
    /// # Errors
    /// [`GraphError`] names the row.
    pub fn try_new(offsets: Vec<u32>, neighbours: Vec<u32>) -> Result<Self, GraphError> {
        let csr = Csr::try_new(&offsets, &neighbours, offsets.len().saturating_sub(1))?;
        let symmetric = Undirected::try_new(csr).is_ok();
        Ok(Self { offsets, neighbours, symmetric })
    }

    /// The graph of `nodes` nodes with these edges `(from, to)`: row `from` gathers from `to`. Doubles count once.
    ///
    /// # Errors
    /// [`GraphError::Empty`] without nodes, [`GraphError::Range`] for an edge outside them.
    pub fn from_edges(nodes: usize, edges: impl IntoIterator<Item = (u32, u32)>) -> Result<Self, GraphError> {
        let mut edges: Vec<(u32, u32)> = edges.into_iter().collect();
        edges.sort_unstable();
        edges.dedup();
        if let Some(&(row, _)) = edges.last().filter(|(row, _)| *row as usize >= nodes) {
            return Err(GraphError::Range { row: row as usize, index: row as usize, columns: nodes });
        }
        let mut offsets = vec![0; nodes + 1];
        for (row, _) in &edges {
            offsets[*row as usize + 1] += 1;
        }
        for at in 1..offsets.len() {
            offsets[at] += offsets[at - 1];
        }
        Self::try_new(offsets, edges.into_iter().map(|(_, to)| to).collect())
    }

    /// The proved view that core computes with.
    pub fn csr(&self) -> Csr<'_, u32, u32> {
        Csr::try_new(&self.offsets, &self.neighbours, self.nodes()).expect("checked when it was made")
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of directed edges, self loops included.
    pub fn edges(&self) -> usize {
        self.neighbours.len()
    }

    /// Where each node's neighbours begin, and where the last ones end.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// The neighbours of all nodes, one node after the other.
    pub fn neighbours(&self) -> &[u32] {
        &self.neighbours
    }

    /// The neighbours of one node.
    pub fn row(&self, node: usize) -> &[u32] {
        &self.neighbours[self.offsets[node] as usize..self.offsets[node + 1] as usize]
    }

    /// Whether every edge is there in both directions.
    pub fn is_symmetric(&self) -> bool {
        self.symmetric
    }

    /// Every directed edge turned around.
    #[must_use]
    pub fn transposed(&self) -> Self {
        if self.symmetric {
            return self.clone();
        }
        let edges = self.csr().entries().map(|(from, to)| (to as u32, from as u32)).collect::<Vec<_>>();
        Self::from_edges(self.nodes(), edges).expect("the same edges")
    }

    /// The directed edges whose flag in `keep` is set.
    ///
    /// # Panics
    /// When there is not one flag an edge.
    #[must_use]
    pub fn filtered(&self, keep: &[bool]) -> Self {
        assert_eq!(keep.len(), self.edges(), "one flag an edge");
        let mut kept = 0;
        let mut offsets = vec![0];
        for ends in self.offsets.windows(2) {
            kept += keep[ends[0] as usize..ends[1] as usize].iter().filter(|keep| **keep).count() as u32;
            offsets.push(kept);
        }
        let flagged = self.neighbours.iter().zip(keep).filter(|(_, keep)| **keep);
        Self::try_new(offsets, flagged.map(|(neighbour, _)| *neighbour).collect()).expect("a part of checked rows")
    }

    /// The same graph without its self loops.
    #[must_use]
    pub fn without_self_loops(&self) -> Self {
        let others: Vec<bool> = self.csr().entries().map(|(row, column)| row != column).collect();
        self.filtered(&others)
    }

    /// The same graph with a self loop on every node.
    #[must_use]
    pub fn with_self_loops(&self) -> Self {
        let loops = (0..self.nodes()).map(|node| (node as u32, node as u32));
        let edges = self.csr().entries().map(|(from, to)| (from as u32, to as u32)).chain(loops).collect::<Vec<_>>();
        Self::from_edges(self.nodes(), edges).expect("edges between the same nodes")
    }
}

/// What the entries of [`Features`] are worth.
#[derive(Debug, Clone, PartialEq)]
pub enum Worth {
    /// 1.
    Ones,
    /// The same in a whole row: one value a row.
    Rows(Vec<f32>),
    /// One value an entry.
    Each(Vec<f32>),
}

/// A constant sparse matrix: one row a node, one column a feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    offsets: Vec<u32>,
    columns: Vec<u32>,
    width: usize,
    worth: Worth,
}

impl Features {
    /// Checks rows of columns below `width`; see [`Csr::try_new`].
    ///
    /// # Errors
    /// [`GraphError`] names the row, or the values when their number does not fit or one is not finite.
    pub fn try_new(offsets: Vec<u32>, columns: Vec<u32>, width: usize, worth: Worth) -> Result<Self, GraphError> {
        let csr = Csr::try_new(&offsets, &columns, width)?;
        let (expected, values) = match &worth {
            Worth::Ones => (0, &[][..]),
            Worth::Rows(values) => (csr.row_count(), &values[..]),
            Worth::Each(values) => (csr.entry_count(), &values[..]),
        };
        if expected != values.len() {
            return Err(GraphError::Len { operand: "values", expected, got: values.len() });
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(GraphError::Hyper { name: "a value of the features" });
        }
        Ok(Self { offsets, columns, width, worth })
    }

    /// The matrix that has a 1 in each of these columns, divided by how many there are in its row.
    ///
    /// # Errors
    /// [`GraphError`] names the row.
    pub fn normalised(offsets: Vec<u32>, columns: Vec<u32>, width: usize) -> Result<Self, GraphError> {
        let ones = offsets.windows(2).map(|ends| ends[1].saturating_sub(ends[0]));
        let rows = ones.map(|ones| if ones > 0 { 1.0 / ones as f32 } else { 0.0 }).collect();
        Self::try_new(offsets, columns, width, Worth::Rows(rows))
    }

    /// The proved view that core computes with.
    pub fn csr(&self) -> Csr<'_, u32, u32> {
        Csr::try_new(&self.offsets, &self.columns, self.width).expect("checked when it was made")
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of entries.
    pub fn entries(&self) -> usize {
        self.columns.len()
    }

    /// Where each row's entries begin, and where the last ones end.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// The columns of all entries, one row after the other.
    pub fn columns(&self) -> &[u32] {
        &self.columns
    }

    /// What the entries are worth.
    pub fn worth(&self) -> &Worth {
        &self.worth
    }

    /// One value an entry.
    pub fn values(&self) -> Vec<f32> {
        match &self.worth {
            Worth::Ones => vec![1.0; self.entries()],
            Worth::Each(values) => values.clone(),
            Worth::Rows(rows) => {
                let repeated = |(ends, value): (&[u32], &f32)| vec![*value; (ends[1] - ends[0]) as usize];
                self.offsets.windows(2).zip(rows).flat_map(repeated).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_become_rows_and_their_mirror_images_are_noticed() {
        let path = Adjacency::from_edges(3, [(1, 0), (0, 1), (1, 2), (2, 1), (1, 0)]).expect("in range");
        assert_eq!((path.offsets(), path.neighbours()), (&[0, 1, 3, 4][..], &[1, 0, 2, 1][..]));
        assert!(path.is_symmetric());
        let one_way = path.filtered(&[true, true, true, false]);
        assert_eq!((one_way.is_symmetric(), one_way.row(2)), (false, &[][..]));
        assert_eq!(one_way.transposed().csr().entries().collect::<Vec<_>>(), [(0, 1), (1, 0), (2, 1)]);
        assert_eq!(path.with_self_loops().with_self_loops().edges(), 7);
        assert!(Adjacency::from_edges(2, [(2, 0)]).is_err());
        assert!(Adjacency::from_edges(2, [(0, 2)]).is_err());
    }

    #[test]
    fn normalised_rows_sum_to_one_and_empty_ones_to_zero() {
        let features = Features::normalised(vec![0, 2, 2, 3], vec![0, 4, 1], 5).expect("rows rise");
        assert_eq!(features.values(), [0.5, 0.5, 1.0]);
        let wrong = Features::try_new(vec![0, 1], vec![0], 1, Worth::Each(vec![f32::NAN]));
        assert!(matches!(wrong, Err(GraphError::Hyper { .. })));
    }
}
