"""What holds on every network, whatever the agent does: nothing is created, nothing is exceeded, all engines agree.

The laws of one period are written over recorded states and flows, and know nothing of how a period is computed.
Longer hunts: see `strategies`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pushpull.envs import Network, dynamics
from pushpull.envs.backends import namespace, to_numpy
from tests.envs.strategies import INFINITE, Period, Plan, cases, downstream, hunt, networks, plans, play

FLOWS = tuple(dynamics.Flows.__dataclass_fields__)
STATES = tuple(dynamics.State.__dataclass_fields__)


def columns(periods: list[Period], column: int = 0) -> dict[str, np.ndarray]:
    """Return everything that was recorded of one environment, by name, with time as the first axis."""
    states = {f"after.{name}": [getattr(period.after, name) for period in periods] for name in STATES}
    flows = {name: [getattr(period.flows, name) for period in periods] for name in FLOWS}
    return {
        name: np.stack([to_numpy(value)[..., column] for value in values]) for name, values in (states | flows).items()
    }


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray], tolerance: float = 0.0) -> None:
    """Compare two recordings, bit for bit or within a tolerance relative to the largest number of each kind."""
    for name, values in one.items():
        scale = max(1.0, float(np.max(np.abs(values), initial=0)))
        np.testing.assert_allclose(other[name], values, rtol=0, atol=tolerance * scale, err_msg=name)


# --- the laws of one period ----------------------------------------------------------------------------------------


@hunt(120)
@given(cases(wild=True))
def test_no_action_breaks_a_law(case):
    mapping, plan = case
    network = Network.from_dict(mapping)
    for t, period in enumerate(play(network, plan)):
        available = np.ones(len(network.sources)) if plan.available is None else plan.available[t]
        scale = max(
            1.0,
            *(
                float(np.max(np.abs(rows), initial=0))
                for part in (period.before, period.flows)
                for rows in vars(part).values()
            ),
        )
        close = 0.0 if network.units == "integer" else 1e-9 * scale
        for law in LAWS:
            law(network, period, available, close)


def nothing_is_negative(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    for part in (period.flows, period.after):
        for name, rows in vars(part).items():
            assert np.all(np.isfinite(rows)) and np.all(rows >= 0), name


def integer_networks_stay_whole(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    for part in (period.flows, period.after):
        for name, rows in vars(part).items():
            assert network.units == "real" or name in PARTS or np.all(rows == np.round(rows)), name


PARTS = ("goodwill", "return_parts", "borrowed", "promotion")  # of one, and of units


def stock_is_conserved(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    """Stock after = before + receipts + resold - what users consumed - what was shipped - what was written off."""
    flows = period.flows
    for i in range(len(network.stages)):
        consumed = sum(
            units * flows.start[j, 0] for j in network.users_of[i] for m, units in network.inputs[j] if m == i
        )
        received = joined(network, flows, i)
        expected = (
            period.before.on_hand[i, 0] + received - consumed - flows.shipped[i, 0] - written_off(network, flows, i)
        )
        assert abs(period.after.on_hand[i, 0] - expected) <= close


def joined(network: Network, flows: dynamics.Flows, i: int) -> float:
    """Units that joined the stock: receipts, and returns that can be sold again."""
    return sum(flows.receipt[j, 0] for j in network.sources_of[i]) + restocked(network, flows, i)


def restocked(network: Network, flows: dynamics.Flows, i: int) -> float:
    return float(flows.restocked[list(network.returning).index(i), 0]) if i in network.returning else 0.0


def what_comes_back_was_shipped(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    """Returns are on their way for their lag, then sold again or scrapped; over time each takes its share."""
    flows, lags = period.flows, np.cumsum(network.return_lags)[:-1]
    before, after = np.split(period.before.returning[:, 0], lags), np.split(period.after.returning[:, 0], lags)
    parts, parts_after = period.before.return_parts[:, 0], period.after.return_parts[:, 0]
    for row, (i, returns) in enumerate(network.returning.items()):
        late, all_of_it = flows.shipped[i, 0] - flows.shipped_on_time[i, 0], flows.shipped[i, 0]
        shares, back = returns.by_reason, flows.returned[2 * row : 2 * row + 2, 0]
        np.testing.assert_allclose(after[row], [*before[row][1:], back.sum()], rtol=0, atol=close)
        assert abs(flows.came_back[row, 0] - before[row][0]) <= close
        moved = [*back, flows.restocked[row, 0]]
        due = [shares[0] * late, shares[1] * all_of_it, returns.resalable * flows.came_back[row, 0]]
        for k in range(3):
            assert abs(parts[3 * row + k] + due[k] - moved[k] - parts_after[3 * row + k]) <= close + 1e-9
            assert 0 <= parts_after[3 * row + k] < 1


def what_campaigns_borrow_is_taken_back(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    """All of the borrowed share of what a campaign adds is due in the periods after it, and what is not taken then."""
    flows, ends = period.flows, np.cumsum(network.borrowing)[:-1]
    before, after = np.split(period.before.borrowed[:, 0], ends), np.split(period.after.borrowed[:, 0], ends)
    for p, (i, promotion) in enumerate(network.promoting.items()):
        added, back = flows.promoted[p, 0], flows.taken_back[p, 0]
        assert 0 <= flows.promotion[p, 0] <= 1
        assert added <= flows.demand[i, 0]
        assert abs(added - promotion.lift * flows.promotion[p, 0] * (flows.demand[i, 0] - added)) <= (
            0.5 if network.units == "integer" else close
        )
        due = np.append(before[p][1:], 0.0)
        due[0] += before[p][0] - back
        np.testing.assert_allclose(after[p], due + promotion.borrow * added / promotion.over, rtol=0, atol=close + 1e-9)
        if flows.demand[i, 0] > added + close:  # demand was there to give all that was due
            assert before[p][0] - back < (1 if network.units == "integer" else close + 1e-12)


def written_off(network: Network, flows: dynamics.Flows, i: int) -> float:
    return float(flows.written_off[i, 0]) if network.writes_off else 0.0


def overflow(network: Network, flows: dynamics.Flows, i: int) -> float:
    return float(flows.overflow[i, 0]) if network.limits_storage else 0.0


def what_spoils_is_written_off(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    """A share of the stock, or of a queue served oldest first all that is too old; then what is scrapped."""
    before, flows, after = period.before, period.flows, period.after
    ages, ages_after = ages_of(network, before), ages_of(network, after)
    for i, stage in enumerate(network.stages.values()):
        scrapped = overflow(network, flows, i) if stage.overflow == "scrap" else 0.0
        spoilt = written_off(network, flows, i) - scrapped
        stock = after.on_hand[i, 0] + scrapped + spoilt
        if stage.shelf_life:
            taken = before.on_hand[i, 0] + joined(network, flows, i) - stock
            queue = [*ages[i]]
            queue[0] += joined(network, flows, i)
            assert abs(_served(queue, taken)) <= close
            assert abs(queue.pop() - spoilt) <= close
            assert abs(_served(queue, scrapped)) <= close
            np.testing.assert_allclose(ages_after[i], [0.0, *queue], rtol=0, atol=close)
            assert abs(ages_after[i].sum() - after.on_hand[i, 0]) <= close
        else:
            units = stage.obsolescence * stock
            assert abs(spoilt - (round(units) if network.units == "integer" else units)) <= close


def _served(queue: list[float], units: float) -> float:
    """Take units from the end of a queue; return what could not be taken."""
    for age in reversed(range(len(queue))):
        taken = min(queue[age], units)
        queue[age] -= taken
        units -= taken
    return units


def stores_keep_to_their_capacity(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    waiting = pipelines(network, period.after)
    for i, stage in enumerate(network.stages.values()):
        on_hand, excess = period.after.on_hand[i, 0], overflow(network, period.flows, i)
        if not stage.limits_storage:
            assert excess == 0
        elif stage.overflow == "hold":
            assert abs(excess - max(0, on_hand - stage.storage_capacity)) <= close
        else:
            resold = period.before.on_hand[i, 0] + restocked(network, period.flows, i)  # finds room whatever is there
            most = max(stage.storage_capacity, resold if stage.overflow == "block" else 0)
            assert on_hand <= most + close
            assert stage.overflow == "scrap" or excess <= sum(waiting[j].sum() for j in network.sources_of[i]) + close


def what_is_owed_is_conserved(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    """Owed after = before + demand - shipped - lost; only the market's own rule loses units."""
    before, flows = period.before, period.flows
    expected = before.owed + flows.demand - flows.shipped - flows.lost
    assert np.all(np.abs(period.after.owed - expected) <= close)
    assert np.all(flows.shipped_on_time <= np.minimum(flows.demand, flows.shipped + close))
    newly_unmet, left = flows.demand - flows.shipped_on_time, left_by_age(network, period)
    for i in range(len(network.stages)):
        market = network.markets.get(i)
        lost_share = 1 - market.waiting_share if market and market.patience != 0 else float(market is not None)
        out_of_patience = left[i][-1] if market and market.patience else 0
        rounding = 0.5 if network.units == "integer" and 0 < lost_share < 1 else 0
        assert abs(flows.lost[i, 0] - out_of_patience - lost_share * newly_unmet[i, 0]) <= rounding + close


def customers_are_served_in_turn(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    """Nobody is served while who came before waits; who waits is one period older, and adds up to what is owed."""
    left, flows = left_by_age(network, period), period.flows
    late, after = (by_market(network, rows) for rows in (flows.shipped_late, period.after.owed_by_age))
    for i in network.markets:
        if not len(left[i]):
            continue
        served = [flows.shipped_on_time[i, 0], *late[i]]
        for k in range(len(left[i])):
            assert left[i][k] <= close or sum(served[: k + 1]) <= close
        assert abs(sum(served) - flows.shipped[i, 0]) <= close
        assert abs(sum(after[i]) - period.after.owed[i, 0]) <= close
        last = len(left[i]) - 1 if network.markets[i].patience is None else len(left[i])
        np.testing.assert_array_equal(after[i][1:last], left[i][: last - 1])


def no_customer_waits_beside_stock(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    missed = period.after.owed + period.flows.lost
    assert np.all((missed <= close) | (period.after.on_hand <= close))


def pipelines_are_conserved(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    before, after = pipelines(network, period.before), pipelines(network, period.after)
    for j in range(len(network.sources)):
        flows = period.flows
        expected = before[j].sum() + good(network, flows, j) - flows.receipt[j, 0]
        assert abs(after[j].sum() - expected) <= close and abs(flows.in_process[j, 0] - expected) <= close


def lead_times_are_kept(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    """Without a disruption of transit or receipt, what is due is received and the rest moves up by one period."""
    before, after = pipelines(network, period.before), pipelines(network, period.after)
    for j, source in enumerate(network.sources):
        stage = network.stages[network.stage_names[network.source_stage[j]]]
        if stage.limits_storage and stage.overflow == "block":
            continue
        if source.disruption is None or source.disruption.affects not in ("transit", "receipt") or available[j] > 0:
            start, receipt = good(network, period.flows, j), period.flows.receipt[j, 0]
            if source.lead_time_law is not None:
                due = int(period.flows.lead_time[network.random_lead_times.index(j), 0])
                expected = before[j] + start * (np.arange(len(before[j])) == due)
                assert abs(receipt - expected[0]) <= close
                np.testing.assert_allclose(after[j], [*expected[1:], 0], rtol=0, atol=close)
                assert source.lead_time_law.crossing or start == 0 or not before[j][due + 1 :].any()
            elif source.lead_time == 0:
                assert abs(receipt - before[j][0] - start) <= close and after[j][0] == 0
            else:
                assert receipt == before[j][0]
                np.testing.assert_allclose(after[j], [*before[j][1:-1], before[j][-1] + start, 0], rtol=0, atol=close)


def good(network: Network, flows: dynamics.Flows, j: int) -> float:
    """Units that source j started and that turned out well."""
    scrapped = flows.scrapped[network.yielding_sources.index(j), 0] if j in network.yielding_sources else 0
    return flows.start[j, 0] - scrapped


def what_is_scrapped_is_what_the_yield_leaves(
    network: Network, period: Period, available: np.ndarray, close: float
) -> None:
    for k, j in enumerate(network.yielding_sources):
        assert 0 <= period.flows.scrapped[k, 0] <= period.flows.start[j, 0] + close


def requests_are_conserved(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    """What was carried and what was asked is started, or falls short; who carries keeps the shortfall."""
    before, flows, after = period.before, period.flows, period.after
    travelling, travelling_after = transits(network, before), transits(network, after)
    for j, mode in enumerate(network.modes):
        asked = flows.order[j, 0]
        if len(travelling[j]):
            np.testing.assert_array_equal(travelling_after[j], [*travelling[j][1:], asked])
            asked = travelling[j][0]
        assert abs(before.pending[j, 0] + asked - flows.start[j, 0] - flows.shortfall[j, 0]) <= close
        if mode == "pull" or (mode == "push" and network.sources[j].shortfall == "carry"):
            assert after.pending[j, 0] == flows.shortfall[j, 0]
        elif mode == "push":
            assert after.pending[j, 0] == 0
        else:
            assert after.pending[j, 0] <= flows.shortfall[j, 0]


def capacity_is_kept(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    for j in range(len(network.sources)):
        regular, rate = capacities(network, j, available)
        assert period.flows.start[j, 0] <= rate + close
        if j in network.overtime_sources:
            overtime = period.flows.overtime[network.overtime_sources.index(j), 0]
            assert abs(overtime - max(0, period.flows.start[j, 0] - regular)) <= close


def capacities(network: Network, j: int, available: np.ndarray) -> tuple[float, float]:
    """Units that source j can start on its regular capacity, and with overtime."""
    source = network.sources[j]
    share = available[j] if source.disruption is None or source.disruption.affects == "start" else 1
    rates = [source.capacity, *([source.overtime.capacity] if source.overtime else [])]
    rates = [(np.floor(rate * share) if network.units == "integer" else rate * share) if share else 0 for rate in rates]
    return rates[0], sum(rates)


def resources_are_shared(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    """No more is taken of a resource than it has, for starts and changeovers, and it runs on what it was set up for."""
    before, flows, after = period.before, period.flows, period.after
    for r, (resource, users) in enumerate(zip((network.resources or {}).values(), network.resource_users, strict=True)):
        used, changeovers = flows.resource_used[r, 0], flows.changeovers[r, 0]
        taken = sum(network.sources[j].resource_use * flows.start[j, 0] for j in users)
        assert used <= resource.capacity + close
        assert abs(used - taken - resource.changeover_loss * changeovers) <= close
        started = {j for j in users if flows.start[j, 0] > 0}
        assert after.setup[r, 0] in {before.setup[r, 0], *started}
        assert changeovers >= len(started - {before.setup[r, 0]})
        twice = sum(network.modes[j] == "mixed" or network.modes[j] == "push" for j in started)
        assert changeovers <= len(started) + twice


def orders_are_capped(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    """A pull order keeps to max_order, whole lots, review periods and order disruptions."""
    for j, (source, mode) in enumerate(zip(network.sources, network.modes, strict=True)):
        order = period.flows.order[j, 0]
        stopped = source.disruption is not None and source.disruption.affects == "order" and available[j] == 0
        if stopped or (period.before.period[0] - source.review_offset) % source.review_period:
            assert order == 0
        if mode == "pull":
            assert order <= source.max_order
            if source.lot.Q is not None:
                lots = order / source.lot.Q
                assert abs(lots - round(lots)) <= 1e-9 * max(1, lots)
                assert not source.lot.at_most_one or lots <= 1


def cards_are_kept(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    """Where all sources of a stage count cards over it alone, its own orders never lift it above the largest limit."""
    for i, name in enumerate(network.stage_names):
        cards = [network.sources[j].cards for j in network.sources_of[i]]
        if all(card is not None and (card.over is None or set(card.over) == {name}) for card in cards):
            held = [
                sum(
                    state.pending[j, 0] + pipelines(network, state)[j].sum() + transits(network, state)[j].sum()
                    for j in network.sources_of[i]
                )
                + state.on_hand[i, 0]
                for state in (period.before, period.after)
            ]
            assert (
                held[1] - restocked(network, period.flows, i)
                <= max(held[0], *(card.limit for card in cards if card is not None)) + close
            )
    for source, mode, order in zip(network.sources, network.modes, period.flows.order, strict=True):
        assert source.cards is None or mode == "mixed" or order[0] <= source.cards.limit + close


def no_source_idles(network: Network, period: Period, available: np.ndarray, close: float) -> None:
    """By priority, a pull source that leaves orders waiting has no capacity left, or lacks an input."""
    for j, source in enumerate(network.sources):
        if network.modes[j] == "pull" and network.allocation == "priority" and source.resource is None:
            least = 1 if network.units == "integer" else 1e-8 + close
            can_start = capacities(network, j, available)[1] - period.flows.start[j, 0] >= least
            has_inputs = all(period.after.on_hand[m, 0] >= units * least for m, units in network.inputs[j])
            assert not (period.after.pending[j, 0] >= least and can_start and has_inputs)


LAWS = (
    nothing_is_negative,
    integer_networks_stay_whole,
    stock_is_conserved,
    what_spoils_is_written_off,
    stores_keep_to_their_capacity,
    what_is_owed_is_conserved,
    customers_are_served_in_turn,
    what_comes_back_was_shipped,
    what_campaigns_borrow_is_taken_back,
    no_customer_waits_beside_stock,
    pipelines_are_conserved,
    lead_times_are_kept,
    what_is_scrapped_is_what_the_yield_leaves,
    requests_are_conserved,
    capacity_is_kept,
    resources_are_shared,
    orders_are_capped,
    cards_are_kept,
    no_source_idles,
)


def pipelines(network: Network, state: dynamics.State) -> list[np.ndarray]:
    """Cut the pipeline of the first environment by source."""
    return np.split(state.pipeline[:, 0], np.cumsum([source.lead_time + 1 for source in network.sources])[:-1])


def by_market(network: Network, rows: np.ndarray) -> dict[int, np.ndarray]:
    """Cut rows by age of the first environment by market."""
    return dict(zip(network.markets, np.split(rows[:, 0], np.cumsum(network.ages)[:-1]), strict=True))


def left_by_age(network: Network, period: Period) -> dict[int, np.ndarray]:
    """What stays owed, by periods late, of what was owed before."""
    before, late = by_market(network, period.before.owed_by_age), by_market(network, period.flows.shipped_late)
    return {i: before[i] - late[i] for i in network.markets}


def ages_of(network: Network, state: dynamics.State) -> list[np.ndarray]:
    """Cut the stock by age of the first environment by stage."""
    return np.split(state.stock_by_age[:, 0], np.cumsum(network.shelf_lives)[:-1])


def transits(network: Network, state: dynamics.State) -> list[np.ndarray]:
    """Cut the orders in transit of the first environment by source."""
    return np.split(state.in_transit[:, 0], np.cumsum(network.order_delays)[:-1])


# --- engines agree -------------------------------------------------------------------------------------------------


@st.composite
def batches(draw: st.DrawFn) -> tuple[dict[str, Any], list[Plan]]:
    mapping = draw(networks())
    network, disrupted = Network.from_dict(mapping), draw(st.booleans())
    return mapping, [draw(plans(network, periods=5, wild=wild, disrupted=disrupted)) for wild in (True, False, True)]


@hunt(40)
@given(batches())
def test_a_batch_is_its_members_played_alone(batch):
    mapping, members = batch
    network = Network.from_dict(mapping)
    together = play(network, *members)
    for b, plan in enumerate(members):
        assert_same(columns(play(network, plan, start=b)), columns(together, b))


@hunt(30)
@given(cases(wild=True))
def test_torch_is_numpy(case):
    mapping, plan = case
    network = Network.from_dict(mapping)
    tolerance = 0.0 if network.units == "integer" else 1e-9
    assert_same(columns(play(network, plan)), columns(play(network, plan, xp=namespace("torch"))), tolerance)


@hunt(40)
@given(cases(units="integer"))
def test_single_precision_is_exact_in_integer_units(case):
    mapping, plan = case
    for entry in mapping["stages"].values():  # the factor of goodwill is no number of units
        entry.get("market", {}).pop("goodwill", None)
    network = Network.from_dict(mapping)
    assert_same(columns(play(network, plan)), columns(play(network, plan, dtype="float32")))


# --- one model, many corners: settings that say the same in other words --------------------------------------------


@dataclass
class Site:
    """One source of a mapping, and its columns of the plan, to be edited in place."""

    source: dict[str, Any]
    mode: str
    units: str
    is_last: bool  # no stage draws on its own
    quantity: np.ndarray  # [T]
    threshold: np.ndarray
    gap: np.ndarray


def mixed_with_quantity_zero_is_pull(site: Site) -> None:
    if site.mode == "pull" and not site.source.get("order_delay"):
        _become_mixed(site.source)
        site.quantity[:] = 0


def mixed_with_threshold_minus_infinity_is_push(site: Site) -> None:
    if site.mode == "push" and site.source.get("shortfall") != "carry":
        _become_mixed(site.source)
        site.threshold[:] = -INFINITE


def _become_mixed(source: dict[str, Any]) -> None:
    source["mode"] = "mixed"
    source.pop("shortfall", None)
    source.pop("order_delay", None)


def a_mode_may_be_stated_or_implied(site: Site) -> None:
    site.source["mode"] = site.mode
    if site.mode == "push":
        for key in ("order_delay", "advance_position", "spikes"):
            site.source.pop(key, None)


def columns_without_use_are_ignored(site: Site) -> None:
    if site.mode == "pull":
        site.quantity[:] = 777
    if site.mode == "push":
        site.threshold[:] = 777
    if site.mode == "push" or site.source["lot"]["rule"] != "s_S" or "gap" in site.source["lot"]:
        site.gap[:] = 777


def what_cannot_bind_may_be_left_out(site: Site) -> None:
    for key, value in {"capacity": 1e6, "max_order": 1e6, "cards": {"limit": 1e6}, "review_period": 1}.items():
        site.source.setdefault(key, value)


def base_stock_is_a_reorder_point_with_gap_zero(site: Site) -> None:
    if site.source["lot"]["rule"] == "base_stock":
        site.source["lot"] = {"rule": "s_S", "gap": 0}


def base_stock_is_one_unit_lots_from_one_lower(site: Site) -> None:
    if site.source["lot"]["rule"] == "base_stock" and site.units == "integer":
        site.source["lot"] = {"rule": "r_nQ", "Q": 1}
        site.threshold -= 1


def base_stock_is_smoothed_over_one_period(site: Site) -> None:
    if site.source["lot"]["rule"] == "base_stock":
        site.source["lot"] = {"rule": "smoothed", "adjust_time": 1}


def the_echelon_of_a_last_stage_is_its_installation(site: Site) -> None:
    if site.is_last and site.source["basis"] == "installation":
        site.source["basis"] = "echelon"


CORNERS = (
    mixed_with_quantity_zero_is_pull,
    mixed_with_threshold_minus_infinity_is_push,
    a_mode_may_be_stated_or_implied,
    columns_without_use_are_ignored,
    what_cannot_bind_may_be_left_out,
    base_stock_is_a_reorder_point_with_gap_zero,
    base_stock_is_one_unit_lots_from_one_lower,
    base_stock_is_smoothed_over_one_period,
    the_echelon_of_a_last_stage_is_its_installation,
)


@pytest.mark.parametrize("corner", CORNERS, ids=lambda corner: corner.__name__)
@hunt(25)
@given(case=cases())
def test_corner(corner: Callable[[Site], None], case):
    mapping, plan = case
    network = Network.from_dict(mapping)
    edited, edited_plan = copy.deepcopy(mapping), copy.deepcopy(plan)
    modes = iter(network.modes)
    for name, entry in edited["stages"].items():
        for j, source in zip(network.sources_of[network.stage_names.index(name)], entry["sources"], strict=True):
            drawn = [getattr(edited_plan, field)[:, j] for field in ("quantity", "threshold", "gap")]
            corner(Site(source, next(modes), network.units, downstream(mapping["stages"], name) == {name}, *drawn))
    tolerance = 0.0 if network.units == "integer" else 1e-9
    assert_same(columns(play(network, plan)), columns(play(Network.from_dict(edited), edited_plan)), tolerance)


@hunt(25)
@given(cases())
def test_full_availability_is_none_recorded(case):
    mapping, plan = case
    network = Network.from_dict(mapping)
    plan.available = None
    ones = copy.copy(plan)
    ones.available = np.ones(plan.quantity.shape)
    assert_same(columns(play(network, plan)), columns(play(network, ones)))


@hunt(40)
@given(case=cases(units="integer", allocation="proportional"), random=st.randoms(use_true_random=False))
def test_the_order_of_stages_is_nothing_but_a_priority(case, random):
    """With proportional allocation, in integer units, the stages may be declared in any order."""
    mapping, plan = case
    _without_resources(mapping)
    network = Network.from_dict(mapping)
    names = list(mapping["stages"])
    random.shuffle(names)
    shuffled = Network.from_dict({**mapping, "stages": {name: mapping["stages"][name] for name in names}})
    stage = [network.stage_names.index(name) for name in names]
    source = [j for i in stage for j in network.sources_of[i]]
    market = [list(network.markets).index(i) for i in stage if i in network.markets]
    owner = np.repeat(np.arange(len(network.markets)), network.book_rows)
    book = [row for m in market for row in np.arange(sum(network.book_rows)) if owner[row] == m]
    rows = dict.fromkeys(("quantity", "threshold", "gap", "available", "travel", "well"), source) | {"demand": market}
    rows |= {"booked": book, "booked_after": book, "promotion": market}
    tables: dict[str, Any] = {
        name: None if table is None else table[:, rows[name]] for name, table in vars(plan).items()
    }
    one, other = columns(play(network, plan)), columns(play(shuffled, Plan(**tables)))
    for name in ("demand", "shipped", "lost", "on_hand", "owed"):
        np.testing.assert_array_equal(one[name][:, stage], other[name], err_msg=name)
    for name in ("order", "start", "receipt", "shortfall", "in_process"):
        np.testing.assert_array_equal(one[name][:, source], other[name], err_msg=name)


def _without_resources(mapping: dict[str, Any]) -> None:
    """Let every source run for itself: shares of a resource are given in stage order, and rounded."""
    mapping.pop("resources", None)
    for source in (source for stage in mapping["stages"].values() for source in stage["sources"]):
        source.pop("resource", None)
        source.pop("resource_use", None)


@hunt(40)
@given(cases(units="integer"))
def test_a_single_user_takes_all_it_can_by_either_allocation(case):
    mapping, plan = case
    _without_resources(mapping)
    for entry in mapping["stages"].values():  # a chain: every stage draws on none but the one declared before it
        for source in entry["sources"]:
            for key in ("inputs", "over", "advance_position", "spikes"):
                source.pop(key, None)
            source.get("cards", {}).pop("over", None)
    names = list(mapping["stages"])
    for supplier, name in pairwise(names):
        mapping["stages"][name]["sources"][0]["inputs"] = {supplier: 2}
    one, other = (
        columns(play(Network.from_dict({**mapping, "allocation": allocation}), plan))
        for allocation in ("proportional", "priority")
    )
    assert_same(one, other)


QUANTITIES = {
    "initial_on_hand",
    "initial_owed",
    "initial_pipeline",
    "capacity",
    "max_order",
    "storage_capacity",
    "changeover_loss",
    "limit",
    "gap",
    "Q",
    "mean",
    "threshold",
}


@hunt(40)
@given(cases(units="real"))
def test_real_units_may_be_any_unit(case):
    """Count in quarters and every state and flow is four times as large, to the bit: nothing depends on the unit."""
    mapping, plan = case

    def quarters(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: quarters(item, k) for k, item in value.items()}
        if isinstance(value, list):
            return [quarters(item, key) for item in value]
        return 4 * value if key in QUANTITIES else value

    unitless = ("available", "travel", "well", "promotion")
    scaled = Plan(**{name: table if name in unitless else 4 * table for name, table in vars(plan).items()})
    one = columns(play(Network.from_dict(mapping), plan))
    other = columns(play(Network.from_dict(quarters(mapping)), scaled))
    for name in one:
        unitless = ("after.period", "after.setup", "changeovers", "after.goodwill", "lead_time", "promotion")
        expected = one[name] if name in unitless else 4 * one[name]
        scale = max(1.0, float(np.max(expected, initial=0)))
        np.testing.assert_allclose(other[name], expected, rtol=0, atol=1e-9 * scale, err_msg=name)


# --- networks as mappings ------------------------------------------------------------------------------------------


@hunt(60)
@given(networks())
def test_a_network_survives_its_mapping_and_yaml(mapping):
    network = Network.from_dict(mapping)
    assert Network.from_dict(network.to_dict()) == network
    assert Network.from_dict(yaml.safe_load(yaml.safe_dump(network.to_dict(), sort_keys=False))) == network


@hunt(60)
@given(networks())
def test_suppliers_come_first_and_requirements_solve_the_bill_of_materials(mapping):
    """beta = I + largest coefficients x beta, the total requirements of input-output tables."""
    network = Network.from_dict(mapping)
    N = len(network.stages)
    placed = {i: place for place, i in enumerate(network.stage_order)}
    largest = np.zeros((N, N))
    for j, i in enumerate(network.source_stage):
        for m, units in network.inputs[j]:
            assert placed[m] < placed[i]
            largest[m, i] = max(largest[m, i], units)
    np.testing.assert_allclose(network.requirements, np.linalg.inv(np.eye(N) - largest), atol=1e-9)
