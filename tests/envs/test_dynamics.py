"""Every event and every feature of one period, alone, with numbers worked out by hand.

`play` replays a chain of one to three stages, all pull unless said otherwise, in integer units; a comment in each test
tells the calculation. Stocks and backorders are those at the end of the period.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pushpull.envs import History, Network, dynamics, replay

NEVER = -np.inf  # a threshold that never fires
TEXTBOOK = ["receive", "push", "pull", "demand", "ship"]
OR_GYM = ["push", "receive", "demand", "pull", "ship"]


def play(
    stages: dict[str, Any],
    actions: list[list[Any]],
    demand: list[Any] | None = None,
    available: list[list[float]] | None = None,
    **network: Any,
) -> History:
    """Replay a chain; a number is the demand of its last stage, whose market is a free one unless stated."""
    last = list(stages)[-1]
    stages = {**stages, last: {"market": {}, **stages[last]}}
    settings = {"units": "integer", "decoupling_point": "supply", "stages": stages, **network}
    periods = [entry if isinstance(entry, dict) else {last: entry} for entry in demand or [0] * len(actions)]
    return replay(Network.from_dict(settings), actions, periods, available, backend="numpy")


def shop(*sources: dict[str, Any], **stage: Any) -> dict[str, Any]:
    """Return one stage replenished from outside, by default within one period."""
    return {"shop": {"sources": list(sources) or [{}], **stage}}


def line(shop_source: dict[str, Any], plant_on_hand: float = 0, **shop_stage: Any) -> dict[str, Any]:
    """Return a plant that gets nothing unless asked, and a shop that draws on it."""
    return {
        "plant": {"initial_on_hand": plant_on_hand, "sources": [{"lead_time": 0}]},
        "shop": {"sources": [{"inputs": {"plant": 1}, **shop_source}], **shop_stage},
    }


def fork(first: dict[str, Any], second: dict[str, Any], plant_on_hand: float) -> dict[str, Any]:
    """Return a plant and two shops that draw on it at once."""
    return {
        "plant": {"initial_on_hand": plant_on_hand, "sources": [{"lead_time": 0}]},
        "east": {"sources": [{"inputs": {"plant": 1}, "lead_time": 0, **first}]},
        "west": {"sources": [{"inputs": {"plant": 1}, "lead_time": 0, **second}]},
    }


def assert_rows(actual: np.ndarray, expected: list[Any]) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


# --- receive -------------------------------------------------------------------------------------------------------


def test_a_unit_is_received_lead_time_periods_after_its_start():
    # 5 started in period 0 join in period 2.
    history = play(shop({"lead_time": 2}), [[5], [0], [0]], decoupling_point="market")
    assert_rows(history.receipt[:, 0], [0, 0, 5])
    assert_rows(history.on_hand[:, 0], [0, 0, 5])


def test_entry_k_of_the_initial_pipeline_is_received_in_period_k():
    # 3 + 4 in periods 0 and 1, on top of 1 on hand.
    history = play(shop({"lead_time": 3, "initial_pipeline": [3, 4]}, initial_on_hand=1), [[NEVER]] * 3)
    assert_rows(history.receipt[:, 0], [3, 4, 0])
    assert_rows(history.on_hand[:, 0], [4, 8, 8])


def test_zero_lead_time_joins_at_once_and_serves_the_same_period():
    # Order 6 - (0 - 6) = 12 after demand of 6: 12 join, 6 are shipped, 6 stay.
    history = play(shop({"lead_time": 0}), [[6]], [6])
    assert_rows(history.receipt[:, 0], [12])
    assert_rows(history.shipped[:, 0], [6])
    assert_rows(history.on_hand[:, 0], [6])


def test_zero_lead_times_pass_down_the_line_within_one_period():
    # The shop wants 4, the plant wants those 4, and the plant's units are there when the shop draws.
    history = play(line({"lead_time": 0}), [[0, 4]])
    assert_rows(history.start, [[4, 4]])
    assert_rows(history.on_hand, [[0, 4]])


def test_an_order_delay_keeps_orders_from_the_supplier():
    # Ordered in period 0, at the supplier in period 2, received one period later; not ordered twice meanwhile.
    history = play(shop({"order_delay": 2}), [[7]] * 4)
    assert_rows(history.order[:, 0], [7, 0, 0, 0])
    assert_rows(history.start[:, 0], [0, 0, 7, 0])
    assert_rows(history.receipt[:, 0], [0, 0, 0, 7])


def test_a_delayed_order_joins_those_that_wait():
    # 5 and then 3 ordered, at the source a period later, started 4 a period: 4, then 1 + 3.
    history = play(shop({"order_delay": 1, "capacity": 4}), [[5], [8], [8]])
    assert_rows(history.order[:, 0], [5, 3, 0])
    assert_rows(history.start[:, 0], [0, 4, 4])


def test_a_delayed_order_is_unknown_to_the_supplier():
    # The plant keeps 0 in position: it sees the shop's order of 3, and orders 3 itself, in period 1.
    history = play(line({"order_delay": 1}), [[0, 3], [0, 3]])
    assert_rows(history.order, [[0, 3], [3, 0]])


def test_a_delayed_order_counts_in_its_own_echelon_position_only():
    # Echelon of the plant: own 0 + shop (0 + 3 in transit) = 3, below 5 by 2; the installation would be 5 short.
    stages = line({"order_delay": 1})
    stages["plant"]["sources"][0]["basis"] = "echelon"
    assert_rows(play(stages, [[5, 3]]).order, [[2, 3]])


# --- push ----------------------------------------------------------------------------------------------------------


def test_push_draws_before_market_and_pull():
    # Plant holds 5. West pushes 4; then demand of 3 at the plant gets 1; nothing is left for the pull of 2 at east.
    stages = fork({"mode": "pull"}, {"mode": "push"}, plant_on_hand=5)
    stages["plant"]["market"] = {}
    history = play(stages, [[NEVER, 2, 4]], [{"plant": 3}])
    assert_rows(history.start, [[0, 0, 4]])
    assert_rows(history.shipped, [[1, 0, 0]])


def test_push_is_decided_before_demand_and_sees_only_what_is_there():
    # Stock of 2 at the plant limits a request of 9; the shortfall of 7 is forgotten.
    history = play(line({"lead_time": 0}, plant_on_hand=2), [[0, 9], [1, 0]], decoupling_point="market")
    assert_rows(history.order[:, 1], [9, 0])
    assert_rows(history.start[:, 1], [2, 0])
    assert_rows(history.shortfall[:, 1], [7, 0])


def test_a_carrying_push_starts_the_rest_later():
    # 9 wanted, 2 there: 7 carried; 3 arrive at the plant and start; then 1 more is asked: 4 + 1 carried.
    source = {"lead_time": 0, "shortfall": "carry", "shortfall_cost": 10}
    history = play(line(source, plant_on_hand=2), [[0, 9], [3, 0], [0, 1]], decoupling_point="market")
    assert_rows(history.start[:, 1], [2, 3, 0])
    assert_rows(history.shortfall[:, 1], [7, 4, 5])
    assert_rows(history.cost["shortfall"], [70, 40, 50])


def test_shortfall_costs_once_where_it_is_dropped():
    # Request 9 over capacity 4: 5 short, at 2 each, in that period only.
    history = play(shop({"capacity": 4, "shortfall_cost": 2}), [[9], [0]], decoupling_point="market")
    assert_rows(history.cost["shortfall"], [10, 0])


def test_push_rounds_half_to_even_and_takes_no_negative_request():
    # 2.5 -> 2, 3.5 -> 4, -3 -> 0.
    history = play(shop(), [[2.5], [3.5], [-3]], decoupling_point="market")
    assert_rows(history.order[:, 0], [2, 4, 0])


def test_truncation_cuts_towards_zero():
    # 2.9 -> 2; a threshold of -0.9 -> 0, which orders the 5 owed.
    history = play(shop({"mode": "push"}, {"mode": "pull"}), [[2.9, NEVER], [0, -0.9]], [0, 7], rounding="truncate")
    assert_rows(history.order, [[2, 0], [0, 5]])


# --- demand --------------------------------------------------------------------------------------------------------


def test_demand_is_owed_before_orders_are_placed():
    # Order up to 10 after demand of 4 with 10 on hand: 4.
    assert_rows(play(shop(initial_on_hand=10), [[10]], [4]).order, [[4]])


def test_textbook_sequence_orders_before_demand():
    # The same demand is not yet known: order 0, and 4 in the next period.
    history = play(shop(initial_on_hand=10), [[10], [10]], [4, 0], sequence=TEXTBOOK)
    assert_rows(history.order[:, 0], [0, 4])


@pytest.mark.parametrize(("sequence", "backlog"), [(None, [0, 0, 0, 0]), (TEXTBOOK, [0, 2, 2, 2])])
def test_lead_time_one_exposes_one_period_after_demand_and_two_before(sequence, backlog):
    # Demand 2 each period, base stock 2. After demand: the order placed in t covers t + 1, none is ever missing.
    # Before demand: what is ordered in t + 1 for demand t comes in t + 2; position covers two periods of demand.
    settings = {} if sequence is None else {"sequence": sequence}
    history = play(shop(initial_on_hand=2), [[2]] * 4, [2] * 4, **settings)
    assert_rows(history.owed[:, 0], backlog)


# --- pull: order rules ---------------------------------------------------------------------------------------------


def test_base_stock_orders_what_is_missing():
    # 10 - (3 on hand + 2 due later) = 5.
    assert_rows(play(shop({"lead_time": 2, "initial_pipeline": [0, 2]}, initial_on_hand=3), [[10]]).order, [[5]])


def test_a_reorder_point_is_waited_for_then_filled_up_by_the_gap():
    # s = 4, S = 4 + 6: at 5 nothing; at 4 (after demand 1) 6.
    history = play(shop({"lot": {"rule": "s_S", "gap": 6}}, initial_on_hand=5), [[4], [4]], [0, 1])
    assert_rows(history.order[:, 0], [0, 6])


def test_a_gap_that_is_not_stated_is_a_second_action():
    # Position 3 <= 4: up to 4 + 2 = 6 orders 3.
    assert_rows(play(shop({"lot": {"rule": "s_S"}}, initial_on_hand=3), [[[4, 2]]]).order, [[3]])


def test_lots_are_the_fewest_that_end_above_the_threshold():
    # s = 5, Q = 3. Position 6: none; 5 -> 8: one lot; 2 -> 5 is not above, so two lots.
    lot = {"rule": "r_nQ", "Q": 3}
    assert [play(shop({"lot": lot}, initial_on_hand=x), [[5]]).order[0, 0] for x in (6, 5, 2)] == [0, 3, 6]


def test_one_lot_at_most_where_so_stated():
    # Position 0, s = 5: one lot of 3, though two would be needed.
    assert_rows(play(shop({"lot": {"rule": "r_nQ", "Q": 3, "at_most_one": True}}), [[5], [5]]).order[:, 0], [3, 3])


def test_smoothed_rule_closes_a_share_of_the_gap():
    # Forecast 4, position 2, s = 10, adjust_time 2: 4 + (10 - 4 - 2) / 2 = 6; with s = 11 it is 6.5, in units 6.
    market = {"demand": {"kind": "deterministic", "values": [4]}}
    stages = shop({"lot": {"rule": "smoothed", "adjust_time": 2}}, initial_on_hand=2, market=market)
    assert_rows(play(stages, [[10]]).order, [[6]])
    assert_rows(play(stages, [[11]]).order, [[6]])
    assert_rows(play(stages, [[11]], units="real").order, [[6.5]])


def test_smoothed_rule_translates_the_forecast_through_the_bill_of_materials():
    # 3 plant units per shop unit, demand 4: forecast 12; plant at 0 and s = 0 orders 12 + (0 - 12) / 4 = 9.
    stages = {
        "plant": {"sources": [{"lot": {"rule": "smoothed", "adjust_time": 4}}]},
        "shop": {
            "sources": [{"inputs": {"plant": 3}}],
            "market": {"demand": {"kind": "deterministic", "values": [4]}},
        },
    }
    assert_rows(play(stages, [[0, NEVER]]).order, [[9, 0]])


def test_max_order_caps_an_order_to_whole_lots():
    # base_stock: 10 wanted, 7 allowed. r_nQ: 4 lots of 3 wanted, 7 allows 2 lots.
    assert_rows(play(shop({"max_order": 7}), [[10]]).order, [[7]])
    assert_rows(play(shop({"max_order": 7, "lot": {"rule": "r_nQ", "Q": 3}}), [[10]]).order, [[6]])


def test_minus_infinity_never_fires():
    for rule in ({"rule": "base_stock"}, {"rule": "s_S", "gap": 5}, {"rule": "r_nQ", "Q": 2}):
        assert_rows(play(shop({"lot": rule}), [[NEVER]], [9]).order, [[0]])


def test_a_source_reviews_every_few_periods_from_its_offset():
    # R = 3, offset 1: periods 1 and 4 order what is missing of 5, here one unit of demand per period.
    history = play(shop({"review_period": 3, "review_offset": 1}, initial_on_hand=5), [[5]] * 5, [1] * 5)
    assert_rows(history.order[:, 0], [0, 2, 0, 0, 3])


def test_between_reviews_pending_units_still_start():
    # Ordered 9 in period 0, started 4 a period, though only period 0 of three reviews.
    history = play(shop({"review_period": 3, "capacity": 4}), [[9]] * 3)
    assert_rows(history.order[:, 0], [9, 0, 0])
    assert_rows(history.start[:, 0], [4, 4, 1])


def test_a_push_source_releases_in_its_review_periods_only():
    history = play(shop({"review_period": 2}), [[5], [6], [7]], decoupling_point="market")
    assert_rows(history.order[:, 0], [5, 0, 7])


# --- pull: positions -----------------------------------------------------------------------------------------------


def test_triggers_run_downstream_first_so_that_suppliers_see_the_order():
    # The shop orders 3; the plant, to keep its 2 in position, orders those 3 in the same period; 6 at 2 units each.
    assert_rows(play(line({}, plant_on_hand=2), [[2, 3]]).order, [[3, 3]])
    assert_rows(play(line({"inputs": {"plant": 2}}, plant_on_hand=2), [[2, 3]]).order, [[6, 3]])


def test_a_second_source_sees_what_the_first_ordered():
    # Up to 5, then up to 8: 5 and 3.
    assert_rows(play(shop({}, {}), [[5, 8]]).order, [[5, 3]])


def test_installation_position_subtracts_what_downstream_still_waits_for():
    # Shop wants 4 kits of 2 plant units, the plant holds 3: 1 kit starts, 3 wait for 6 units.
    # Next period the plant's position is 1 - 6 = -5; up to 0 it orders 5.
    stages = line({"inputs": {"plant": 2}}, plant_on_hand=3)
    history = play(stages, [[NEVER, 4], [0, NEVER]])
    assert_rows(history.start[:, 1], [1, 3])
    assert_rows(history.order[:, 0], [0, 5])


def test_echelon_position_counts_downstream_stock_in_own_units():
    # 2 plant units per shop unit: 3 + 2 x (4 on hand - 1 owed) = 9; up to 10 orders 1.
    stages = line({"inputs": {"plant": 2}}, plant_on_hand=3, initial_on_hand=4)
    stages["plant"]["sources"][0]["basis"] = "echelon"
    assert_rows(play(stages, [[10, NEVER]], [1]).order, [[1, 0]])


def test_echelon_takes_the_largest_coefficient_where_sources_differ():
    # Sources of the shop need 1 or 3 plant units: beta = 3, echelon = 3 x 4 = 12, no order up to 12, one up to 13.
    stages = line({}, initial_on_hand=4)
    stages["shop"]["sources"].append({"inputs": {"plant": 3}})
    stages["plant"]["sources"][0]["basis"] = "echelon"
    assert play(stages, [[12, NEVER, NEVER]]).order[0, 0] == 0
    assert play(stages, [[13, NEVER, NEVER]]).order[0, 0] == 1


def test_physical_position_ignores_what_is_owed():
    # Kanban with 5 cards: all 5 hang on stock when triggers run, so demand of 8 orders nothing; its shipment frees 5.
    history = play(shop({"basis": "physical"}, initial_on_hand=5), [[5], [5]], [8, 0])
    assert_rows(history.order[:, 0], [0, 5])


def test_physical_position_over_the_line_is_conwip():
    # Line of 2: 3 at the plant, 4 in the shop's pipeline, 1 on its shelf. Cards 10: release 10 - 8 = 2.
    stages = line({"lead_time": 2, "initial_pipeline": [0, 4]}, plant_on_hand=3, initial_on_hand=1)
    stages["plant"]["sources"][0] |= {"basis": "physical", "over": ["plant", "shop"]}
    assert_rows(play(stages, [[10, NEVER]]).order, [[2, 0]])


def test_physical_position_counts_downstream_stock_in_own_units():
    # 2 plant units in a shop unit: 3 + 2 x (4 in the pipeline + 1 on the shelf) = 13; with 15 cards release 2.
    stages = line({"inputs": {"plant": 2}, "lead_time": 2, "initial_pipeline": [0, 4]}, 3, initial_on_hand=1)
    stages["plant"]["sources"][0] |= {"basis": "physical", "over": ["plant", "shop"]}
    assert_rows(play(stages, [[15, NEVER]]).order, [[2, 0]])


def test_an_order_on_its_way_hangs_on_a_card():
    # 5 cards, all on the order of period 0, which travels in period 1 and waits in period 2: nothing more is ordered.
    source = {"basis": "physical", "order_delay": 2, "disruption": {"affects": "start"}}
    history = play(shop(source), [[5]] * 3, available=[[1], [1], [0]])
    assert_rows(history.order[:, 0], [5, 0, 0])


def test_units_held_by_a_receipt_disruption_stay_in_the_position():
    # 4 due wait outside; position 4, so up to 6 orders 2.
    source = {"initial_pipeline": [4], "disruption": {"affects": "receipt"}}
    assert_rows(play(shop(source), [[6]], available=[[0]]).order, [[2]])


# --- cards ---------------------------------------------------------------------------------------------------------


def test_cards_cap_a_pull_order_beside_its_rule():
    # Up to 9 wants 9, cards leave 6 - 1 = 5.
    assert_rows(play(shop({"cards": {"limit": 6}}, initial_on_hand=1), [[9]], [1]).order, [[5]])


def test_cards_count_what_is_already_ordered_by_the_same_stage():
    # Two sources with 6 cards each: 4 first, then 2; pull and push alike.
    two = [{"cards": {"limit": 6}, "max_order": 4}, {"cards": {"limit": 6}}]
    assert_rows(play(shop(*two), [[9, 9]]).order, [[4, 2]])
    assert_rows(play(shop(*two), [[4, 9]], decoupling_point="market").order, [[4, 2]])


def test_cards_cut_to_whole_lots():
    # Room for 7, lots of 3: 6.
    assert_rows(play(shop({"cards": {"limit": 7}, "lot": {"rule": "r_nQ", "Q": 3}}), [[99]]).order, [[6]])


def test_cards_over_a_line_stop_a_push_release():
    # 8 cards over plant and shop hold 3 + 4 units: 1 of the 5 asked may go.
    stages = line({}, plant_on_hand=3, initial_on_hand=4)
    stages["plant"]["sources"][0]["cards"] = {"limit": 8, "over": ["plant", "shop"]}
    assert_rows(play(stages, [[5, NEVER]], decoupling_point="plant").order, [[1, 0]])


def test_a_full_loop_takes_no_order_even_when_overfull():
    # Limit 2, 5 on hand: room 0, not -3; pull and push alike.
    stages = shop({"cards": {"limit": 2}}, initial_on_hand=5)
    for point in ("supply", "market"):
        assert_rows(play(stages, [[9]], decoupling_point=point).order, [[0]])


# --- starts: capacity and allocation -------------------------------------------------------------------------------


def test_a_pull_source_carries_what_capacity_does_not_start():
    # 9 ordered at 4 a period: 4, 4, 1; 5 and 1 wait at 3 each.
    history = play(shop({"capacity": 4, "shortfall_cost": 3}), [[9]] * 3)
    assert_rows(history.start[:, 0], [4, 4, 1])
    assert_rows(history.cost["shortfall"], [15, 3, 0])


def test_assembly_needs_all_its_inputs():
    # 7 bodies and 8 wheels at 1 and 4 each: 2 cars, 5 bodies and no wheel left.
    stages = {
        "body": {"initial_on_hand": 7, "sources": [{}]},
        "wheel": {"initial_on_hand": 8, "sources": [{}]},
        "car": {"sources": [{"inputs": {"body": 1, "wheel": 4}, "lead_time": 0}]},
    }
    for allocation in ("proportional", "priority"):
        history = play(stages, [[NEVER, NEVER, 6]], allocation=allocation)
        assert_rows(history.on_hand, [[5, 0, 2]])


def test_proportional_allocation_shares_by_want():
    # 10 for wants of 9 and 6 (need 15). Integer: floor(6), floor(4). With 7: 4.2 and 2.8 -> 4 and 2, 1 is left.
    stages = fork({}, {}, plant_on_hand=10)
    assert_rows(play(stages, [[NEVER, 9, 6]]).start, [[0, 6, 4]])
    stages = fork({}, {}, plant_on_hand=7)
    assert_rows(play(stages, [[NEVER, 9, 6]]).start, [[0, 4, 2]])
    assert_rows(play(stages, [[NEVER, 9, 6]], units="real").start, [[0, 4.2, 2.8]])


def test_priority_allocation_serves_in_order():
    # 7 for wants of 9 and 6: 7 and 0; with 10: 9 and 1. In real units, half of 7.5 goes into units of 2.
    assert_rows(play(fork({}, {}, 7), [[NEVER, 9, 6]], allocation="priority").start, [[0, 7, 0]])
    assert_rows(play(fork({}, {}, 10), [[NEVER, 9, 6]], allocation="priority").start, [[0, 9, 1]])
    pairs = fork({"inputs": {"plant": 2}}, {}, 7.5)
    assert_rows(play(pairs, [[NEVER, 9, 6]], allocation="priority", units="real").start, [[0, 3.75, 0]])


def test_priority_of_integer_lots_leaves_a_rest_for_the_next():
    # Units of 2 from 7: 3 start, 1 is left for the west.
    pairs = fork({"inputs": {"plant": 2}}, {}, 7)
    assert_rows(play(pairs, [[NEVER, 9, 6]], allocation="priority").start, [[0, 3, 1]])


def test_capacity_limits_a_want_before_it_is_rationed():
    # East wants 9 but can make 4: needs 4 and 6 share 5 as 2 and 3.
    assert_rows(play(fork({"capacity": 4}, {}, 5), [[NEVER, 9, 6]]).start, [[0, 2, 3]])


def test_capacity_is_floored_before_a_want_is_rationed():
    # East wants 9 but can make 3 of its 3.5: needs 3 and 6 share 6 as 2 and 4; 3.5 and 6 would leave west 3.
    assert_rows(play(fork({"capacity": 3.5}, {}, 6), [[NEVER, 9, 6]]).start, [[0, 2, 4]])


def test_the_market_is_served_before_downstream_draws():
    # Plant with a market: 3 of its 5 go to customers, then the shop's pull gets the other 2 of its 4.
    stages = line({}, plant_on_hand=5)
    stages["plant"]["market"] = {}
    history = play(stages, [[NEVER, 4]], [{"plant": 3}])
    assert_rows(history.shipped, [[3, 0]])
    assert_rows(history.start, [[0, 2]])


def test_in_the_textbook_sequence_downstream_draws_before_the_market():
    # The same plant: the shop's 4 go first, customers get 1 and wait for 2.
    stages = line({}, plant_on_hand=5)
    stages["plant"]["market"] = {}
    history = play(stages, [[NEVER, 4]], [{"plant": 3}], sequence=TEXTBOOK)
    assert_rows(history.shipped, [[1, 0]])
    assert_rows(history.owed, [[2, 0]])
    assert_rows(history.start, [[0, 4]])


def test_or_gym_sequence_releases_before_receipts():
    # 6 are due at the plant this period; the shop's release of 5 sees the 2 on hand only.
    stages = line({"lead_time": 0}, plant_on_hand=2)
    stages["plant"]["sources"] = [{"lead_time": 1, "initial_pipeline": [6]}]
    history = play(stages, [[0, 5]], sequence=OR_GYM, decoupling_point="market")
    assert_rows(history.start, [[0, 2]])
    assert_rows(history.on_hand, [[6, 2]])  # the zero-lead release itself arrives in this period's receive


def test_or_gym_sequence_does_not_pass_zero_lead_units_on_in_the_same_push():
    # The plant's own 4 released now arrive after the shop has drawn on 0.
    history = play(line({"lead_time": 0}), [[4, 4]], sequence=OR_GYM, decoupling_point="market")
    assert_rows(history.start, [[4, 0]])
    assert_rows(history.on_hand, [[4, 0]])


# --- ship ----------------------------------------------------------------------------------------------------------


BACKORDERS = shop({"lead_time": 2, "initial_pipeline": [0, 5]}, initial_on_hand=1, market={})


def test_backorders_wait():
    # 4 asked, 1 there: 3 owed. Then 5 arrive for 3 + 4: 2 owed.
    history = play(BACKORDERS, [[NEVER]] * 2, [4, 4])
    assert_rows(history.shipped[:, 0], [1, 5])
    assert_rows(history.owed[:, 0], [3, 2])


def test_the_oldest_demand_is_served_first():
    # Of the same 5 units, 3 go to old demand and 2 to new: 2 are on time.
    network = Network.from_dict({"stages": BACKORDERS, "decoupling_point": "supply"})
    state = dynamics.initial_state(np, network, 1, dtype=np.float64)
    action = dynamics.Action(np.zeros((1, 1)), np.full((1, 1), NEVER))
    on_time = []
    for _ in range(2):
        state, flows = dynamics.step(np, network, state, dynamics.Exogenous(np.full((1, 1), 4.0)), action)
        on_time.append(flows.shipped_on_time[0, 0])
    assert on_time == [1, 2]


def test_lost_sales_leave():
    # 4 of demand on 1: 3 lost at 7 each, nothing owed afterwards.
    market = {"stockout": "lost", "lost_sale_cost": 7, "price": 10}
    history = play(shop(initial_on_hand=1, market=market), [[NEVER]] * 2, [4, 0])
    assert_rows(history.lost[:, 0], [3, 0])
    assert_rows(history.owed[:, 0], [0, 0])
    assert_rows(history.cost["lost_sale"], [21, 0])
    assert_rows(history.revenue, [10, 0])


def test_a_share_waits_where_stockout_is_partial():
    # 5 unmet: half of them, 2.5, rounds to 2 that wait, 3 are lost; waiting units are not lost again later.
    market = {"stockout": {"partial": 0.5}}
    assert_rows(play(shop(market=market), [[NEVER]] * 2, [5, 0]).lost[:, 0], [3, 0])
    assert_rows(play(shop(market=market), [[NEVER]] * 2, [5, 0]).owed[:, 0], [2, 2])
    assert_rows(play(shop(market=market), [[NEVER]], [5], units="real").owed[:, 0], [2.5])


def test_only_newly_unmet_units_can_be_lost():
    # 3 owed from before and 4 new on 5: 3 old and 2 new shipped, half of the other 2 lost.
    stages = shop(initial_on_hand=5, initial_owed=3, market={"stockout": {"partial": 0.5}})
    history = play(stages, [[NEVER]], [4])
    assert_rows(history.lost, [[1]])
    assert_rows(history.owed, [[1]])


def test_initial_owed_is_served_before_demand():
    # 2 owed and 1 asked, 2 there: 1 stays owed, at 5.
    stages = shop(initial_on_hand=2, initial_owed=2, market={"backorder_cost": 5})
    history = play(stages, [[NEVER]], [1])
    assert_rows(history.owed, [[1]])
    assert_rows(history.cost["backorder"], [5])


# --- end of the period: costs, pipelines -----------------------------------------------------------------------------


def test_holding_is_charged_on_what_is_left_at_the_end():
    # 5 received, 2 shipped: 3 at 4 each.
    stages = shop({"initial_pipeline": [5]}, holding_cost=4)
    assert_rows(play(stages, [[NEVER]], [2]).cost["holding"], [12])


def test_each_period_of_the_lead_time_pays_the_pipeline_rate():
    # 5 units x 3 periods x 2 each.
    history = play(shop({"lead_time": 3, "pipeline_holding_cost": 2}), [[5], [0], [0], [0]], decoupling_point="market")
    assert_rows(history.cost["pipeline"], [10, 10, 10, 0])


def test_production_and_fixed_cost_follow_starts():
    # Starts 4 and 1 of an order of 5: 3 per unit, 10 per period with a start.
    history = play(shop({"capacity": 4, "unit_cost": 3, "fixed_cost": 10}), [[5]] * 3)
    assert_rows(history.cost["production"], [12, 3, 0])
    assert_rows(history.cost["fixed"], [10, 10, 0])
    assert_rows(history.total_cost, [22, 13, 0])


# --- mixed sources -------------------------------------------------------------------------------------------------


def test_a_mixed_source_releases_and_orders_within_one_capacity():
    # Releases 4 of capacity 6; position 4 - 9 owed = -5, so up to 0 orders 5: 2 start now, 3 wait.
    source = {"mode": "mixed", "capacity": 6, "fixed_cost": 10, "shortfall_cost": 1}
    history = play(shop(source), [[[4, 0]], [[0, NEVER]]], [9, 0])
    assert_rows(history.order[:, 0], [9, 0])
    assert_rows(history.start[:, 0], [6, 3])
    assert_rows(history.cost["fixed"], [10, 10])  # once, though both parts started
    assert_rows(history.shortfall[:, 0], [3, 0])


def test_the_release_part_of_a_mixed_source_drops_what_it_cannot_start():
    # 9 asked, 6 start, 3 are gone: shortfall 3 once, and nothing starts later.
    history = play(shop({"mode": "mixed", "capacity": 6}), [[[9, NEVER]], [[0, NEVER]]])
    assert_rows(history.start[:, 0], [6, 0])
    assert_rows(history.shortfall[:, 0], [3, 0])


# --- disruptions and availability ----------------------------------------------------------------------------------


def test_availability_scales_capacity_and_is_floored():
    # 7 x 0.5 = 3.5: 3 start; unlimited x 0 is 0; unlimited x 0.5 is unlimited.
    assert_rows(play(shop({"capacity": 7}), [[9]], available=[[0.5]]).start, [[3]])
    assert_rows(play(shop(), [[9]], available=[[0]]).start, [[0]])
    assert_rows(play(shop(), [[9]], available=[[0.5]]).start, [[9]])


def test_a_start_disruption_keeps_orders_waiting():
    # Down in period 0: ordered 5, started in period 1.
    history = play(shop({"disruption": {"affects": "start"}}), [[5], [5]], available=[[0], [1]])
    assert_rows(history.order[:, 0], [5, 0])
    assert_rows(history.start[:, 0], [0, 5])


def test_an_order_disruption_stops_triggers_but_not_what_is_pending():
    # 9 ordered at capacity 4; down in period 1: no new order for demand 2, yet 4 more start.
    source = {"capacity": 4, "disruption": {"affects": "order"}}
    history = play(shop(source), [[9]] * 2, [0, 2], available=[[1], [0]])
    assert_rows(history.order[:, 0], [9, 0])
    assert_rows(history.start[:, 0], [4, 4])


def test_an_order_disruption_ignores_a_push_request_without_shortfall():
    # 9 carried on from period 0 start at 4 a period; the request of period 1 is ignored: 5 - 4 = 1 left.
    source = {"capacity": 4, "shortfall": "carry", "disruption": {"affects": "order"}}
    history = play(shop(source), [[9], [9]], available=[[1], [0]], decoupling_point="market")
    assert_rows(history.order[:, 0], [9, 0])
    assert_rows(history.start[:, 0], [4, 4])
    assert_rows(history.shortfall[:, 0], [5, 1])


def test_a_transit_disruption_stops_the_pipeline_but_not_what_is_due():
    # 3 due now arrive while down; the 4 due next are one period late.
    source = {"lead_time": 2, "initial_pipeline": [3, 4], "pipeline_holding_cost": 1}
    history = play(shop({**source, "disruption": {"affects": "transit"}}), [[NEVER]] * 3, available=[[0], [1], [1]])
    assert_rows(history.receipt[:, 0], [3, 0, 4])
    assert_rows(history.cost["pipeline"], [4, 4, 0])


def test_a_receipt_disruption_holds_units_outside_and_lets_them_in_together():
    # 3 and 4 due in periods 0 and 1 wait, at the pipeline rate, and come in together in period 2.
    source = {"lead_time": 2, "initial_pipeline": [3, 4], "pipeline_holding_cost": 1}
    history = play(shop({**source, "disruption": {"affects": "receipt"}}), [[NEVER]] * 3, available=[[0], [0], [1]])
    assert_rows(history.receipt[:, 0], [0, 0, 7])
    assert_rows(history.cost["pipeline"], [7, 7, 0])


def test_a_receipt_disruption_holds_zero_lead_units_too():
    # 5 start in period 0 and are there in period 1.
    source = {"lead_time": 0, "disruption": {"affects": "receipt"}}
    history = play(shop(source), [[5], [5]], available=[[0], [1]])
    assert_rows(history.start[:, 0], [5, 0])
    assert_rows(history.on_hand[:, 0], [0, 5])


def test_units_held_outside_add_up():
    # 5 and 4 start while receipts are down, 3 more when they are up again: 12 come in together.
    source = {"lead_time": 0, "disruption": {"affects": "receipt"}}
    history = play(shop(source), [[5], [4], [3]], available=[[0], [0], [1]], decoupling_point="market")
    assert_rows(history.receipt[:, 0], [0, 0, 12])
    assert_rows(history.on_hand[:, 0], [0, 0, 12])


def test_a_share_of_availability_stops_nothing_but_capacity():
    # 0.25 is not down: the order fires and the units come in.
    for affects in ("order", "transit", "receipt"):
        source = {"initial_pipeline": [3], "disruption": {"affects": affects}, "capacity": 4}
        history = play(shop(source), [[7]], available=[[0.25]])
        assert (history.order[0, 0], history.start[0, 0], history.receipt[0, 0]) == (4, 4, 3)


# --- decoupling point ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("point", "modes"),
    [
        ("supply", ("pull", "pull", "pull")),
        ("parts", ("push", "pull", "pull")),
        ("plant", ("push", "push", "pull")),
        ("market", ("push", "push", "push")),
    ],
)
def test_sources_at_and_upstream_of_the_decoupling_point_push(point, modes):
    chain = {
        "parts": {"sources": [{}]},
        "plant": {"sources": [{"inputs": {"parts": 1}}]},
        "shop": {"sources": [{"inputs": {"plant": 1}}], "market": {}},
    }
    network = Network.from_dict({"stages": chain, "decoupling_point": "shop"})
    assert network.with_decoupling_point(point).modes == modes


def test_a_stated_mode_stands_against_the_decoupling_point():
    network = Network.from_dict({"stages": {**shop({"mode": "pull"}, {}, market={})}, "decoupling_point": "market"})
    assert network.modes == ("pull", "push")


# --- real units: dust ----------------------------------------------------------------------------------------------


def test_dust_pays_no_fixed_cost_and_places_no_order():
    # 0.9 - (0.7 + 0.2) is 1.1e-16 in double precision: exactly no order, no start, no fixed cost.
    assert 0.9 - (0.7 + 0.2) > 0
    source = {"lead_time": 2, "initial_pipeline": [0.7, 0.2], "fixed_cost": 10}
    history = play(shop(source), [[0.9]], units="real")
    assert (history.order[0, 0], history.start[0, 0], history.cost["fixed"][0]) == (0, 0, 0)


def test_a_dust_of_a_release_is_not_started():
    # 1e-10 is asked for: it counts as asked and falls short, but does not start and pays no fixed cost.
    history = play(shop({"fixed_cost": 10}), [[1e-10]], decoupling_point="market", units="real")
    assert (history.start[0, 0], history.shortfall[0, 0], history.cost["fixed"][0]) == (0, 1e-10, 0)


def test_dust_does_not_keep_a_trigger_from_firing():
    # Position 0.1 + 0.2 is a hair above s = 0.3 and counts as at it: one lot of 1, and (s, S) orders its gap.
    source = {"lead_time": 2, "initial_pipeline": [0.1, 0.2]}
    assert_rows(play(shop({**source, "lot": {"rule": "r_nQ", "Q": 1}}), [[0.3]], units="real").order, [[1]])
    assert_rows(play(shop({**source, "lot": {"rule": "s_S", "gap": 2}}), [[0.3]], units="real").order, [[2]])


def test_single_precision_calls_more_dust():
    # 5e-5 is started in double precision and dust in single precision, whose tolerance is 1e-4.
    network = Network.from_dict({"stages": shop(market={}), "units": "real", "decoupling_point": "market"})
    starts = {}
    for kind in (np.float32, np.float64):
        state = dynamics.initial_state(np, network, 1, dtype=kind)
        action = dynamics.Action(np.full((1, 1), 5e-5, kind), np.zeros((1, 1), kind))
        _, flows = dynamics.step(np, network, state, dynamics.Exogenous(np.zeros((1, 1), kind)), action)
        starts[kind] = float(flows.start[0, 0])
    assert starts == {np.float32: 0, np.float64: 5e-5}


def test_integer_units_floor_what_is_stated_in_fractions():
    # Capacity 2.7 makes 2, max_order 3.9 orders 3, 4.5 cards are 4.
    assert_rows(play(shop({"capacity": 2.7}), [[9]]).start, [[2]])
    assert_rows(play(shop({"max_order": 3.9}), [[9]]).order, [[3]])
    assert_rows(play(shop({"cards": {"limit": 4.5}}), [[9]]).order, [[4]])
