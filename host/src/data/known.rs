//! The data sets that have a name, and where each lies on this machine.

use super::{DataError, idx};
use std::{
    env,
    path::{Path, PathBuf},
};

/// What a data set consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Samples of one shape: [`super::load`].
    Images,
    /// One graph whose nodes are classified: [`super::graph::load`].
    Graph,
}

/// A data set that recipes can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The name in `[data] name = "…"`.
    pub name: &'static str,
    /// What it consists of.
    pub kind: Kind,
    /// One line for help texts.
    pub about: &'static str,
    /// Under which terms it may be used.
    pub licence: &'static str,
    /// The page of its authors.
    pub homepage: &'static str,
    /// Where its files can be had, in the order in which they are tried; each ends in `/`.
    pub addresses: &'static [&'static str],
    /// Its files; none for a set that is bundled.
    pub files: &'static [Published],
}

impl Known {
    /// Whether it is part of the program.
    pub fn is_bundled(&self) -> bool {
        self.files.is_empty()
    }
}

/// A file as published: gzip, called `NAME.gz`; those of graphs as they are.
///
/// Servers pack the same content differently, so length and checksum are those of the uncompressed content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The name without `.gz`.
    pub name: &'static str,
    /// Uncompressed bytes.
    pub len: u64,
    /// Of the uncompressed bytes, in hexadecimal.
    pub sha256: &'static str,
}

/// Every data set, in the order of their names.
pub const KNOWN: &[Known] = &[
    Known {
        name: "citeseer",
        kind: Kind::Graph,
        about: "citations of papers, 3,327 nodes, 4,552 edges, 3,703 words, 6 classes; 120 nodes to learn from",
        licence: "MIT",
        homepage: "https://github.com/kimiyoung/planetoid",
        // Published in pickles; nobody serves the arrays that are read here.
        addresses: &[],
        files: &[
            Published {
                name: "edges.npy",
                len: 36_544,
                sha256: "a455f91924ceaeaa1d1659a06e49f59420bc1dd6dcb487fe01fa35ee641b4645",
            },
            Published {
                name: "feat_indptr.npy",
                len: 13_440,
                sha256: "2006cf31716a25f1b1d6223b91f606f1760240661b1bff7a575dd3810df86112",
            },
            Published {
                name: "feat_indices.npy",
                len: 210_458,
                sha256: "cd2caaf74fa5fb1a9e7789ca9d45256146f382312d83acd40a04303e990279a3",
            },
            Published {
                name: "labels.npy",
                len: 3_455,
                sha256: "1f13db84c8b589f04f6ea4ce69df9aca681285b60fe6be85270bcd21be0ca88e",
            },
            Published {
                name: "train_idx.npy",
                len: 608,
                sha256: "8497db7badbbef22e4f20e4895717ef43533b62f76abe73a164bf22eec4afd00",
            },
            Published {
                name: "val_idx.npy",
                len: 2_128,
                sha256: "ec1976088264de27661176f7f67eb230ecf7c741ea8a52a9025542fb2639b6a1",
            },
            Published {
                name: "test_idx.npy",
                len: 4_128,
                sha256: "662d91096c9b070b77fe78432ad56411df8cf342861d16dcd82e9180e85b32cf",
            },
            Published {
                name: "meta.json",
                len: 122,
                sha256: "30426c4fd39449b0a0132003e588afb67aeab7b0bac3570d392e51b751c80f9a",
            },
        ],
    },
    Known {
        name: "cora",
        kind: Kind::Graph,
        about: "citations of papers, 2,708 nodes, 5,278 edges, 1,433 words, 7 classes; 140 nodes to learn from",
        licence: "MIT",
        homepage: "https://github.com/kimiyoung/planetoid",
        // Published in pickles; nobody serves the arrays that are read here.
        addresses: &[],
        files: &[
            Published {
                name: "edges.npy",
                len: 42_352,
                sha256: "5544a682c69d3b0b54e6c4038d7d63a3d88f257433493be6cdc441edda66546a",
            },
            Published {
                name: "feat_indptr.npy",
                len: 10_964,
                sha256: "2fc546852d8cfded4a1074dc863e7d17071c706f11b7dea8a08f7784ce760de5",
            },
            Published {
                name: "feat_indices.npy",
                len: 98_560,
                sha256: "514b7647e97bb97f45bb3962c1cd3189f2d20b6e2914970edc7ef1cb7df48b67",
            },
            Published {
                name: "labels.npy",
                len: 2_836,
                sha256: "644bcb26668cc78cc3602ea5492491d0d44ee807a7a28b562f59ccb98e5b0c2b",
            },
            Published {
                name: "train_idx.npy",
                len: 688,
                sha256: "c9c614cf0bd888d757cf4b29a821f5eb0d89bcc8f3da117999882387113734c6",
            },
            Published {
                name: "val_idx.npy",
                len: 2_128,
                sha256: "ae843f6a4fa3e2868707fc0210868216bc726a3529a890fbd67e70dec015e08f",
            },
            Published {
                name: "test_idx.npy",
                len: 4_128,
                sha256: "1ed87f86232d00796eaa12ecc77f7a1302e826a14e58e87917bdd7f1df14de04",
            },
            Published {
                name: "meta.json",
                len: 120,
                sha256: "ed701783e7de55a444af1dec175b21f41fefd5e41e3922784a74407ad713434a",
            },
        ],
    },
    Known {
        name: "digits",
        kind: Kind::Images,
        about: "handwritten digits, 8x8 grey, 10 classes, 1,797 samples",
        licence: "CC BY 4.0",
        homepage: "https://doi.org/10.24432/C50P49",
        addresses: &[],
        files: &[],
    },
    Known {
        name: "fashion-mnist",
        kind: Kind::Images,
        about: "pictures of clothes, 28x28 grey, 10 classes, 60,000 + 10,000 samples",
        licence: "MIT",
        homepage: "https://github.com/zalandoresearch/fashion-mnist",
        addresses: &[
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            // Without TLS; the checksums are what is relied on.
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ],
        files: &[
            Published {
                name: "train-images-idx3-ubyte",
                len: 47_040_016,
                sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            },
            Published {
                name: "train-labels-idx1-ubyte",
                len: 60_008,
                sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            },
            Published {
                name: "t10k-images-idx3-ubyte",
                len: 7_840_016,
                sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            },
            Published {
                name: "t10k-labels-idx1-ubyte",
                len: 10_008,
                sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            },
        ],
    },
    Known {
        name: "graph",
        kind: Kind::Graph,
        about: "a graph of your own: `[data] dir` names its folder, with edges.csv and nodes.csv or arrays",
        licence: "yours",
        homepage: "host/src/data/graph/csv.rs and arrays.rs say what is in the files",
        addresses: &[],
        files: &[],
    },
    Known {
        name: "karate",
        kind: Kind::Graph,
        about: "friendships of Zachary's karate club, 34 nodes, 78 edges, 2 factions; 4 nodes to learn from",
        licence: "facts (no copyright)",
        homepage: "https://doi.org/10.1086/jar.33.4.3629752",
        addresses: &[],
        files: &[],
    },
    Known {
        name: "mnist",
        kind: Kind::Images,
        about: "handwritten digits, 28x28 grey, 10 classes, 60,000 + 10,000 samples",
        licence: "CC BY-SA 3.0",
        homepage: "http://yann.lecun.com/exdb/mnist/",
        addresses: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        files: &[
            Published {
                name: "train-images-idx3-ubyte",
                len: 47_040_016,
                sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            },
            Published {
                name: "train-labels-idx1-ubyte",
                len: 60_008,
                sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            },
            Published {
                name: "t10k-images-idx3-ubyte",
                len: 7_840_016,
                sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            },
            Published {
                name: "t10k-labels-idx1-ubyte",
                len: 10_008,
                sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            },
        ],
    },
];

/// The names in [`KNOWN`].
pub const NAMES: &[&str] = &{
    let mut names = [""; KNOWN.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = KNOWN[i].name;
        i += 1;
    }
    names
};

/// The data set called `name`.
///
/// # Errors
/// [`DataError::UnknownName`], with the nearest one.
pub fn by_name(name: &str) -> Result<&'static Known, DataError> {
    KNOWN.iter().find(|k| k.name == name).ok_or_else(|| DataError::UnknownName { name: name.into() })
}

/// The folder with a folder for each data set: what `NIWAKI_DATA` names, else `niwaki/data` among the user's caches; none
/// where the user has no place for caches.
pub fn cache() -> Option<PathBuf> {
    match env::var_os("NIWAKI_DATA").filter(|v| !v.is_empty()) {
        Some(folder) => Some(folder.into()),
        None => Some(dirs::cache_dir()?.join("niwaki").join("data")),
    }
}

/// The folder of `known` in `cache`, where every one of its files is there.
pub fn cached(known: &Known, cache: &Path) -> Option<PathBuf> {
    let dir = cache.join(known.name);
    known.files.iter().all(|file| idx::find(&dir, file.name).is_ok()).then_some(dir)
}
