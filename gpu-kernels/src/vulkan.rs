//! Opens a Vulkan device, after asking the loader which there are.

use crate::error::GpuError;
use cubecl::client::ComputeClient;
use cubecl::prelude::Runtime;
use cubecl::wgpu::{WgpuDevice, WgpuRuntime};
use wgpu::DeviceType;

/// The client of the best adapter and its name.
///
/// Without an adapter the client would panic in a thread of its own, so the adapters are listed first.
pub(crate) fn open() -> Result<(ComputeClient<WgpuRuntime>, String), GpuError> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::VULKAN,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapters = cubecl::future::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    let infos = adapters.iter().map(wgpu::Adapter::get_info);
    let best = infos.min_by_key(|info| match info.device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Cpu => 3,
        DeviceType::Other => 4,
    });
    let info = best.ok_or_else(|| GpuError::NoAdapter {
        kind: "Vulkan",
        reason: "the Vulkan loader (libvulkan.so.1) is missing or lists no device; \
                 a software device comes with Debian's mesa-vulkan-drivers"
            .into(),
    })?;
    // The first of its type, as above: both lists are in the loader's order.
    let device = match info.device_type {
        DeviceType::DiscreteGpu => WgpuDevice::DiscreteGpu(0),
        DeviceType::IntegratedGpu => WgpuDevice::IntegratedGpu(0),
        DeviceType::VirtualGpu => WgpuDevice::VirtualGpu(0),
        DeviceType::Cpu => WgpuDevice::Cpu,
        DeviceType::Other => WgpuDevice::DefaultDevice,
    };
    Ok((WgpuRuntime::client(&device), format!("{} (Vulkan, {})", info.name, info.driver_info)))
}
