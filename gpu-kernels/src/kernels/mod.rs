//! The CubeCL side: buffers of known length, sums over a block, and one file for each family of kernels.

use crate::error::GpuError;
use cubecl::client::ComputeClient;
use cubecl::prelude::*;
use cubecl::server::Handle;

pub(crate) mod wgsef;

/// Units (threads) of a block.
pub(crate) const BLOCK: u32 = 256;

/// Blocks along x: below every device's limit for one axis.
const MAX_BLOCKS_X: u32 = 1 << 15;

/// A device buffer of `f32` that knows its length.
pub(crate) struct Buffer {
    handle: Handle,
    len: usize,
}

impl Buffer {
    /// Copies values to the device.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`]: for the device, or for the 32-bit indexes of the kernels.
    pub(crate) fn upload<R: Runtime>(client: &ComputeClient<R>, values: &[f32]) -> Result<Self, GpuError> {
        let bytes = size_of_val(values) as u64;
        let max_bytes = client.properties().memory.max_page_size.min(4 * u64::from(u32::MAX >> 1));
        if bytes > max_bytes {
            return Err(GpuError::TooLarge { bytes, max_bytes });
        }
        Ok(Self { handle: client.create_from_slice(f32::as_bytes(values)), len: values.len() })
    }

    /// The buffer as a kernel's argument.
    #[allow(unsafe_code, reason = "CubeCL takes the length on trust")]
    pub(crate) fn arg<R: Runtime>(&self) -> ArrayArg<R> {
        // SAFETY: `upload` is the only constructor and made the buffer from a slice of `len` elements.
        unsafe { ArrayArg::from_raw_parts(self.handle.clone(), self.len) }
    }

    /// Waits for the kernels before and copies the values back.
    ///
    /// # Errors
    /// [`GpuError::Device`].
    pub(crate) fn download<R: Runtime>(self, client: &ComputeClient<R>) -> Result<Vec<f32>, GpuError> {
        let bytes = client.read_one(self.handle).map_err(|e| GpuError::Device { reason: e.to_string() })?;
        Ok(f32::from_bytes(&bytes).to_vec())
    }
}

/// A grid of at least `blocks` blocks.
pub(crate) fn grid(blocks: usize) -> CubeCount {
    let blocks = blocks.clamp(1, u32::MAX as usize) as u32;
    let x = blocks.min(MAX_BLOCKS_X);
    CubeCount::Static(x, blocks.div_ceil(x), 1)
}

/// The sum over the block of one value from each unit, returned to every unit. All units must call it.
#[cube]
pub(crate) fn block_sum(value: f32, shared: &mut SharedMemory<f32>) -> f32 {
    let unit = UNIT_POS as usize;
    // All units have read the last result.
    sync_cube();
    shared[unit] = value;
    sync_cube();
    let mut half = CUBE_DIM / 2;
    while half > 0 {
        if UNIT_POS < half {
            shared[unit] += shared[unit + half as usize];
        }
        sync_cube();
        half /= 2;
    }
    shared[0]
}

/// The maximum over the block of one non-negative value from each unit, returned to every unit. All units must call it.
#[cube]
pub(crate) fn block_max(value: f32, shared: &mut SharedMemory<f32>) -> f32 {
    let unit = UNIT_POS as usize;
    // All units have read the last result.
    sync_cube();
    shared[unit] = value;
    sync_cube();
    let mut half = CUBE_DIM / 2;
    while half > 0 {
        if UNIT_POS < half {
            shared[unit] = max(shared[unit], shared[unit + half as usize]);
        }
        sync_cube();
        half /= 2;
    }
    shared[0]
}
