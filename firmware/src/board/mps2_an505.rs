//! MPS2 with the AN505 image: a Cortex-M33F with TrustZone. The program stays in the secure state that it starts in:
//! 4 MB code SRAM at 1000_0000 and 4 MB SRAM at 3800_0000, both by their secure aliases, 16 MB PSRAM at 8000_0000.
//! Source: Arm DAI 0505, and QEMU's `hw/arm/mps2-tz.c`. `mps2_an505.x` holds the linker's part of the map.

use super::Region;

/// The board, as QEMU's `-machine` spells it.
pub const NAME: &str = "mps2-an505";

/// The FPGA's I/O block with the free-running counters, by its secure alias.
pub const FPGAIO: usize = 0x5030_2000;

/// Ticks of the fine counter in a second.
pub const TICK_HZ: u32 = 20_000_000;

/// The lowest address of the stack.
pub const STACK_FLOOR: usize = 0x3800_0000;

/// Room for the arena: the SRAM after the stack (256 KB) and the statics (64 KB).
pub const ARENA: Region = Region { address: 0x3805_0000, bytes: 0x3b_0000 };

/// Room for the model; after it the linker has room for a job that is part of the image.
pub const MODEL: Region = Region { address: 0x8000_0000, bytes: 7 << 20 };

/// Room for time stamps, one for each operator: the last megabyte of PSRAM.
pub const STAMPS: Region = Region { address: 0x80f0_0000, bytes: 1 << 20 };
