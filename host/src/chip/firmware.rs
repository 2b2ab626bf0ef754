//! Builds the firmware's images with cargo, which keeps what is up to date.

use super::{Activity, ChipError, setup};
use crate::hardware::{ChipSpec, Isa};
use object::{
    Endianness, Object as _, ObjectSymbol as _,
    elf::PT_LOAD,
    read::elf::{ElfFile32, ProgramHeader as _},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The image that does jobs.
    pub runner: PathBuf,
    /// The smallest image around a session.
    pub footprint: PathBuf,
    /// Flash of the smallest image.
    pub code_bytes: u64,
}

/// Builds the images for a chip; the one whose size counts has only `operators`, or every one if there are none.
///
/// # Errors
/// [`ChipError`]: there are no sources or no toolchain, cargo failed, or an image is none.
pub(super) fn build(
    spec: &ChipSpec,
    operators: &[&str],
    progress: &mut dyn FnMut(Activity<'_>),
) -> Result<Image, ChipError> {
    let images = cargo_build(&folder()?, spec, progress, |cargo| {
        cargo.args(["-p", "niwaki-firmware", "-p", "niwaki-footprint"]);
        if spec.isa == Isa::ArmDsp {
            // The inner loops are assembly there: what the compiler makes of the rest counts for size, hardly for time.
            cargo.args(["--config", "profile.release.opt-level=\"s\""]);
        }
        if operators.is_empty() {
            cargo.env_remove("NIWAKI_OPERATORS");
        } else {
            cargo.env("NIWAKI_OPERATORS", operators.join(","));
        }
    })?;
    let runner = images.join("runner");
    for marker in ["bench_begin", "bench_end"] {
        if symbol(&runner, marker)?.is_none() {
            return Err(ChipError::Image { path: runner, detail: format!("it has no symbol {marker}") });
        }
    }
    let footprint = images.join("footprint");
    Ok(Image { runner, code_bytes: flash_bytes(&footprint)?, footprint })
}

/// Builds the image that compares the kernels of a chip's back end with their definition.
///
/// # Errors
/// [`ChipError`]: there are no sources or no toolchain, or cargo failed.
pub(super) fn build_selftest(spec: &ChipSpec, progress: &mut dyn FnMut(Activity<'_>)) -> Result<PathBuf, ChipError> {
    Ok(cargo_build(&folder()?.join("selftest"), spec, progress, |_| ())?.join("selftest"))
}

/// Builds a workspace of the firmware for a chip with `configure`d cargo; the folder with its images.
fn cargo_build(
    workspace: &Path,
    spec: &ChipSpec,
    progress: &mut dyn FnMut(Activity<'_>),
    configure: impl FnOnce(&mut Command),
) -> Result<PathBuf, ChipError> {
    setup::rust_target(workspace, spec.target, progress)?;
    let target_dir = workspace.join("target").join(spec.board);
    let mut cargo = setup::tool("cargo", workspace);
    let board = format!("niwaki-firmware/{}", spec.board);
    cargo.args(["build", "--release", "--no-default-features", "--features", &board]);
    cargo.args(["--target", spec.target, "--target-dir"]);
    cargo.arg(&target_dir);
    configure(&mut cargo);
    let mut is_told = false;
    setup::stream(cargo, &mut |step| {
        // A build that finds everything done is not worth a word.
        if let Activity::Tool(line) = &step
            && !is_told
            && !line.trim_start().starts_with("Finished")
        {
            is_told = true;
            progress(Activity::Doing("building the firmware (the first time takes a minute)"));
        }
        progress(step);
    })?;
    Ok(target_dir.join(spec.target).join("release"))
}

/// The firmware's sources.
fn folder() -> Result<PathBuf, ChipError> {
    let path = match env::var_os("NIWAKI_FIRMWARE") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("firmware"),
    };
    let path = path.canonicalize().map_err(|_| ChipError::NoFirmware { path })?;
    if path.join("Cargo.toml").is_file() { Ok(path) } else { Err(ChipError::NoFirmware { path }) }
}

/// Bytes that an image occupies in flash: code, constants and the first values of variables.
///
/// # Errors
/// [`ChipError`] if the file cannot be read or is no image.
pub fn flash_bytes(path: &Path) -> Result<u64, ChipError> {
    with_elf(path, |elf| {
        let endian = elf.endian();
        let segments = elf.elf_program_headers().iter().filter(|segment| segment.p_type(endian) == PT_LOAD);
        segments.map(|segment| u64::from(segment.p_filesz(endian))).sum()
    })
}

/// The address of a symbol.
pub(super) fn symbol(path: &Path, name: &str) -> Result<Option<u64>, ChipError> {
    with_elf(path, |elf| elf.symbol_by_name(name).map(|symbol| symbol.address()))
}

/// What `read` finds in an image.
pub(super) fn with_elf<T>(path: &Path, read: impl FnOnce(&ElfFile32<'_, Endianness>) -> T) -> Result<T, ChipError> {
    let bytes = fs::read(path).map_err(ChipError::io(path))?;
    let elf = ElfFile32::parse(bytes.as_slice())
        .map_err(|error| ChipError::Image { path: path.into(), detail: error.to_string() })?;
    Ok(read(&elf))
}
