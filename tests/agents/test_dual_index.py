"""Two suppliers by levels: published levels are found, and costs are those of a queue that can be solved."""

import numpy as np
import pytest

from pushpull.agents import make_policy
from pushpull.agents.dual_index import CappedDualIndex, DualIndex, TailoredBaseSurge, overshoot
from pushpull.agents.lost_sales_heuristics import mean_stock
from pushpull.envs import InputError, Network, simulate
from pushpull.envs.boards import make_board, references
from pushpull.envs.engine import Engine

WORLD = 1_000_000
ROWS = references("dual_sourcing")["rows"]
NAMES = [str(row["parameters"]["expedited_cost"]) for row in ROWS]


@pytest.mark.parametrize(("name", "made"), [("dual_index", DualIndex), ("capped_dual_index", CappedDualIndex)])
@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_formula_and_trials_find_the_best_levels(row, name, made):
    policy = made(make_board("dual_sourcing", **row["parameters"]))
    found = {"expedited": policy.expedited, "regular": policy.regular, "cap": policy.cap}
    assert found == {"cap": np.inf} | {key: value for key, value in row[name].items() if key != "cost"}


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_base_surge_costs_what_was_published_of_it(row):
    """Stock less the level is a queue: x' = max(0, x + r - d); published gaps have two digits."""
    network = make_board("dual_sourcing", **row["parameters"])
    policy = TailoredBaseSurge(network)
    expedited_cost, r, law = row["parameters"]["expedited_cost"], int(policy.cap), np.full(5, 0.2)
    states = np.zeros(400)
    states[0] = 1
    for _ in range(2000):
        states = np.bincount(
            np.clip(np.add.outer(np.arange(400) + r, -np.arange(5)), 0, 399).ravel(), np.outer(states, law).ravel(), 400
        )
    left = policy.expedited + np.add.outer(np.arange(400), -np.arange(5))
    stock = (np.where(left > 0, 5 * left, -495 * left) * np.outer(states, law)).sum()
    cost = stock + 100 * r + expedited_cost * (2 - r)
    assert states @ np.arange(400) == pytest.approx(mean_stock(law, r))
    assert 100 * (cost / row["optimal"] - 1) == pytest.approx(
        row["published_gap_percent"]["tailored_base_surge"], abs=0.005
    )
    played = simulate(network, policy, 500, WORLD)["cost"]
    assert abs(played.mean() - cost) < 4 * played.sem()


def test_the_overshoot_by_hand():
    """Gap 3, one period behind: an order comes into sight a period later, whatever was expedited meanwhile."""
    demand = np.array([[2.0], [4.0], [0.0], [1.0]])
    above, by_fast, by_slow = overshoot(demand, 1, gap=3, cap=np.inf)
    # position before ordering: 0, 0 - 2 + 3 = 1, 1 - 4 + 2 = -1, 0 - 0 + 3 = 3
    assert above[:, 0].tolist() == [0, 1, 0, 3]
    assert by_fast[:, 0].tolist() == [0, 0, 1, 0]
    assert by_slow[:, 0].tolist() == [3, 2, 3, 0]
    assert overshoot(demand, 1, gap=3, cap=1)[2][:, 0].tolist() == [1, 1, 1, 1]


def test_sources_in_any_order_that_push_or_pull_play_the_same():
    settings = make_board("dual_sourcing", regular_lead_time=3).to_dict()
    costs = []
    for turned in (False, True):
        for decoupling_point in ("market", "supply"):
            stages = {"stock": dict(settings["stages"]["stock"])}
            stages["stock"]["sources"] = settings["stages"]["stock"]["sources"][:: -1 if turned else 1]
            network = Network.from_dict(settings | {"stages": stages, "decoupling_point": decoupling_point})
            costs.append(simulate(network, CappedDualIndex(network, 4, 9, 2), 20, WORLD)["cost"])
    for cost in costs[1:]:
        np.testing.assert_array_equal(cost, costs[0])


def test_two_lead_times_and_two_levels_by_hand():
    """Fast takes 1, slow 3: of what is on the way, 4 + 6 come within 1 period and 5 after that."""
    settings = make_board("dual_sourcing").to_dict()
    fast, slow = settings["stages"]["stock"]["sources"]
    fast |= {"lead_time": 1, "initial_pipeline": [4]}
    slow |= {"lead_time": 3, "initial_pipeline": [0, 6, 5]}
    settings["stages"]["stock"]["initial_on_hand"] = 1
    engine = Engine(network := Network.from_dict(settings), 1)
    engine.reset(0)
    assert CappedDualIndex(network, 13, 21, 9).act(engine.view()).tolist() == [[2, 3]]
    assert CappedDualIndex(network, 13, 21, 2).act(engine.view()).tolist() == [[2, 2]]
    assert CappedDualIndex(network, 9, 12, 9).act(engine.view()).tolist() == [[0, 0]]


def changed(**stage):
    settings = make_board("dual_sourcing").to_dict()
    settings["stages"]["stock"] |= stage
    return Network.from_dict(settings)


BAD = [
    # policy, network, parameters, what the error says
    ("dual_index", make_board("lost_sales"), {}, "1 stages and 1 sources; dual_index is for one stage with 2 sources"),
    ("dual_index", changed(sources=[{"lead_time": 1}, {"lead_time": 1}]), {}, "lead times 1 and 1; dual_index needs"),
    ("dual_index", changed(holding_cost=0), {}, "stages.stock: levels follow from backorder_cost and holding_cost"),
    ("dual_index", make_board("dual_sourcing"), {"regular": 7}, "expedited: missing, while the other level is given"),
    ("capped_dual_index", make_board("dual_sourcing"), {"expedited": 4}, "regular: missing, while the other level"),
    ("capped_dual_index", make_board("dual_sourcing"), {"cap": -1}, "cap: -1 is out of range"),
    ("tailored_base_surge", make_board("dual_sourcing"), {"base": "2"}, "base: '2' is not a number"),
    (
        "dual_index",
        Network.from_dict(make_board("dual_sourcing").to_dict() | {"sequence": ["receive", "push", "demand", "pull",
        "ship"], "decoupling_point": "supply"}),
        {},
        "sequence: 'stock/0' pulls after demand that dual_index does not see; use sequence",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "network", "parameters", "words"), BAD)
def test_a_network_that_does_not_suit_is_told_what_would(name, network, parameters, words):
    with pytest.raises(InputError, match=words):
        make_policy(name, network, **parameters)
