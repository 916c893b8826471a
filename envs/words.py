"""Numbers and settings in few characters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pushpull.envs.checks import Settings


def amount(units: float) -> str:
    """Return a number in about six characters."""
    if not math.isfinite(units):
        return "-"
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(units) >= 10 * unit:
            return f"{units / unit:.{0 if abs(units) >= 100 * unit else 1}f}{letter}"
    decimals = (
        1 if abs(units) >= 10 else 2 if abs(units) >= 0.1 or units == 0 else 1 - math.floor(math.log10(abs(units)))
    )
    digits = f"{units:.{min(decimals, 4)}f}".rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits


def in_words(setting: Any) -> str:
    """Return settings in a few words, such as ``poisson, mean 30``."""
    if setting is None:
        return "not stated"
    if isinstance(setting, Settings):
        setting = setting.to_dict()
    if isinstance(setting, Mapping):
        kind = [setting["kind"]] if "kind" in setting else []
        return ", ".join([*kind, *(f"{key} {in_words(value)}" for key, value in setting.items() if key != "kind")])
    if isinstance(setting, (list, tuple)):
        return f"of {len(setting)} entries" if len(setting) > 4 else " ".join(map(in_words, setting))
    if isinstance(setting, str):
        return Path(setting).name
    return amount(setting)
