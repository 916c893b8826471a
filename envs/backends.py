"""The array libraries that the dynamics run on, by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from pushpull.envs.checks import InputError, suggest

BACKENDS = ("auto", "numpy", "torch")


def namespace(backend: str) -> Any:
    """Return the array namespace of a backend; ``auto`` takes the fastest at hand."""
    if backend not in BACKENDS:
        raise InputError("backend", f"{backend!r} is unknown; {suggest(backend, BACKENDS)}")
    if backend == "torch":
        try:
            import array_api_compat.torch as xp
        except ImportError:
            raise InputError("backend", "'torch' is not installed; pip install torch, or use numpy") from None
        return xp
    return np


def to_numpy(array: Any) -> np.ndarray:
    """Return an array of any backend as numpy, cut off from its gradient."""
    return array.detach().cpu().numpy() if hasattr(array, "detach") else np.asarray(array)
