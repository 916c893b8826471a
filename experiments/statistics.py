"""Means with confidence intervals: what a number measured on a few worlds, or with a few training seeds, is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Estimate(NamedTuple):
    """A mean and the ends of its confidence interval, NaN where a single observation gives none."""

    mean: float
    low: float
    high: float


def estimate(observations: Sequence[float] | np.ndarray, confidence: float = 0.95) -> Estimate:
    """Return the mean with its t-interval, mean +- t(n - 1, 1 - (1 - confidence) / 2) s / sqrt(n).

    Observations must be independent: episodes of one policy in different worlds, or means of different training
    seeds. Source: Law (2015), Simulation Modeling and Analysis, 5th ed., eq. 4.12.

    Parameters
    ----------
    observations : [n]
        At least one number.
    confidence : float
        Probability that the interval covers the true mean, exact for normal observations.

    Returns
    -------
    Estimate
    """
    values = np.asarray(observations, dtype=float)
    mean, n = float(values.mean()), len(values)
    if n == 1:
        return Estimate(mean, np.nan, np.nan)
    half = stats.t.ppf((1 + confidence) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return Estimate(mean, float(mean - half), float(mean + half))


def paired_difference(
    values: Sequence[float] | np.ndarray, reference: Sequence[float] | np.ndarray, confidence: float = 0.95
) -> Estimate:
    """Return the mean of values - reference with its paired t-interval.

    Entry n of both must come from the same world. What the world does to both cancels, so the interval is narrower
    than that of either mean. Source: Law (2015), section 10.2.1.
    """
    values, reference = np.asarray(values, dtype=float), np.asarray(reference, dtype=float)
    if values.shape != reference.shape:
        raise ValueError(f"{len(values)} values cannot be paired with {len(reference)}")
    return estimate(values - reference, confidence)
