//! MPS2 with the AN386 image: a Cortex-M4F with 4 MB SRAM at 2000_0000 and 16 MB PSRAM at 2100_0000.
//! Source: Arm DAI 0386, and QEMU's `hw/arm/mps2.c`. `mps2_an386.x` holds the linker's part of the map.

use super::Region;

/// The board, as QEMU's `-machine` spells it.
pub const NAME: &str = "mps2-an386";

/// The FPGA's I/O block with the free-running counters.
pub const FPGAIO: usize = 0x4002_8000;

/// Ticks of the fine counter in a second.
pub const TICK_HZ: u32 = 25_000_000;

/// The lowest address of the stack, a multiple of 256 MB.
pub const STACK_FLOOR: usize = 0x2000_0000;

/// Room for the arena: the SRAM after the stack (256 KB) and the statics (64 KB).
pub const ARENA: Region = Region { address: 0x2005_0000, bytes: 0x3b_0000 };

/// Room for the model; after it the linker has room for a job that is part of the image.
pub const MODEL: Region = Region { address: 0x2100_0000, bytes: 7 << 20 };

/// Room for time stamps, one for each operator: the last megabyte of PSRAM.
pub const STAMPS: Region = Region { address: 0x21f0_0000, bytes: 1 << 20 };
