"""The agent's action vector: which numbers it holds, their bounds, and what they mean to the dynamics.

A vector has one entry per column: ``board.push_quantity``, ``phone.pull_threshold``, ``phone.gap``, and behind those of
all sources ``phone.promotion``. In ``physical`` form entries are units, and intensities from 0 to 1; in ``normalised``
form [-1, 1] maps linearly onto the bounds, whose middle is a sensible constant policy: the mean release, the threshold
that covers mean demand over the exposure plus safety, and a campaign at half intensity. A negative entry counts as 0
(a threshold excepted), an intensity above 1 as 1.
"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pushpull.envs import bounds
from pushpull.envs.checks import InputError, suggest
from pushpull.envs.dynamics import Action
from pushpull.envs.network import Network

FORMS = ("physical", "normalised")
PROMOTION = "promotion"  # the column whose rows are markets
COLUMN_NAMES = {"quantity": "push_quantity", "threshold": "pull_threshold", "gap": "gap", PROMOTION: PROMOTION}


@dataclass(frozen=True)
class ActionSpace:
    """Layout and bounds of the K entries of an action vector.

    Parameters
    ----------
    network : Network
        The chain whose sources are set.
    form : {"physical", "normalised"}
        Units, or [-1, 1] mapped onto the bounds.
    """

    network: Network
    form: str = "physical"

    def __post_init__(self):
        if self.form not in FORMS:
            raise InputError("action", f"{self.form!r} is unknown; {suggest(self.form, FORMS)}")

    @cached_property
    def entries(self) -> tuple[tuple[int, str], ...]:
        """Row and column of each of the K entries: of sources, then of the P markets that promote."""
        sources = [(j, column) for j, columns in enumerate(self.network.action_columns) for column in columns]
        return (*sources, *((row, PROMOTION) for row in range(len(self.network.promoting))))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each entry, such as ``board.push_quantity``."""
        network = self.network
        sources, markets = network.source_names, [network.stage_names[i] for i in network.promoting]
        owners = [(markets if column == PROMOTION else sources)[row] for row, column in self.entries]
        return tuple(f"{owner}.{COLUMN_NAMES[column]}" for owner, (_, column) in zip(owners, self.entries, strict=True))

    @cached_property
    def low(self) -> np.ndarray:
        """Lower bounds, [K]."""
        return np.zeros(len(self.entries))

    @cached_property
    def high(self) -> np.ndarray:
        """Upper bounds, [K]: of units so that their half is the mean release, or the covering threshold."""
        network = self.network
        periods = {
            "installation": bounds.exposure(network),
            "echelon": bounds.echelon_exposure(network),
            "physical": bounds.echelon_exposure(network),
        }
        cover = {basis: bounds.covering_stock(network, value) for basis, value in periods.items()}
        releases = bounds.even_releases(network)
        high = [
            2.0 * (releases[j] if column == "quantity" else cover[network.sources[j].basis][j])
            for j, column in self.entries
            if column != PROMOTION
        ]
        return np.append(np.maximum(1.0, np.ceil(high)), np.ones(len(network.promoting)))

    def physical(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors [B, K] of this form in physical form."""
        if self.form == "physical":
            return vectors
        return self.low + (np.asarray(vectors, dtype=float) + 1.0) * 0.5 * (self.high - self.low)

    def from_physical(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors [B, K] given in physical form in this form, clipped to the bounds."""
        if self.form == "physical":
            return vectors
        return np.clip(2.0 * (vectors - self.low) / (self.high - self.low) - 1.0, -1.0, 1.0)


def decode(space: ActionSpace, vectors: np.ndarray) -> Action:
    """Turn action vectors in physical form, [B, K], into the dynamics' rows.

    Raises
    ------
    InputError
        For a wrong shape, NaN, an infinite quantity, gap or intensity, or a threshold of plus infinity.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim != 2 or vectors.shape[1] != len(space.entries):
        expected = f"[B, {len(space.entries)}], one entry for each of {reprlib.repr(list(space.names))}"
        raise InputError("action", f"shape {list(vectors.shape)} does not fit; give {expected}")
    usable = np.isfinite(vectors)
    if not usable.all():
        for k in np.flatnonzero(~usable.all(axis=0)):
            values = vectors[~usable[:, k], k]
            if space.entries[k][1] != "threshold" or not np.all(values == -np.inf):
                raise unusable(space, int(k), values[0])
    sources, batch = len(space.network.sources), len(vectors)
    table = {
        "quantity": np.zeros((sources, batch)),
        "threshold": np.full((sources, batch), -np.inf),
        "gap": np.zeros((sources, batch)),
        PROMOTION: np.zeros((len(space.network.promoting), batch)),
    }
    for k, (row, column) in enumerate(space.entries):
        table[column][row] = vectors[:, k]
    return Action(**table)


def unusable(space: ActionSpace, k: int, value: float) -> InputError:
    """Return the error of a value that entry k of an action vector cannot have."""
    what = "an intensity from 0 to 1" if space.entries[k][1] == PROMOTION else "a finite number of units"
    return InputError(f"action.{space.names[k]}", f"{value} is not usable; give {what}")
