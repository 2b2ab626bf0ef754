"""Models of the operators that move elements and compute nothing."""

import numpy as np

from elementwise import image
from kinds import scale
from network import Network, options


class Mover:
    """A model whose tensors all have one quantisation."""

    def __init__(self, rng, kind):
        self.net, self.dtype = Network(), kind.activation
        self.quant = scale(rng), kind.zero_point(rng)

    def input(self, shape):
        """An operand."""
        return self.net.input(shape, self.dtype, *self.quant)

    def output(self, shape):
        """A result."""
        return self.net.output(shape, self.dtype, *self.quant)

    def indices(self, values):
        """Constant axes, sizes or positions."""
        return self.net.constant(np.asarray(values, np.int32))


def padded(name, rng, kind, k):
    """PAD with real zeros, PADV2 with a constant."""
    m = Mover(rng, kind)
    shape = image(rng)
    around = rng.integers(0, 4, (4, 2))
    around[0] = 0
    if k % 2:
        around[3] = 0
    operands = [m.input(shape), m.indices(around)]
    if name == "PADV2":
        value = rng.integers(-kind.highest - 1, kind.highest + 1, (1,)).astype(kind.activation)
        operands.append(m.net.constant(value, *m.quant))
    out = [d + int(around[axis].sum()) for axis, d in enumerate(shape)]
    made = options("PadV2" if name == "PADV2" else "Pad")
    m.net.operator(name, operands, [m.output(out)], made, version=2)
    return m.net


def pad(rng, kind, k):
    """PAD."""
    return padded("PAD", rng, kind, k)


def padv2(rng, kind, k):
    """PADV2."""
    return padded("PADV2", rng, kind, k)


def concatenation(rng, kind, k):
    """CONCATENATION of two to eight images along every axis."""
    m = Mover(rng, kind)
    shape, axis = list(image(rng)), [3, 1, 2, -1][k % 4]
    lengths = [int(n) for n in rng.integers(1, 5, [2, 3, 2, 4, 8][k % 5])]
    operands = [m.input(shape[: axis % 4] + [n] + shape[axis % 4 + 1 :]) for n in lengths]
    out = shape[: axis % 4] + [sum(lengths)] + shape[axis % 4 + 1 :]
    m.net.operator("CONCATENATION", operands, [m.output(out)], options("Concatenation", axis=axis), version=2)
    return m.net


def split(rng, kind, k):
    """SPLIT in two to four along every axis."""
    m = Mover(rng, kind)
    shape, axis, parts = list(image(rng)), [3, 1, 2, -1][k % 4], int(rng.integers(2, 5))
    part = shape[: axis % 4] + [shape[axis % 4]] + shape[axis % 4 + 1 :]
    shape[axis % 4] *= parts
    x = m.input(shape)
    which = m.net.constant(np.asarray(axis, np.int32).reshape(()))
    results = [m.output(part) for _ in range(parts)]
    m.net.operator("SPLIT", [which, x], results, options("Split", numSplits=parts), version=2)
    return m.net


def slice_(rng, kind, k):
    """SLICE; a size of -1 is what remains."""
    m = Mover(rng, kind)
    shape = image(rng)
    begin = [0] + [int(rng.integers(0, d // 2 + 1)) for d in shape[1:]]
    size = [1] + [int(rng.integers((d - b + 1) // 2, d - b + 1)) for d, b in zip(shape[1:], begin[1:])]
    out = list(size)
    if k % 2:
        size[2], out[2] = -1, shape[2] - begin[2]
    m.net.operator("SLICE", [m.input(shape), m.indices(begin), m.indices(size)], [m.output(out)], options("Slice"))
    return m.net


def strided_slice(rng, kind, k):
    """STRIDED_SLICE: steps from -3 to 3, masks, counting from the end, a dropped axis."""
    m = Mover(rng, kind)
    shape = image(rng)
    begin, end, step = [0], [1], [1]
    begin_mask = end_mask = 0
    dropped = 1 << 2 if k % 5 == 2 else 0
    for axis, d in list(enumerate(shape))[1:]:
        stride = int(rng.choice([-3, -2, -1, 1, 2, 3])) if not dropped >> axis & 1 else 1
        first, last = sorted(int(v) for v in rng.choice(d + 1, 2, replace=False))
        if stride > 0:
            b, e = first, last
        else:
            b, e = last - 1, first - 1
            if e < 0:
                # No index lies before the first: the end is left open.
                e, end_mask = 0, end_mask | 1 << axis
        if k % 3 == 1 and b > 0:
            b -= d
        if k % 4 == 3:
            begin_mask |= 1 << axis
        begin.append(b), end.append(e), step.append(stride)
    first = [None if begin_mask >> a & 1 else b for a, b in enumerate(begin)]
    last = [None if end_mask >> a & 1 else e for a, e in enumerate(end)]
    taken = tuple(slice(*bounds) for bounds in zip(first, last, step))
    if dropped:
        begin_mask &= ~dropped
        taken = tuple(slice(begin[2], begin[2] + 1 or None) if a == 2 else t for a, t in enumerate(taken))
    whole = np.empty(shape)[taken]
    out = [d for a, d in enumerate(whole.shape) if not dropped >> a & 1]
    operands = [m.input(shape), m.indices(begin), m.indices(end), m.indices(step)]
    if np.prod(out) < 6:
        return strided_slice(rng, kind, k)
    m.net.operator("STRIDED_SLICE", operands, [m.output(out)], options(
        "StridedSlice", beginMask=begin_mask, endMask=end_mask, shrinkAxisMask=dropped), version=2)
    return m.net


def reshape(rng, kind, k):
    """RESHAPE; -1 is what remains."""
    m = Mover(rng, kind)
    _, h, w, c = shape = image(rng)
    out = [(1, h * w * c), (1, h * w, c), (1, w, h, c), (1, h, w * c)][k % 4]
    written = list(out[:-1]) + [-1] if k % 3 == 2 else list(out)
    m.net.operator("RESHAPE", [m.input(shape), m.indices(written)], [m.output(out)], options(
        "Reshape", newShape=np.asarray(written, np.int32)))
    return m.net


def squeeze(rng, kind, k):
    """SQUEEZE of one and of two axes."""
    m = Mover(rng, kind)
    _, h, w, c = image(rng)
    shape, axes = [((1, 1, w, c), [1]), ((1, h, 1, c), [2]), ((1, 1, 1, c), [1, 2]), ((1, h, w, 1), [-1])][k % 4]
    out = [d for axis, d in enumerate(shape) if axis not in [a % 4 for a in axes]]
    m.net.operator("SQUEEZE", [m.input(shape)], [m.output(out)], options(
        "Squeeze", squeezeDims=np.asarray(axes, np.int32)))
    return m.net


def expand_dims(rng, kind, k):
    """EXPAND_DIMS at every place behind the batch."""
    m = Mover(rng, kind)
    shape, axis = image(rng)[:3], [1, 2, 3, -1][k % 4]
    out = list(shape)
    out.insert(axis % 4, 1)
    m.net.operator("EXPAND_DIMS", [m.input(shape), m.indices([axis])], [m.output(out)], options("ExpandDims"))
    return m.net


def transpose(rng, kind, k):
    """TRANSPOSE of images and matrices; the batch stays first."""
    m = Mover(rng, kind)
    shape = image(rng) if k % 4 else image(rng)[:3]
    orders = [(0, 2, 1), (0, 2, 1, 3), (0, 3, 1, 2), (0, 2, 3, 1), (0, 2, 1), (0, 1, 3, 2), (0, 3, 2, 1), (0, 3, 1, 2)]
    order = orders[k % 8]
    out = [shape[axis] for axis in order]
    m.net.operator("TRANSPOSE", [m.input(shape), m.indices(order)], [m.output(out)], options("Transpose"))
    return m.net
