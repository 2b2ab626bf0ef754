//! GPU kernels, each a faster spelling of a definition in `niwaki-core` and tested against it.
//!
//! One source in CubeCL runs on Vulkan (`vulkan`) and CUDA (`cuda`). Without these features none of it is built; the
//! interface stays the same, and [`Gpu::open`] returns an error with the command that builds it.
//!
//! # Examples
//! ```no_run
//! use niwaki_kernels::{DeviceKind, Gpu, WgsefSpec};
//! # fn main() -> Result<(), niwaki_kernels::GpuError> {
//! let (mut filters, mut bias) = (vec![0.5_f32; 64 * 9], vec![0.1; 64]);
//! let mut gpu = Gpu::open(DeviceKind::Vulkan)?;
//! gpu.wgsef_prox(&mut filters, Some(&mut bias), 64, WgsefSpec { k: 16, lambda: 0.01 })?;
//! # Ok(())
//! # }
//! ```

mod device;
mod error;
mod wgsef;

#[cfg(feature = "cuda")]
mod cuda;
#[cfg(any(feature = "vulkan", feature = "cuda"))]
mod kernels;
#[cfg(feature = "vulkan")]
mod vulkan;

pub use device::{DeviceKind, Gpu};
pub use error::GpuError;
pub use wgsef::{Part, WgsefSpec};
