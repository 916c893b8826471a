"""What a policy remembers of each environment from one period to the next.

Most policies need the state alone. One that learns from what it has seen keeps it here: it starts anew where an episode
begins, and it must see every period, since nobody can remember what passed by unseen.
"""

from __future__ import annotations

import numpy as np

from pushpull.envs.checks import InputError
from pushpull.envs.observations import View


class Memory:
    """Rows of numbers by environment.

    Parameters
    ----------
    policy : str
        Whose memory it is, for errors.
    """

    def __init__(self, policy: str):
        self._policy, self._rows = policy, np.empty((0, 0))
        self._next = self._worlds = np.empty(0, dtype=np.int64)

    def recall(self, view: View, fresh: np.ndarray) -> np.ndarray:
        """Return the rows [R, B] that were kept, and `fresh` ones where an episode begins.

        Raises
        ------
        InputError
            If a period has passed since the last call, or environments are others than in it.
        """
        begins = view.period == 0
        if begins.all():
            return fresh.copy()
        same = self._next.shape == view.period.shape and self._rows.shape == fresh.shape
        if not same or ((self._next != view.period) | (self._worlds != view.seeds))[~begins].any():
            raise InputError(
                self._policy,
                "remembers, and has not seen all periods of these episodes; ask it once in every period, and make one "
                "for each group of environments",
            )
        return np.where(begins, fresh, self._rows)

    def keep(self, view: View, rows: np.ndarray) -> None:
        """Keep rows [R, B] for the next period."""
        self._rows, self._next = rows.copy(), view.period + 1
        self._worlds = np.array(view.seeds)
