//! The table of gates, cheapest first so that a failure shows early.

use crate::machine::Need;
use crate::run::{Context, Outcome, RELEASE, Verdict, all, output, tests};
use crate::{arrows, budgets, firmware, operators, panics, source};
use niwaki::chip::Chip;
use std::collections::BTreeSet;
use std::process::Command;

/// Something that must hold before a change is merged.
pub(crate) struct Gate {
    /// What `cargo ci NAME` takes.
    pub(crate) name: &'static str,
    /// What it proves, in one line.
    pub(crate) proves: &'static str,
    /// What it needs to run.
    pub(crate) needs: &'static [Need],
    /// Tries it.
    pub(crate) run: fn(&Context) -> Outcome,
}

/// A chip with every instruction that core may use.
pub(crate) const CHIP: &str = target(Chip::CortexM4);
/// The one with the fewest.
pub(crate) const SMALLEST: &str = "thumbv6m-none-eabi";
const CLIPPY: Need = Need::Component("cargo-clippy", "clippy");
const RUSTFMT: Need = Need::Component("rustfmt", "rustfmt");

/// Targets that core builds for, besides those of the chips and this machine.
const OTHERS: [&str; 2] = [SMALLEST, "riscv32imc-unknown-none-elf"];

const CHIPS: usize = Chip::EMULATED.len();

/// Targets of the emulated chips.
const CHIP_TARGETS: &[Need] = &{
    let mut needs = [Need::Target(CHIP); CHIPS];
    let mut k = 0;
    while k < CHIPS {
        needs[k] = Need::Target(target(Chip::EMULATED[k]));
        k += 1;
    }
    needs
};

const ALL_TARGETS: &[Need] = &{
    let mut needs = [Need::Target(CHIP); CHIPS + OTHERS.len()];
    let mut k = 0;
    while k < needs.len() {
        needs[k] = if k < CHIPS { CHIP_TARGETS[k] } else { Need::Target(OTHERS[k - CHIPS]) };
        k += 1;
    }
    needs
};

/// The Rust target of an emulated chip.
const fn target(chip: Chip) -> &'static str {
    match chip.spec() {
        Some(spec) => spec.target,
        None => panic!("this machine is no chip"),
    }
}

macro_rules! gates {
    ($($name:literal, $proves:literal, $needs:expr, $run:expr;)*) => {
        /// Every gate.
        pub(crate) const GATES: &[Gate] = &[$(Gate { name: $name, proves: $proves, needs: $needs, run: $run }),*];
    };
}

gates! {
    "top-level", "nothing strange lies at the top level, and every package has its licence", &[], source::top_level;
    "arrows", "crates and modules depend on each other in one direction", &[], arrows::arrows;
    "core-source", "core has unsafe in instruction-set folders alone, one choice of back end, no allocator, no std", &[], source::core_source;
    "host-operators", "the host matches operators in their table alone", &[], operators::host_operators;
    "fmt", "every file is formatted", &[RUSTFMT], fmt;
    "core-targets", "core builds for every chip family and for this machine", ALL_TARGETS, core_targets;
    "core-panics", "no function of core, compiled for two chips, can panic or allocate",
        &[Need::Target(SMALLEST), Need::Target(CHIP)], panics::core_panics;
    "clippy-chip", "core on a chip and the firmware have no warning", &[CLIPPY, Need::Target(CHIP)], clippy_chip;
    "firmware", "the images build for every chip, cannot panic, and fit their flash budgets",
        CHIP_TARGETS, firmware::firmware;
    "clippy", "the workspace has no warning", &[CLIPPY], clippy;
    "docs", "the documentation builds without a dead link", &[], docs;
    "tests", "every test and every example in the documentation", &[Need::EmulatorForSome], workspace_tests;
    "budgets", "reference models stay within their instructions, stack and arena on the emulated Cortex-M4",
        &[Need::Emulator, Need::Target(CHIP)], budgets::budgets;
    "readme", "README, pages and comments name no path, command or section that is not there", &[], source::readme;
    "checked", "core's tests and 200,000 damaged files, with overflow checks and debug assertions", &[], checked;
    "vulkan", "GPU kernels equal core on Vulkan, alone and in training", &[Need::Vulkan], vulkan;
}

fn fmt(context: &Context) -> Outcome {
    // Files that belong to no workspace that is formatted above.
    let mut single = Command::new("rustfmt");
    single.current_dir(&context.root).args(["--check", "--edition=2024", "tests/probe/lib.rs"]);
    single.args(["import", "model"].map(|target| format!("tests/fuzz/fuzz_targets/{target}.rs")));
    single.arg("tests/foreign/src/main.rs");
    let check = ["fmt", "--all", "--check"];
    all([context.cargo(&check), context.firmware_cargo(&check), context.selftest_cargo(&["fmt", "--check"]), single])
}

fn core_targets(context: &Context) -> Outcome {
    // As firmware that only runs models links it, and with everything that a chip may want.
    let mut cargo = context.cargo(&["build", RELEASE, "-p", "niwaki-core"]);
    let mut learning = context.cargo(&["build", RELEASE, "-p", "niwaki-core", "--features", "train,defmt"]);
    learning.args(["--target", CHIP]);
    let chips = Chip::EMULATED.iter().map(|&chip| target(chip));
    for target in BTreeSet::from_iter(chips.chain(OTHERS)) {
        cargo.args(["--target", target]);
    }
    all([cargo, learning, context.cargo(&["build", RELEASE, "-p", "niwaki-core"])])
}

fn clippy(context: &Context) -> Outcome {
    all([context.cargo(&["clippy", RELEASE, "--workspace", "--all-targets", "--", "-D", "warnings"])])
}

fn clippy_chip(context: &Context) -> Outcome {
    all([
        context.cargo(&["clippy", RELEASE, "-p", "niwaki-core", "--target", CHIP, "--", "-D", "warnings"]),
        context.firmware_cargo(&["clippy", RELEASE, "--workspace", "--target", CHIP, "--", "-D", "warnings"]),
        context.selftest_cargo(&["clippy", RELEASE, "--target", CHIP, "--", "-D", "warnings"]),
    ])
}

fn docs(context: &Context) -> Outcome {
    let packages = ["-p", "niwaki-core", "-p", "niwaki-kernels", "-p", "niwaki"];
    let mut cargo = context.cargo(&["doc", RELEASE, "--no-deps", "--lib"]);
    cargo.args(packages).env("RUSTDOCFLAGS", "-D warnings");
    all([cargo])
}

fn workspace_tests(context: &Context) -> Outcome {
    tests(context.cargo(&["test", RELEASE, "--workspace", "--no-fail-fast"]))
}

fn checked(context: &Context) -> Outcome {
    const PROFILE: [&str; 3] = ["test", "--profile", "release-checked"];
    let mut core = context.cargo(&PROFILE);
    core.args(["-p", "niwaki-core", "--features", "host"]);
    let mut damaged = context.cargo(&PROFILE);
    damaged.args(["-p", "niwaki-tests", "--test", "damaged_files"]);
    let (Verdict::Passed(mut notes), Verdict::Passed(more)) = (tests(core)?, tests(damaged)?) else {
        return Err("tests are never skipped as a whole".into());
    };
    notes.extend(more);
    Ok(Verdict::Passed(notes))
}

fn vulkan(context: &Context) -> Outcome {
    let mut cargo = context.cargo(&["test", RELEASE, "-p", "niwaki-kernels", "--features", "vulkan", "--"]);
    // Its tests print the device that they ran on, or that no device was found.
    cargo.arg("--nocapture");
    let printed = output(cargo)?;
    if let Some(line) =
        printed.lines().find_map(|line| line.split("skipped: ").nth(1).filter(|l| l.contains("adapter")))
    {
        return Ok(Verdict::Skipped(line.to_owned()));
    }
    // The same kernel as training calls it.
    output(context.cargo(&[
        "test",
        RELEASE,
        "-p",
        "niwaki",
        "--features",
        "vulkan",
        "--lib",
        "a_gpu_gives_the_values",
    ]))?;
    let device = printed.lines().find(|line| line.starts_with("on "));
    Ok(Verdict::Passed(device.map(str::to_owned).into_iter().collect()))
}
