"""Drum-buffer-rope: the gate releases at the bottleneck's rate, and the bottleneck never waits for material."""

from typing import Any

import pytest

from pushpull.agents.drum_buffer_rope import drum_buffer_rope
from pushpull.agents.system import Thresholds
from pushpull.envs import InputError, Network, load_network, replay, simulate
from pushpull.envs.boards import make_board


def a_line(demand: Any, capacities=(9, 4, 6), lead_times=(2, 1, 1), sequence="demand", units=1) -> Network:
    order = ["pull", "demand"] if sequence == "pull" else ["demand", "pull"]
    keys = [{"capacity": c, "lead_time": t} for c, t in zip(capacities, lead_times, strict=True)]
    market = {"demand": demand, "backorder_cost": 20}
    return Network.from_dict(
        {
            "name": "line",
            "decoupling_point": "supply",
            "sequence": ["receive", "push", *order, "ship"],
            "horizon": 60,
            "warm_up": 20,
            "stages": {
                "gate": {"holding_cost": 1, "sources": [keys[0]]},
                "drum": {"holding_cost": 2, "sources": [{**keys[1], "inputs": {"gate": units}}]},
                "shop": {"holding_cost": 3, "sources": [{**keys[2], "inputs": {"drum": 1}}], "market": market},
            },
        }
    )


def played(network: Network, demand: float, **parameters: Any):
    chain, policy = drum_buffer_rope(network, **parameters)
    assert isinstance(policy, Thresholds)
    return replay(chain, [[*policy.levels.values()]] * 60, [{"shop": demand}] * 60), policy.levels


@pytest.mark.parametrize("sequence", ["demand", "pull"])
@pytest.mark.parametrize("units", [1, 2])
def test_releases_go_at_the_rate_of_the_bottleneck(sequence, units):
    """Customers want 10 a period of a line whose drum makes 4: 4 units for it are released, and it never rests."""
    endless = {"kind": "deterministic", "values": [10]}
    network = a_line(endless, (9 * units, 4, 6), sequence=sequence, units=units)
    history, levels = played(network, 10, shipping_buffer=50)
    assert (history.start[20:, 0] == 4 * units).all()
    assert (history.start[3:, 1] == 4).all()  # from when the first units have come through the gate's two periods
    assert (history.start[20:, 2] == 4).all()
    assert levels["gate"] == 4 * units * 4  # lead time 2, half of it, one period


def test_a_rope_that_is_too_short_starves_the_drum():
    """A card needs the gate's 2 periods and one back: with a rope of 2 periods the drum has 2 / 3 of its rate."""
    endless = {"kind": "deterministic", "values": [10]}
    history, levels = played(a_line(endless), 10, buffer=2, shipping_buffer=50)
    assert levels["gate"] == 8
    assert history.start[30:, 1].mean() == pytest.approx(4 * 2 / 3)


def test_the_drum_rests_when_the_shipping_buffer_is_full():
    """Demand of 3 is below the drum's 4: all stages start 3 a period, and 12 units stay from the drum on."""
    history, _ = played(a_line({"kind": "deterministic", "values": [3]}), 3, shipping_buffer=12)
    assert (history.start[30:] == 3).all()
    # the drum orders up to 12 once demand is seen, 3 of them in its pipeline and 3 in that of the shop
    assert history.on_hand[-1, 1:].tolist() == [0, 12 - 3 - 3]


def test_a_drum_at_the_gate_needs_no_rope():
    network = a_line({"kind": "deterministic", "values": [10]}, (3, 4, 6))
    history, levels = played(network, 10, shipping_buffer=40)
    assert levels == {"gate": 40, "drum": 40, "shop": 40}
    assert (history.start[5:] == 3).all()


@pytest.mark.parametrize("network", [make_board("push_pull_two_stage"), a_line({"kind": "poisson", "mean": 3})])
def test_what_is_derived_serves_customers(network):
    table = simulate(*drum_buffer_rope(network), 50, 0)
    assert table["fill_rate"].mean() > 0.9


def test_a_drum_may_be_chosen():
    chain, policy = drum_buffer_rope(a_line({"kind": "poisson", "mean": 3}), drum="shop", buffer=5, shipping_buffer=9)
    assert isinstance(policy, Thresholds)
    assert policy.levels == {"shop": 9, "gate": 30, "drum": 30}
    assert [source.basis for source in chain.sources] == ["physical", "installation", "echelon"]
    assert chain.sources[0].over == ("gate", "drum")


A_LINE = a_line({"kind": "poisson", "mean": 3})
BAD = [
    # what is broken, network, parameters, field, words
    ("a line without a capacity", load_network("chain4"), {}, "drum", "has no capacity, so it sets no pace; state"),
    ("a drum that is none", A_LINE, {"drum": "shops"}, "drum", "'shops' is no stage; did you mean 'shop'?"),
    ("a buffer below 0", A_LINE, {"buffer": -1}, "buffer", "-1 is out of range"),
    ("a shipping buffer of words", A_LINE, {"shipping_buffer": "big"}, "shipping_buffer", "'big' is not a number"),
    (
        "a network that is no line", load_network("distribution10"), {}, "stages.plant",
        "but drum-buffer-rope controls a line, of stages with one each",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("network", "parameters", "field", "words"), [pytest.param(*r[1:], id=r[0]) for r in BAD])
def test_what_does_not_suit_is_told(network, parameters, field, words):
    with pytest.raises(InputError) as caught:
        drum_buffer_rope(network, **parameters)
    assert caught.value.field == field
    assert words in caught.value.problem
