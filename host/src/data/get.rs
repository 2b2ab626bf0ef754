//! Fetching data sets into the cache: from their public addresses or from a folder, checked either way.

#[cfg(feature = "download")]
mod download;
#[cfg(feature = "download")]
mod http;
#[cfg(test)]
mod tests;

use super::{
    DataError, idx,
    known::{Known, Published},
};
use crate::io::{
    FileError,
    atomic::{self, WriteError},
};
#[cfg(feature = "download")]
use download::download;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// A file of a data set that is in its place now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Where.
    pub path: PathBuf,
    /// How it came there.
    pub how: How,
}

/// How a file came to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was there, and is what was published.
    Kept,
    /// From a public address.
    Downloaded,
    /// A symbolic link to a file elsewhere.
    Linked,
    /// A copy of a file elsewhere, where links cannot be made.
    Copied,
}

impl How {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Downloaded => "downloaded",
            Self::Linked => "linked",
            Self::Copied => "copied",
        }
    }
}

/// How far the download of a file is, in bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The file.
    pub name: &'static str,
    /// Bytes that are here.
    pub done: u64,
    /// Bytes in all, where the server says.
    pub total: Option<u64>,
}

/// Why a data set is not in the cache. What stood there before is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// A file that cannot be read, or is not there.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file that cannot be put in its place.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The content is not what was published.
    #[error(
        "{}: not the published `{name}`: its uncompressed content has the sha256 {found} (published: {expected}); \
         take another copy, or download it: `niwaki data get` without `--from`",
        path.display()
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The name under which it was published.
        name: &'static str,
        /// What its sha256 should be.
        expected: &'static str,
        /// What it is, of a prefix where the file is longer than what was published.
        found: String,
    },
    /// No address has the file as published.
    #[error(
        "`{set}` could not be downloaded:{failures}\nRun it again to go on where it stopped, or fetch the files elsewhere \
         ({homepage}) and give their folder: `niwaki data get {set} --from DIR`"
    )]
    Download {
        /// The data set.
        set: &'static str,
        /// Each address and what went wrong there, on a line of its own.
        failures: String,
        /// The page of its authors.
        homepage: &'static str,
    },
    /// There is nothing to download.
    #[error(
        "`{set}` is published in another layout ({homepage}), and no address has the arrays that are read here: give the \
         folder that has them, `niwaki data get {set} --from DIR` (files: {files})"
    )]
    NoAddress {
        /// The data set.
        set: &'static str,
        /// The page of its authors.
        homepage: &'static str,
        /// The files that the folder must have.
        files: String,
    },
    /// A second process is at the same file.
    #[error("{}: another process is downloading it; wait for it to finish", path.display())]
    Busy {
        /// The unfinished file.
        path: PathBuf,
    },
    /// The program was built without the feature `download`.
    #[error(
        "this niwaki was built without downloads: fetch the files of `{set}` ({homepage}) and give their folder: \
         `niwaki data get {set} --from DIR`"
    )]
    NoDownload {
        /// The data set.
        set: &'static str,
        /// The page of its authors.
        homepage: &'static str,
    },
}

/// Puts every file of `set` into its folder in `cache`: from the folder `from`, else from the set's addresses.
///
/// Files that are there as published stay. A download that was interrupted goes on where it stopped, from `NAME.gz.part`;
/// a file gets its name only once its checksum is right.
///
/// # Errors
/// [`GetError`] for the first file that cannot be had; those before it are in their place.
pub fn get(
    set: &Known,
    from: Option<&Path>,
    cache: &Path,
    tell: &mut dyn FnMut(Progress),
) -> Result<Vec<Placed>, GetError> {
    let dir = cache.join(set.name);
    fs::create_dir_all(&dir).map_err(|source| WriteError { path: dir.clone(), step: "create the folder", source })?;
    let place = |file: &'static Published| {
        if let Some(path) = idx::find(&dir, file.name).ok().filter(|path| is_published(path, file)) {
            return Ok(Placed { path, how: How::Kept });
        }
        match from {
            Some(from) => adopt(file, from, &dir),
            None if set.addresses.is_empty() => {
                let files = set.files.iter().map(|file| file.name).collect::<Vec<_>>().join(", ");
                Err(GetError::NoAddress { set: set.name, homepage: set.homepage, files })
            }
            None => download(set, file, &dir, tell),
        }
    };
    set.files.iter().map(place).collect()
}

fn is_published(path: &Path, file: &Published) -> bool {
    checksum(path, file.len).is_ok_and(|found| found == file.sha256)
}

/// The sha256 of the content of `path`, uncompressed; of one byte more than `expected_len` where it is longer.
fn checksum(path: &Path, expected_len: u64) -> Result<String, FileError> {
    const PIECE: u64 = 1 << 16;
    let mut source = idx::Source::open(path)?;
    let (mut len, mut hash) = (0, Sha256::new());
    while len <= expected_len {
        let bytes = source.up_to(PIECE.min(expected_len + 1 - len))?;
        if bytes.is_empty() {
            break;
        }
        len += bytes.len() as u64;
        hash.update(&bytes);
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// Links or copies the file of another folder, once it is known to be what was published.
fn adopt(file: &Published, from: &Path, dir: &Path) -> Result<Placed, GetError> {
    let original = idx::find(from, file.name)?;
    let found = checksum(&original, file.len).map_err(DataError::from)?;
    if found != file.sha256 {
        return Err(GetError::Checksum { path: original, name: file.name, expected: file.sha256, found });
    }
    let failed = |source| DataError::from(FileError::Read { path: original.clone(), source });
    // A link must lead there from any folder.
    let target = original.canonicalize().map_err(failed)?;
    let path = dir.join(original.file_name().unwrap_or(file.name.as_ref()));
    let how = match link(&target, dir, &path) {
        Ok(()) => How::Linked,
        Err(_) => {
            let mut content = File::open(&target).map_err(failed)?;
            atomic::write_with(&path, |out| io::copy(&mut content, out).map(drop))?;
            How::Copied
        }
    };
    // What is there under the published name is damaged, and would be read before an unpacked file.
    let packed = dir.join(format!("{}.gz", file.name));
    if packed != path && packed.is_file() {
        fs::remove_file(&packed).map_err(|source| WriteError { path: packed, step: "remove", source })?;
    }
    Ok(Placed { path, how })
}

/// Makes `path` in `dir` a link to `target`, replacing what is there.
#[cfg(unix)]
fn link(target: &Path, dir: &Path, path: &Path) -> io::Result<()> {
    let beside = tempfile::Builder::new().make_in(dir, |beside| std::os::unix::fs::symlink(target, beside))?;
    beside.persist(path).map_err(|e| e.error).map(drop)
}

#[cfg(not(unix))]
fn link(_target: &Path, _dir: &Path, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(feature = "download"))]
fn download(set: &Known, _: &Published, _: &Path, _: &mut dyn FnMut(Progress)) -> Result<Placed, GetError> {
    Err(GetError::NoDownload { set: set.name, homepage: set.homepage })
}
