//! Downloading a file: from one address after the other, going on where an earlier try stopped.

use super::http;
use super::{GetError, How, Placed, Progress, checksum};
use crate::data::known::{Known, Published};
use crate::io::atomic::{self, WriteError};
use std::{
    fs::{self, File},
    path::Path,
};

/// Downloads a file from the first address that has it as published.
pub(super) fn download(
    set: &Known,
    file: &'static Published,
    dir: &Path,
    tell: &mut dyn FnMut(Progress),
) -> Result<Placed, GetError> {
    let path = dir.join(format!("{}.gz", file.name));
    let part_path = dir.join(format!("{}.gz.part", file.name));
    let failed = |step, source| WriteError { path: part_path.clone(), step, source };
    let mut options = File::options();
    let opened = options.read(true).write(true).create(true).truncate(false).open(&part_path);
    let mut part = opened.map_err(|source| failed("create", source))?;
    match part.try_lock() {
        Err(fs::TryLockError::WouldBlock) => return Err(GetError::Busy { path: part_path }),
        // Without locks, two processes at the same file are found out by the checksum.
        Ok(()) | Err(fs::TryLockError::Error(_)) => {}
    }
    let mut failures = String::new();
    for address in set.addresses {
        let url = format!("{address}{}.gz", file.name);
        let mut fetched = fetch(&url, file, &mut part, &part_path, tell);
        if let Ok(Fetched::Wrong { resumed: true, .. }) = &fetched {
            // The first part was of another file, or damaged: the whole again.
            fetched = fetch(&url, file, &mut part, &part_path, tell);
        }
        match fetched {
            Ok(Fetched::Right) => {
                atomic::rename(part, &part_path, &path)?;
                return Ok(Placed { path, how: How::Downloaded });
            }
            Ok(Fetched::Wrong { why, .. }) => failures += &format!("\n  {url}: {why}"),
            Err(http::HttpError::Part(source)) => return Err(failed("write", source).into()),
            Err(error) => failures += &format!("\n  {url}: {error}"),
        }
    }
    if part.metadata().is_ok_and(|m| m.len() == 0) {
        // Nothing to go on from; that it cannot be removed does no harm.
        let _ = fs::remove_file(&part_path);
    }
    Err(GetError::Download { set: set.name, failures, homepage: set.homepage })
}

/// What a download brought.
enum Fetched {
    Right,
    /// Not what was published. The part is empty again.
    Wrong {
        resumed: bool,
        why: String,
    },
}

fn fetch(
    url: &str,
    file: &'static Published,
    part: &mut File,
    part_path: &Path,
    tell: &mut dyn FnMut(Progress),
) -> Result<Fetched, http::HttpError> {
    // Data that does not compress grows by less than this.
    let limit = file.len + file.len / 100 + 1024;
    let mut tell = |done, total| tell(Progress { name: file.name, done, total });
    let resumed = http::fetch(url, part, limit, &mut tell)?;
    let why = match checksum(part_path, file.len) {
        Ok(found) if found == file.sha256 => return Ok(Fetched::Right),
        Ok(found) => format!("not the published file: sha256 {found}, published {}", file.sha256),
        Err(error) => error.to_string(),
    };
    part.set_len(0).map_err(http::HttpError::Part)?;
    Ok(Fetched::Wrong { resumed, why })
}
