//! Files appear whole or not at all: write beside, sync, rename, sync the folder.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// A file that could not be written. Whatever stood there before is unchanged.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot {step}: {source}", path.display())]
pub struct WriteError {
    /// The file that was to appear.
    pub path: PathBuf,
    /// The step that failed.
    pub step: &'static str,
    /// The system's reason.
    pub source: io::Error,
}

/// Writes `bytes` to `path`, replacing what is there.
///
/// # Errors
/// As [`write_with`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    write_with(path, |out| out.write_all(bytes))
}

/// Writes what `fill` writes to `path`, replacing what is there. A crash or a full disk leaves the old file.
///
/// # Errors
/// [`WriteError`] with `path` and the step that failed; what `fill` returns counts as the step "write".
pub fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), WriteError> {
    let at = |step| move |source| WriteError { path: path.into(), step, source };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    // Temporary files are private by default; this one becomes an ordinary file, so the umask decides.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut beside = builder.tempfile_in(folder).map_err(at("create a file beside it"))?;
    let mut out = BufWriter::new(beside.as_file_mut());
    fill(&mut out).and_then(|()| out.flush()).map_err(at("write"))?;
    drop(out);
    beside.as_file().sync_all().map_err(at("flush to disk"))?;
    beside.persist(path).map_err(|e| at("rename into place")(e.error))?;
    sync_folder(folder).map_err(at("flush its folder to disk"))
}

/// Gives the finished file `from` the name `path` in the same folder, replacing what is there.
///
/// # Errors
/// As [`write_with`].
pub fn rename(from: File, from_path: &Path, path: &Path) -> Result<(), WriteError> {
    let at = |step| move |source| WriteError { path: path.into(), step, source };
    from.sync_all().map_err(at("flush to disk"))?;
    // Closed first: not every system renames an open file.
    drop(from);
    std::fs::rename(from_path, path).map_err(at("rename into place"))?;
    sync_folder(path.parent().unwrap_or(Path::new("."))).map_err(at("flush its folder to disk"))
}

/// Makes a rename in `folder` durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    // Only Unix can open a folder as a file; elsewhere the rename itself is all there is.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
