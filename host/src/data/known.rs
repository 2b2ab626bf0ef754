//! The data sets that have a name, and where each lies on this machine.

use super::{DataError, idx};
use std::{
    env,
    path::{Path, PathBuf},
};

/// A data set that recipes can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The name in `[data] name = "…"`.
    pub name: &'static str,
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

/// A file as published: gzip, called `NAME.gz`.
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
        name: "digits",
        about: "handwritten digits, 8x8 grey, 10 classes, 1,797 samples",
        licence: "CC BY 4.0",
        homepage: "https://doi.org/10.24432/C50P49",
        addresses: &[],
        files: &[],
    },
    Known {
        name: "fashion-mnist",
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
        name: "mnist",
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
