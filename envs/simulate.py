"""Whole episodes of a policy on a network: the table that comparisons, tuning and reports are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from pushpull.envs.actions import ActionSpace
from pushpull.envs.checks import InputError, number
from pushpull.envs.engine import Engine
from pushpull.envs.network import Network
from pushpull.envs.observations import View


class Acts(Protocol):
    """Anything that sets actions [B, K], in units, from a view."""

    def act(self, view: View) -> np.ndarray: ...


def simulate(
    network: Network,
    policy: Acts,
    episodes: int,
    seed: int,
    periods: int | None = None,
    num_envs: int = 256,
    backend: str = "auto",
    progress: Callable[[int], Any] | None = None,
) -> Any:
    """Run episodes and return one row for each.

    Episode n plays in the world ``seed + n``, whatever the policy and `num_envs`, so that two policies simulated with
    the same seed meet the same demand, and ``env.reset(seed=row.seed)`` plays a row again.

    Parameters
    ----------
    network : Network
        The chain.
    policy : Policy
        Its ``act(view)`` returns actions [B, K] in units.
    episodes, seed : int
        How many episodes, and the world of the first.
    periods : int, optional
        Length of an episode; by default the network's horizon.
    num_envs : int
        Episodes run side by side.
    backend : str
        What computes the dynamics.
    progress : callable, optional
        Called with the number of episodes that have just been finished.

    Returns
    -------
    pandas.DataFrame
        Columns ``seed``, the KPIs (``cost``, ``revenue`` and ``profit`` are means per counted period),
        ``cost.<term>``, ``discounted_profit`` (sum over the episode) and ``periods`` (counted).
    """
    import pandas as pd

    episodes = number(1, whole=True)("episodes", episodes)
    seed = number(0, whole=True)("seed", seed)
    space = ActionSpace(network)
    tables = []
    for first in range(0, episodes, num_envs):
        batch = min(num_envs, episodes - first)
        engine = Engine(network, batch, periods, backend)
        engine.reset(seed + first)
        while not engine.ended.all():
            vectors = np.asarray(policy.act(engine.view()))
            if vectors.shape != (batch, len(space.entries)):
                expected = f"[{batch}, {len(space.entries)}] for {list(space.names)}"
                raise InputError("policy.act", f"returned shape {list(vectors.shape)}; return {expected}")
            engine.step(vectors)
        totals = engine.totals
        columns = {"seed": engine.seeds, **engine.kpis()}
        columns |= {"discounted_profit": totals.discounted_profit, "periods": totals.periods}
        tables.append(pd.DataFrame(columns))
        if progress is not None:
            progress(batch)
    return pd.concat(tables, ignore_index=True)
