"""Models of the operators that have weights."""

import numpy as np

from kinds import SAME, VALID, activation, clamped_zero_point, out_size, scale, unit
from network import Network, options


def steep(k):
    """Whether the k-th model has multipliers above 1 and, to make room for them, small weights."""
    return k % 8 == 4


def requantised(rng, kind, spread, channels, per_channel, k):
    """Scales of input, weights (one a channel or one in all) and output; `spread` is that of sums of products of codes.

    They are such that outputs use much of their range.
    """
    x = scale(rng, -3, 0)
    w = np.asarray([scale(rng, -3.5, -1)] * channels, np.float32)
    if per_channel:
        w *= (10 ** rng.uniform(-0.5, 0.5, channels)).astype(np.float32)
    y = np.float32(spread * x * np.median(w) / kind.highest * 10 ** rng.uniform(-0.5, 0.5))
    if steep(k):
        y = np.float32(float(x) * float(np.min(w)) / rng.uniform(1.1, 3.0))
    by = unit(rng, kind, k, y)
    return x * by, y * by, w if per_channel else w[:1]


def bias(rng, kind, x, w, spread, channels, narrow):
    """Codes and scales of a bias; 16-bit activations have it in 64 bits, or in 32 where `narrow`."""
    reach = int(spread)
    codes = rng.integers(-reach, reach + 1, channels)
    dtype = np.int64 if kind.activation == "int16" and not narrow else np.int32
    return codes.astype(dtype), np.float32(x) * np.asarray(w, np.float32)


def operands(net, rng, kind, k, shape, codes, axis, taps, per_channel=True, biased=True, narrow=False):
    """Input, weights, bias (or none) of a weighted operator, and the scale and zero point of its output."""
    channels = codes.shape[axis]
    # Of a sum of products of codes that are drawn evenly.
    spread = np.sqrt(taps) * max(codes.astype(np.float64).std(), 1) * kind.highest * 0.6
    x, y, w = requantised(rng, kind, spread, channels, per_channel, k)
    tensors = [net.input(shape, kind.activation, x, kind.zero_point(rng))]
    tensors.append(net.constant(codes, w, 0, axis if per_channel else 0, kind.weight))
    b, b_scale = bias(rng, kind, x, w, spread, channels, narrow)
    if biased:
        tensors.append(net.constant(b, b_scale))
    return tensors, y, clamped_zero_point(rng, kind, k)


def window(rng, k, size):
    """Kernel, stride, dilation of two axes and a padding that fit an image of `size`."""
    padding = [SAME, VALID][k // 2 % 2]
    kernel, stride, dilation = [], [], []
    for axis in range(2):
        taps = int(rng.integers(1, 5))
        step = int(rng.integers(1, 4)) if k % 4 != 3 else 1
        apart = int(rng.integers(1, 4)) if k % 2 else 1
        while padding == VALID and (taps - 1) * apart + 1 > size[axis]:
            taps -= 1
        kernel.append(taps), stride.append(step), dilation.append(apart)
    return padding, kernel, stride, dilation


def conv_2d(rng, kind, k):
    """CONV_2D: rectangular kernels from 1x1, strides, dilation, SAME and VALID; one model in seven has no bias."""
    size = [int(rng.integers(5, 13)) for _ in range(2)]
    channels, filters = int(rng.integers(1, 9)), int(rng.integers(1, 13))
    padding, kernel, stride, dilation = window(rng, k, size)
    if k == 1:
        kernel, stride, dilation = [1, 1], [1, 1], [1, 1]
    net = Network()
    codes = kind.weights(rng, (filters, *kernel, channels), small=steep(k))
    taps = kernel[0] * kernel[1] * channels
    tensors, y, zero = operands(
        net, rng, kind, k, (1, *size, channels), codes, 0, taps, biased=k % 7 != 6, narrow=k % 3 == 2)
    out = [out_size(size[a], kernel[a], stride[a], dilation[a], padding) for a in range(2)]
    result = net.output((1, *out, filters), kind.activation, y, zero)
    net.operator("CONV_2D", tensors, [result], options(
        "Conv2D", padding=padding, strideH=stride[0], strideW=stride[1], dilationHFactor=dilation[0],
        dilationWFactor=dilation[1], fusedActivationFunction=activation(k)))
    return net


def depthwise_conv_2d(rng, kind, k):
    """DEPTHWISE_CONV_2D: multipliers 1 to 4, else as CONV_2D."""
    size = [int(rng.integers(5, 13)) for _ in range(2)]
    channels, multiplier = int(rng.integers(1, 9)), [1, 2, 1, 3, 4][k % 5]
    padding, kernel, stride, dilation = window(rng, k, size)
    if k == 0:
        kernel, stride, dilation = [3, 3], [1, 1], [1, 1]
    net = Network()
    filters = channels * multiplier
    codes = kind.weights(rng, (1, *kernel, filters), small=steep(k))
    taps = kernel[0] * kernel[1]
    tensors, y, zero = operands(net, rng, kind, k, (1, *size, channels), codes, 3, taps)
    out = [out_size(size[a], kernel[a], stride[a], dilation[a], padding) for a in range(2)]
    result = net.output((1, *out, filters), kind.activation, y, zero)
    net.operator("DEPTHWISE_CONV_2D", tensors, [result], options(
        "DepthwiseConv2D", padding=padding, strideH=stride[0], strideW=stride[1], dilationHFactor=dilation[0],
        dilationWFactor=dilation[1], depthMultiplier=multiplier, fusedActivationFunction=activation(k)))
    return net


def transpose_conv(rng, kind, k):
    """TRANSPOSE_CONV: strides 1 to 3, SAME and VALID, without a bias in one model of four."""
    size = [int(rng.integers(2, 7)) for _ in range(2)]
    channels, filters = int(rng.integers(1, 7)), int(rng.integers(1, 9))
    kernel, stride = [int(rng.integers(1, 5)) for _ in range(2)], [int(rng.integers(1, 4)) for _ in range(2)]
    padding = [SAME, VALID][k % 2]
    net = Network()
    codes = kind.weights(rng, (filters, *kernel, channels), small=steep(k))
    taps = max(1, kernel[0] * kernel[1] * channels // (stride[0] * stride[1]))
    (x, w, *b), y, zero = operands(
        net, rng, kind, k, (1, *size, channels), codes, 0, taps, biased=k % 4 != 3)
    longer = [max(kernel[a] - stride[a], 0) if padding == VALID else 0 for a in range(2)]
    out = [size[a] * stride[a] + longer[a] for a in range(2)]
    shape = (1, *out, filters)
    result = net.output(shape, kind.activation, y, zero)
    net.operator("TRANSPOSE_CONV", [net.constant(np.asarray(shape, np.int32)), w, x, *b], [result], options(
        "TransposeConv", padding=padding, strideH=stride[0], strideW=stride[1]), version=3)
    return net


def fully_connected(rng, kind, k, per_channel):
    """FULLY_CONNECTED of vectors and of small images; one model in four has no bias."""
    shape = (1, int(rng.integers(8, 65))) if k % 3 else (1, 2, int(rng.integers(2, 5)), int(rng.integers(2, 6)))
    depth, units = int(np.prod(shape)), int(rng.integers(6, 33))
    net = Network()
    codes = kind.weights(rng, (units, depth), small=steep(k))
    tensors, y, zero = operands(net, rng, kind, k, shape, codes, 0, depth, per_channel, k % 4 != 3, narrow=k % 3 == 2)
    if len(tensors) == 2:
        tensors.append(-1)
    result = net.output((1, units), kind.activation, y, zero)
    net.operator("FULLY_CONNECTED", tensors, [result], options("FullyConnected", fusedActivationFunction=activation(k)))
    return net


def fully_connected_per_tensor(rng, kind, k):
    """FULLY_CONNECTED with one scale for all weights."""
    return fully_connected(rng, kind, k, per_channel=False)


def fully_connected_per_channel(rng, kind, k):
    """FULLY_CONNECTED with one scale a unit."""
    return fully_connected(rng, kind, k, per_channel=True)
