//! What a comparison runs, in which order, and where.

use super::plan;
use crate::recipe::{DEMO, Recipe};
use crate::sparsify::options::{GroupKind, Method, Unit};
use std::path::Path;

fn recipe(sets: &[&str]) -> Recipe {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Recipe::parse(DEMO, "demo", &sets).unwrap()
}

#[test]
fn seeds_come_first_then_the_dense_network_then_costs_then_methods() {
    let recipe = recipe(&["compare.methods=[\"wgsef\", \"set\"]", "compare.keeps=[0.5, 0.12]", "compare.seeds=[7, 8]"]);
    let cells = plan(&recipe, Path::new("out"));
    let names: Vec<&str> = cells.iter().map(|cell| cell.name.as_str()).collect();
    let of_seed = |seed: u64| {
        let cells = ["dense", "wgsef-0.5", "set-0.5", "wgsef-0.12", "set-0.12"];
        cells.map(|name| format!("{name}-seed{seed}"))
    };
    assert_eq!(names, [of_seed(7), of_seed(8)].concat());
    assert!(cells.iter().all(|cell| cell.name.ends_with(&format!("-seed{}", cell.recipe.train.seed))));
}

#[test]
fn sparse_cells_go_on_from_the_dense_one_of_their_seed() {
    let cells = plan(&recipe(&["compare.methods=[\"wgsef\"]", "compare.seeds=[3]"]), Path::new("out"));
    let (dense, sparse) = (&cells[0].recipe, &cells[1].recipe);
    assert_eq!(
        (dense.sparsity.method, dense.train.epochs, dense.model.zoo.as_deref()),
        (Method::None, 60, Some("small-cnn"))
    );
    assert_eq!((sparse.train.epochs, sparse.model.run.as_deref()), (0, Some(Path::new("out/dense-seed3"))));
    assert_eq!((sparse.sparsity.ramp_epochs, sparse.sparsity.keep), (30, 0.5));
    for cell in &cells {
        // What is compared beside a cell must not decide whether its folder can be gone on with.
        assert_eq!(cell.recipe.compare, None);
        assert_eq!(Recipe::parse(&cell.recipe.to_toml(), "recipe.toml", &[]).unwrap(), cell.recipe);
    }
}

#[test]
fn a_method_that_only_zeroes_is_given_macs() {
    let budgets = |sets: &[&str]| -> Vec<(Method, GroupKind, Unit)> {
        let cells = plan(&recipe(sets), Path::new("out"));
        let sparse = cells[1..9].iter().map(|cell| &cell.recipe.sparsity);
        sparse.map(|s| (s.method, s.groups, s.budget.unwrap().unit)).collect()
    };
    for (method, groups, unit) in budgets(&["compare.unit=bytes"]) {
        let zeroes = matches!(method, Method::Rigl | Method::Set | Method::Sap);
        let expected = if zeroes { (GroupKind::Weight, Unit::Macs) } else { (GroupKind::Filter, Unit::Bytes) };
        assert_eq!((groups, unit), expected, "{method:?}");
    }
    let blocks = budgets(&["sparsity.groups=block"]);
    assert!(blocks.iter().all(|(_, groups, unit)| (*groups, *unit) == (GroupKind::Block, Unit::Macs)), "{blocks:?}");
}
