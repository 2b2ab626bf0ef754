//! The score, selection and projection tests of specs/sparse_and_graph.md §1.10.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

use super::*;

/// The tolerance of values written with ten decimals.
const DECIMALS: f64 = 5e-11;

/// Offsets and neighbours of undirected edges, and of self loops where both ends are one node.
fn rows(nodes: usize, edges: &[(usize, usize)]) -> (Vec<u32>, Vec<u32>) {
    let mut lists = vec![Vec::new(); nodes];
    for &(u, v) in edges {
        lists[u].push(v as u32);
        if u != v {
            lists[v].push(u as u32);
        }
    }
    let mut offsets = vec![0];
    for list in &mut lists {
        list.sort_unstable();
        list.dedup();
        offsets.push(offsets[offsets.len() - 1] + list.len() as u32);
    }
    (offsets, lists.concat())
}

struct Case {
    offsets: Vec<u32>,
    neighbours: Vec<u32>,
    nodes: Vec<f64>,
}

impl Case {
    fn new(nodes: usize, edges: &[(usize, usize)]) -> Self {
        let (offsets, neighbours) = rows(nodes, edges);
        let mut case = Self { offsets, neighbours, nodes: vec![9.0; nodes] };
        let (mut scratch, mut scores) = (vec![0.0; nodes], vec![0.0; nodes]);
        node_scores(&case.graph(), &mut scratch, &mut scores).expect("fits");
        case.nodes = scores;
        case
    }

    fn graph(&self) -> Csr<'_, u32, u32> {
        Csr::try_new(&self.offsets, &self.neighbours, self.nodes.len()).expect("rows rise")
    }

    fn scores(&self) -> Scores<'_, u32, u32, f64> {
        Scores::try_new(self.graph(), &self.nodes).expect("fits")
    }

    fn written(&self) -> Vec<f64> {
        let mut scores = vec![0.0; self.graph().entry_count()];
        self.scores().write(&mut scores).expect("fits");
        scores
    }

    fn kept(&self, unit: DropUnit, drop: usize) -> Vec<bool> {
        let mut keep = vec![true; self.graph().entry_count()];
        prune(&self.scores(), unit, drop, &mut keep).expect("fits");
        keep
    }

    fn ranks(&self, unit: DropUnit) -> Vec<u32> {
        let entries = self.graph().entry_count();
        let (mut order, mut found) = (vec![0; 2 * entries], vec![0; entries]);
        ranks(&self.graph(), &self.written(), unit, &mut order, &mut found).expect("fits");
        found
    }
}

fn random_edges(nodes: usize, count: usize, mut state: u64) -> Vec<(usize, usize)> {
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % nodes
    };
    // Squared: some nodes are hubs.
    (0..count).map(|_| (next() * next() / nodes, next())).collect()
}

const EXAMPLE: &[(usize, usize)] = &[(0, 1), (0, 2), (0, 3), (3, 4), (4, 5)];

#[test]
fn scores_are_those_of_the_specification() {
    let case = Case::new(6, EXAMPLE);
    let expected = [
        0.300_789_642_4,
        0.577_350_269_2,
        0.577_350_269_2,
        0.321_114_262_6,
        0.426_776_695_3,
        core::f64::consts::FRAC_1_SQRT_2,
    ];
    for (got, expected) in case.nodes.iter().zip(expected) {
        assert!((got - expected).abs() < DECIMALS, "{got} instead of {expected}");
    }
    let edges = [0.173_660_981_0, 0.173_660_981_0, 0.096_587_844_2, 0.137_044_083_8, 0.301_776_695_3];
    for (&(u, v), expected) in EXAMPLE.iter().zip(edges) {
        let (there, back) = (case.scores().of(u, v), case.scores().of(v, u));
        assert!((there - expected).abs() < DECIMALS && there == back, "({u}, {v}): {there} instead of {expected}");
    }
}

#[test]
fn the_first_edge_to_go_leads_from_the_hub_to_the_connector() {
    let case = Case::new(6, EXAMPLE);
    let dropped = |unit, drop| {
        let keep = case.kept(unit, drop);
        case.graph().entries().zip(keep).filter(|(_, keep)| !keep).map(|(edge, _)| edge).collect::<Vec<_>>()
    };
    assert_eq!(dropped(DropUnit::Pair, 1), [(0, 3), (3, 0)]);
    assert_eq!(dropped(DropUnit::Direction, 1), [(0, 3)]);
    assert_eq!(dropped(DropUnit::Direction, 4), [(0, 3), (3, 0), (3, 4), (4, 3)]);
}

#[test]
fn every_score_of_a_regular_graph_is_the_cubed_inverse_of_its_degree() {
    for degree in [2, 4, 6] {
        let edges: Vec<_> = (0..12).flat_map(|u| (1..=degree / 2).map(move |step| (u, (u + step) % 12))).collect();
        let expected = (degree as f64).powi(-3);
        for score in Case::new(12, &edges).written() {
            assert!((score - expected).abs() < DECIMALS, "degree {degree}: {score} instead of {expected}");
        }
    }
}

#[test]
fn scores_do_not_depend_on_how_nodes_are_numbered() {
    let (nodes, edges) = (40, random_edges(40, 120, 5));
    let renamed = |node: usize| (node * 27 + 11) % nodes;
    let case = Case::new(nodes, &edges);
    let other = Case::new(nodes, &edges.iter().map(|&(u, v)| (renamed(u), renamed(v))).collect::<Vec<_>>());
    for (u, v) in case.graph().entries() {
        let (a, b) = (case.scores().of(u, v), other.scores().of(renamed(u), renamed(v)));
        // Sums of a node's neighbours in another order.
        assert!((a - b).abs() <= 1e-14 * a, "({u}, {v}): {a} and {b}");
    }
}

#[test]
fn an_isolated_node_scores_zero() {
    let case = Case::new(4, &[(0, 1)]);
    assert_eq!((case.nodes[2], case.nodes[3]), (0.0, 0.0));
    assert_eq!(case.nodes[0], 1.0);
}

#[test]
fn self_loops_survive_every_ratio() {
    let edges = [(0, 0), (0, 1), (1, 2), (2, 2), (2, 3)];
    let case = Case::new(4, &edges);
    for unit in [DropUnit::Pair, DropUnit::Direction] {
        for drop in 0..20 {
            let keep = case.kept(unit, drop);
            let loops = case.graph().entries().zip(&keep).filter(|((from, to), _)| from == to);
            assert!(loops.into_iter().all(|(_, keep)| *keep), "{unit:?} {drop}");
        }
    }
    let largest = case.written().into_iter().fold(0.0, f64::max);
    assert_eq!(case.written()[0], largest, "a self loop scores as much as the best edge");
}

#[test]
fn pairs_go_together_and_directions_one_by_one() {
    let case = Case::new(60, &random_edges(60, 200, 3));
    let pairs = case.graph().entries().filter(|(from, to)| from < to).count();
    for drop in 0..=pairs {
        let keep = case.kept(DropUnit::Pair, drop);
        let dropped = keep.iter().filter(|keep| !**keep).count();
        assert_eq!(dropped, 2 * drop);
        for (at, (from, to)) in case.graph().entries().enumerate() {
            let mirror = case.graph().entry(to, from).expect("symmetric");
            assert_eq!(keep[at], keep[mirror], "({from}, {to}) of {drop} pairs");
        }
        let single = case.kept(DropUnit::Direction, drop);
        assert_eq!(single.iter().filter(|keep| !**keep).count(), drop);
    }
}

#[test]
fn ranks_and_selection_agree_at_every_number() {
    let case = Case::new(50, &random_edges(50, 150, 9));
    for unit in [DropUnit::Pair, DropUnit::Direction] {
        let ranks = case.ranks(unit);
        for drop in 0..=ranks.len() {
            let by_rank: Vec<bool> = ranks.iter().map(|rank| *rank >= drop as u32).collect();
            assert_eq!(by_rank, case.kept(unit, drop), "{unit:?} {drop}");
        }
    }
}

#[test]
fn a_larger_ratio_drops_what_a_smaller_one_did() {
    let case = Case::new(50, &random_edges(50, 150, 2));
    let edges = case.graph().entry_count();
    let levels: Vec<Vec<bool>> = (0..=20)
        .map(|level| case.kept(DropUnit::Pair, DropUnit::Pair.drop_count(edges, level_ratio(0.05, level))))
        .collect();
    for pair in levels.windows(2) {
        assert!(pair[0].iter().zip(&pair[1]).all(|(before, after)| *before || !after));
    }
}

#[test]
fn levels_keep_the_percentages_of_the_specification() {
    let kept = |step, level| (1e4 * (1.0 - level_ratio(step, level))).round() / 100.0;
    assert_eq!([5, 10, 15, 20].map(|level| kept(0.05, level)), [77.38, 59.87, 46.33, 35.85]);
    assert_eq!([5, 10, 15, 20].map(|level| kept(0.1, level)), [59.05, 34.87, 20.59, 12.16]);
    assert_eq!(DropUnit::Direction.drop_count(10_556 + 2_708, level_ratio(0.05, 20)), 8509);
    assert_eq!(DropUnit::Pair.drop_count(7, 1.0), 3);
}

#[test]
fn the_projection_zeroes_exactly_so_many_and_repeating_it_changes_nothing() {
    let mut state = 3_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 56) as i32 - 128) as f32 / 16.0
    };
    for len in [1, 10, 1000] {
        let values: Vec<f32> = (0..len).map(|_| next()).collect();
        let already = values.iter().filter(|value| **value == 0.0).count();
        for ratio in [0.0, 0.3, 0.878_4, 1.0] {
            let zeros = zero_count(len, ratio);
            let mut projected = values.clone();
            let (a, b) = projected.split_at_mut(len / 3);
            project_l0(&mut [a, b], zeros);
            assert_eq!(projected.iter().filter(|value| **value == 0.0).count(), zeros.max(already));
            let mut order: Vec<usize> = (0..len).collect();
            order.sort_by(|&i, &j| values[i].abs().total_cmp(&values[j].abs()));
            let mut expected = values.clone();
            order.iter().take(zeros).for_each(|at| expected[*at] = 0.0);
            assert_eq!(projected, expected, "ties go to the lower index");
            let mut again = projected.clone();
            project_l0(&mut [&mut again], zeros);
            assert_eq!(again, projected);
        }
    }
}

#[test]
fn zeros_are_counted_up() {
    assert_eq!([zero_count(10, 0.0), zero_count(10, 0.01), zero_count(10, 1.0), zero_count(0, 0.5)], [0, 1, 10, 0]);
    assert_eq!(zero_count(737_280, level_ratio(0.1, 20)), 647_644);
}

#[test]
fn one_way_graphs_have_no_pairs() {
    let graph = Csr::try_new(&[0_u32, 1, 1], &[1_u32], 2).expect("rows rise");
    let scores = Scores::try_new(graph, &[0.5_f32, 0.5]).expect("fits");
    let mut keep = [true];
    assert_eq!(prune(&scores, DropUnit::Pair, 1, &mut keep), Err(GraphError::Asymmetric { from: 0, to: 1 }));
    prune(&scores, DropUnit::Direction, 1, &mut keep).expect("fits");
    assert_eq!(keep, [false]);
}
