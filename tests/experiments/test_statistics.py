"""Intervals against hand calculations, a textbook's example, and what they promise."""

import numpy as np
import pytest

from pushpull.experiments.statistics import estimate, paired_difference


@pytest.mark.parametrize(
    ("values", "confidence", "mean", "half"),
    [
        # s^2 = 2.5, t(4, 0.975) = 2.776445: 2.776445 x sqrt(2.5 / 5)
        ([1, 2, 3, 4, 5], 0.95, 3.0, 1.963243),
        # s^2 = 2, t(1, 0.975) = 12.706205: 12.706205 x sqrt(2 / 2)
        ([1, 3], 0.95, 2.0, 12.706205),
        ([4, 4, 4], 0.95, 4.0, 0.0),
        # Law (2015), example 4.27: 1.34 +- 1.83 sqrt(0.17 / 10), printed with two digits
        ([1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09], 0.90, 1.343, 0.24),
    ],
)
def test_intervals_equal_hand_calculations(values, confidence, mean, half):
    found = estimate(values, confidence)
    assert found.mean == pytest.approx(mean)
    assert found.high - found.mean == pytest.approx(half, abs=5e-3 if confidence == 0.9 else 1e-6)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_one_observation_has_no_interval():
    assert estimate([7.0]).mean == 7.0
    assert np.isnan(estimate([7.0]).low) and np.isnan(estimate([7.0]).high)


def test_intervals_cover_as_often_as_they_say():
    """4,000 intervals over 5 normals: the standard error of the share that covers is 0.0034."""
    samples = np.random.default_rng(0).normal(3.0, 2.0, (4000, 5))
    found = [estimate(sample) for sample in samples]
    assert np.mean([interval.low <= 3.0 <= interval.high for interval in found]) == pytest.approx(0.95, abs=0.011)


def test_paired_differences_equal_a_hand_calculation():
    # differences 1, 1, 2, 0: mean 1, s^2 = 2/3, t(3, 0.975) = 3.182446: 3.182446 x sqrt(2/3 / 4)
    found = paired_difference([11, 21, 32, 40], [10, 20, 30, 40])
    assert found.mean == 1.0
    assert found.high - 1.0 == pytest.approx(1.299228, abs=1e-6)


def test_pairing_cancels_what_worlds_share():
    rng = np.random.default_rng(1)
    world, own = rng.normal(0, 100, 50), rng.normal(0, 1, (2, 50))
    paired = paired_difference(world + own[0] + 1, world + own[1])
    assert paired.low > 0
    assert paired.high - paired.low < (estimate(world).high - estimate(world).low) / 20


def test_pairs_must_match():
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_difference([1, 2], [1, 2, 3])
