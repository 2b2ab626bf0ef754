//! What gates need from the machine, and how they get it: rustup's targets and components, Debian's packages.

use crate::run::Context;
use niwaki::chip::{Activity, Chip, setup};
use std::collections::BTreeMap;

/// Something that a gate needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// A Rust target.
    Target(&'static str),
    /// A part of the toolchain: the program that shows it is there, and rustup's name for it.
    Component(&'static str, &'static str),
    /// The emulators of all chips.
    Emulator,
    /// The same, for some tests only: without it they say that they were skipped.
    EmulatorForSome,
    /// The Vulkan loader and a software device, for machines without a GPU.
    Vulkan,
}

/// This machine, and what is known about it so far.
pub(crate) struct Machine<'c> {
    context: &'c Context,
    setup: setup::Machine,
    found: BTreeMap<Need, Option<String>>,
}

fn show(step: Activity<'_>) {
    match step {
        Activity::Doing(what) => println!("{:<16} {what}", "setup"),
        Activity::Tool(line) => println!("{:<16}   {line}", ""),
        _ => {}
    }
}

impl<'c> Machine<'c> {
    /// Nothing is known yet.
    pub(crate) fn new(context: &'c Context) -> Self {
        Self { context, setup: setup::Machine::here(), found: BTreeMap::new() }
    }

    /// Why a need cannot be met here. What is missing is installed first if that is allowed, and the screen says so.
    pub(crate) fn lacks(&mut self, need: Need) -> Option<String> {
        if let Some(known) = self.found.get(&need) {
            return known.clone();
        }
        let root = &self.context.root;
        let lacking = match need {
            Need::Target(target) => setup::rust_target(root, target, &mut show).err().map(|error| error.to_string()),
            Need::Component(program, component) => self.component(program, component),
            Need::Emulator => {
                let mut specs = Chip::EMULATED.iter().filter_map(|chip| chip.spec());
                let lacking = specs.find_map(|spec| self.setup.emulator(spec.emulator, &mut show).err());
                lacking.map(|error| error.to_string())
            }
            Need::EmulatorForSome => {
                let _ = self.lacks(Need::Emulator);
                None
            }
            // A driver of the machine serves as well; the tests look for one themselves.
            Need::Vulkan => self.vulkan(),
        };
        let lacking = lacking.map(|reason| reason.lines().next().unwrap_or_default().to_owned());
        self.found.insert(need, lacking.clone());
        lacking
    }

    fn component(&self, program: &str, component: &str) -> Option<String> {
        let there = || {
            let mut command = setup::tool(program, &self.context.root);
            command.arg("--version").output().is_ok_and(|output| output.status.success())
        };
        if there() {
            return None;
        }
        if self.setup.may_install() {
            println!("{:<16} adding {component} to the toolchain", "setup");
            let mut rustup = setup::tool("rustup", &self.context.root);
            rustup.args(["component", "add", component]);
            // What went wrong is on the screen; all that counts is whether it is there now.
            let _ = setup::stream(rustup, &mut show);
        }
        (!there()).then(|| format!("no {component}; run `rustup component add {component}`"))
    }

    fn vulkan(&self) -> Option<String> {
        const FOLDERS: [&str; 4] =
            ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
        let loader = || FOLDERS.iter().any(|folder| std::path::Path::new(folder).join("libvulkan.so.1").exists());
        let drivers = || {
            ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"]
                .iter()
                .any(|folder| std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some()))
        };
        if !(loader() && drivers()) {
            let packages = ["mesa-vulkan-drivers", "libvulkan1"];
            if let Err(error) = self.setup.debian_packages(&packages, "a software Vulkan device", &mut show) {
                println!("{:<16}   {error}", "");
            }
        }
        None
    }
}
