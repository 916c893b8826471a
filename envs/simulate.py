"""Whole episodes of a policy on a network: the table that comparisons, tuning and reports are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pushpull.envs import accounting
from pushpull.envs.checks import number
from pushpull.envs.engine import Acts, Engine
from pushpull.envs.network import Network


def simulate(
    network: Network,
    policy: Acts,
    episodes: int,
    seed: int,
    periods: int | None = None,
    num_envs: int = 1024,
    backend: str = "auto",
    dtype: str = "float64",
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
        Its ``act(view)`` returns actions [B, K] in units. A policy of `pushpull.envs.rules.Rules`, or one that has
        `rules`, runs in compiled code.
    episodes, seed : int
        How many episodes, and the world of the first.
    periods : int, optional
        Length of an episode; by default the network's horizon.
    num_envs : int
        Episodes run side by side.
    backend, dtype : str
        What computes the dynamics, and its precision.
    progress : callable, optional
        Called with the number of episodes that have just been finished.

    Returns
    -------
    pandas.DataFrame
        Columns ``seed``, the KPIs (``cost``, ``revenue`` and ``profit`` are means per counted period),
        ``cost.<term>``, the KPIs of each stage (``stock.<stage>``, ``stock_value.<stage>``, ``bullwhip.<stage>``),
        ``discounted_profit`` (sum over the episode) and ``periods`` (counted).
    """
    import pandas as pd

    episodes = number(1, whole=True)("episodes", episodes)
    seed = number(0, whole=True)("seed", seed)
    tables = []
    for first in range(0, episodes, num_envs):
        batch = min(num_envs, episodes - first)
        engine = Engine(network, batch, periods, backend, dtype)
        engine.reset(seed + first)
        engine.play(policy)
        totals = engine.totals
        columns = {"seed": engine.seeds, **engine.kpis(), **accounting.stage_kpis(network, engine.totals)}
        columns |= {"discounted_profit": totals.discounted_profit, "periods": totals.periods}
        tables.append(pd.DataFrame(columns))
        if progress is not None:
            progress(batch)
    return pd.concat(tables, ignore_index=True)
