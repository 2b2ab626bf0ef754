//! How many nodes have how many neighbours, before and after edges went: bars on a scale of powers of two.

use super::GraphSparsity;
use crate::io::format;
use std::fmt::Write;

const ROW: f64 = 24.0;
const NAME_WIDTH: f64 = 74.0;
const BAR_WIDTH: f64 = 150.0;

/// Nodes by their number of neighbours: none, 1, 2, 3 to 4, 5 to 8, and so on.
fn binned(histogram: &[u64]) -> Vec<u64> {
    let mut bins = Vec::new();
    for (degree, nodes) in histogram.iter().enumerate() {
        let bin = if degree == 0 { 0 } else { 1 + degree.next_power_of_two().trailing_zeros() as usize };
        if bins.len() <= bin {
            bins.resize(bin + 1, 0);
        }
        bins[bin] += nodes;
    }
    bins
}

fn name(bin: usize) -> String {
    match bin {
        0 => "none".into(),
        1 => "1".into(),
        2 => "2".into(),
        bin => format!("{} to {}", (1 << (bin - 2)) + 1, 1 << (bin - 1)),
    }
}

/// One panel for each graph.
pub(super) fn panels(sparsity: &GraphSparsity) -> String {
    let all: Vec<Vec<u64>> = sparsity.degrees.iter().map(|histogram| binned(histogram)).collect();
    let rows = all.iter().map(Vec::len).max().unwrap_or(0);
    let most = all.iter().flatten().copied().max().unwrap_or(0).max(1);
    let mut out = String::new();
    for (at, (bins, edges)) in all.iter().zip(&sparsity.edges).enumerate() {
        let title = if at == 0 { "Neighbours of a node" } else { "After pruning" };
        let _ = write!(
            out,
            "<figure><figcaption>{title}: {} edges</figcaption><svg class=\"bars\" viewBox=\"0 0 310 {}\" role=\"img\">",
            format::count(*edges),
            ROW * rows as f64
        );
        for bin in 0..rows {
            let nodes = bins.get(bin).copied().unwrap_or(0);
            let (top, middle) = (ROW * bin as f64 + 3.0, ROW * bin as f64 + 16.0);
            let (name, width) = (name(bin), nodes as f64 / most as f64 * BAR_WIDTH);
            let _ = write!(
                out,
                "<g class=\"s{at}\"><title>{name}: {nodes} nodes</title><text class=\"name\" y=\"{middle}\">{name}</text>\
                 <rect class=\"track\" x=\"{NAME_WIDTH}\" y=\"{top}\" width=\"{BAR_WIDTH}\" height=\"16\" rx=\"3\"/>\
                 <rect x=\"{NAME_WIDTH}\" y=\"{top}\" width=\"{width:.1}\" height=\"16\" rx=\"3\"/>\
                 <text class=\"value\" x=\"{}\" y=\"{middle}\">{nodes}</text></g>",
                NAME_WIDTH + BAR_WIDTH + 10.0,
            );
        }
        out += "</svg></figure>";
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_is_in_the_bin_that_is_called_after_its_degree() {
        let histogram = [3, 5, 7, 1, 1, 2, 0, 0, 4, 9];
        assert_eq!(binned(&histogram), [3, 5, 7, 2, 6, 9]);
        assert_eq!((0..6).map(name).collect::<Vec<_>>(), ["none", "1", "2", "3 to 4", "5 to 8", "9 to 16"]);
    }
}
