"""Element types that models come in, and the random quantisation parameters of their tensors."""

from dataclasses import dataclass

import numpy as np

ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
SAME, VALID = 0, 1


@dataclass(frozen=True)
class Kind:
    """A scheme: the types of activations and weights."""

    name: str
    activation: str
    weight: str

    def zero_point(self, rng, low=-128, high=127):
        """A random zero point; 16-bit activations are symmetric."""
        return 0 if self.activation == "int16" else int(rng.integers(low, high + 1))

    @property
    def highest(self):
        """The highest code of an activation."""
        return int(np.iinfo(self.activation).max)

    def weights(self, rng, shape, small=False):
        """Random codes of weights; `small` ones make room for multipliers above 1."""
        if small:
            return rng.integers(-1, 2, shape).astype(np.int8)
        low, high = (-8, 8) if self.weight == "int4" else (-127, 128)
        return rng.integers(low, high, shape).astype(np.int8)


INT8 = Kind("int8", "int8", "int8")
INT16 = Kind("int16x8", "int16", "int8")
INT4 = Kind("int4", "int8", "int4")


def scale(rng, low=-3.0, high=0.0):
    """A random scale between 10^low and 10^high, even in the logarithm."""
    return np.float32(10 ** rng.uniform(low, high))


def activation(k):
    """The name and code of the k-th model's fused activation."""
    return list(ACTIVATIONS.values())[k % len(ACTIVATIONS)]


def unit(rng, kind, k, y):
    """What the scales of the k-th model are to be multiplied by, that of its output being `y`.

    A clamp to [0, 6] or [-1, 1] has to cut inside the range of the output's codes.
    """
    bound = {"RELU6": 6, "RELU_N1_TO_1": 1}.get(list(ACTIVATIONS)[k % len(ACTIVATIONS)])
    return np.float32(1 if bound is None else bound / (kind.highest * y) * 10 ** rng.uniform(-0.5, 0.3))


def clamped_zero_point(rng, kind, k):
    """A zero point of an output that leaves codes above it where the k-th model's activation cuts below it."""
    return kind.zero_point(rng, high=127 if k % len(ACTIVATIONS) == 0 else 30)


def out_size(size, kernel, stride, dilation, padding):
    """Length of an axis after a window of `kernel` taps has slid over it."""
    if padding == SAME:
        return -(-size // stride)
    return (size - (kernel - 1) * dilation - 1) // stride + 1
