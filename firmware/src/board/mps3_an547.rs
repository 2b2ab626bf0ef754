//! MPS3 with the AN547 image: a Cortex-M55F with TrustZone. The program stays in the secure state that it starts in:
//! 512 KB of tightly coupled memory each for code at 0 and for data at 2000_0000, 4 MB SRAM at 2100_0000, DDR memory
//! at 6000_0000. Source: Arm DAI 0547, and QEMU's `hw/arm/mps2-tz.c`. `mps3_an547.x` holds the linker's part of the map.

use super::Region;

/// The board, as QEMU's `-machine` spells it.
pub const NAME: &str = "mps3-an547";

/// The FPGA's I/O block with the free-running counters, by its secure alias.
pub const FPGAIO: usize = 0x5930_2000;

/// Ticks of the fine counter in a second.
pub const TICK_HZ: u32 = 20_000_000;

/// The lowest address of the stack.
pub const STACK_FLOOR: usize = 0x2000_0000;

/// Room for the arena: the SRAM.
pub const ARENA: Region = Region { address: 0x2100_0000, bytes: 4 << 20 };

/// Room for the model; after it the linker has room for a job that is part of the image.
pub const MODEL: Region = Region { address: 0x6000_0000, bytes: 7 << 20 };

/// Room for time stamps, one for each operator: the megabyte of DDR memory after the job.
pub const STAMPS: Region = Region { address: 0x60f0_0000, bytes: 1 << 20 };
