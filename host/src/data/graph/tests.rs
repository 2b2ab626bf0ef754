//! Damaged graphs are refused by file, place and remedy; whole ones are what was written.

use super::*;
use crate::io::npy;
use std::fs;

#[test]
fn the_karate_club_is_the_published_one() {
    let club = karate();
    assert_eq!((club.nodes, club.edges.len(), club.classes), (34, 2 * 78, 2));
    let degree = |node: u32| club.edges.iter().filter(|(from, _)| *from == node).count();
    assert_eq!([0, 32, 33, 11].map(degree), [16, 12, 17, 1]);
    assert_eq!(club.labels.iter().filter(|label| **label == 0).count(), 17);
    assert_eq!((club.features.width, club.train.len() + club.val.len() + club.test.len()), (34, 34));
    assert_eq!(load(KARATE, None).expect("bundled"), club);
}

fn refused(edges: &str, nodes: &str) -> String {
    csv::parse("graph", csv::Text { edges, nodes }, Path::new("folder")).expect_err("damaged").to_string()
}

const NODES: &str = "split,label,a,b\ntrain,0,1,\nval,1,,2.5\ntest,1,0,1\n,,1,1\n";

#[test]
fn text_files_are_read_with_their_features() {
    let graph = csv::parse("graph", csv::Text { edges: "# ends\n0,1\n1,0\n2,2\n", nodes: NODES }, Path::new(""));
    let graph = graph.expect("whole");
    assert_eq!(graph.edges, [(0, 1), (1, 0), (2, 2)], "doubles count once, self loops stay");
    assert_eq!(graph.labels, [0, 1, 1, UNLABELLED]);
    let FeatureRows { offsets, columns, values, .. } = graph.features;
    assert_eq!((offsets, columns), (vec![0, 1, 2, 3, 5], vec![0, 1, 1, 0, 1]));
    assert_eq!(values, Some(vec![1.0, 2.5, 1.0, 1.0, 1.0]));
}

#[test]
fn damaged_text_is_refused_by_line_and_remedy() {
    let says = |message: String, parts: &[&str]| {
        for part in parts {
            assert!(message.contains(part), "{message:?} does not say {part:?}");
        }
    };
    says(refused("0,1\n0;2\n", NODES), &["folder/edges.csv", "line 2", "as in 0,31"]);
    says(refused("0,1\n1,4\n", NODES), &["folder/edges.csv", "edge 1, 1 - 4", "4 nodes"]);
    says(refused("-1,0\n", NODES), &["edges.csv", "line 1"]);
    says(refused("", ""), &["nodes.csv", "split,label"]);
    says(refused("", "label,split\n"), &["nodes.csv", "expected split,label"]);
    says(refused("", "split,label\n"), &["nodes.csv", "no nodes"]);
    says(refused("", "split,label,a\ntrain,0\n"), &["line 2", "2 cells"]);
    says(refused("", "split,label\nsome,0\n"), &["line 2", "`some` is no split"]);
    says(refused("", "split,label\ntrain,x\n"), &["line 2", "`x` is no class"]);
    says(refused("", "split,label,a\ntrain,0,inf\n"), &["line 2", "a is `inf`"]);
    says(refused("", "split,label\ntrain,0\nval,0\n"), &["1 classes"]);
    says(refused("", "split,label\ntrain,\nval,1\n"), &["node 0 has no label"]);
    says(refused("", "split,label\ntrain,0\ntest,1\n"), &["no node is for this split"]);
}

/// Writes a small whole graph of arrays and then damages one.
fn arrays_with(damage: impl FnOnce(&Path)) -> Result<NodeDataset, FileError> {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let path = |file: &str| dir.join(file);
    npy::write(&path("edges.npy"), &[2, 2], &[0_u32, 1, 1, 2]).expect("written");
    npy::write(&path("feat_indptr.npy"), &[4], &[0_u32, 2, 2, 3]).expect("written");
    npy::write(&path("feat_indices.npy"), &[3], &[0_u16, 4, 1]).expect("written");
    npy::write(&path("labels.npy"), &[3], &[0_i8, 1, 1]).expect("written");
    for (split, node) in ["train", "val", "test"].iter().zip(0_i64..) {
        npy::write(&path(&format!("{split}_idx.npy")), &[1], &[node]).expect("written");
    }
    fs::write(path("meta.json"), r#"{"n_features": 6}"#).expect("written");
    damage(dir);
    from_folder("graph", dir)
}

#[test]
fn arrays_are_read_and_damaged_ones_refused() {
    let whole = arrays_with(|_| ()).expect("whole");
    assert_eq!((whole.nodes, whole.edges.len(), whole.features.width, whole.classes), (3, 4, 6, 2));
    let says = |damage: &dyn Fn(&Path), file: &str, part: &str| {
        let message = arrays_with(damage).expect_err("damaged").to_string();
        assert!(message.contains(file) && message.contains(part), "{message:?} does not say {part:?}");
    };
    says(&|dir| fs::remove_file(dir.join("edges.npy")).expect("there"), "", "neither edges.npy nor edges.csv");
    says(&|dir| fs::remove_file(dir.join("labels.npy")).expect("there"), "labels.npy", "cannot be read");
    let write = |file: &'static str, values: &'static [i64]| {
        move |dir: &Path| npy::write(&dir.join(file), &[values.len()], values).expect("written")
    };
    says(&write("edges.npy", &[0, 1]), "edges.npy", "expected [E, 2]");
    says(&|dir| npy::write(&dir.join("edges.npy"), &[1, 2], &[0_u32, 3]).expect("written"), "edges.npy", "0 - 3");
    says(
        &|dir| npy::write(&dir.join("edges.npy"), &[1, 2], &[0.0_f32, 1.0]).expect("written"),
        "edges.npy",
        "integers",
    );
    says(&write("feat_indptr.npy", &[0, 2, 3]), "feat_indptr.npy", "one more than labels");
    says(&write("feat_indptr.npy", &[0, 2, 1, 3]), "feat_indptr.npy", "never fall");
    says(&write("feat_indices.npy", &[4, 0, 1]), "feat_indices.npy", "must rise");
    says(&write("feat_indices.npy", &[0, 9, 1]), "feat_indices.npy", "node 0 has feature 9");
    says(&write("feat_indices.npy", &[0, -4, 1]), "feat_indices.npy", "no index");
    says(&write("val_idx.npy", &[0]), "val_idx.npy", "two splits");
    says(&write("test_idx.npy", &[7]), "test_idx.npy", "there are 3");
    says(
        &|dir| fs::write(dir.join("meta.json"), r#"{"n_features": 0}"#).expect("written"),
        "feat_indices",
        "there are 0",
    );
    says(&|dir| fs::write(dir.join("meta.json"), "{").expect("written"), "meta.json", "not JSON");
}

#[test]
fn a_graph_without_features_is_refused_with_the_remedy() {
    let message = arrays_with(|dir| {
        npy::write(&dir.join("feat_indptr.npy"), &[4], &[0_u32; 4]).expect("written");
        npy::write(&dir.join("feat_indices.npy"), &[0], &[] as &[u16]).expect("written");
        fs::write(dir.join("meta.json"), r#"{"n_features": 0}"#).expect("written");
    });
    let message = message.expect_err("nothing to learn from").to_string();
    assert!(message.contains("no features; give each node one of its own"), "{message}");
}
