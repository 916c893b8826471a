"""The compiled loops of `sampling`."""

from __future__ import annotations

import numpy as np
from numba import njit

_compiled = njit(cache=True, nogil=True, error_model="numpy")
_ROUNDS = 10  # Philox4x64-10 of Salmon, Moraes, Dror & Shaw (2011), Parallel random numbers: as easy as 1, 2, 3
_MULTIPLY_0, _MULTIPLY_1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_BUMP_0, _BUMP_1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


@_compiled
def _high(a, b):
    """Upper 64 bits of a product of 64-bit numbers."""
    a0, a1, b0, b1 = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    middle = a1 * b0 + ((a0 * b0) >> _HALF)
    other = a0 * b1 + (middle & _LOW)
    return a1 * b1 + (middle >> _HALF) + (other >> _HALF)


@_compiled
def fill_philox(seeds, episodes, stream, place, out):
    """Fill `out` [multiple of 4, B] with one stream per column; numpy counts up before it draws."""
    for block in range(out.shape[0] // 4):
        for b in range(out.shape[1]):
            c0, c1, c2, c3 = np.uint64(block + 1), place, np.uint64(0), episodes[b]
            k0, k1 = seeds[b], stream
            for _ in range(_ROUNDS):
                h0, l0 = _high(_MULTIPLY_0, c0), _MULTIPLY_0 * c0
                h1, l1 = _high(_MULTIPLY_1, c2), _MULTIPLY_1 * c2
                c0, c1, c2, c3 = h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0
                k0 += _BUMP_0
                k1 += _BUMP_1
            out[4 * block, b] = c0
            out[4 * block + 1, b] = c1
            out[4 * block + 2, b] = c2
            out[4 * block + 3, b] = c3


@_compiled
def look_up(cumulated, values, guide, uniforms, out):
    """Start each search where the guide says that the uniform's slice begins, and walk up."""
    last = cumulated.size - 1
    for n in range(uniforms.size):
        k = guide[int(uniforms[n] * guide.size)]
        while k < last and cumulated[k] <= uniforms[n]:
            k += 1
        out[n] = values[min(k, last)]
