//! `cargo ci --bless`: the only writer of goldens and budgets, each with the command and the commit that wrote it.

use crate::budgets;
use crate::firmware;
use crate::run::{Context, RELEASE, output};
use std::process::Command;

/// Rewrites `tests/goldens` and `tests/budgets.toml`.
pub(crate) fn bless(context: &Context) -> Result<(), String> {
    let certificate = certificate(context)?;
    println!("goldens …");
    let mut cargo = context.cargo(&["test", RELEASE, "-p", "niwaki-tests", "--test", "golden", "--"]);
    cargo.args(["--ignored", "--exact", "bless"]).env("NIWAKI_BLESS", &certificate);
    output(cargo)?;
    println!("budgets …");
    let mut costs = budgets::flash(&firmware::images()?)?;
    costs.extend(budgets::emulated()?);
    budgets::write(context, &certificate, &costs)?;
    println!("tests/goldens and {} are new; look at `git diff` before you commit them", budgets::FILE);
    Ok(())
}

/// Where a blessed file comes from, as it says itself.
fn certificate(context: &Context) -> Result<String, String> {
    let mut git = Command::new("git");
    git.current_dir(&context.root).args(["log", "-1", "--format=%h of %cs"]);
    let commit = output(git)?;
    let mut git = Command::new("git");
    git.current_dir(&context.root).args(["status", "--porcelain", "--untracked-files=no"]);
    let changed = if output(git)?.trim().is_empty() { "" } else { " with changes" };
    Ok(format!("Written by `cargo ci --bless` at commit {}{changed}; nothing else writes this.", commit.trim()))
}
