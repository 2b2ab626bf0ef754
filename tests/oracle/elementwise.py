"""Models of the operators that work element by element, and of SOFTMAX."""

import numpy as np

from kinds import activation, clamped_zero_point, scale, unit
from network import Network, options


def image(rng):
    """The shape of a small image."""
    return (1, int(rng.integers(3, 9)), int(rng.integers(3, 9)), int(rng.integers(2, 10)))


def binary(name, kind, rng, k):
    """ADD, SUB, MUL: equal shapes, broadcasts of either side, a constant operand."""
    net = Network()
    shape = image(rng)
    _, h, w, c = shape
    # Shapes of both operands; a third entry makes that operand a constant.
    left, right, *constant = [
        (shape, shape),
        (shape, (1, 1, 1, c)),
        (shape, shape),
        ((1, h, w, 1), shape),
        (shape, (1, h, 1, c)),
        (shape, (c,), 1),
        (shape, shape),
        ((1, h, 1, c), (1, 1, w, 1)),
    ][k % 8]
    # Differences and sums of operands whose scales differ by up to two decades.
    a = scale(rng, -3, 0)
    b = np.float32(a * 10 ** rng.uniform(-1, 1)) if name != "MUL" else scale(rng, -3, 0)
    reach = max(a, b) if name != "MUL" else a * b * kind.highest
    y = np.float32(reach * 10 ** rng.uniform(-0.3, 0.5))
    by = unit(rng, kind, k, y)
    a, b, y = a * by, b if name == "MUL" else b * by, y * by
    operands = []
    for index, (operand, s) in enumerate([(left, a), (right, b)]):
        if index in constant:
            codes = rng.integers(-kind.highest - 1, kind.highest + 1, operand).astype(kind.activation)
            operands.append(net.constant(codes, s, kind.zero_point(rng, -30, 30)))
        else:
            operands.append(net.input(operand, kind.activation, s, kind.zero_point(rng)))
    out = np.broadcast_shapes(left, right)
    result = net.output(out, kind.activation, y, clamped_zero_point(rng, kind, k))
    fields = {} if name == "MUL" else {"potScaleInt16": False}
    net.operator(name, operands, [result], options(
        name.capitalize(), fusedActivationFunction=activation(k), **fields), version=2)
    return net


def add(rng, kind, k):
    """ADD."""
    return binary("ADD", kind, rng, k)


def sub(rng, kind, k):
    """SUB."""
    return binary("SUB", kind, rng, k)


def mul(rng, kind, k):
    """MUL."""
    return binary("MUL", kind, rng, k)


def unary(name, rng, kind, x, y, zero_points, made=None, extra=()):
    """An operator of one image; `zero_points` of input and output, `extra` shapes and makers of more operands."""
    net = Network()
    shape = image(rng)
    operands = [net.input(shape, kind.activation, x, zero_points[0])]
    operands += [make(net, shape) for make in extra]
    result = net.output(shape, kind.activation, y, zero_points[1])
    net.operator(name, operands, [result], made)
    return net


def fixed(kind, bits):
    """Scale and zero point of an output in [0, 1] (`bits` 8) or [-1, 1] (`bits` 7)."""
    if kind.activation == "int16":
        return np.float32(2.0**-15), 0
    return np.float32(2.0**-bits), -128 if bits == 8 else 0


def input_of_function(rng, kind, k):
    """The scale of an input of LOGISTIC or TANH: values up to a few dozen, powers of 2 among them."""
    reach = 10 ** rng.uniform(-0.5, 1.5)
    if k % 4 == 3:
        reach = 2.0 ** int(rng.integers(0, 5))
    return np.float32(reach / (kind.highest + 1))


def logistic(rng, kind, k):
    """LOGISTIC."""
    y, zero = fixed(kind, 8)
    return unary("LOGISTIC", rng, kind, input_of_function(rng, kind, k), y, (kind.zero_point(rng), zero))


def tanh(rng, kind, k):
    """TANH."""
    y, zero = fixed(kind, 7)
    return unary("TANH", rng, kind, input_of_function(rng, kind, k), y, (kind.zero_point(rng), zero))


def softmax(rng, kind, k):
    """SOFTMAX of rows from 2 to 100 long, of vectors and of images."""
    net = Network()
    depth = [2, 3, 10, 12, 35, 100, 5, 17][k % 8]
    shape = (1, depth) if k % 2 == 0 else (1, int(rng.integers(2, 6)), depth)
    net_scale = np.float32(10 ** rng.uniform(-2, 0) * 128 / (kind.highest + 1))
    x = net.input(shape, kind.activation, net_scale, kind.zero_point(rng))
    y, zero = fixed(kind, 8)
    net.operator("SOFTMAX", [x], [net.output(shape, kind.activation, y, zero)], options("Softmax", beta=1.0))
    return net


def rescaled(rng):
    """Scales of an input and of an output that differ by up to a decade."""
    x = scale(rng, -3, 0)
    return x, np.float32(x * 10 ** rng.uniform(-0.6, 0.4))


def relu(rng, kind, k):
    """RELU with another quantisation behind it."""
    return unary("RELU", rng, kind, *rescaled(rng), (kind.zero_point(rng), kind.zero_point(rng)))


def relu6(rng, kind, k):
    """RELU6, which keeps the quantisation."""
    x, zero = np.float32(10 ** rng.uniform(-2, -0.7) * 128 / (kind.highest + 1)), kind.zero_point(rng)
    return unary("RELU6", rng, kind, x, x, (zero, zero))


def relu_n1_to_1(rng, kind, k):
    """RELU_N1_TO_1, which keeps the quantisation."""
    x, zero = np.float32(10 ** rng.uniform(-2.5, -1.5)), kind.zero_point(rng)
    return unary("RELU_N1_TO_1", rng, kind, x, x, (zero, zero))


def leaky_relu(rng, kind, k):
    """LEAKY_RELU."""
    made = options("LeakyRelu", alpha=float(np.float32(10 ** rng.uniform(-2, 0))))
    return unary("LEAKY_RELU", rng, kind, *rescaled(rng), (kind.zero_point(rng), kind.zero_point(rng)), made)


def prelu(rng, kind, k):
    """PRELU with a slope a channel."""

    def slopes(net, shape):
        codes = rng.integers(-128, 128, (1, 1, shape[3])).astype(np.int8)
        return net.constant(codes, scale(rng, -3, -2), kind.zero_point(rng))

    zero_points = (kind.zero_point(rng), kind.zero_point(rng))
    return unary("PRELU", rng, kind, *rescaled(rng), zero_points, extra=[slopes])


def hard_swish(rng, kind, k):
    """HARD_SWISH."""
    x = np.float32(10 ** rng.uniform(-2.3, -0.5))
    y = np.float32(x * rng.uniform(0.5, 1.5))
    return unary("HARD_SWISH", rng, kind, x, y, (kind.zero_point(rng), kind.zero_point(rng)), options("HardSwish"))


def quantize(source, target):
    """QUANTIZE from a type to a type."""

    def model(rng, kind, k):
        net = Network()
        shape = image(rng)
        x, y = rescaled(rng)
        if {source, target} == {"int8", "int16"}:
            y = np.float32(y * (256.0 if source == "int16" else 1 / 256.0))
        zero = [int(rng.integers(-128, 128)) if dtype == "int8" else 0 for dtype in (source, target)]
        if source == "float32":
            # Some values lie outside what the codes reach.
            net.span = float(np.float32(y * 2.0 * (np.iinfo(target).max + 1) * 1.2))
            operand = net.input(shape, source)
        else:
            operand = net.input(shape, source, x, zero[0])
        net.operator("QUANTIZE", [operand], [net.output(shape, target, y, zero[1])], options("Quantize"))
        return net

    return model


def dequantize(source):
    """DEQUANTIZE from a type."""

    def model(rng, kind, k):
        net = Network()
        shape = image(rng)
        zero = int(rng.integers(-128, 128)) if source == "int8" else 0
        operand = net.input(shape, source, scale(rng), zero)
        net.operator("DEQUANTIZE", [operand], [net.output(shape, "float32")], options("Dequantize"))
        return net

    return model
