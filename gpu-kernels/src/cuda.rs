//! Opens the first CUDA device, after asking for the libraries that CubeCL loads at run time.

use crate::error::GpuError;
use cubecl::client::ComputeClient;
use cubecl::cuda::{CudaDevice, CudaRuntime};
use cubecl::prelude::Runtime;
use cudarc::driver::result;

/// The client of device 0 and its name.
///
/// Checked first, because CubeCL panics in a thread of its own without a driver, NVRTC, headers for NVRTC or a device.
pub(crate) fn open() -> Result<(ComputeClient<CudaRuntime>, String), GpuError> {
    let missing = |reason: &str| GpuError::NoAdapter { kind: "CUDA", reason: reason.into() };
    let failed = |e: result::DriverError| GpuError::NoAdapter { kind: "CUDA", reason: format!("{e:?}") };
    if !has_driver() {
        return Err(missing("the NVIDIA driver (libcuda.so.1) is not installed"));
    }
    if !has_compiler() {
        return Err(missing("the run-time compiler (libnvrtc.so) of the CUDA toolkit is not installed"));
    }
    if cubecl::cuda::install::cuda_path().is_none() {
        return Err(missing("the CUDA toolkit was not found; set CUDA_PATH to where its include folder is"));
    }
    result::init().map_err(failed)?;
    if result::device::get_count().map_err(failed)? == 0 {
        return Err(missing("the driver lists no device"));
    }
    let device = result::device::get(0).map_err(failed)?;
    let name = result::device::get_name(device).map_err(failed)?;
    Ok((CudaRuntime::client(&CudaDevice::new(0)), format!("{name} (CUDA)")))
}

#[allow(unsafe_code, reason = "loading a library runs its initialisers")]
fn has_driver() -> bool {
    // SAFETY: loads and unloads libcuda, whose initialisers have no preconditions; CubeCL loads the same library next.
    unsafe { cudarc::driver::sys::is_culib_present() }
}

#[allow(unsafe_code, reason = "loading a library runs its initialisers")]
fn has_compiler() -> bool {
    // SAFETY: loads and unloads libnvrtc, whose initialisers have no preconditions; CubeCL loads the same library next.
    unsafe { cudarc::nvrtc::sys::is_culib_present() }
}
