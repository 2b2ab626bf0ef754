//! What a run on an emulated chip needs besides niwaki, and how to get it: QEMU, and a Rust target.

use super::{Activity, ChipError};
use crate::hardware::Emulator;
use std::{
    collections::VecDeque,
    env,
    ffi::OsString,
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What can be done on a machine without asking its owner.
#[derive(Debug, Clone)]
pub struct Machine {
    /// `PATH`.
    pub(super) path: OsString,
    /// Whether `NIWAKI_NO_INSTALL` is unset.
    pub(super) may_install: bool,
    /// Whether this process may do everything.
    pub(super) root: bool,
}

impl Machine {
    /// The machine that this program runs on.
    pub fn here() -> Self {
        Self {
            path: env::var_os("PATH").unwrap_or_default(),
            may_install: env::var_os("NIWAKI_NO_INSTALL").is_none_or(|value| value.is_empty() || value == "0"),
            root: is_root(),
        }
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        let file = format!("{program}{}", env::consts::EXE_SUFFIX);
        env::split_paths(&self.path).map(|folder| folder.join(&file)).find(|path| path.is_file())
    }

    /// The emulator; it is installed if it is missing and that needs no password.
    ///
    /// # Errors
    /// [`ChipError::Missing`] says in one line what to install; [`ChipError::Command`] if installing it failed.
    pub fn emulator(&self, emulator: &Emulator, progress: &mut dyn FnMut(Activity<'_>)) -> Result<PathBuf, ChipError> {
        if let Some(path) = self.find(emulator.program) {
            return Ok(path);
        }
        if self.may_install {
            self.install_emulator(emulator, progress)?;
        }
        self.find(emulator.program)
            .ok_or_else(|| ChipError::Missing { program: emulator.program, remedy: emulator.remedy.into() })
    }

    /// Whether anything may be installed.
    pub fn may_install(&self) -> bool {
        self.may_install
    }

    fn install_emulator(&self, emulator: &Emulator, progress: &mut dyn FnMut(Activity<'_>)) -> Result<(), ChipError> {
        const WHY: &str = "which emulates the chip";
        if !self.debian_packages(&[emulator.debian_package], WHY, progress)?
            && let Some(brew) = self.find("brew")
        {
            progress(Activity::Doing(&format!("installing QEMU, {WHY}")));
            let mut command = Command::new(brew);
            command.args(["install", "qemu"]);
            stream(command, progress)?;
        }
        Ok(())
    }

    /// Installs packages where that is allowed and needs no password; whether it could be tried. `why` ends the line
    /// that says so.
    ///
    /// # Errors
    /// [`ChipError::Command`] if installing failed.
    pub fn debian_packages(
        &self,
        packages: &[&str],
        why: &str,
        progress: &mut dyn FnMut(Activity<'_>),
    ) -> Result<bool, ChipError> {
        let Some(apt) = self.find("apt-get").filter(|_| self.root && self.may_install) else { return Ok(false) };
        let apt = |arguments: &[&str]| {
            let mut command = Command::new(&apt);
            command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
            command
        };
        let install = || apt(&[&["install", "-y", "--no-install-recommends"], packages].concat());
        progress(Activity::Doing(&format!("installing {}, {why}", packages.join(", "))));
        if stream(install(), progress).is_err() {
            stream(apt(&["update"]), progress)?;
            stream(install(), progress)?;
        }
        Ok(true)
    }
}

#[cfg(target_os = "linux")]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(not(target_os = "linux"))]
fn is_root() -> bool {
    false
}

/// Makes sure that the toolchain of `folder` can build for `target`.
///
/// # Errors
/// [`ChipError::Missing`] if there is no Rust, [`ChipError::Command`] if rustup cannot add the target.
pub fn rust_target(folder: &Path, target: &str, progress: &mut dyn FnMut(Activity<'_>)) -> Result<(), ChipError> {
    let no_rust = |_| ChipError::Missing { program: "Rust", remedy: "get it from https://rustup.rs".into() };
    let sysroot = tool("rustc", folder).args(["--print", "sysroot"]).output().map_err(no_rust)?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
    if sysroot.join("lib/rustlib").join(target).is_dir() {
        return Ok(());
    }
    let remedy = || format!("run `rustup target add {target}` in {}", folder.display());
    let here = Machine::here();
    if !here.may_install || here.find("rustup").is_none() {
        return Err(ChipError::Missing { program: "the Rust target of the chip", remedy: remedy() });
    }
    progress(Activity::Doing(&format!("adding the Rust target {target}")));
    let mut command = tool("rustup", folder);
    command.args(["target", "add", target]);
    stream(command, progress)
}

/// A program of the Rust toolchain that builds in `folder` as if nobody had built anything before: when niwaki itself
/// runs under cargo, cargo's variables are those of the wrong workspace.
pub fn tool(program: &str, folder: &Path) -> Command {
    const KEEP: &[&str] = &["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_", "CARGO_TERM_"];
    const DROP: &[&str] = &["CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "CLIPPY_", "DEFMT_LOG"];
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if DROP.iter().any(|with| text.starts_with(with)) && !KEEP.iter().any(|with| text.starts_with(with)) {
            command.env_remove(&name);
        }
    }
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs a command whose lines are shown.
///
/// # Errors
/// [`ChipError::Command`] with its last lines if it fails.
pub fn stream(mut command: Command, progress: &mut dyn FnMut(Activity<'_>)) -> Result<(), ChipError> {
    const LAST_LINES: usize = 20;
    let words = words(&command);
    let failed = |detail: String| ChipError::Command { command: words.clone(), detail };
    let broken = |error: io::Error| failed(error.to_string());
    let (reader, writer) = io::pipe().map_err(broken)?;
    command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(broken)?).stderr(writer);
    let mut child = command.spawn().map_err(broken)?;
    drop(command); // and with it our ends of the pipe: it closes when the child is done
    let mut last = VecDeque::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.map_err(broken)?;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        progress(Activity::Tool(&line));
        last.push_back(line);
        if last.len() > LAST_LINES {
            last.pop_front();
        }
    }
    let status = child.wait().map_err(broken)?;
    if status.success() { Ok(()) } else { Err(failed(format!("{status}\n{}", Vec::from(last).join("\n")))) }
}

fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
