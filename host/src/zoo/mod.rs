//! Networks by name, with seeded initial weights.

mod error;
mod layers;
mod networks;
mod nodes;

use crate::graph::{Graph, TensorId};
use layers::Init;
use nodes::Net;

pub use error::ZooError;
pub use nodes::{NodeInput, NodeSizes};

/// A network that recipes can name.
pub struct Entry {
    /// The name in `[model] zoo = "…"`.
    pub name: &'static str,
    /// One line for help texts.
    pub about: &'static str,
    network: Network,
}

/// How a network is built.
enum Network {
    /// For samples of a shape, into so many classes.
    OfSamples(fn(&mut Init, &[usize], usize) -> Result<Graph, ZooError>),
    /// Over the nodes of a graph.
    OverNodes(fn(&mut Net<'_>, NodeSizes) -> Result<TensorId, ZooError>),
}

impl Entry {
    /// Whether the network is over the nodes of a graph, and not for samples.
    pub fn is_over_nodes(&self) -> bool {
        matches!(self.network, Network::OverNodes(_))
    }

    /// Builds the network for inputs of `input = [H, W, C]` and `classes` outputs.
    ///
    /// # Errors
    /// [`ZooError::Graph`] when the input does not fit the network; [`ZooError::OverNodes`] for a network over nodes.
    pub fn build(&self, input: &[usize], classes: usize, seed: u64) -> Result<Graph, ZooError> {
        match self.network {
            Network::OfSamples(build) => build(&mut Init::new(seed), input, classes),
            Network::OverNodes(_) => Err(ZooError::OverNodes { name: self.name.into() }),
        }
    }

    /// Builds the network over a graph.
    ///
    /// # Errors
    /// [`ZooError::Graph`] when graph and features have different numbers of nodes, or heads do not divide the channels;
    /// [`ZooError::OfSamples`] for a network of samples.
    pub fn build_over(&self, input: &NodeInput, sizes: NodeSizes, seed: u64) -> Result<Graph, ZooError> {
        let Network::OverNodes(build) = self.network else {
            return Err(ZooError::OfSamples { name: self.name.into() });
        };
        let mut net = Net::new(input, seed);
        let output = build(&mut net, sizes)?;
        net.graph.outputs.push(output);
        net.graph.validate()?;
        Ok(net.graph)
    }
}

/// Every network of the zoo, those of samples first.
pub const ENTRIES: &[Entry] = &[
    Entry {
        name: "small-cnn",
        about: "three 3x3 convolutions (16, 32, 32 filters) and two max pools, for images of about 8x8 to 32x32",
        network: Network::OfSamples(networks::small_cnn),
    },
    Entry {
        name: "ds-cnn",
        about: "convolution, four depthwise-separable blocks of 64 filters with batch norm (keyword spotting)",
        network: Network::OfSamples(networks::ds_cnn),
    },
    Entry {
        name: "tiny-resnet",
        about: "two residual blocks (16, 32 filters) with batch norm",
        network: Network::OfSamples(networks::tiny_resnet),
    },
    Entry {
        name: "compact-cnn",
        about: "four convolutions (16, 32, 48, 64 filters) with batch norm, for images of about 28x28",
        network: Network::OfSamples(networks::compact_cnn),
    },
    Entry {
        name: "wide-cnn",
        about: "compact-cnn with twice the filters (32, 64, 96, 128), to be pruned",
        network: Network::OfSamples(networks::wide_cnn),
    },
    Entry {
        name: "ds-cnn-image",
        about: "convolution, three depthwise-separable blocks (64, 128, 128 filters) with batch norm, for images",
        network: Network::OfSamples(networks::ds_cnn_image),
    },
    Entry {
        name: "resnet-8",
        about: "three residual blocks (16, 32, 64 filters) with batch norm (image classification of MLPerf Tiny)",
        network: Network::OfSamples(networks::resnet_8),
    },
    Entry {
        name: "gcn",
        about: "graph convolutions with dropout 0.5 (Kipf and Welling 2017)",
        network: Network::OverNodes(nodes::gcn),
    },
    Entry {
        name: "gat",
        about: "attention over neighbours, 8 heads and 1 at the end, dropout 0.6 (Velickovic et al. 2018)",
        network: Network::OverNodes(nodes::gat),
    },
    Entry {
        name: "gin",
        about: "sums over neighbours with trained eps (Xu et al. 2019)",
        network: Network::OverNodes(nodes::gin),
    },
    Entry {
        name: "sage",
        about: "the node beside the mean of its neighbours, dropout 0.5 (Hamilton et al. 2017)",
        network: Network::OverNodes(nodes::sage),
    },
];

/// The networks of samples.
pub fn of_samples() -> impl Iterator<Item = &'static Entry> {
    ENTRIES.iter().filter(|entry| !entry.is_over_nodes())
}

/// The network called `name`.
pub fn by_name(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|e| e.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_is_valid_and_depends_on_the_seed_alone() {
        for entry in of_samples() {
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
    #[test]
    fn a_network_of_the_other_kind_is_refused_by_name() {
        let error = by_name("gcn").expect("in the zoo").build(&[8, 8, 1], 10, 1).expect_err("no samples");
        assert!(error.to_string().contains("`gcn` is a network over graphs"), "{error}");
    }
}
