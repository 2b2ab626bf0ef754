"""Models of the operators that slide windows, reduce axes or resize images."""

import numpy as np

from elementwise import image
from kinds import SAME, VALID, activation, clamped_zero_point, out_size, scale, unit
from network import Network, options


def pool(name, rng, kind, k):
    """AVERAGE_POOL_2D, MAX_POOL_2D: the quantisation stays."""
    net = Network()
    size, channels = [int(rng.integers(4, 13)) for _ in range(2)], int(rng.integers(1, 10))
    padding = [SAME, VALID][k // 2 % 2]
    kernel, stride = [int(rng.integers(1, 5)) for _ in range(2)], [int(rng.integers(1, 4)) for _ in range(2)]
    if k == 3:
        kernel, stride = size, [1, 1]
    s, zero = scale(rng, -3, 0), clamped_zero_point(rng, kind, k)
    s *= unit(rng, kind, k, s)
    x = net.input((1, *size, channels), kind.activation, s, zero)
    out = [out_size(size[a], kernel[a], stride[a], 1, padding) for a in range(2)]
    y = net.output((1, *out, channels), kind.activation, s, zero)
    net.operator(name, [x], [y], options(
        "Pool2D", padding=padding, strideH=stride[0], strideW=stride[1], filterHeight=kernel[0],
        filterWidth=kernel[1], fusedActivationFunction=activation(k)))
    return net


def average_pool_2d(rng, kind, k):
    """AVERAGE_POOL_2D."""
    return pool("AVERAGE_POOL_2D", rng, kind, k)


def max_pool_2d(rng, kind, k):
    """MAX_POOL_2D."""
    return pool("MAX_POOL_2D", rng, kind, k)


def reduction(name, rng, kind, k):
    """MEAN, SUM over spatial axes, over single axes and over all; with and without the axes kept."""
    net = Network()
    shape = image(rng)
    axes = [(1, 2), (3,), (1, 2), (1,), (2, 3), (1, 2), (2,), (-1,)][k % 8]
    keep = k % 3 == 1
    n = int(np.prod([shape[axis] for axis in axes]))
    reduced = [axis % 4 for axis in axes]
    out = [1 if axis in reduced else d for axis, d in enumerate(shape) if keep or axis not in reduced]
    x = scale(rng, -3, 0)
    # What the zero point is away from the middle of the codes moves a sum n times, a mean once.
    spread, off = (np.sqrt(n), 12) if name == "SUM" else (1 / np.sqrt(n), 40)
    y = np.float32(x * spread * 10 ** rng.uniform(-0.3, 0.3))
    operand = net.input(shape, kind.activation, x, kind.zero_point(rng, -off, off))
    result = net.output(out, kind.activation, y, kind.zero_point(rng))
    axis = net.constant(np.asarray(axes, np.int32))
    net.operator(name, [operand, axis], [result], options("Reducer", keepDims=keep), version=2)
    return net


def mean(rng, kind, k):
    """MEAN."""
    return reduction("MEAN", rng, kind, k)


def sum_(rng, kind, k):
    """SUM."""
    return reduction("SUM", rng, kind, k)


def arg_max(rng, kind, k):
    """ARG_MAX over the last axis, long enough for ties, and over the others."""
    net = Network()
    h, w, c = int(rng.integers(2, 7)), int(rng.integers(2, 7)), [10, 40, 150, 6][k % 4]
    shape, axis = (1, h, w, c), [3, -1, 3, 1, 3, 2][k % 6]
    x = net.input(shape, kind.activation, scale(rng), kind.zero_point(rng))
    out = [d for index, d in enumerate(shape) if index != axis % 4]
    result = net.output(out, "int32")
    operands = [x, net.constant(np.asarray(axis, np.int32).reshape(()))]
    net.operator("ARG_MAX", operands, [result], options("ArgMax", outputType=2))
    return net


def resize(name, rng, kind, k):
    """RESIZE_NEAREST_NEIGHBOR, RESIZE_BILINEAR: larger and smaller; corners aligned, half pixel centres, neither."""
    net = Network()
    shape = image(rng)
    size = [int(rng.integers(2, 15)) for _ in range(2)]
    if k in (1, 4):
        size = [2 * shape[1], 2 * shape[2]]
    s, zero = scale(rng), kind.zero_point(rng)
    x = net.input(shape, kind.activation, s, zero)
    y = net.output((1, *size, shape[3]), kind.activation, s, zero)
    operands = [x, net.constant(np.asarray(size, np.int32))]
    made = options("ResizeNearestNeighbor" if "NEAREST" in name else "ResizeBilinear",
                   alignCorners=k % 3 == 1, halfPixelCenters=k % 3 == 2)
    net.operator(name, operands, [y], made, version=3)
    return net


def resize_nearest_neighbor(rng, kind, k):
    """RESIZE_NEAREST_NEIGHBOR."""
    return resize("RESIZE_NEAREST_NEIGHBOR", rng, kind, k)


def resize_bilinear(rng, kind, k):
    """RESIZE_BILINEAR."""
    return resize("RESIZE_BILINEAR", rng, kind, k)
