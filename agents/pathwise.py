"""Hindsight differentiable policy optimisation: a policy learns from the slope of its cost along the sample path.

`train` plays mini-batches of episodes through the torch dynamics (`pushpull.envs.rollout`), differentiates what they
cost with respect to the weights of a network, and takes a step of Adam downhill (Madeka et al. 2022, arXiv:2210.03137;
Alvo, Russo & Kanoria 2023, arXiv:2306.11246). No value is estimated and nothing is explored: demand does not depend on
actions, so in hindsight the slope is exact. What it returns, a `PathwisePolicy`, reads a view and answers in units.

A multilayer perceptron reads the scaled observation of all stages; a head makes its outputs actions:

=============== ====================================================== ================================================
head            quantity of source j                                   threshold of source j
=============== ====================================================== ================================================
``base_stock``  max(0, level_j - echelon inventory position)           level_j, in the position that the source compares
``quantity``    softplus, which starts at the mean release             refused; push (``decoupling_point=market``)
=============== ====================================================== ================================================

with level_j = the level of `pushpull.agents.levels` + a correction in standard deviations of demand over the exposure,
which starts near 0. A mixed source is pulled by ``base_stock`` and pushed by ``quantity``.

Relaxation: rounding has no slope, so a network of integer units is trained in real ones, with the same demand where its
law is whole. Its actions are rounded when played, and in training too, where the way back takes rounding for the
identity (the straight-through estimator of Bengio, Léonard & Courville 2013, arXiv:1308.3432) from the share
`round_from` of the updates on. Which weights are kept is decided in the true network, in integer units. The slope is
blind to fixed costs, lots and changeovers: they are paid in validation, but nothing is learned about them.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor, nn

from pushpull.agents.exposure import claim_order
from pushpull.agents.levels import order_levels
from pushpull.envs import bounds
from pushpull.envs.actions import PROMOTION, ActionSpace
from pushpull.envs.checks import InputError, Settings, build, choice, listing, number, optional, setting, text
from pushpull.envs.engine import Engine
from pushpull.envs.exogenous import draw
from pushpull.envs.network import Network
from pushpull.envs.observations import BLOCKS, Observation, View
from pushpull.envs.rewards import reward_scale, reward_weights, rewards
from pushpull.envs.rollout import rollout

ALGORITHM = "pathwise"
HEADS = ("base_stock", "quantity")
ACTIVATIONS = {"elu": nn.ELU, "relu": nn.ReLU, "tanh": nn.Tanh}
_FIRST_WEIGHTS = 0.01  # of the last layer, relative to the usual: the first policy is nearly the heuristic

_count = number(1, whole=True)


@dataclass(frozen=True)
class PathwiseSettings(Settings):
    """How to train; each value is explained in ``configs/agent/pathwise.yaml``."""

    steps: int = setting(_count)
    num_envs: int = setting(_count)
    head: str = setting(choice(*HEADS), "base_stock")
    hidden_layers: tuple[int, ...] = setting(listing(_count), (64, 64))
    activation: str = setting(choice(*ACTIVATIONS), "elu")
    learning_rate: tuple[float, ...] = setting(listing(number(0), at_least=2), (0.003, 0.0))
    max_gradient_norm: float = setting(number(above=0), 1.0)
    longest_episode: int = setting(number(2, whole=True), 100)
    warm_up: int | None = setting(optional(number(0, whole=True)), None)
    round_from: float = setting(number(0, 1), 0.5)
    validation_episodes: int = setting(_count, 512)
    validate_every: int = setting(_count, 25)
    patience: int | None = setting(optional(_count), 20)
    device: str = setting(text, "cpu")

    def examine(self):
        if len(self.learning_rate) != 2:
            raise InputError("learning_rate", f"{list(self.learning_rate)} is not [first, last]; give two numbers")
        try:
            torch.zeros(1, device=self.device)
        except (RuntimeError, AssertionError) as error:
            problem = f"{self.device!r} cannot be used ({str(error).splitlines()[0]}); give cpu"
            raise InputError("device", problem) from None

    @property
    def worlds(self) -> int:
        """How many worlds training touches, those of the validation last."""
        return self.num_envs + self.validation_episodes


def train(
    network: Network,
    settings: PathwiseSettings | Mapping[str, Any],
    seed: int,
    world: int,
    progress: Callable[[int], Any] | None = None,
    reward: str | Mapping[str, float] = "profit",
    observation: Sequence[str] | None = None,
    periods: int | None = None,
    log: Callable[[int, Mapping[str, float]], Any] | None = None,
) -> PathwisePolicy:
    """Train a policy on a network.

    The same arguments give the same policy, bit for bit, on the same processor.

    Parameters
    ----------
    network : Network
        The chain, decoupled where the policy will act.
    settings : PathwiseSettings or mapping
        How to train.
    seed : int
        Of the first weights.
    world : int
        Update n plays episode n of the worlds `world`, `world` + 1, ..., one for each environment; the validation
        plays the worlds behind those, always the same.
    progress : callable, optional
        Called with the number of environment steps done so far.
    reward, observation, periods
        As in `pushpull.envs.task.Task`; `observation` is a list of blocks.
    log : callable, optional
        Called with steps and named numbers: ``train/loss`` and ``train/validation_loss``, minus the reward per period.

    Returns
    -------
    PathwisePolicy
        With the weights that did best in the validation.

    Raises
    ------
    InputError
        For settings, blocks or networks that cannot be used, `seed` and `world` out of range included.
    """
    torch.set_num_threads(1)  # matrices this small are slower on two threads
    how: PathwiseSettings = build(PathwiseSettings, settings, "parameters")
    whole = number(0, whole=True)
    seed, world = whole("seed", seed), whole("world", world)
    length, warm_up = episode(network, how, periods)
    scale, weights = reward_scale(network), reward_weights(reward)
    decider = Decider(network, Observation(network, observation, scaled=True).blocks, how, seed).to(how.device)
    policy, relaxed = PathwisePolicy(network, decider), replace(network, units="real")
    validation = Validation(network, how.validation_episodes, world + how.num_envs, length, warm_up, weights)
    optimizer = torch.optim.Adam(decider.parameters(), lr=how.learning_rate[0])
    updates = math.ceil(how.steps / (how.num_envs * length))
    best, best_weights, waited = validation(policy), copy.deepcopy(decider.state_dict()), 0
    for update in range(updates):
        done = update / updates
        optimizer.param_groups[0]["lr"] = how.learning_rate[0] + done * (how.learning_rate[1] - how.learning_rate[0])
        decider.rounds = network.units == "integer" and done >= how.round_from
        traces = draw(relaxed, length, [(world + e, update) for e in range(how.num_envs)])
        run = rollout(relaxed, decider, traces, "float64", how.device)
        paid = [
            rewards(weights, {term: cost[t] for term, cost in run.costs.items()}, run.revenue[t], run.flows[t])
            for t in range(warm_up, length)
        ]
        loss = -torch.stack(paid).mean() / scale
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(decider.parameters(), how.max_gradient_norm)
        optimizer.step()
        steps = (update + 1) * how.num_envs * length
        numbers = {"train/loss": loss.item() * scale}
        if (update + 1) % how.validate_every == 0 or update + 1 == updates:
            numbers["train/validation_loss"] = found = validation(policy)
            waited += 1
            if found < best:
                best, best_weights, waited = found, copy.deepcopy(decider.state_dict()), 0
        if log is not None:
            log(steps, numbers)
        if progress is not None:
            progress(steps)
        if how.patience is not None and waited >= how.patience:
            break
    decider.load_state_dict(best_weights)
    decider.rounds = False
    decider.to("cpu")
    return policy


def episode(network: Network, how: PathwiseSettings, periods: int | None = None) -> tuple[int, int]:
    """Return how many periods an episode of training has, and how many of them are not counted.

    Raises
    ------
    InputError
        If nothing would be left to count.
    """
    horizon = network.horizon if periods is None else number(1, whole=True)("periods", periods)
    length = horizon if network.horizon_is_real else min(horizon, how.longest_episode)
    warm_up = min(network.warm_up, length // 2) if how.warm_up is None else how.warm_up
    if warm_up >= length:
        raise InputError("parameters.warm_up", f"{warm_up} leaves nothing of {length} periods; give less")
    return length, warm_up


class Validation:
    """What a policy costs per counted period in fixed worlds, played as the policy will be: in the true network."""

    def __init__(
        self, network: Network, episodes: int, world: int, length: int, warm_up: int, weights: Mapping[str, float]
    ):
        self._engine = Engine(replace(network, warm_up=warm_up), episodes, length, weights=weights)
        self._world, self._length, self._warm_up = world, length, warm_up

    def __call__(self, policy: PathwisePolicy) -> float:
        self._engine.reset(self._world)
        paid = [self._engine.step(policy.act(self._engine.view())) for _ in range(self._length)]
        return -float(np.mean(paid[self._warm_up :]))


class Decider(nn.Module):
    """The network of weights: maps a view of tensors to actions [B, K], and knows the scales it was trained with.

    Parameters
    ----------
    network : Network
        The chain.
    blocks : sequence of str
        Observation blocks that it reads.
    how : PathwiseSettings
        Its head, layers and activation.
    seed : int
        Of the first weights.
    """

    factors: Tensor  # [D], what entries of the observation are multiplied by
    low: Tensor  # [D], and between what they are cut
    high: Tensor
    start: Tensor  # [K], units, what actions start from
    scale: Tensor  # [K], units that one unit of output adds

    def __init__(self, network: Network, blocks: Sequence[str], how: PathwiseSettings, seed: int = 0):
        super().__init__()
        self.head, self.rounds = how.head, False
        self.shape = {"head": how.head, "hidden_layers": list(how.hidden_layers), "activation": how.activation}
        self.observation, self._space = Observation(network, blocks, scaled=True), ActionSpace(network)
        self._claims = [j for i in network.stage_order for j in claim_order(network, i)]
        self._entry = {place: k for k, place in enumerate(self._space.entries)}
        if how.head == "quantity" and "pull" in network.modes:
            name = network.source_names[network.modes.index("pull")]
            raise InputError(
                "parameters.head",
                f"'quantity' sets no threshold, and {name!r} pulls; give base_stock, or push: decoupling_point=market",
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            sizes = [len(self.observation.names), *how.hidden_layers]
            hidden = [
                layer
                for inputs, units in pairwise(sizes)
                for layer in (nn.Linear(inputs, units), ACTIVATIONS[how.activation]())
            ]
            last = nn.Linear(sizes[-1], len(self._space.entries))
        with torch.no_grad():
            last.weight.mul_(_FIRST_WEIGHTS)
            last.bias.zero_()
        self.layers = nn.Sequential(*hidden, last).double()
        start, scale = start_and_scale(self._space, how.head)
        for name, values in {
            "factors": self.observation.factors,
            "low": self.observation.low,
            "high": self.observation.high,
            "start": start,
            "scale": scale,
        }.items():
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float64))

    def forward(self, view: View) -> Tensor:
        """Return actions [B, K] in units."""
        rows = torch.cat([torch.as_tensor(BLOCKS[name].values(view)) for name in self.observation.blocks])
        outputs = self.layers(torch.clamp(rows.T * self.factors, self.low, self.high))
        actions = self._from_outputs(view, outputs)
        if self.rounds:
            actions = [_rounded(actions[k]) if self._counts_units(k) else actions[k] for k in range(len(actions))]
        return torch.stack(actions, dim=1)

    def _counts_units(self, k: int) -> bool:
        """Whether entry k is a number of units: no intensity, and no threshold that never fires."""
        column = self._space.entries[k][1]
        return column != PROMOTION and (column != "threshold" or self.head == "base_stock")

    def _from_outputs(self, view: View, outputs: Tensor) -> list[Tensor]:
        """Return the K entries, [B] each, of outputs [B, K]."""
        levels = (self.start + self.scale * outputs).unbind(dim=1)
        positive = (self.scale * nn.functional.softplus(outputs + _inverse_softplus(self.start / self.scale))).unbind(1)
        zero, network = torch.zeros_like(levels[0]), self._space.network
        actions = [zero] * len(levels)
        for (_, column), k in self._entry.items():
            if column == PROMOTION:
                actions[k] = torch.sigmoid(outputs[:, k] - 3.0)  # hardly any campaign at first
            elif column == "gap" or (column == "quantity" and self.head == "quantity"):
                actions[k] = positive[k]
            elif column == "threshold":
                actions[k] = levels[k] if self.head == "base_stock" else zero - math.inf
        if self.head == "base_stock":
            position = list(view.echelon_inventory_position.unbind(dim=0))
            for j in self._claims:
                if network.modes[j] == "push":  # what one source of a stage orders the next need not
                    k, i = self._entry[j, "quantity"], network.source_stage[j]
                    actions[k] = torch.clamp(levels[k] - position[i], min=0.0)
                    position[i] = position[i] + actions[k]
        return actions


class PathwisePolicy:
    """A trained network as a policy: reads a view, answers in units.

    Parameters
    ----------
    network : Network
        The chain it acts on.
    decider : Decider
        What decides.
    """

    def __init__(self, network: Network, decider: Decider):
        self.network, self.decider = network, decider

    def act(self, view: View) -> np.ndarray:
        """Return actions [B, K] in units, whole ones where units are integer but for the intensities of campaigns."""
        device = self.decider.factors.device
        with torch.no_grad():
            seen = view.converted(lambda rows: torch.as_tensor(rows, dtype=torch.float64, device=device), xp)
            actions = self.decider(seen).cpu().numpy()
        if self.network.units == "integer":
            units = [k for k, (_, column) in enumerate(ActionSpace(self.network).entries) if column != PROMOTION]
            actions[:, units] = np.rint(actions[:, units])
        return actions

    def save(self, folder: str | Path) -> None:
        """Write ``weights.pt``, tensors only, and ``policy.json``, what it reads and sets."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self.decider.state_dict(), folder / "weights.pt")
        (folder / "policy.json").write_text(json.dumps(self._interface(), indent=2) + "\n")

    @classmethod
    def load(cls, folder: str | Path, network: Network) -> PathwisePolicy:
        """Read what `save` wrote; nothing in it is run.

        Raises
        ------
        InputError
            If there is no such policy in the folder, or the network does not have what it reads and sets.
        """
        folder = Path(folder)
        if not (folder / "policy.json").is_file():
            raise InputError("folder", f"no policy in {str(folder)!r}; give a folder that holds policy.json")
        saved = json.loads((folder / "policy.json").read_text())
        if saved["algorithm"] != ALGORITHM:
            raise InputError(
                "folder", f"{str(folder)!r} holds a policy of {saved['algorithm']!r}, not of {ALGORITHM!r}"
            )
        shape = {key: saved[key] for key in ("head", "hidden_layers", "activation")}
        policy = cls(network, Decider(network, saved["blocks"], PathwiseSettings(steps=1, num_envs=1, **shape)))
        for key, own in policy._interface().items():
            if own != saved[key]:
                raise InputError(
                    "network", f"{network.name!r} has {key} {own}, but the policy was trained with {saved[key]}"
                )
        policy.decider.load_state_dict(torch.load(folder / "weights.pt", map_location="cpu", weights_only=True))
        return policy

    def _interface(self) -> dict[str, Any]:
        observation = self.decider.observation
        return {
            "algorithm": ALGORITHM,
            **self.decider.shape,
            "blocks": list(observation.blocks),
            "observations": list(observation.names),
            "actions": list(ActionSpace(self.network).names),
        }


def start_and_scale(space: ActionSpace, head: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what each entry starts at, and by how much one unit of output moves it, [K] each, in units.

    Levels start at those of the heuristic and move by a standard deviation of demand over the exposure that the level's
    position covers; quantities and gaps start at mean release and heuristic gap, and move by those.
    """
    network, levels = space.network, order_levels(space.network)
    order_up_to, threshold = (np.where(np.isfinite(x), x, 0.0) for x in (levels.order_up_to, levels.reorder_point))
    stage = list(network.source_stage)
    echelon = np.array([basis != "installation" for basis in levels.basis])
    periods = np.where(echelon, bounds.echelon_exposure(network), bounds.exposure(network))
    deviation = bounds.demand_deviations(network)[stage] * np.sqrt(periods)
    deviation = np.maximum(deviation, 0.1 * np.maximum(1.0, bounds.demand_rates(network)[stage]))
    release, gap = np.maximum(1e-3, bounds.even_releases(network)), np.maximum(1e-3, levels.gap)
    table = {"gap": (gap, gap), "quantity": (release, release), "threshold": (threshold, deviation)}
    if head == "base_stock":
        table["quantity"] = (order_up_to, deviation)
    pairs = [(1.0, 1.0) if column == PROMOTION else tuple(x[j] for x in table[column]) for j, column in space.entries]
    start, scale = np.array(pairs, dtype=float).T
    return start, scale


def _rounded(units: Tensor) -> Tensor:
    """Round, and let the slope pass as if nothing had been rounded."""
    return units + (torch.round(units) - units).detach()


def _inverse_softplus(y: Tensor) -> Tensor:
    return y + torch.log(-torch.expm1(-y))
