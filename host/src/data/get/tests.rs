//! What fetching promises where no network is involved.

use super::{GetError, How, Placed, get};
use crate::data::{
    idx::find,
    known::{KNOWN, Kind, Known, NAMES, Published},
};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Bytes that do not compress.
pub(super) fn content() -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..100_000).map(|_| next()).collect()
}

pub(super) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// A set whose only file holds [`content`].
pub(super) fn set(addresses: Vec<&'static str>) -> Known {
    let bytes = content();
    let sha256: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    let file = Published { name: "images", len: bytes.len() as u64, sha256: sha256.leak() };
    Known {
        kind: Kind::Images,
        name: "pictures",
        about: "noise",
        licence: "none",
        homepage: "https://example.org/pictures",
        addresses: addresses.leak(),
        files: vec![file].leak(),
    }
}

fn folder(name: &str, bytes: &[u8]) -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join(name), bytes).unwrap();
    dir
}

fn adopt(from: &TempDir, cache: &TempDir) -> Result<Placed, GetError> {
    get(&set(vec![]), Some(from.path()), cache.path(), &mut |_| {}).map(|mut placed| placed.remove(0))
}

fn names(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into()).collect()
}

#[test]
fn every_known_file_can_be_fetched_and_checked() {
    assert_eq!(NAMES, ["citeseer", "cora", "digits", "fashion-mnist", "graph", "karate", "mnist"]);
    for set in KNOWN {
        // Those of graphs are published in another layout.
        assert!(set.is_bundled() || set.kind == Kind::Graph || !set.addresses.is_empty(), "{}", set.name);
        assert!(set.addresses.iter().all(|a| a.starts_with("http") && a.ends_with('/')));
        for file in set.files {
            assert!(file.sha256.len() == 64 && file.sha256.bytes().all(|b| b.is_ascii_hexdigit()), "{}", file.name);
        }
    }
}

#[test]
fn a_folder_is_checked_and_linked_packed_or_not() {
    for (name, bytes) in [("images", content()), ("images.gz", gz(&content()))] {
        let (from, cache) = (folder(name, &bytes), TempDir::new().unwrap());
        let placed = adopt(&from, &cache).unwrap();
        assert_eq!(placed.path, cache.path().join("pictures").join(name));
        assert_eq!(placed.how, if cfg!(unix) { How::Linked } else { How::Copied });
        assert_eq!(fs::read(&placed.path).unwrap(), bytes);
        assert_eq!(adopt(&from, &cache).unwrap().how, How::Kept);
        assert_eq!(names(&cache.path().join("pictures")), [PathBuf::from(name)], "nothing else is left behind");
    }
}

#[test]
fn a_damaged_copy_is_refused_and_changes_nothing() {
    let mut damaged = content();
    damaged[70_000] ^= 1;
    for (bytes, part) in [
        (gz(&damaged), "not the published `images`: its uncompressed content has the sha256 "),
        ([content(), vec![0]].concat(), "not the published `images`"),
        (content()[..50_000].to_vec(), "not the published `images`"),
        (gz(&content())[..50_000].to_vec(), "damaged gzip data after "),
    ] {
        let (from, cache) = (folder("images", &bytes), TempDir::new().unwrap());
        let message = adopt(&from, &cache).unwrap_err().to_string();
        let path = from.path().join("images");
        assert!(message.starts_with(&format!("{}: ", path.display())) && message.contains(part), "{message}");
        assert!(names(&cache.path().join("pictures")).is_empty());
        assert_eq!(fs::read(path).unwrap(), bytes);
    }
}

#[test]
fn a_missing_file_is_named() {
    let (from, cache) = (folder("labels", &[]), TempDir::new().unwrap());
    let message = adopt(&from, &cache).unwrap_err().to_string();
    assert_eq!(message, format!("{}: no file `images.gz` or `images`", from.path().display()));
}

#[test]
fn a_damaged_file_in_the_cache_is_replaced() {
    for name in ["images", "images.gz"] {
        let (from, cache) = (folder(name, &content()), TempDir::new().unwrap());
        let dir = cache.path().join("pictures");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("images.gz"), b"damaged").unwrap();
        fs::write(dir.join("mine"), b"other").unwrap();
        let placed = adopt(&from, &cache).unwrap();
        assert_eq!(find(&dir, "images").unwrap(), placed.path, "what reading finds first");
        assert_eq!(fs::read(placed.path).unwrap(), content());
        assert_eq!(fs::read(dir.join("mine")).unwrap(), b"other");
    }
}

#[test]
fn a_set_without_an_address_says_what_its_folder_must_have() {
    let cora = crate::data::known::by_name("cora").unwrap();
    let message = get(cora, None, TempDir::new().unwrap().path(), &mut |_| {}).unwrap_err().to_string();
    assert!(message.contains("niwaki data get cora --from DIR") && message.contains("edges.npy, "), "{message}");
}
