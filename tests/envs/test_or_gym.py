"""OR-Gym's inventory problem gives OR-Gym's numbers: its base-stock policy, its demand, a thousand episodes.

The policy is OR-Gym's modified base-stock policy: a stage requests what its echelon inventory position lacks to its
level, as far as its capacity and its supplier's stock on hand allow.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from pushpull.envs import accounting, dynamics
from pushpull.envs.library import load_network

GOLDEN = Path(__file__).parents[1] / "golden" / "replay_cases.json"
CASES = {case["id"]: case for case in json.loads(GOLDEN.read_text())}
NETWORKS = {"v1": "or_gym_inventory", "v0": "or_gym_inventory_backlog"}


def play(network, levels, demand):
    """Run the policy; return requests [T, J, B] and profit [T, B]. Levels go from the retailer to the manufacturer."""
    batch = demand.shape[1]
    level = np.array(levels, dtype=float)[::-1, None]
    capacity = np.array([[source.capacity] for source in network.sources])
    pipeline_starts = np.cumsum([0, *(source.lead_time + 1 for source in network.sources)])[:-1]
    outside_supply = np.full((1, batch), np.inf)
    state = dynamics.initial_state(np, network, batch, dtype=np.float64)
    requests, profit = [], []
    for asked in demand:
        in_process = np.add.reduceat(state.pipeline, pipeline_starts, axis=0)
        echelon = np.cumsum((state.on_hand + in_process - state.owed)[::-1], axis=0)[::-1]
        supply = np.concatenate([outside_supply, state.on_hand[:-1]])
        quantity = np.minimum(np.maximum(level - echelon, 0.0), np.minimum(capacity, supply))
        action = dynamics.Action(quantity, threshold=np.full_like(quantity, -np.inf))
        state, flows = dynamics.step(np, network, state, dynamics.Exogenous(asked[None]), action)
        requests.append(quantity)
        profit.append(accounting.revenue(network, flows) - sum(accounting.costs(np, network, flows).values()))
    return np.array(requests), np.array(profit)


@pytest.mark.parametrize("version", NETWORKS)
def test_library_network_is_the_recorded_one_with_demand(version):
    network = load_network(NETWORKS[version])
    recorded = CASES[f"or-gym/InvManagement-{version}/constant-150/seed0"]["network"]
    stated = network.to_dict()
    assert stated["stages"]["retailer"]["market"].pop("demand") == {"kind": "poisson", "mean": 20}
    for key in ("name", "description", "horizon", "horizon_is_real", "discount"):
        stated.pop(key)
    assert stated == type(network).from_dict(recorded).to_dict()


@pytest.mark.parametrize("version", NETWORKS)
@pytest.mark.parametrize("levels", [(95, 203, 413), (94, 213, 0)])
def test_policy_takes_the_recorded_actions(version, levels):
    case = CASES[f"or-gym/InvManagement-{version}/echelon-{'-'.join(map(str, levels))}/seed0"]
    demand = np.array([[row["retailer"]] for row in case["demand"]], dtype=float)
    requests, profit = play(load_network(NETWORKS[version]), levels, demand)
    np.testing.assert_array_equal(requests[:, :, 0], case["actions"])
    np.testing.assert_allclose(profit[:, 0], case["expected"]["reward"], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("version", "levels", "mean", "sd"),
    [
        ("v1", (95, 203, 413), 403.76, 28.74),
        ("v1", (94, 213, 0), 451.14, 24.07),  # never replenishes the manufacturer
        ("v0", (95, 203, 413), 406.87, 31.97),
    ],
)
def test_discounted_profit_over_seeds_0_to_999_is_or_gyms(version, levels, mean, sd):
    network = load_network(NETWORKS[version])
    draws = [np.random.RandomState(seed).poisson(20, network.horizon) for seed in range(1000)]
    _, profit = play(network, levels, np.array(draws, dtype=float).T)
    discounted = network.discount ** np.arange(network.horizon) @ profit
    assert discounted.mean() == pytest.approx(mean, abs=0.005)
    assert discounted.std(ddof=1) == pytest.approx(sd, abs=0.005)
