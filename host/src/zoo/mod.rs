//! Networks by name, with seeded initial weights.

mod layers;
mod networks;
mod nodes;

use crate::graph::{Graph, GraphError};
use layers::Init;

pub use nodes::{NODE_ENTRIES, NodeEntry, NodeInput, NodeSizes, node_entry};

/// A network that recipes can name.
pub struct Entry {
    /// The name in `[model] zoo = "…"`.
    pub name: &'static str,
    /// One line for help texts.
    pub about: &'static str,
    build: fn(&mut Init, &[usize], usize) -> Result<Graph, GraphError>,
}

impl Entry {
    /// Builds the network for inputs of `input = [H, W, C]` and `classes` outputs.
    ///
    /// # Errors
    /// [`GraphError::Shape`] when the input does not fit the network.
    pub fn build(&self, input: &[usize], classes: usize, seed: u64) -> Result<Graph, GraphError> {
        (self.build)(&mut Init::new(seed), input, classes)
    }
}

/// Every network of the zoo.
pub const ENTRIES: &[Entry] = &[
    Entry {
        name: "small-cnn",
        about: "three 3x3 convolutions (16, 32, 32 filters) and two max pools, for images of about 8x8 to 32x32",
        build: networks::small_cnn,
    },
    Entry {
        name: "ds-cnn",
        about: "convolution, four depthwise-separable blocks of 64 filters with batch norm (keyword spotting)",
        build: networks::ds_cnn,
    },
    Entry {
        name: "tiny-resnet",
        about: "two residual blocks (16, 32 filters) with batch norm",
        build: networks::tiny_resnet,
    },
    Entry {
        name: "compact-cnn",
        about: "four convolutions (16, 32, 48, 64 filters) with batch norm, for images of about 28x28",
        build: networks::compact_cnn,
    },
    Entry {
        name: "wide-cnn",
        about: "compact-cnn with twice the filters (32, 64, 96, 128), to be pruned",
        build: networks::wide_cnn,
    },
    Entry {
        name: "ds-cnn-image",
        about: "convolution, three depthwise-separable blocks (64, 128, 128 filters) with batch norm, for images",
        build: networks::ds_cnn_image,
    },
    Entry {
        name: "resnet-8",
        about: "three residual blocks (16, 32, 64 filters) with batch norm (image classification of MLPerf Tiny)",
        build: networks::resnet_8,
    },
];

/// The network called `name`.
pub fn by_name(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|e| e.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_is_valid_and_depends_on_the_seed_alone() {
        for entry in ENTRIES {
            let build = |seed| entry.build(&[16, 12, 3], 7, seed).expect("fits");
            let graph = build(1);
            graph.validate().expect("a network");
            assert_eq!(graph[graph.outputs[0]].shape, [7], "{}", entry.name);
            assert_eq!(graph, build(1));
            assert_ne!(graph, build(2));
        }
    }

    fn macs(name: &str, input: &[usize], classes: usize) -> usize {
        by_name(name).expect("in the zoo").build(input, classes, 1).expect("fits").macs()
    }

    #[test]
    fn the_networks_of_mlperf_tiny_are_the_published_ones() {
        assert_eq!(macs("ds-cnn", &[49, 10, 1], 12), 2_656_768);
        assert_eq!(macs("resnet-8", &[32, 32, 3], 10), 12_501_632);
    }

    #[test]
    fn the_image_networks_are_small_at_28x28() {
        assert_eq!(macs("compact-cnn", &[28, 28, 1], 10), 1_424_576);
        assert_eq!(macs("wide-cnn", &[28, 28, 1], 10), 5_540_224);
        assert_eq!(macs("ds-cnn-image", &[28, 28, 1], 10), 1_804_480);
        assert_eq!(macs("resnet-8", &[28, 28, 1], 10), 9_345_920);
    }

    #[test]
    fn an_input_without_channels_is_refused_by_shape() {
        let error = by_name("small-cnn").expect("in the zoo").build(&[64], 10, 1).expect_err("no image");
        assert!(error.to_string().contains("conv2d `conv1`: x must be [H, W, C] (input shapes [[64]"), "{error}");
    }
}
