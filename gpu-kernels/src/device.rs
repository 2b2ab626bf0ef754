//! The device: which back ends exist, how one is opened, and which one a call goes to.

use crate::error::GpuError;

/// A back end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceKind {
    /// Any Vulkan 1.1 device; a software one (Mesa lavapipe) is taken when there is no other.
    Vulkan,
    /// The first NVIDIA device, through the CUDA driver and NVRTC of the machine.
    Cuda,
}

/// The clients of the back ends that were compiled in.
pub(crate) enum Backend {
    #[cfg(feature = "vulkan")]
    Vulkan(cubecl::client::ComputeClient<cubecl::wgpu::WgpuRuntime>),
    #[cfg(feature = "cuda")]
    Cuda(cubecl::client::ComputeClient<cubecl::cuda::CudaRuntime>),
}

/// An open device.
pub struct Gpu {
    pub(crate) backend: Backend,
    name: String,
}

impl core::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Gpu").field(&self.name).finish()
    }
}

impl Gpu {
    /// Opens the best device of a back end: discrete, then integrated, then virtual, then software.
    ///
    /// # Errors
    /// [`GpuError::NotCompiledIn`] without the feature, [`GpuError::NoAdapter`] when the machine has no driver or no
    /// device; this is probed before a client is made.
    pub fn open(kind: DeviceKind) -> Result<Self, GpuError> {
        match kind {
            #[cfg(feature = "vulkan")]
            DeviceKind::Vulkan => {
                let (client, name) = crate::vulkan::open()?;
                Ok(Self { backend: Backend::Vulkan(client), name })
            }
            #[cfg(not(feature = "vulkan"))]
            DeviceKind::Vulkan => Err(GpuError::NotCompiledIn { feature: "vulkan" }),
            #[cfg(feature = "cuda")]
            DeviceKind::Cuda => {
                let (client, name) = crate::cuda::open()?;
                Ok(Self { backend: Backend::Cuda(client), name })
            }
            #[cfg(not(feature = "cuda"))]
            DeviceKind::Cuda => Err(GpuError::NotCompiledIn { feature: "cuda" }),
        }
    }

    /// The device as its driver names it, with the back end.
    pub fn name(&self) -> String {
        self.name.clone()
    }
}
