//! Data sets from the command line, and the recipes that name them.

use niwaki::{data, recipe::Recipe, zoo};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

fn niwaki(arguments: &[&str], cache: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_niwaki"));
    command.args(arguments).env("NIWAKI_DATA", cache).output().expect("niwaki starts")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object and nothing else on standard output")
}

fn refusal(arguments: &[&str], cache: &Path) -> (Option<i32>, String) {
    let output = niwaki(arguments, cache);
    (output.status.code(), String::from_utf8(output.stderr).expect("messages are text"))
}

#[test]
fn the_list_says_what_each_set_is_and_where() {
    let cache = TempDir::new().expect("a folder");
    let list = json(&niwaki(&["data", "list", "--json"], cache.path()));
    let sets = list["sets"].as_array().expect("sets");
    let names: Vec<_> = sets.iter().map(|set| set["name"].as_str().expect("a name")).collect();
    assert_eq!(names, data::NAMES);
    assert!(sets.iter().all(|set| set["licence"].is_string() && set["dir"].is_null()));
    let bundled = |name: &str| sets.iter().find(|set| set["name"] == name).expect("in the list")["bundled"].clone();
    assert_eq!((bundled("digits"), bundled("mnist")), (true.into(), false.into()));

    let text = String::from_utf8(niwaki(&["data", "list"], cache.path()).stdout).expect("text");
    assert!(text.contains("bundled") && text.contains("not here: niwaki data get mnist"), "{text}");
    let other = cache.path().join("elsewhere");
    let list = json(&niwaki(&["data", "list", "--json", "--cache", other.to_str().expect("text")], cache.path()));
    assert_eq!(list["cache"], other.to_str().expect("text"));
}

#[test]
fn a_bundled_set_needs_no_fetching() {
    let cache = TempDir::new().expect("a folder");
    assert_eq!(json(&niwaki(&["data", "get", "digits", "--json"], cache.path()))["files"], Value::Array(vec![]));
    assert_eq!(fs::read_dir(cache.path()).expect("the cache").count(), 0);
}

#[test]
fn a_wrong_name_or_a_damaged_copy_ends_with_code_2_and_a_remedy() {
    let (cache, from) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let (code, message) = refusal(&["data", "get", "mnst"], cache.path());
    assert!(code == Some(2) && message.contains("did you mean `mnist`?"), "{message}");

    let folder = from.path().to_str().expect("text");
    let (code, message) = refusal(&["data", "get", "mnist", "--from", folder], cache.path());
    assert!(code == Some(2) && message.contains("no file `train-images-idx3-ubyte.gz`"), "{message}");

    fs::write(from.path().join("train-images-idx3-ubyte"), b"not the pictures").expect("written");
    let (code, message) = refusal(&["data", "get", "mnist", "--from", folder], cache.path());
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("not the published `train-images-idx3-ubyte`"), "{message}");
    assert!(message.contains("take another copy"), "{message}");
}

#[test]
fn a_recipe_whose_data_is_not_here_says_how_to_get_it() {
    let cache = TempDir::new().expect("a folder");
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/fashion-mnist-compact-cnn-dense.toml");
    let output = cache.path().join("run");
    let (code, message) = refusal(&["train", recipe, "--out", output.to_str().expect("text")], cache.path());
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("run `niwaki data get fashion-mnist`"), "{message}");
}

#[test]
fn every_recipe_is_called_after_its_data_network_and_method_and_its_network_fits() {
    let mut seen = 0;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/recipes")).expect("the recipes") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_str().expect("text");
        let recipe = Recipe::load(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
        let rest = name.strip_prefix(&recipe.data.name).expect("starts with the data").trim_start_matches('-');
        let (network, method) = rest.rsplit_once('-').expect("ends with the method");
        let zoo_name = recipe.model.zoo.as_deref().expect("of the zoo");
        assert!(zoo_name.starts_with(network), "{name}: {zoo_name}");
        let used = match &recipe.graph {
            Some(graph) => serde_json::to_value(graph.method).expect("a word"),
            None if recipe.quantize.qat_epochs > 0 => "qat".into(),
            None => serde_json::to_value(recipe.sparsity.method).expect("a word"),
        };
        assert_eq!(if used == "none" { "dense".into() } else { used }, method, "{name}");

        seen += 1;
        if recipe.graph.is_some() {
            assert!(zoo::by_name(zoo_name).is_some_and(zoo::Entry::is_over_nodes), "{name}");
            continue;
        }
        let input = if recipe.data.name == "digits" { [8, 8, 1] } else { [28, 28, 1] };
        let network = zoo::by_name(zoo_name).expect("in the zoo").build(&input, 10, recipe.train.seed);
        let graph = network.unwrap_or_else(|e| panic!("{name}: {e}"));
        graph.validate().unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    assert!(seen >= 15, "{seen} recipes");
}
