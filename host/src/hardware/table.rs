//! Every chip, a row each: what the command line, recipes, cost tables, the firmware's build, tests and gates know of it.
//!
//! # Adding a chip
//! 1. Here: a row of `chips!`; an [`Emulator`] in `emulator.rs` if none of those fits.
//! 2. `firmware/src/board/NAME.rs` and `NAME.x`: the facts of its board and the linker's memory map.
//! 3. `firmware/src/board/mod.rs` and the features of `firmware/Cargo.toml`: one entry each, which name the board.
//! 4. `host/data/costs/CHIP.json`: `cargo run --release -p niwaki-tests --bin costs -- CHIP` measures and writes it. Until
//!    then `costs` is `None`, and models for the chip get plain weights.
//!
//! `cargo ci` then builds its images, checks its counter against code of known length and compares what models answer there
//! with this machine.

use super::{Emulator, Isa, QEMU_ARM, Timing, UnknownChip};
use std::{fmt, str::FromStr};

/// What is known of a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChipSpec {
    /// What the command line and recipes call it.
    pub name: &'static str,
    /// The instruction set that weights are packed for.
    pub isa: Isa,
    /// The Rust target.
    pub target: &'static str,
    /// The firmware's board: its Cargo feature, and with `_` for `-` its files in `firmware/src/board`.
    pub board: &'static str,
    /// The machine of the emulator that has this board.
    pub machine: &'static str,
    /// What runs it here.
    pub emulator: &'static Emulator,
    /// What operators cost, measured there; no layouts are chosen without.
    pub costs: Option<&'static str>,
    /// The rules by which cycles are estimated, where they are known.
    pub timing: Option<Timing>,
}

macro_rules! chips {
    ($($(#[$doc:meta])* $variant:ident: $name:literal { $($field:tt)* })*) => {
        /// A place where a model runs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Chip {
            /// This machine, with the same kernels: the same outputs, and no cost.
            Host,
            $($(#[$doc])* $variant,)*
        }

        impl Chip {
            /// The chips that are emulated microcontrollers.
            pub const EMULATED: &[Self] = &[$(Self::$variant),*];

            /// What recipes may name in `target.chip`.
            pub const TARGETS: &[&str] = &["portable", $($name),*];

            /// Every chip's name.
            pub const NAMES: &[&str] = &["host", $($name),*];

            /// The chip's row; none for this machine.
            pub const fn spec(self) -> Option<&'static ChipSpec> {
                match self {
                    Self::Host => None,
                    $(Self::$variant => Some(&const { ChipSpec { name: $name, $($field)* } }),)*
                }
            }
        }
    };
}

chips! {
    /// An emulated Arm Cortex-M3: no DSP instructions, no floating point unit.
    CortexM3: "cortex-m3" {
        isa: Isa::Portable,
        target: "thumbv7m-none-eabi",
        board: "mps2-an385",
        machine: "mps2-an385",
        emulator: &QEMU_ARM,
        costs: Some(include_str!("../../data/costs/cortex-m3.json")),
        timing: None,
    }
    /// An emulated Arm Cortex-M4F.
    CortexM4: "cortex-m4" {
        isa: Isa::ArmDsp,
        target: "thumbv7em-none-eabihf",
        board: "mps2-an386",
        machine: "mps2-an386",
        emulator: &QEMU_ARM,
        costs: Some(include_str!("../../data/costs/cortex-m4.json")),
        timing: Some(Timing::CortexM4),
    }
    /// An emulated Arm Cortex-M7F.
    CortexM7: "cortex-m7" {
        isa: Isa::ArmDsp,
        target: "thumbv7em-none-eabihf",
        board: "mps2-an500",
        machine: "mps2-an500",
        emulator: &QEMU_ARM,
        costs: Some(include_str!("../../data/costs/cortex-m7.json")),
        timing: None,
    }
    /// An emulated Arm Cortex-M33F with the DSP extension.
    CortexM33: "cortex-m33" {
        isa: Isa::ArmDsp,
        target: "thumbv8m.main-none-eabihf",
        board: "mps2-an505",
        machine: "mps2-an505",
        emulator: &QEMU_ARM,
        costs: Some(include_str!("../../data/costs/cortex-m33.json")),
        timing: None,
    }
    /// An emulated Arm Cortex-M55F; niwaki uses none of its vector instructions yet.
    CortexM55: "cortex-m55" {
        isa: Isa::ArmDsp,
        target: "thumbv8m.main-none-eabihf",
        board: "mps3-an547",
        machine: "mps3-an547",
        emulator: &QEMU_ARM,
        costs: Some(include_str!("../../data/costs/cortex-m55.json")),
        timing: None,
    }
}

impl Chip {
    /// What the weights of a model that runs here are packed for.
    pub fn isa(self) -> Isa {
        self.spec().map_or(Isa::Portable, |spec| spec.isa)
    }

    fn name(self) -> &'static str {
        self.spec().map_or("host", |spec| spec.name)
    }
}

impl FromStr for Chip {
    type Err = UnknownChip;

    fn from_str(name: &str) -> Result<Self, UnknownChip> {
        let mut chips = [Self::Host].into_iter().chain(Self::EMULATED.iter().copied());
        chips.find(|chip| chip.name() == name).ok_or_else(|| UnknownChip { name: name.to_owned() })
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, path::Path};

    #[test]
    fn a_chip_has_the_name_that_finds_it() {
        let found: Vec<String> = Chip::NAMES.iter().map(|name| name.parse::<Chip>().unwrap().to_string()).collect();
        assert_eq!(found, Chip::NAMES);
        assert_eq!(BTreeSet::from_iter(Chip::NAMES).len(), 1 + Chip::EMULATED.len());
    }

    #[test]
    fn an_unknown_chip_lists_the_known_ones() {
        let message = "z80".parse::<Chip>().unwrap_err().to_string();
        assert!(message.starts_with("there is no chip \"z80\"; known: host, cortex-m3, cortex-m4, "), "{message}");
    }

    #[test]
    fn every_board_has_its_files_and_its_feature() {
        let firmware = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("firmware");
        let manifest = std::fs::read_to_string(firmware.join("Cargo.toml")).unwrap();
        for spec in Chip::EMULATED.iter().filter_map(|chip| chip.spec()) {
            assert!(manifest.contains(&format!("\n{} = [", spec.board)), "{}", spec.board);
            for ending in ["rs", "x"] {
                let file = firmware.join("src/board").join(spec.board.replace('-', "_")).with_extension(ending);
                assert!(file.is_file(), "{}", file.display());
            }
        }
    }
}
