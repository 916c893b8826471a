"""Demand processes: what a market's `Demand` settings mean, in samples, moments and quantiles.

Demand of period t is drawn by inversion: one uniform goes through the quantile function of that period's law. A law
depends on t only through a factor: season x trend x shocks x regime x level. Counts (``poisson``,
``negative_binomial``, ``geometric``, ``bass``) take the factor on their mean, so they stay whole; every other kind
multiplies its value by it. In integer units values are then rounded half to even; demand is never negative. `LAWS`
holds one law per kind.

Shocks that come by chance, regimes and levels make the factor itself random: `modulation` draws it, and `mean` and
`variance` weigh the laws by its probabilities. `autocorrelated` moves the uniforms, not the laws.

Demand known beforehand (``deterministic``, and a ``trace`` from a stated start) needs no uniform; a ``trace`` from
a random start takes its first row from the uniform of period 0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import scipy  # scipy.special is slow to import; as an attribute it is when a law first needs it

from pushpull.envs.checks import InputError, number
from pushpull.envs.histories import first_row, read_trace
from pushpull.envs.network import Demand
from pushpull.envs.sampling import invert

_Checked = Any  # a Demand, of which the keys of its own kind are set
_LAST = 1 - 2.0**-53  # the largest double below 1; no uniform lies above it
_FIRST = 2.0**-60  # a law's mass below this quantile is neglected where a lattice is laid
_MOST_ENTRIES = 2**20
_CELLS_PER_SD = 256
_LEVELS = 3  # nodes that stand for a gamma law of levels
_NOISE = 1e-12  # rounding noise of a cumulated distribution


def uniforms_needed(demand: Demand) -> int:
    """Return U, the number of uniforms that a period of `demand` takes."""
    return 0 if demand.kind == "deterministic" or (demand.kind == "trace" and demand.start != "random") else 1


def sample(demand: Demand, uniforms: np.ndarray, units: str, modulation: np.ndarray | None = None) -> np.ndarray:
    """Turn uniforms into demand by inversion: the higher a period's uniform, the higher its demand, but in a trace.

    Parameters
    ----------
    demand : Demand
        The process.
    uniforms : ndarray, [T, U, B]
        Numbers in (0, 1), U = `uniforms_needed(demand)`.
    units : {"integer", "real"}
        Units of the network.
    modulation : ndarray, [T, B], or None
        The random part of the factor, from `modulation`.

    Returns
    -------
    ndarray, [T, B]
        Demand in units of the stage's item.

    Raises
    ------
    InputError
        If a trace cannot be read or holds fewer than T rows, or if a table would be too large.
    """
    periods, _, batch = uniforms.shape
    if periods > longest_horizon(demand):
        raise InputError(
            "file",
            f"{demand.file!r} holds {longest_horizon(demand)} rows from its start on, but {periods} periods are "
            f"simulated; give a file or rows of at least {periods}, or a horizon of at most {longest_horizon(demand)}",
        )
    factors = _factors(demand, periods)[:, None]
    if modulation is not None:
        factors = factors * modulation
    if demand.kind == "trace" and demand.start == "random":
        rows = read_trace(demand)
        first = (uniforms[:1, 0] * len(rows)).astype(np.intp)
        return _in_units(rows[(first + np.arange(periods)[:, None]) % len(rows)] * factors, units)
    if uniforms_needed(demand) == 0:
        known = _in_units(_known(demand, periods)[:, None] * factors, units)
        return np.array(np.broadcast_to(known, (periods, batch)))
    if demand.level_sd:
        return _sample_each(demand, uniforms[:, 0], factors, units)
    out = np.empty((periods, batch))
    for factor in np.unique(factors):
        drawn = factors == factor
        where = drawn[:, 0] if modulation is None else drawn
        out[where] = _law(demand, factor, units).quantile(uniforms[:, 0][where])
    return out


def mean(demand: Demand, units: str, periods: int) -> np.ndarray:
    """Return the mean demand of each period, [T], of exactly what `sample` draws, clipped and rounded.

    After the last row of a trace the mean is that of all its rows. Where a `level_sd` meets demand that is rounded,
    rounding is taken to leave the mean and to add 1/12 to the variance (Sheppard 1898), which is right to a percent
    where levels spread demand by more than half a unit.
    """
    return _moments(demand, units, periods)[0]


def variance(demand: Demand, units: str, periods: int) -> np.ndarray:
    """Return the variance of each period's demand, [T], as exact as `mean`; 0 where demand is known beforehand."""
    return _moments(demand, units, periods)[1]


def autocorrelated(uniforms: np.ndarray, autocorrelation: float) -> np.ndarray:
    """Return uniforms [T, B] that follow each other as an AR(1) of standard normals does, from independent ones.

    z(0) = e(0) and z(t) = rho z(t - 1) + sqrt(1 - rho^2) e(t), so every z(t) is standard normal and every uniform
    Phi(z(t)) uniform, whatever rho: a Gaussian copula (Cario & Nelson 1996, autoregressive to anything).
    """
    z = scipy.special.ndtri(uniforms)
    for t in range(1, len(z)):
        z[t] = autocorrelation * z[t - 1] + np.sqrt(1 - autocorrelation**2) * z[t]
    return uniforms_of(z)


def uniforms_of(normals: np.ndarray) -> np.ndarray:
    """Return the uniforms of standard normals, within what a law can be inverted at."""
    return np.clip(scipy.special.ndtr(normals), _FIRST, _LAST)


def modulation(demand: Demand, shocks: np.ndarray, regimes: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Return the random part of the factor on demand, [T, B].

    Parameters
    ----------
    demand : Demand
        The process.
    shocks : ndarray, [T, S, B]
        Numbers in (0, 1), one for each of the S `demand.random_shocks`: it comes where the number is below its
        probability. No shock reaches back before period 0; one that comes while it lasts makes it last longer.
    regimes : ndarray, [T, 1, B]
        Numbers in (0, 1) that choose the state of each period by inversion; not read without regimes.
    level : ndarray, [1, 1, B]
        Numbers in (0, 1) that choose the level of the episode; not read without one.
    """
    factor = np.ones((len(shocks), shocks.shape[2]))
    for k, shock in enumerate(demand.random_shocks):
        came = np.cumsum(shocks[:, k] < shock.probability, axis=0, dtype=np.int64)
        came[shock.duration :] -= came[: -shock.duration].copy()
        factor = np.where(came > 0, factor * shock.factor, factor)
    if demand.regimes is not None:
        following = np.cumsum(demand.regimes.transitions, axis=1)[:, :-1]
        state = (regimes[0, 0][:, None] >= np.cumsum(demand.regimes.first)[:-1]).sum(axis=1)
        for t in range(len(factor)):
            if t:
                state = (regimes[t, 0][:, None] >= following[state]).sum(axis=1)
            factor[t] *= np.array(demand.regimes.factors)[state]
    if demand.level_sd:
        factor *= scipy.special.gammaincinv(1 / demand.level_sd**2, level[:, 0]) * demand.level_sd**2
    return factor


def laws(demand: Demand, units: str, periods: int) -> list[Law]:
    """Return the law of each period, the same object where it is the same, of demand drawn anew in every period."""
    factors = _factors(demand, periods)
    by_factor = {factor: _law(demand, factor, units) for factor in np.unique(factors)}
    return [by_factor[factor] for factor in factors]


def pmf(law: Law, step: float = 1.0) -> np.ndarray:
    """Return the probabilities of 0, step, 2 step, ... [D + 1]: whole demand as it is, other demand at the nearest."""
    return _cells(law, np.arange(float(np.ceil(law.quantile(_LAST) / step)) + 1), step)


def lead_time_quantile(demand: Demand, units: str, periods: int, share: float, start: int = 0) -> float:
    """Return the smallest level that covers demand summed over a lead time with probability `share`.

    For demand whose periods are independent (not `has_memory`); `agents.lead_time_demand` samples the others. Whole
    demand is convolved exactly. Real demand is convolved on a lattice of 1/256 of the sum's standard deviation
    and interpolated: exact to about 1e-4 standard deviations for a smooth law, to half a cell per period where
    values have probabilities of their own. A trace from a random start takes all its windows as equally likely.

    Parameters
    ----------
    demand : Demand
        The process.
    units : {"integer", "real"}
        Units of the network.
    periods : int
        Length of the lead time; 0 gives 0.
    share : float
        Probability to cover, in [0, 1].
    start : int, optional
        First period of the lead time; matters with season, trend and known demand.

    Returns
    -------
    float
        Level in units of the stage's item.
    """
    share = max(number(0, 1)("share", share) - _NOISE, 0.0)
    factors = _factors(demand, start + periods)
    if demand.kind == "trace" and demand.start == "random":
        rows = read_trace(demand)
        sums = sum(
            (_in_units(np.roll(rows, -k) * factors[start + k], units) for k in range(periods)), np.zeros(len(rows))
        )
        return float(_atoms(sums, np.full(len(rows), 1 / len(rows)), "real").quantile(share))
    known = _known(demand, start + periods)
    known = _in_units(known * factors[: len(known)], units)
    distinct, counts = np.unique(factors[max(start, len(known)) :], return_counts=True)
    laws = [_law(demand, factor, units) for factor in distinct]
    return float(known[start:].sum()) + _sum_quantile(laws, counts, share)


def longest_horizon(demand: Demand) -> float:
    """Return the number of periods that `demand` can be drawn for: the rows of a trace from its start on, else inf."""
    if demand.kind != "trace":
        return float("inf")
    return len(read_trace(demand)) - first_row(demand)


# --- periods ----------------------------------------------------------------------------------------------------------


def _factors(demand: _Checked, periods: int) -> np.ndarray:
    """Return what scales demand in each period whatever happens, [T].

    It is season x linear trend x the shocks whose period is known x what the kind itself has: its listed values, the
    factor of its size, or the adopters of a period, m (F(t + 1) - F(t)) with `adoption` F.
    """
    t = np.arange(periods)
    factors = np.maximum(0.0, 1 + demand.trend * t)
    if demand.season:
        factors = factors * np.array(demand.season)[t % len(demand.season)]
    if demand.kind == "deterministic":
        factors = factors * np.array(demand.values)[np.minimum(t, len(demand.values) - 1)]
    if demand.kind == "intermittent":
        factors = factors * _factors(demand.size, periods)
    if demand.kind == "bass":
        since = np.maximum(0, np.arange(periods + 1) - (demand.launch or 0))
        factors = factors * demand.market_size * np.diff(adoption(demand.innovation, demand.imitation, since))
    for shock in demand.shocks:
        if shock.period is not None:
            factors = np.where(
                (t >= shock.period) & (t < shock.period + shock.duration), factors * shock.factor, factors
            )
    return factors


def adoption(innovation: float, imitation: float, time: np.ndarray) -> np.ndarray:
    """Return the share of a market that has adopted a new product by some time after its launch.

    F(t) = (1 - exp(-(p + q) t)) / (1 + q / p exp(-(p + q) t)), p innovation and q imitation per period (Bass 1969).
    """
    decay = np.exp(-(innovation + imitation) * np.asarray(time, dtype=float))
    return (1 - decay) / (1 + imitation / innovation * decay)


def _random_factor(demand: Demand, periods: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the values [A] that the random part of the factor takes, and their probabilities by period, [T, A].

    A level is taken at the nodes of Gauss quadrature for its gamma law (Golub & Welsch 1969), so that polynomials of
    degree below 6 have their exact expectation; moments of unrounded demand are of degree 2 in its factor.
    """
    values, probabilities = np.ones(1), np.ones((periods, 1))
    parts = []
    for shock in demand.random_shocks:
        chances = np.minimum(np.arange(periods) + 1, shock.duration)
        calm = (1 - shock.probability) ** chances
        parts.append(([1.0, shock.factor], np.stack([calm, 1 - calm], axis=1)))
    if demand.regimes is not None:
        states = [demand.regimes.first]
        for _ in range(periods - 1):
            states.append(states[-1] @ np.array(demand.regimes.transitions))
        parts.append((demand.regimes.factors, np.array(states).reshape(periods, -1)))
    if demand.level_sd:
        shape, k = demand.level_sd**-2, np.arange(_LEVELS)
        beside = np.sqrt(k[1:] * (k[1:] + shape - 1))
        nodes, vectors = np.linalg.eigh(np.diag(2 * k + shape) + np.diag(beside, 1) + np.diag(beside, -1))
        parts.append((np.maximum(0.0, nodes / shape), np.tile(vectors[0] ** 2, (periods, 1))))
    for of_part, chances in parts:
        values = np.outer(values, of_part).ravel()
        probabilities = (probabilities[:, :, None] * chances[:, None, :]).reshape(periods, -1)
    return values, probabilities


def _known(demand: Demand, periods: int) -> np.ndarray:
    """Return demand known beforehand, before its factor: of all periods, of those within a trace, or of none."""
    if demand.kind == "trace" and demand.start != "random":
        return read_trace(demand)[first_row(demand) :][:periods]
    return np.ones(periods if demand.kind == "deterministic" else 0)


def _moments(demand: Demand, units: str, periods: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of each period's demand, [T] each."""
    if demand.kind == "trace":  # not remembered by its settings, since the file may change
        return _moments_of(demand, units, periods)
    return _remembered_moments(demand, units, periods)


@lru_cache(maxsize=256)
def _remembered_moments(demand: Demand, units: str, periods: int) -> tuple[np.ndarray, np.ndarray]:
    moments = _moments_of(demand, units, periods)
    for moment in moments:
        moment.setflags(write=False)
    return moments


def _moments_of(demand: Demand, units: str, periods: int) -> tuple[np.ndarray, np.ndarray]:
    values, probabilities = _random_factor(demand, periods)
    factors = np.outer(_factors(demand, periods), values)
    known = _known(demand, periods)
    stated, factors = known[:, None] * factors[: len(known)], factors[len(known) :]
    if demand.level_sd:
        centre, spread = _unrounded_moments(demand, factors)
        rounded = _rounded_share(demand) / 12 if units == "integer" else 0.0
    else:
        distinct, place = np.unique(factors, return_inverse=True)
        laws = [_law(demand, factor, units) for factor in distinct]
        moments = np.array([[law.mean for law in laws], [law.variance for law in laws]])
        centre, spread = moments[:, place.reshape(factors.shape)]
        stated, rounded = _in_units(stated, units), 0.0
    centre = np.concatenate([stated, centre])
    spread = np.concatenate([np.zeros_like(stated), spread]) + np.where(centre > 0, rounded, 0.0)
    mean = (probabilities * centre).sum(axis=1)
    return mean, (probabilities * (spread + (centre - mean[:, None]) ** 2)).sum(axis=1)


def _unrounded_moments(demand: _Checked, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of demand at each factor, without tables: levels have a long tail."""
    if demand.kind == "intermittent":
        mean, variance = _unrounded_moments(demand.size, factors)
        p = demand.probability
        return p * mean, p * variance + p * (1 - p) * mean**2
    if demand.kind in COUNTS:
        mean, dispersion = COUNTS[demand.kind](demand)
        return mean * factors, mean * factors + dispersion * (mean * factors) ** 2
    law = _law(demand, 1.0, "real")
    return law.mean * factors, law.variance * factors**2


def _rounded_share(demand: _Checked) -> float:
    """Return the probability that there is demand whose value is rounded in integer units."""
    if demand.kind == "intermittent":
        return demand.probability * _rounded_share(demand.size)
    return float(demand.kind not in COUNTS)


def _in_units(values: np.ndarray, units: str) -> np.ndarray:
    return np.rint(values) if units == "integer" else values


# --- laws -------------------------------------------------------------------------------------------------------------


class Law(NamedTuple):
    """The distribution of one period's demand."""

    quantile: Callable[[Any], np.ndarray]
    cdf: Callable[[Any], np.ndarray]
    mean: float
    variance: float
    whole: bool


def _law(demand: Demand, factor: float, units: str) -> Law:
    if demand.kind == "trace":  # not remembered by its settings, since the file may change
        return _empirical(read_trace(demand), None, factor, units)
    return _remembered_law(demand, float(factor), units)


@lru_cache(maxsize=4096)
def _remembered_law(demand: Demand, factor: float, units: str) -> Law:
    return LAWS[demand.kind](demand, factor, units) if factor > 0 else _constant(0.0, units)


def _atoms(values: np.ndarray, probabilities: np.ndarray, units: str) -> Law:
    """Return the law of values that have probabilities of their own."""
    values, place = np.unique(_in_units(values, units), return_inverse=True)
    probabilities = np.bincount(place, probabilities)
    values, probabilities = values[probabilities > 0], probabilities[probabilities > 0]
    probabilities = probabilities / probabilities.sum()
    below, above = np.cumsum(probabilities), np.append(np.cumsum(probabilities[:0:-1])[::-1], 0.0)
    cumulated = np.where(below < 0.5, below, 1 - above)  # exact at both ends
    centre = float(values @ probabilities)
    return Law(
        quantile=lambda u: invert(cumulated, values, u),
        cdf=lambda x: np.append(0.0, cumulated)[np.searchsorted(values, x, side="right")],
        mean=centre,
        variance=float((values - centre) ** 2 @ probabilities),
        whole=bool((values == np.rint(values)).all()),
    )


def _constant(value: float, units: str) -> Law:
    return _atoms(np.array([value]), np.ones(1), units)


def _smooth(quantile: Callable, cdf: Callable, mean: float, variance: float, units: str) -> Law:
    """Return a continuous law; in integer units k takes what lies between k - 1/2 and k + 1/2."""
    law = Law(quantile, cdf, mean, variance, whole=False)
    if units == "real":
        return law
    k = _whole_numbers("sd", np.floor(quantile(_FIRST)), np.ceil(quantile(_LAST)))
    return _atoms(k, _cells(law, k, 1.0), units)


def _counts(mean: float, dispersion: float, units: str, most: float = np.inf) -> Law:
    """Return the law of counts with variance mean + dispersion x mean^2 on 0, 1, 2, ..., those above `most` cut to it.

    Their probabilities obey p(k + 1) / p(k) = mean (1 + dispersion k) / ((1 + dispersion mean) (k + 1)) (Katz 1965):
    Poisson at dispersion 0, geometric at 1, negative binomial above 0.
    """
    theta = 1 + dispersion * mean
    sd = np.sqrt(mean * theta)
    # The lower tail falls faster than a normal's; the upper one ends like an exponential of mean theta.
    k = _whole_numbers("mean", max(0.0, np.floor(mean - 12 * sd)), np.ceil(mean + 12 * sd + 40 * theta))
    steps = np.log(mean) + np.log1p(dispersion * k[:-1]) - np.log(theta) - np.log(k[:-1] + 1)
    logarithms = np.append(0.0, np.cumsum(steps))
    return _atoms(np.minimum(k, most), np.exp(logarithms - logarithms.max()), units)


def _sample_each(demand: _Checked, uniforms: np.ndarray, factors: np.ndarray, units: str) -> np.ndarray:
    """Return demand [T, B] where every entry has a factor of its own, too many to tabulate a law for each."""
    if demand.kind == "intermittent":
        rest = (uniforms - (1 - demand.probability)) / max(demand.probability, _FIRST)
        size = _sample_each(demand.size, np.clip(rest, _FIRST, _LAST), factors, units)
        return np.where(rest < 0, 0.0, size)
    if demand.kind not in COUNTS:
        return _in_units(_law(demand, 1.0, "real").quantile(uniforms) * factors, units)
    mean, dispersion = COUNTS[demand.kind](demand)
    return counts_quantile(uniforms, mean * factors, dispersion)


def counts_quantile(uniforms: np.ndarray, mean: np.ndarray, dispersion: float) -> np.ndarray:
    """Return the first count whose cumulated probability lies above each uniform; variance mean + dispersion mean^2.

    P(D <= k) is an incomplete gamma function at dispersion 0, else an incomplete beta function (Johnson, Kemp & Kotz
    2005, 4.4 and 5.6).
    """
    mean, flat = mean.ravel(), uniforms.ravel()

    def cdf(k: np.ndarray, n: np.ndarray) -> np.ndarray:
        if dispersion == 0:
            return scipy.special.gammaincc(k + 1, mean[n])
        return scipy.special.betainc(1 / dispersion, k + 1, 1 / (1 + dispersion * mean[n]))

    guess = mean + np.sqrt(mean * (1 + dispersion * mean)) * scipy.special.ndtri(flat)
    return first_above(flat, guess, cdf).reshape(uniforms.shape)


def first_above(uniforms: np.ndarray, guess: np.ndarray, cdf: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Any:
    """Return for each uniform the first whole number from 0 on whose `cdf(number, place of the uniform)` is above it.

    From a guess the search goes up or down in doubling steps until it has passed the number, then by halves.
    """
    low, high = np.full(uniforms.shape, -1.0), np.maximum(0.0, np.rint(guess))  # what is sought lies in (low, high]
    step, open_ = 1.0, np.arange(len(uniforms))
    while len(open_ := open_[cdf(high[open_], open_) <= uniforms[open_]]):
        low[open_] = high[open_]
        high[open_] += step
        step *= 2
    step, open_ = 1.0, np.arange(len(uniforms))
    while len(open_ := open_[high[open_] - low[open_] > 1]):
        trial = np.maximum(high[open_] - step, np.floor((low[open_] + high[open_]) / 2))
        above = cdf(trial, open_) > uniforms[open_]
        high[open_], low[open_] = np.where(above, trial, high[open_]), np.where(above, low[open_], trial)
        step *= 2
    return high


def _count(demand: _Checked, factor: float, units: str) -> Law:
    mean, dispersion = COUNTS[demand.kind](demand)
    most = np.inf if demand.max_ is None else demand.max_
    return _counts(mean * factor, dispersion, units, most) if mean > 0 else _constant(0.0, units)


def _uniform_int(demand: _Checked, factor: float, units: str) -> Law:
    values = _whole_numbers("high", demand.low, demand.high)
    return _atoms(values * factor, np.ones(len(values)), units)


def _normal(demand: _Checked, factor: float, units: str) -> Law:
    """Clip at 0. With z = mean / sd and the loss L = phi(z) - z (1 - Phi(z)), E = mean + sd L (Zipkin 2000)."""
    mu, sd = demand.mean * factor, demand.sd * factor
    if sd == 0:
        return _constant(mu, units)
    z = mu / sd
    density, above = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), scipy.special.ndtr(-z)
    loss = density - z * above
    second_moment = scipy.special.ndtr(z) - z * density + z**2 * above  # of the standard normal clipped at -z
    return _smooth(
        quantile=lambda u: np.maximum(0.0, mu + sd * scipy.special.ndtri(u)),
        cdf=lambda x: np.where(np.asarray(x) < 0, 0.0, scipy.special.ndtr((np.asarray(x) - mu) / sd)),
        mean=float(mu + sd * loss),
        variance=float(sd**2 * (second_moment - loss**2)),
        units=units,
    )


def _gamma(demand: _Checked, factor: float, units: str) -> Law:
    shape, scale = (demand.mean / demand.sd) ** 2, demand.sd**2 / demand.mean * factor
    return _smooth(
        quantile=lambda u: scale * scipy.special.gammaincinv(shape, u),
        cdf=lambda x: scipy.special.gammainc(shape, np.maximum(0.0, x) / scale),
        mean=shape * scale,
        variance=shape * scale**2,
        units=units,
    )


def _empirical(values: Any, probabilities: Any, factor: float, units: str) -> Law:
    values = np.asarray(values, dtype=float)
    weights = np.ones(len(values)) if probabilities is None else np.asarray(probabilities, dtype=float)
    return _atoms(values * factor, weights, units)


def _intermittent(demand: _Checked, factor: float, units: str) -> Law:
    """Mix 0 with the size: one uniform settles whether there is demand, and what is left of it how much."""
    p = demand.probability
    if p == 0:
        return _constant(0.0, units)
    size = _law(demand.size, factor, units)
    return Law(
        quantile=lambda u: np.where(u < 1 - p, 0.0, size.quantile(np.clip((u - (1 - p)) / p, 0.0, _LAST))),
        cdf=lambda x: np.where(np.asarray(x) < 0, 0.0, 1 - p + p * size.cdf(x)),
        mean=p * size.mean,
        variance=p * size.variance + p * (1 - p) * size.mean**2,
        whole=size.whole,
    )


# Mean and dispersion of the counts. A factor scales the mean and keeps the dispersion, so that the variance of a
# negative binomial stays above its mean. The mean of a bass demand is all in its factor.
COUNTS: dict[str, Callable[[_Checked], tuple[float, float]]] = {
    "poisson": lambda demand: (demand.mean, 0.0),
    "negative_binomial": lambda demand: (demand.mean, (demand.sd**2 - demand.mean) / demand.mean**2),
    "geometric": lambda demand: (demand.mean, 1.0),
    "bass": lambda demand: (1.0, 0.0),
}

LAWS: dict[str, Callable[[_Checked, float, str], Law]] = {
    **dict.fromkeys(COUNTS, _count),
    "uniform_int": _uniform_int,
    "normal": _normal,
    "gamma": _gamma,
    "deterministic": lambda demand, factor, units: _constant(factor, units),
    "empirical": lambda demand, factor, units: _empirical(demand.values, demand.probabilities, factor, units),
    "intermittent": _intermittent,
}


def _whole_numbers(field: str, low: float, high: float) -> np.ndarray:
    if high - low >= _MOST_ENTRIES:
        raise InputError(
            field,
            f"demand spreads over the whole numbers from {low:.0f} to {high:.0f}, more than {_MOST_ENTRIES}; "
            "count in larger units, or use a continuous kind and units: real",
        )
    return np.arange(low, high + 1)


# --- sums over a lead time --------------------------------------------------------------------------------------------


def _cells(law: Law, k: np.ndarray, step: float) -> np.ndarray:
    """Return the probability of what lies nearest to each k x step, k rising by 1; the first takes all below it."""
    return np.diff(law.cdf((k + 0.5) * step), prepend=0.0)


def _sum_quantile(laws: list[Law], counts: np.ndarray, share: float) -> float:
    """Return the quantile of the sum of independent demands, counts[n] of them of laws[n]."""
    variance = float(np.dot(counts, [law.variance for law in laws]))
    if variance == 0:
        return float(np.dot(counts, [law.mean for law in laws]))
    whole = all(law.whole for law in laws)
    step = 1.0 if whole else np.sqrt(variance) / _CELLS_PER_SD
    lattices = [
        np.arange(float(np.floor(law.quantile(_FIRST) / step)), float(np.ceil(law.quantile(_LAST) / step)) + 1)
        for law in laws
    ]
    lowest = np.dot(counts, [k[0] for k in lattices])
    length = int(np.dot(counts, [len(k) - 1 for k in lattices])) + 1
    transforms = [
        np.fft.rfft(_cells(law, k, step), length) ** count for law, k, count in zip(laws, lattices, counts, strict=True)
    ]
    cells = np.fft.irfft(np.prod(transforms, axis=0), length)
    cumulated = np.cumsum(cells)
    place = min(int(np.searchsorted(cumulated, share)), length - 1)
    if whole:
        return float(lowest + place)
    within = np.clip(1 - (cumulated[place] - share) / cells[place], 0.0, 1.0)
    return float(max(0.0, (lowest + place - 0.5 + within) * step))
