"""What `pushpull bench` measures: a table of cases, and below it how each is prepared.

A case is prepared once, warm-up and choice of its length included, and gives a function that does one repeat of the
work and returns its readings by name; the reading named by the case's unit is the one with the target.

``step`` cases time nothing but steps: a repeat is one episode, as long as it takes, whose drawing is not timed.
``vector``, ``episodes``, ``simulate`` and ``sb3`` play the network's own horizon, drawing of the traces included.
Everything runs on one thread.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, cast

import numpy as np

from pushpull.envs import load_network, simulate
from pushpull.envs.engine import Engine
from pushpull.envs.exogenous import draw
from pushpull.envs.network import Network
from pushpull.envs.task import Task
from pushpull.experiments.machine import Stretch, bandwidth, timed

HIGHER_IS_BETTER = {
    "env-steps/s": True,
    "times the speed": True,
    "us/step": False,
    "share of rollout": False,
    "bytes/env": False,
    "times the time": False,
    "seconds": False,
    "libraries": False,
}
NETWORKS = {"chain4": 4, "distribution10": 10}  # with their stages
ENGINES = {  # backend and precision
    "numba-float32": ("numba", "float32"),
    "numba-float64": ("numba", "float64"),
    "numpy": ("numpy", "float32"),
    "torch": ("torch", "float32"),
}
STEP_TARGETS = {"chain4/numba-float32/1024": 15e6, "distribution10/numba-float32/1024": 8e6}


class Effort(NamedTuple):
    """How much is measured: repeats of each case, and the least seconds of one."""

    repeats: int
    seconds: float


Readings = dict[str, float]
Repeat = Callable[[], Readings]


class AbsentError(Exception):
    """What a case needs is not installed, or does not run here."""


@dataclass(frozen=True)
class Case:
    """One measurement: its name, the unit of its main reading, how it is prepared, and what that reading should be.

    `repeats` caps the repeats of work that is long or always the same; `slow` cases are left out of a quick run.
    """

    name: str
    unit: str
    prepare: Callable[[Effort], Repeat]
    target: float | None = None
    repeats: int | None = None
    slow: bool = False


def cases() -> Iterator[Case]:
    """Yield every case, in the order in which they are measured."""
    for network in NETWORKS:
        for batch in (1, 64, 1024, 16384):
            for engine in ENGINES:
                name = f"{network}/{engine}/{batch}"
                prepare, target = stepping(network, engine, batch), STEP_TARGETS.get(name)
                yield Case(f"step/{name}", "env-steps/s", prepare, target, slow=batch == 16384)
    many = stepping("chain4", "numba-float32", 100_000, periods=100)
    yield Case("many/chain4/100000", "env-steps/s", many, repeats=3, slow=True)
    yield Case("kernel-over-numpy/chain4/1024", "times the speed", kernel_over_numpy("chain4", 1024), target=3)
    for batch in (64, 1024):
        yield Case(f"thousand-stages/{batch}", "times the time", thousand_stages(batch), target=2, slow=True)
    yield Case("single/chain4", "us/step", single("chain4"), target=8)
    yield Case("single/distribution10", "us/step", single("distribution10"))
    for network in NETWORKS:
        for batch in (64, 1024):
            yield Case(f"vector/{network}/{batch}", "env-steps/s", vector(network, batch))
    yield Case("episodes/chain4/1024", "env-steps/s", episodes("chain4", 1024), target=15e6)
    yield Case("episodes/distribution10/1024", "env-steps/s", episodes("distribution10", 1024))
    for network in NETWORKS:
        yield Case(f"simulate/{network}", "env-steps/s", simulating(network))
    yield Case("sb3/chain4/64", "share of rollout", ppo_rollout("chain4", 64))
    yield Case("sb3/chain4/1024", "share of rollout", ppo_rollout("chain4", 1024), target=0.2)
    yield Case("gradient/chain4/8192", "env-steps/s", gradient("chain4", 8192), target=1e6, slow=True)
    for network in NETWORKS:
        yield Case(f"memory/{network}", "bytes/env", memory(network), repeats=1)
    yield Case("import/seconds", "seconds", importing, target=1.5, repeats=3)
    yield Case("import/learning-libraries", "libraries", imported_libraries, target=0, repeats=1)
    yield Case("compile/chain4", "seconds", compiling, repeats=1, slow=True)
    for name, play in PEERS.items():
        yield Case(f"peer/{name}", "env-steps/s", peer(name, play))


# --- stepping ---------------------------------------------------------------------------------------------------------


def stepping(name: str, engine: str, batch: int, periods: int | None = None) -> Callable[[Effort], Repeat]:
    """Step B environments: actions in units in, observations and rewards out."""

    def prepare(effort: Effort) -> Repeat:
        backend, dtype = ENGINES[engine]
        need(backend)
        episode = _episode(_network(name), effort, backend, dtype, batch, periods)
        steps, stages = episode.task.engine.periods * batch, NETWORKS[name]
        touched = bytes_per_step(episode.task)
        floor = touched / bandwidth(touched * batch)

        def repeat() -> Readings:
            taken = episode.play()
            return {
                **_rate(steps, taken),
                "stage-steps/s": stages * steps / taken.wall,
                "bytes/step": touched,
                "floor ns/step": 1e9 * floor,
                "times the floor": taken.wall / steps / floor,
            }

        return repeat

    return prepare


def kernel_over_numpy(name: str, batch: int) -> Callable[[Effort], Repeat]:
    """Step with the kernel and with numpy in turns, both in float32, so that what slows the machine slows both."""

    def prepare(effort: Effort) -> Repeat:
        need("numba")
        kernel, array = (
            _episode(_network(name), effort, *ENGINES[engine], batch) for engine in ("numba-float32", "numpy")
        )

        def repeat() -> Readings:
            fast, slow = kernel.play(), array.play()
            speeds = [played.task.engine.periods / taken.wall for played, taken in ((kernel, fast), (array, slow))]
            return {"times the speed": speeds[0] / speeds[1], "of a core": fast.share}

        return repeat

    return prepare


def thousand_stages(batch: int) -> Callable[[Effort], Repeat]:
    """Step 1,000 stages with 2,000 sources, and the 10-stage network in turns with it; compare a stage's time."""

    def prepare(effort: Effort) -> Repeat:
        need("numba")
        built: list[Network] = []
        building = timed(lambda: built.append(Network.from_dict(random_network(1000))))
        large, small = (
            _episode(network, effort, "numba", "float32", batch) for network in (*built, _network("distribution10"))
        )

        def repeat() -> Readings:
            taken, reference = large.play(), small.play()
            each = [
                1e9 * own.wall / (played.task.engine.periods * batch * len(played.task.network.stages))
                for played, own in ((large, taken), (small, reference))
            ]
            return {
                "times the time": each[0] / each[1],
                "ns/stage-step": each[0],
                "ns/stage-step of 10": each[1],
                "seconds to build": building.wall,
                "of a core": taken.share,
            }

        return repeat

    return prepare


def single(name: str) -> Callable[[Effort], Repeat]:
    """Step the environment that `gymnasium.make` returns; beside it, whole episodes with their resets."""

    def prepare(effort: Effort) -> Repeat:
        import gymnasium

        horizon = load_network(name).horizon

        def make(periods: int) -> Any:
            environment = gymnasium.make("PushPull-v0", network=name, periods=periods)
            environment.reset(seed=0)
            return environment

        def step(environment: Any, steps: int) -> None:
            for k in range(steps):
                environment.step(actions[k % 8])

        def play(environment: Any, episodes: int) -> None:
            for _ in range(episodes):
                environment.reset()
                step(environment, horizon)

        short = make(horizon)
        actions = _actions(short.unwrapped.task)[:, 0].astype(np.float32)  # what its action space samples
        play(short, 1)
        episodes = _enough(lambda count: timed(lambda: play(short, count)).wall, effort.seconds)
        steps = episodes * horizon
        long = make(steps)

        def repeat() -> Readings:
            long.reset(seed=0)
            taken, whole = timed(lambda: step(long, steps)), timed(lambda: play(short, episodes))
            return {
                "us/step": 1e6 * taken.wall / steps,
                "us/step with resets": 1e6 * whole.wall / steps,
                "of a core": taken.share,
            }

        return repeat

    return prepare


def vector(name: str, batch: int) -> Callable[[Effort], Repeat]:
    """Step what `gymnasium.make_vec` returns over whole horizons, which ends and restarts every environment."""

    def prepare(effort: Effort) -> Repeat:
        import gymnasium

        need("numba")
        environment: Any = gymnasium.make_vec("PushPull-v0", num_envs=batch, network=name, dtype="float32")
        network, actions = environment.unwrapped.network, _actions(environment.unwrapped.task).astype(np.float32)

        def play(horizons: int) -> None:
            for k in range(horizons * network.horizon):
                environment.step(actions[k % 8])

        environment.reset(seed=0)
        play(1)
        horizons = _enough(lambda count: timed(lambda: play(count)).wall, effort.seconds)

        def repeat() -> Readings:
            taken = timed(lambda: play(horizons))
            drawing = horizons * _drawing(network, batch).wall
            return {**_rate(horizons * network.horizon * batch, taken), "share of drawing": drawing / taken.wall}

        return repeat

    return prepare


# --- whole episodes ---------------------------------------------------------------------------------------------------


def episodes(name: str, batch: int) -> Callable[[Effort], Repeat]:
    """Play episodes of base-stock in compiled code, and draw their traces."""

    def prepare(effort: Effort) -> Repeat:
        need("numba")
        from pushpull.agents.policy import make_policy

        network = load_network(name)
        engine, policy = Engine(network, batch, backend="numba", dtype="float32"), make_policy("base_stock", network)

        def play(times: int) -> None:
            for _ in range(times):
                engine.reset(0)
                engine.play(policy)

        play(1)
        times = _enough(lambda count: timed(lambda: play(count)).wall, effort.seconds)

        def repeat() -> Readings:
            taken = timed(lambda: play(times))
            drawing = times * _drawing(network, batch).wall
            steps = times * network.horizon * batch
            return {
                **_rate(steps, taken),
                "share of drawing": drawing / taken.wall,
                "without drawing": steps / (taken.wall - drawing),
            }

        return repeat

    return prepare


def simulating(name: str) -> Callable[[Effort], Repeat]:
    """Simulate episodes of base-stock from their seeds to the table of KPIs, as `simulate` does by default."""

    def prepare(effort: Effort) -> Repeat:
        from pushpull.agents.policy import make_policy

        network = load_network(name)
        policy = make_policy("base_stock", network)

        def play(batches: int) -> Stretch:
            return timed(lambda: simulate(network, policy, episodes=1024 * batches, seed=0))

        play(1)
        batches = _enough(lambda count: play(count).wall, effort.seconds)
        return lambda: _rate(1024 * batches * network.horizon, play(batches))

    return prepare


def _drawing(network: Network, batch: int) -> Stretch:
    """Draw the traces of one horizon."""
    worlds = [(seed, 0) for seed in range(batch)]
    return timed(lambda: draw(network, network.horizon, worlds))


# --- learning ---------------------------------------------------------------------------------------------------------


def ppo_rollout(name: str, batch: int) -> Callable[[Effort], Repeat]:
    """Let PPO of stable-baselines3 with its default networks collect one horizon; the environment's share of it."""

    def prepare(effort: Effort) -> Repeat:
        need("torch", "stable_baselines3")
        import torch

        from pushpull.agents.sb3 import ALGORITHMS
        from pushpull.envs.sb3_vec_env import PushPullVecEnv

        torch.set_num_threads(1)
        horizon = load_network(name).horizon
        task = {"observation": "scaled", "action": "normalised", "scale_reward": True}
        environment, ppo = PushPullVecEnv(name, batch, **task), cast(Any, ALGORITHMS["ppo"])
        learner = ppo(
            "MlpPolicy", environment, n_steps=horizon, batch_size=horizon * batch, n_epochs=1, seed=0, device="cpu"
        )
        stepped, collected = _time_calls(environment, "step"), _time_calls(learner, "collect_rollouts")

        def repeat() -> Readings:
            stepped.clear()
            collected.clear()
            learner.learn(horizon * batch, reset_num_timesteps=False)
            (rollout,) = collected
            share = sum(taken.wall for taken in stepped) / rollout.wall
            return {
                "share of rollout": share,
                "env-steps/s of rollout": horizon * batch / rollout.wall,
                "of a core": rollout.share,
            }

        repeat()
        return repeat

    return prepare


def _time_calls(target: Any, method: str) -> list[Stretch]:
    """Time every call of an object's method from now on, in the list that is returned."""
    calls: list[Stretch] = []
    own = getattr(target, method)

    def call(*words: Any, **named: Any) -> Any:
        answers: list[Any] = []
        calls.append(timed(lambda: answers.append(own(*words, **named))))
        return answers[0]

    setattr(target, method, call)
    return calls


def gradient(name: str, batch: int, periods: int = 50) -> Callable[[Effort], Repeat]:
    """Roll base-stock levels through the dynamics on torch and back to their gradient; traces are drawn before."""

    def prepare(effort: Effort) -> Repeat:
        need("torch", "pushpull.envs.rollout")
        import torch

        from pushpull.envs.actions import ActionSpace
        from pushpull.envs.rollout import rollout

        torch.set_num_threads(1)
        network = Network.from_dict({**load_network(name).to_dict(), "units": "real"})
        traces = draw(network, periods, [(seed, 0) for seed in range(batch)])
        levels = torch.tensor(ActionSpace(network).high / 2, dtype=torch.float32, requires_grad=True)

        def differentiate() -> None:
            levels.grad = None
            rollout(network, lambda view: levels.expand(batch, -1), traces).cost.mean().backward()

        differentiate()
        return lambda: _rate(periods * batch, timed(differentiate))

    return prepare


# --- memory, import, compilation --------------------------------------------------------------------------------------


def memory(name: str) -> Callable[[Effort], Repeat]:
    """Weigh environments of the network's own horizon, float32: what a further one takes, and how straight the line is.

    Traces are part of it. `peak` counts what is held for a moment while they are drawn.
    """

    def prepare(effort: Effort) -> Repeat:
        need("numba")
        sizes = np.array([512, 1024, 2048, 4096])
        _weigh(name, 64)

        def repeat() -> Readings:
            held, peak = np.array([_weigh(name, int(size)) for size in sizes]).T
            slope, constant = np.polyfit(sizes, held, 1)
            return {
                "bytes/env": float(slope),
                "constant bytes": float(constant),
                "off the line": float(np.abs(held / (slope * sizes + constant) - 1).max()),
                "peak bytes/env": float(np.polyfit(sizes, peak, 1)[0]),
            }

        return repeat

    return prepare


def _weigh(name: str, batch: int) -> tuple[int, int]:
    """Return the bytes that B environments under way hold, and held at their most."""
    gc.collect()
    tracemalloc.start()
    try:
        task = Task(name, batch, backend="numba", dtype="float32")
        task.reset(0)
        task.step(np.zeros((batch, len(task.action_space.entries))))
        return tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()


def importing(effort: Effort) -> Repeat:
    """Import pushpull.envs in a fresh interpreter."""

    def repeat() -> Readings:
        told = _child("import pushpull.envs; extra = 0")
        return {"seconds": told["wall"], "of a core": told["processor"] / told["wall"]}

    repeat()
    return repeat


def imported_libraries(effort: Effort) -> Repeat:
    """Count the learning libraries that come with pushpull.envs."""
    code = "import pushpull.envs, sys; extra = len({'torch', 'stable_baselines3'} & {*sys.modules})"
    return lambda: {"libraries": _child(code)["extra"]}


def compiling(effort: Effort) -> Repeat:
    """Make, reset and step an environment where nothing is compiled, and where everything is in numba's cache."""
    need("numba")
    code = (
        "import gymnasium, pushpull.envs; e = gymnasium.make('PushPull-v0', network='chain4'); e.reset(seed=0); "
        "e.step(e.action_space.high / 2); extra = 0"
    )

    def repeat() -> Readings:
        with tempfile.TemporaryDirectory() as folder:
            cold, cached = (_child(code, NUMBA_CACHE_DIR=folder) for _ in range(2))
        return {
            "seconds": cold["wall"],
            "seconds when cached": cached["wall"],
            "of a core": cold["processor"] / cold["wall"],
        }

    return repeat


def _child(code: str, **environment: str) -> dict[str, float]:
    """Run code in a fresh interpreter; return its seconds, without the interpreter's own start, and its `extra`."""
    before = "import time, json; w, p = time.perf_counter(), time.process_time()"
    after = "print(json.dumps({'wall': time.perf_counter() - w, 'processor': time.process_time() - p, 'extra': extra}))"
    command = [sys.executable, "-c", "\n".join((before, code, after))]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


# --- other programs ---------------------------------------------------------------------------------------------------
#
# Each plays one episode of its own with constant actions and returns the steps it took. Their problems are like ours in
# size and not the same; environments are stepped without wrappers, which is their fastest.


def _or_gym(environment: str) -> Callable[[], int]:
    import or_gym  # type: ignore[import-not-found]

    made = or_gym.make(environment).unwrapped
    return lambda: _play(made, np.full(made.action_space.shape, 20))


def _gym_invmgmt(environment: str) -> Callable[[], int]:
    import gym_invmgmt  # type: ignore[import-not-found]  # noqa: F401  (registers its environments)
    import gymnasium

    made = gymnasium.make(environment).unwrapped
    return lambda: _play(made, np.full(made.action_space.shape or (), 20.0))


def _play(environment: Any, action: np.ndarray) -> int:
    environment.reset()
    steps, ended = 0, False
    while not ended:
        _, _, *ends, _ = environment.step(action)  # one end in the old interface, two in the new
        steps, ended = steps + 1, any(ends)
    return steps


def _stockpyl(periods: int = 100) -> Callable[[], int]:
    """Simulate chain4 in stockpyl."""
    from stockpyl.sim import simulation  # type: ignore[import-not-found]
    from stockpyl.supply_chain_network import serial_system  # type: ignore[import-not-found]

    chain = serial_system(
        4,
        node_order_in_system=[4, 3, 2, 1],
        node_order_in_lists=[4, 3, 2, 1],
        shipment_lead_time=2,
        local_holding_cost=[0.25, 0.5, 0.75, 1],
        stockout_cost=9,
        demand_type="P",
        mean=10,
        policy_type="BS",
        base_stock_level=[18, 24, 22, 30],
    )

    def play() -> int:
        simulation(chain, periods, rand_seed=0, progress_bar=False)
        return periods

    return play


PEERS: dict[str, Callable[[], Callable[[], int]]] = {
    "or_gym/InvManagement-v1": lambda: _or_gym("InvManagement-v1"),
    "or_gym/NetworkManagement-v1": lambda: _or_gym("NetworkManagement-v1"),
    "gym_invmgmt/Serial-v0": lambda: _gym_invmgmt("GymInvMgmt/Serial-v0"),
    "gym_invmgmt/MultiEchelon-v0": lambda: _gym_invmgmt("GymInvMgmt/MultiEchelon-v0"),
    "stockpyl/serial4": _stockpyl,
}


def peer(name: str, prepare_play: Callable[[], Callable[[], int]]) -> Callable[[Effort], Repeat]:
    """Play episodes of another program, where it is installed and runs."""

    def prepare(effort: Effort) -> Repeat:
        need(name.partition("/")[0])
        try:
            play = prepare_play()
            steps = play()
        except Exception as error:  # whatever ails it is no fault of ours
            raise AbsentError(f"does not run here: {type(error).__name__}: {error}") from error

        def many(times: int) -> Stretch:
            return timed(lambda: [play() for _ in range(times)])

        times = _enough(lambda count: many(count).wall, effort.seconds)
        return lambda: _rate(times * steps, many(times))

    return prepare


# --- parts ------------------------------------------------------------------------------------------------------------


def need(*modules: str) -> None:
    """Raise AbsentError unless all the modules are at hand."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise AbsentError(f"{module} is not here")


@dataclass(frozen=True)
class _Episode:
    """B environments and 8 sets of actions [8, B, K] that are played in turn."""

    task: Task
    actions: np.ndarray

    def play(self) -> Stretch:
        """Step through one whole episode; only the steps are timed."""
        self.task.reset(0)

        def steps() -> None:
            for t in range(self.task.engine.periods):
                self.task.step(self.actions[t % 8])

        return timed(steps)


def _episode(
    network: Network, effort: Effort, backend: str, dtype: str, batch: int, periods: int | None = None
) -> _Episode:
    """Return an episode, played before, that takes the seconds of an effort or has the periods given."""
    if backend == "torch":
        import torch

        torch.set_num_threads(1)

    def of(periods: int) -> _Episode:
        task = Task(network, batch, periods=periods, backend=backend, dtype=dtype)
        return _Episode(task, _actions(task))

    of(8).play()
    length = periods or _enough(lambda count: of(count).play().wall, effort.seconds, least=8)
    return of(length)


def _network(name: str) -> Network:
    """Return a network without its warm-up, so that every period of any episode is counted."""
    return Network.from_dict({**load_network(name).to_dict(), "warm_up": 0})


def _actions(task: Task) -> np.ndarray:
    """Return 8 sets of action vectors in units, [8, B, K], around the middle of their bounds."""
    space = task.action_space
    shares = np.random.default_rng(0).uniform(0.4, 0.6, (8, task.engine.num_envs, len(space.entries)))
    return np.rint(shares * space.high)


def _enough(seconds_of: Callable[[int], float], seconds: float, least: int = 1) -> int:
    """Return an amount of work, from `least` on, that takes at least the seconds, found by growing it."""
    amount = least
    while (taken := seconds_of(amount)) < seconds:
        amount = math.ceil(amount * min(16.0, 1.2 * seconds / taken))
    return amount


def _rate(steps: int, taken: Stretch) -> Readings:
    return {"env-steps/s": steps / taken.wall, "of a core": taken.share}


def bytes_per_step(task: Task) -> int:
    """Return what one environment's step has to read and write, whatever the code.

    It reads the action, the demand and the forecasts it shows; rewrites the state in the precision of the dynamics and
    the sums that KPIs are made of; writes an observation and a reward.
    """
    task.reset(0)
    view, totals = task.engine.view(), task.engine.totals
    travelling = sum(task.network.order_delays)
    state = sum(len(rows) for rows in (view.on_hand, view.last_demand, view.pending, *view.pipeline)) + travelling
    shown = view.forecast[..., 0].size if "forecast" in task.observation.blocks else 0
    sums = sum(np.atleast_2d(getattr(totals, item.name)).shape[0] for item in fields(totals))
    inputs, outputs = len(task.action_space.entries) + len(view.last_demand) + shown, len(task.observation.names)
    return 2 * view.on_hand.dtype.itemsize * state + 2 * 8 * sums + 8 * inputs + 4 * outputs + 8


def random_network(stages: int, seed: int = 0) -> dict[str, Any]:
    """Return a deep random network of single-input stages with two sources each, a fifth of them selling.

    A stage draws on one of the ten before it. Its second source is dearer and quicker and draws on the same stage, but
    for one in twenty that draws on another, so that paths meet and requirements stay within what float32 counts.
    """
    rng = np.random.default_rng(seed)
    built: dict[str, Any] = {}
    for i in range(stages):
        sources: list[dict[str, Any]] = [
            {"lead_time": 2, "unit_cost": 1, "initial_pipeline": [5, 5]},
            {"lead_time": 1, "unit_cost": 2},
        ]
        if i >= 10:
            first, other = rng.choice(np.arange(i - 10, i), 2, replace=False)
            second = other if rng.random() < 0.05 else first
            for source, supplier in zip(sources, (first, second), strict=True):
                source["inputs"] = {f"stage{supplier}": 1}
        stage = {"initial_on_hand": 10, "holding_cost": 1, "sources": sources}
        if i >= stages - stages // 5:
            stage["market"] = {"demand": {"kind": "poisson", "mean": 5}, "price": 10, "backorder_cost": 9}
        built[f"stage{i}"] = stage
    return {"name": "random", "decoupling_point": "supply", "stages": built}
