"""The inputs of the golden models: not stored, made again from a seed by whoever compares."""

import numpy as np

MULTIPLIER, INCREMENT = 6364136223846793005, 1442695040888963407
EXTREMES = 2


def stream(seed, count):
    """`count` states of the generator s <- s * MULTIPLIER + INCREMENT modulo 2^64, beginning after `seed`."""
    with np.errstate(over="ignore"):
        powers = np.cumprod(np.full(count, MULTIPLIER, np.uint64), dtype=np.uint64)
        ones = np.concatenate([[np.uint64(1)], powers[:-1]])
        return powers * np.uint64(seed) + np.cumsum(ones, dtype=np.uint64) * np.uint64(INCREMENT)


def samples(seed, count, shape, dtype, span):
    """`count` inputs: all lowest, all highest, then random ones.

    An n-bit code is bits 33 to 33 + n - 1 of a state, less 2^(n-1); a float is (bits 40 to 63 / 2^24 - 0.5) * span.
    """
    states = stream(seed, (count - EXTREMES) * int(np.prod(shape)))
    if dtype == np.float32:
        lowest, highest = -span / 2, span / 2
        halves = (states >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24) - np.float32(0.5)
        values = halves * np.float32(span)
    else:
        bits = 8 * dtype.itemsize
        lowest, highest = -(1 << bits - 1), (1 << bits - 1) - 1
        values = (states >> np.uint64(33) & np.uint64((1 << bits) - 1)).astype(np.int64) + lowest
    made = np.empty((count, *shape), dtype)
    made[0], made[1] = lowest, highest
    made[EXTREMES:] = values.reshape(count - EXTREMES, *shape).astype(dtype)
    return made
