"""Engines side by side: in threads, in forked and spawned processes, and compiling at the same time."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from pushpull.envs import Network, load_network, simulate
from pushpull.envs.engine import Engine
from pushpull.envs.rules import Rules


def play(seed: int, periods: int = 25) -> list[float]:
    """Return the profits of some environments of a library network under a fixed action."""
    engine = Engine(load_network("chain4"), num_envs=70, periods=periods)
    engine.reset(seed)
    paid = np.zeros(70)
    while not engine.ended.all():
        paid += engine.step(np.tile(engine.space.high / 2, (70, 1)))
    return paid.tolist()


def test_threads_do_not_disturb_each_other():
    alone = [play(seed) for seed in range(6)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(play, range(6))) == alone


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_give_the_same_worlds(method):
    network = load_network("chain4")
    rules = Rules(network, {f"{name}.pull_threshold": 50 for name in network.source_names})
    jobs = [(network, rules, 8, seed) for seed in (0, 5)]
    alone = [simulate(*job) for job in jobs]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        for own, other in zip(alone, pool.map(simulate, *zip(*jobs, strict=True)), strict=True):
            pd.testing.assert_frame_equal(own, other, check_exact=True)


COMPILE = """
import numpy as np
from pushpull.envs import load_network
from pushpull.envs.engine import Engine
engine = Engine(load_network("chain4"), num_envs=2)
engine.reset(0)
print(engine.step(engine.space.high[None].repeat(2, 0) / 2).tolist())
"""


def test_two_processes_may_compile_at_once(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_OPT": "0"}  # unoptimised compiles sooner
    command = [sys.executable, "-c", COMPILE]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    cached = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert printed == [cached, cached] and cached.startswith("[")


def test_a_network_of_a_thousand_stages_steps():
    """Each stage draws on two of those before it, so there are 2,000 sources."""
    stages = {
        f"s{i}": {
            "initial_on_hand": 20,
            "holding_cost": 1,
            "sources": [
                {"lead_time": 1 + k, "capacity": 40, "inputs": {f"s{i - 7 * (k + 1)}": 1} if i >= 14 else {}}
                for k in range(2)
            ],
        }
        for i in range(1000)
    }
    for i in range(990, 1000):
        stages[f"s{i}"]["market"] = {"demand": {"kind": "poisson", "mean": 3}, "price": 5, "backorder_cost": 2}
    network = Network.from_dict({"stages": stages, "decoupling_point": ["s500"], "horizon": 10})
    assert len(network.sources) == 2000
    rng = np.random.default_rng(0)
    vectors = rng.integers(0, 30, (3, 4, 2000)).astype(float)
    kernel, arrays = (Engine(network, num_envs=4, backend=backend) for backend in ("numba", "numpy"))
    for engine in (kernel, arrays):
        engine.reset(1)
    for actions in vectors:
        kernel.step(actions)
        arrays.step(actions)
        np.testing.assert_array_equal(kernel.flows.on_hand, arrays.flows.on_hand)
        np.testing.assert_array_equal(kernel.flows.order, arrays.flows.order)
