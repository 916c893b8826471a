"""The compiled engine and the array engine side by side: what both must tell alike."""

import numpy as np

from pushpull.envs import Network
from pushpull.envs.actions import PROMOTION
from pushpull.envs.engine import Engine


def played_alike(network: Network, seed: int, most: float) -> list[Engine]:
    """Play a batch of two blocks and a bit, restarted at different times, on both engines; return them, kernel first.

    Actions are uniform up to `most` units, or to an intensity of 1.25. Observations, flows and states are the same to
    the last bit, totals to rounding.
    """
    engines = [Engine(network, 270, backend=backend) for backend in ("numba", "numpy")]
    kernel, arrays = engines
    limits = [1.25 if column == PROMOTION else most for _, column in kernel.space.entries]
    rng = np.random.default_rng(0)
    for engine in engines:
        engine.reset(seed)
    for t in range(40):
        restart = rng.uniform(size=270) < 0.3 if t == 12 else engines[0].ended
        vectors = rng.uniform(0, 1, (270, len(kernel.space.entries))) * limits
        for engine in engines:
            if restart.any():
                engine.begin(restart)
            engine.step(vectors)
        np.testing.assert_array_equal(kernel.observe(), arrays.observe())
        for own, records in ((kernel.flows, arrays.flows), (kernel._world.state, arrays._world.state)):
            for name, rows in vars(records).items():
                np.testing.assert_array_equal(getattr(own, name), rows, err_msg=name)
        for name, total in vars(arrays.totals).items():
            np.testing.assert_allclose(getattr(kernel.totals, name), total, rtol=1e-12, atol=1e-6, err_msg=name)
    return engines
