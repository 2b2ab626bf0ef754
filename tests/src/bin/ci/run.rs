//! How a gate runs programs: quietly, with everything they print kept for the report of a failure.

use niwaki::chip::{Chip, setup};
use std::{
    env,
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The one profile of everything that is built for this machine.
pub(crate) const RELEASE: &str = "--release";

/// What a gate found; the error is all that its programs printed.
pub(crate) type Outcome = Result<Verdict, String>;

/// A gate that did not fail.
pub(crate) enum Verdict {
    /// It holds; the lines are worth a look even so.
    Passed(Vec<String>),
    /// It could not be tried here, for this reason.
    Skipped(String),
}

impl Verdict {
    /// It holds and there is nothing to add.
    pub(crate) const PASSED: Self = Self::Passed(Vec::new());
}

/// Where everything is.
pub(crate) struct Context {
    /// The repository.
    pub(crate) root: PathBuf,
    /// Where cargo builds for this machine; `CARGO_TARGET_DIR` moves it.
    pub(crate) target: PathBuf,
}

impl Context {
    /// The repository that this program was built from.
    pub(crate) fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default();
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Self { root, target }
    }

    /// cargo in the root workspace.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = setup::tool("cargo", &self.root);
        cargo.env("CARGO_TARGET_DIR", &self.target).args(arguments);
        cargo
    }

    /// cargo in the firmware's workspace, with the target folder that `niwaki run --on` uses.
    pub(crate) fn firmware_cargo(&self, arguments: &[&str]) -> Command {
        self.board_cargo("firmware", arguments)
    }

    /// cargo in the workspace of the image that tests kernels.
    pub(crate) fn selftest_cargo(&self, arguments: &[&str]) -> Command {
        self.board_cargo("firmware/selftest", arguments)
    }

    fn board_cargo(&self, folder: &str, arguments: &[&str]) -> Command {
        let folder = self.root.join(folder);
        let mut cargo = setup::tool("cargo", &folder);
        let board = Chip::CortexM4.spec().map_or("", |spec| spec.board);
        cargo.env("CARGO_TARGET_DIR", folder.join("target").join(board)).args(arguments);
        cargo
    }

    /// The content of a file of the repository.
    pub(crate) fn read(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(self.root.join(path)).map_err(|error| format!("{path}: {error}"))
    }
}

/// Runs a program and returns all it printed; the error has the command in front of that.
pub(crate) fn output(mut command: Command) -> Result<String, String> {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let words = words.join(" ");
    let broken = |error: io::Error| format!("`{words}` did not run: {error}");
    let (mut reader, writer) = io::pipe().map_err(broken)?;
    command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(broken)?).stderr(writer);
    let mut child = command.spawn().map_err(broken)?;
    drop(command); // and with it our ends of the pipe: it closes when the child is done
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(broken)?;
    let printed = String::from_utf8_lossy(&bytes).into_owned();
    let status = child.wait().map_err(broken)?;
    if status.success() { Ok(printed) } else { Err(format!("$ {words}\n{printed}\n{status}")) }
}

/// Runs programs one after the other.
pub(crate) fn all(commands: impl IntoIterator<Item = Command>) -> Outcome {
    for command in commands {
        output(command)?;
    }
    Ok(Verdict::PASSED)
}

/// Runs tests; tests that say that they were skipped are shown.
pub(crate) fn tests(command: Command) -> Outcome {
    let printed = output(command)?;
    let count = |word: &str| -> usize {
        let results = printed.lines().filter(|line| line.starts_with("test result:"));
        let fields = results.flat_map(|line| line.split(['.', ';']));
        fields.filter_map(|field| field.trim().strip_suffix(word)?.trim().parse::<usize>().ok()).sum()
    };
    if count("passed") == 0 {
        return Err(format!("no test ran\n{printed}"));
    }
    let mut notes = vec![format!("{} tests, {} ignored", count("passed"), count("ignored"))];
    notes.extend(printed.lines().filter(|line| line.starts_with("skipped: ")).map(str::to_owned));
    Ok(Verdict::Passed(notes))
}
