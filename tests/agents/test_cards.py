"""Systems of cards: what they cost in published problems, what factory physics says of them, how they are related."""

from typing import Any

import numpy as np
import pytest

from pushpull.agents import make_agent, make_policy
from pushpull.agents.cards import (
    best_case_throughput,
    bottleneck_rate,
    conwip,
    critical_wip,
    echelon_kanban,
    extended_kanban,
    kanban,
    polca,
    raw_process_time,
    toyota_cards,
)
from pushpull.agents.replenishment import physical_position
from pushpull.agents.system import System, Thresholds
from pushpull.envs import InputError, Network, load_network, replay, simulate
from pushpull.envs.boards import BOARDS, make_board, references
from pushpull.envs.engine import Engine
from pushpull.envs.rules import Rules

AFTER, BEFORE = ["receive", "push", "demand", "pull", "ship"], ["receive", "push", "pull", "demand", "ship"]
EPISODES, WORLD = 400, 1_000_000


def a_line(*sources: dict[str, Any], sequence=AFTER, demand=None, horizon=120, **last: Any) -> Network:
    """Return stages a, b, c, ... in a row, each with one source, the last one with a market."""
    names = "abcde"[: len(sources)]
    stages: dict[str, Any] = {
        name: {"holding_cost": 1 + k, "sources": [{**({"inputs": {names[k - 1]: 1}} if k else {}), **source}]}
        for k, (name, source) in enumerate(zip(names, sources, strict=True))
    }
    demand = demand or {"kind": "poisson", "mean": 3}
    stages[names[-1]] |= {"market": {"demand": demand, "backorder_cost": 20}, **last}
    return Network.from_dict(
        {"name": "line", "sequence": sequence, "decoupling_point": "supply", "horizon": horizon, "stages": stages}
    )


def rows(board: str, policy: str) -> list[Any]:
    return [
        pytest.param(board, row["parameters"], row[policy], id="-".join(map(str, row["parameters"].values())))
        for row in references(board)["rows"]
        if policy in row
    ]


def assert_costs(system: System, reference: float) -> None:
    """The reference lies within 4 standard errors of a mean that is known to 2 percent."""
    cost = simulate(*system, EPISODES, WORLD)["cost"]
    error = cost.std() / np.sqrt(len(cost))
    assert error < 0.02 * reference
    assert abs(cost.mean() - reference) < 4 * error


# --- costs in published problems --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("board", "parameters", "own"), rows("push_pull_two_stage", "kanban"))
def test_kanban_before_a_base_stock_costs_what_dynamic_programming_says(board, parameters, own):
    levels = own["levels"]
    system = kanban(make_board(board, **parameters), {"buffer": levels["buffer"]}, {"finished": levels["finished"]})
    assert_costs(system, own["cost"])


@pytest.mark.parametrize(("board", "parameters", "own"), rows("push_pull_tandem", "kanban"))
def test_kanban_between_two_machines_costs_what_dynamic_programming_says(board, parameters, own):
    assert_costs(kanban(make_board(board, **parameters), own["levels"]), own["cost"])


@pytest.mark.parametrize(("board", "parameters", "own"), rows("push_pull_tandem", "conwip"))
def test_conwip_over_two_machines_costs_what_dynamic_programming_says(board, parameters, own):
    assert_costs(conwip(make_board(board, **parameters), own["limit"]), own["cost"])


# --- factory physics --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sequence", [AFTER, BEFORE], ids=["after demand", "before demand"])
@pytest.mark.parametrize("limit", [1, 3, 7, 9, 12, 13, 40])
def test_a_line_without_variability_has_the_best_case_throughput(sequence, limit):
    """Hopp & Spearman (2011), section 7.3: min(w / T0, rb), whatever stage the bottleneck is."""
    endless = {"kind": "deterministic", "values": [100]}
    network = a_line(
        {"lead_time": 2, "capacity": 5},
        {"lead_time": 1, "capacity": 3},
        {"lead_time": 1, "capacity": 4},
        sequence=sequence,
        demand=endless,
    )
    cycle = 4 if sequence == BEFORE else 5  # a card needs a period back where orders follow demand
    assert raw_process_time(network) == cycle
    assert bottleneck_rate(network) == 3
    assert critical_wip(network) == 3 * cycle
    shipped = played(conwip(network, limit))[60:]
    assert len(shipped) == 3 * 4 * 5  # whole cycles of both lengths
    assert shipped.mean() == pytest.approx(best_case_throughput(network, limit)) == pytest.approx(min(limit / cycle, 3))


def played(system: System) -> np.ndarray:
    """Return units shipped in each period of an episode, [T]."""
    engine, shipped = Engine(system.network, 1, backend="numpy"), []
    engine.reset(0)
    while not engine.ended.all():
        engine.step(np.asarray(system.policy.act(engine.view())))
        shipped.append(float(engine.flows.shipped.sum()))
    return np.array(shipped)


@pytest.mark.parametrize("make", [kanban, echelon_kanban, conwip, extended_kanban, polca])
@pytest.mark.parametrize("sequence", [AFTER, BEFORE], ids=["after demand", "before demand"])
def test_no_loop_ever_holds_more_than_its_cards(make, sequence):
    network = a_line({"lead_time": 2}, {"lead_time": 1, "capacity": 5}, {"lead_time": 0}, sequence=sequence)
    system = make(network, **({"limit": 9} if make is conwip else {"cards": 9}))
    loops = []
    for name, stage in system.network.stages.items():
        source = stage.sources[0]
        if source.cards is not None:
            loops.append(source.cards.over or (name,))
        elif source.basis == "physical":
            loops.append(source.over or (name,))
    assert len(loops) == {conwip: 1, polca: 2}.get(make, 3)
    engine, most = Engine(system.network, 200, backend="numpy"), 0.0
    engine.reset(0)
    while not engine.ended.all():
        engine.step(np.asarray(system.policy.act(engine.view())))
        view, names = engine.view(), network.stage_names
        for over in loops:
            held = np.sum([view.on_hand[names.index(k)] + view.in_process[names.index(k)] for k in over], axis=0)
            most = max(most, float(held.max()))
    assert most == 9  # cards are used, all of them, and no more


def a_tree(allocation: str) -> Network:
    """Return two parts, two of the first in a unit, that go into two products, where orders precede demand."""
    poisson, cap = {"kind": "poisson", "mean": 3}, {"capacity": 5}
    market = {"demand": poisson, "backorder_cost": 9}
    return Network.from_dict(
        {
            "name": "tree",
            "sequence": BEFORE,
            "allocation": allocation,
            "decoupling_point": "supply",
            "horizon": 80,
            "stages": {
                "steel": {"sources": [{"lead_time": 2}]},
                "frame": {"sources": [{"lead_time": 1, "inputs": {"steel": 2}}]},
                "wheel": {"sources": [{"lead_time": 3, "capacity": 14}]},
                "bike": {"sources": [{"lead_time": 1, "inputs": {"frame": 1, "wheel": 2}}], "market": market},
                "plain": {"sources": [{"lead_time": 0, "inputs": {"frame": 1}, **cap}], "market": market},
                "trike": {"sources": [{"lead_time": 1, "inputs": {"frame": 1}}], "market": market},
            },
        }
    )


@pytest.mark.parametrize("allocation", ["proportional", "priority"])
@pytest.mark.parametrize("make", [kanban, echelon_kanban])
def test_cards_that_come_back_at_once_are_counted_once_in_trees(make, allocation):
    """What surely leaves is counted before it does, and never more than that leaves."""
    network = a_tree(allocation)
    system = make(network, safety=0.1)
    limits = levels_of(system.policy)
    engine, most = Engine(system.network, 200, backend="numpy"), dict.fromkeys(limits, 0.0)
    engine.reset(0)
    while not engine.ended.all():
        engine.step(np.asarray(system.policy.act(engine.view())))
        view = engine.view()
        for i, name in enumerate(network.stage_names):
            (j,) = network.sources_of[i]
            held = physical_position(view, i, system.network.stages_over(i, system.network.sources[j].over))
            most[name] = max(most[name], float(held.max()))
    assert most == limits


# --- how they are related ---------------------------------------------------------------------------------------------


def assert_same(one: System, other: System) -> None:
    for column in ("cost", "fill_rate", "stock"):
        assert simulate(*one, 20, 0)[column].tolist() == simulate(*other, 20, 0)[column].tolist()


LINE = a_line({"lead_time": 2}, {"lead_time": 1, "capacity": 5}, {"lead_time": 1})
LEVELS = {"a": 9, "b": 7, "c": 8}


def test_extended_kanban_with_as_many_cards_as_base_stock_is_kanban():
    """Dallery & Liberopoulos (2000), section 4."""
    assert_same(extended_kanban(LINE, LEVELS, LEVELS), kanban(LINE, LEVELS))


def test_extended_kanban_with_cards_without_end_is_base_stock():
    """Dallery & Liberopoulos (2000), section 4; echelon levels are sums of those of stages."""
    settings = LINE.to_dict()
    for stage in settings["stages"].values():
        stage["sources"][0]["basis"] = "echelon"
    echelon = Network.from_dict(settings)
    base_stock = Rules(echelon, {"a.pull_threshold": 24, "b.pull_threshold": 15, "c.pull_threshold": 8})
    endless = dict.fromkeys(LEVELS, np.inf)
    assert_same(extended_kanban(LINE, LEVELS, endless), System(echelon, base_stock))
    some = simulate(*extended_kanban(LINE, LEVELS, {"a": 11, "b": 9, "c": 10}), 200, 0)["stock"].mean()
    least = simulate(*kanban(LINE, LEVELS), 200, 0)["stock"].mean()
    most = simulate(*extended_kanban(LINE, LEVELS, endless), 200, 0)["stock"].mean()
    assert len({least, some, most}) == 3


def test_conwip_is_echelon_kanban_with_cards_at_the_gate_only():
    many = echelon_kanban(LINE, {"a": 20, "b": 20, "c": 20})
    assert_same(conwip(LINE, 20), many)


def test_in_one_stage_all_of_them_are_kanban():
    shop = a_line({"lead_time": 2})
    for same in (echelon_kanban(shop, 12), conwip(shop, 12), extended_kanban(shop, 12, 12)):
        assert_same(kanban(shop, 12), same)


# --- by hand ----------------------------------------------------------------------------------------------------------


def levels_of(policy: Any) -> dict[str, float]:
    assert isinstance(policy, Thresholds)
    return policy.levels


def test_polca_by_hand():
    """Two units a period are wanted of a line of lead times 1; pairs a-b and b-c have 4 cards, c has none.

    Period 0: the line is empty and the levels 30, 20, 10 want 32, 22, 12; cards let a and b order 4, c may order 12. a
    starts 4. Period 1: they reach a and b starts them; they are still in a-b. Period 2: they reach b and c starts them;
    they were still in a-b when cards were counted. Period 3: they reach c and are shipped, since 8 are owed; their
    cards of a-b are back, so a orders 4 more. Period 4: their cards of b-c are back, b orders 4 and starts what a has.
    """
    two = {"kind": "deterministic", "values": [2]}
    network = a_line({"lead_time": 1}, {"lead_time": 1}, {"lead_time": 1}, demand=two)
    chain, policy = polca(network, cards=4, base_stock=10)
    assert [stage.sources[0].cards and stage.sources[0].cards.over for stage in chain.stages.values()] == [
        ("a", "b"),
        ("b", "c"),
        None,
    ]
    levels = levels_of(policy)
    assert levels == {"a": 30, "b": 20, "c": 10}
    history = replay(chain, [[*levels.values()]] * 5, [{"c": 2}] * 5)
    assert history.order.tolist() == [[4, 4, 12], [0, 0, 2], [0, 0, 2], [4, 0, 2], [0, 4, 2]]
    assert history.start.tolist() == [[4, 0, 0], [0, 4, 0], [0, 0, 4], [4, 0, 0], [0, 4, 0]]


def test_containers_are_ordered_when_a_whole_one_has_room():
    # 10 cards, containers of 4: two containers at first; then one for every 4 that are sold (3 a period).
    network = a_line({"lead_time": 0, "lot": {"rule": "r_nQ", "Q": 4}}, demand={"kind": "deterministic", "values": [3]})
    chain, policy = kanban(network, 10)
    history = replay(chain, [[*levels_of(policy).values()]] * 5, [{"a": 3}] * 5)
    # on hand after each period: 5, 6, 7, 4, 5; a container has room at 6 or less
    assert history.order[:, 0].tolist() == [8, 4, 4, 0, 4]


def test_numbers_of_cards_by_formula():
    """Demand of 550 a day, 2 days of lead time, containers of 25, 10 percent more: 48.4, so 49 kanban."""
    assert toyota_cards(550, 2, 0.1, 25) == 49
    assert toyota_cards(500, 2, 0.1, 25) == 44  # 44 exactly, whatever floating point makes of it
    network = a_line({"lead_time": 2}, {"lead_time": 1}, demand={"kind": "poisson", "mean": 10})
    # a card is a period on its way back: 10 x 3 x 1.2 and 10 x 2 x 1.2
    assert levels_of(kanban(network, safety=0.2).policy) == {"a": 36, "b": 24}
    assert levels_of(conwip(network, safety=0).policy)["a"] == 40
    cards = polca(network, safety=0).network.stages["a"].sources[0].cards
    assert cards is not None
    assert cards.limit == 40


EVERYWHERE = ("kanban", "extended_kanban", "echelon_kanban")
SERVED = [(name, network) for name in EVERYWHERE for network in ("car", "distribution10")]
SERVED += [
    (name, network)
    for name in (*EVERYWHERE, "conwip", "polca")
    for network in ("chain4", "serial4", "push_pull_two_stage", "assembly")
]


@pytest.mark.parametrize(("name", "network"), SERVED)
def test_cards_by_formula_serve_customers(name, network):
    chain = make_board(network) if network in BOARDS else load_network(network)
    system = make_agent(name, chain)
    assert set(system.network.modes) == {"pull"}
    assert simulate(*system, 20, 0)["fill_rate"].mean() > 0.75


BOOKED = {
    "demand": {"kind": "poisson", "mean": 3},
    "order_lead": [0.5, 0.5],
    "forecast": {"kind": "true_mean", "horizon": 2},
}


@pytest.mark.parametrize("make", [kanban, extended_kanban, echelon_kanban, conwip, polca])
def test_a_system_says_itself_what_its_triggers_count(make):
    """Booked orders, cards and a basis that the network states are those of another system."""
    stated = {"advance_position": 1, "cards": {"limit": 2}, "basis": "echelon"}
    plain, other = (make(a_line(own, market=BOOKED)) for own in ({}, stated))
    assert other.network == plain.network
    assert levels_of(other.policy) == levels_of(plain.policy)


# --- what does not suit -----------------------------------------------------------------------------------------------

FORK = {
    "name": "fork",
    "decoupling_point": "supply",
    "stages": {
        "plant": {"sources": [{}]},
        "east": {"sources": [{"inputs": {"plant": 1}}], "market": {"demand": {"kind": "poisson", "mean": 3}}},
        "west": {"sources": [{"inputs": {"plant": 1}}], "market": {"demand": {"kind": "poisson", "mean": 3}}},
    },
}
BAD = [
    # what is broken, system, network, parameters, field, words
    ("a stage that is none", kanban, LINE, {"cards": {"d": 3}}, "cards.d", "no such stage; valid: a, b, c"),
    ("cards beside a base stock", kanban, LINE, {"cards": {"c": 3}, "base_stock": {"c": 3}}, "cards.c", "valid: a, b"),
    ("fewer than no cards", kanban, LINE, {"cards": {"a": -1}}, "cards.a", "-1 is out of range"),
    ("cards without end", kanban, LINE, {"cards": np.inf}, "cards", "inf is not finite"),
    ("a safety below 0", kanban, LINE, {"safety": -0.1}, "safety", "-0.1 is out of range"),
    ("a limit behind the gate", conwip, LINE, {"limit": {"b": 3}}, "limit.b", "no such stage; valid: a"),
    ("a card for the last stage", polca, LINE, {"cards": {"c": 3}}, "cards.c", "no such stage; valid: a, b"),
    (
        "fewer cards than base stock", extended_kanban, LINE, {"base_stock": 5, "cards": {"b": 4}}, "cards.b",
        "4 is below its base stock 5; give as many, or more",
    ),
    (
        "pairs with two", polca, Network.from_dict(FORK), {}, "stages.plant",
        "goes into ['east', 'west'], but POLCA needs one next stage; leave one user",
    ),
    ("work that goes two ways", conwip, Network.from_dict(FORK), {}, "stages.plant", "but CONWIP needs one next stage"),
    (
        "two sources", kanban, make_board("dual_sourcing"), {}, "stages.stock.sources",
        "2 entries, but kanban replenishes a stage in one way; leave one source",
    ),
    (
        "a rule of its own", conwip, a_line({"lot": {"rule": "s_S", "gap": 3}}), {}, "stages.a.sources[0].lot.rule",
        "'s_S' orders less or more than CONWIP says; use base_stock, or r_nQ for containers",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "network", "parameters", "field", "words"), [pytest.param(*row[1:], id=row[0]) for row in BAD]
)
def test_what_does_not_suit_is_told(make, network, parameters, field, words):
    with pytest.raises(InputError) as caught:
        make(network, **parameters)
    assert caught.value.field == field
    assert words in caught.value.problem


def test_a_line_is_asked_for_where_factory_physics_needs_one():
    with pytest.raises(InputError, match=r"stages.plant: 0 inputs and 2 users, but a raw process time controls a line"):
        raw_process_time(Network.from_dict(FORK))


def test_systems_are_agents_by_name():
    with pytest.raises(InputError, match="'kanban' is a system, which changes the network too; call make_agent"):
        make_policy("kanban", "chain4")
    with pytest.raises(InputError, match=r"card: unknown parameter of policy kanban; did you mean 'cards'\?"):
        make_agent("kanban", "chain4", card=3)
    with pytest.raises(InputError, match=r"policy: 'kanbans' is unknown; did you mean 'kanban'"):
        make_agent("kanbans", "chain4")
