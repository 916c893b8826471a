"""How long an order must last, for which market, and what a shortage of it costs.

An order of a source is decided at an event of period t and used at an event of period t + lead_time + order_delay, one
later where that event comes before the units arrive. It covers all demand in between, and with a review every R periods
R - 1 periods more. So an order with lead time L covers

- for a market, L periods if it is pulled after demand (default sequence), when demand of t is already in the position,
  and L + 1 if it is pulled before demand or pushed;
- for a user, L periods if both decide on the same side of demand, L + 1 if the stage pushes and its user pulls after
  demand, and in both cases one more where the user draws before the period's receipts.

Along a path exposures add up: in a serial chain to the sum of lead times, plus one unless the first decision sees the
period's demand. An installation position sees demand only when users order: a user that pushes orders a period later
than demand comes, so a stage that pulls for it covers that period too, its `lag`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pushpull.envs.network import Market, Network


@dataclass(frozen=True)
class Service:
    """How a source serves one market, along the path on which it takes longest.

    A chain is planned as a whole up to its market, unless a stage on the way is charged for late deliveries to its user
    (`shortfall_cost` of orders that wait) at least what the market charges: then it `answers` for itself like a market.
    """

    source: int
    market: int  # row of the market
    units: float  # units of the stage's item in one unit sold
    exposure: int  # periods of demand that an order covers before its user, or the market, takes over
    lag: int  # periods until the source's position sees demand
    user: Service | None  # the source that draws on the stage; None: the market itself
    answers: bool  # whether the chain is planned up to here
    penalty: float  # cost per unit sold and period of waiting, where the chain answers
    end_holding: float  # holding cost per unit sold, where the chain answers
    late_fee: float  # what the source pays per unit sold and period that its supplier keeps it waiting

    @property
    def later(self) -> int:
        """Periods that the stages after it cover, up to where the chain answers."""
        return 0 if self.answers or self.user is None else self.user.exposure + self.user.later

    @property
    def to_market(self) -> int:
        """Periods that the stages after it cover, up to the market."""
        return 0 if self.user is None else self.user.exposure + self.user.to_market

    @property
    def supplier_answers(self) -> bool:
        return 0 < self.penalty <= self.late_fee


def services(network: Network, modes: Sequence[str]) -> list[list[Service]]:
    """Return the services of each of J sources, when each decides as its mode says: ``push`` or ``pull``."""
    rows = list(network.markets)
    holding = [stage.holding_cost for stage in network.stages.values()]
    landed, regular = network.landed_costs, regular_sources(network)
    found: list[list[Service]] = [[] for _ in network.sources]

    def serve(j: int, m: int, event: str, use: str, user: Service | None) -> Service:
        i, source = network.source_stage[j], network.sources[j]
        units, (exposure, lag) = float(network.requirements[i, rows[m]]), periods_covered(network, modes, j, event, use)
        answers = user is None or user.supplier_answers
        if user is None:
            penalty = shortage_cost(network.markets[i], float(landed[regular[i]]), exposure)
        else:
            penalty = user.late_fee if answers else user.penalty
        end_holding = user.end_holding if user and not answers else units * holding[i]
        waits = network.modes[j] != "push" or source.carries
        late_fee = units * source.shortfall_cost if waits else 0.0
        return Service(j, m, units, exposure, lag, user, answers, penalty, end_holding, late_fee)

    for i in reversed(network.stage_order):
        for j in network.sources_of[i]:
            options = [serve(j, rows.index(i), "demand", "ship", None)] if i in network.markets else []
            for user in network.users_of[i]:
                options += [serve(j, after.market, modes[user], modes[user], after) for after in found[user]]
            for m in sorted({option.market for option in options}):
                own = [option for option in options if option.market == m]
                found[j].append(max(own, key=lambda option: option.exposure + option.to_market))
    return found


def periods_covered(network: Network, modes: Sequence[str], j: int, event: str, use: str) -> tuple[int, int]:
    """Return the exposure of source j, review included, and its lag, in periods.

    `event` is when demand, or the user's order, takes from the stage's own position; `use` when stock must be there.
    """
    source, place = network.sources[j], network.sequence.index
    decided = place(modes[j])
    arrives = place("receive") if source.planned_lead_time > 0 else max(decided, place("receive"))
    periods = arrival(network, j) + (place(use) < arrives) + source.review_period - 1
    exposure = periods + (place(use) > place("demand")) - (decided > place("demand"))
    sees_users_only = modes[j] == "pull" and source.basis != "echelon"
    return exposure, periods + (place(event) > decided) - exposure if sees_users_only else 0


def shortage_cost(market: Market, landed_cost: float, exposure: int) -> float:
    """Return the cost of a unit of demand that has to wait a period, or its equivalent where demand is lost.

    A lost sale costs p = lost_sale_cost + price - landed cost once. Huh, Janakiraman, Muckstadt & Rusmevichientong
    (2009, Management Science 55(3)) compare base-stock levels for lost sales with those for backorders: a shortage is
    repaired within the exposure of n periods, so that a backorder at p / n a period costs no more than a lost sale and
    one at p no less. This takes the geometric mean, p / sqrt(n).
    """
    lost = market.lost_sale_cost + max(0.0, market.price - landed_cost)
    waiting = market.waiting_share
    return waiting * market.backorder_cost + (1 - waiting) * lost / max(1, exposure) ** 0.5


# --- several sources of a stage ---------------------------------------------------------------------------------------


def arrival(network: Network, j: int) -> int:
    """Return the periods until an order of source j is received."""
    return network.sources[j].planned_lead_time + network.order_delays[j]


def regular_sources(network: Network) -> list[int]:
    """Return the cheapest source of each stage, the faster one of equals, [N]; one that is mostly open, if any is."""
    landed, mostly_closed = network.landed_costs, network.open_shares < 0.5
    return [min(own, key=lambda j: (mostly_closed[j], landed[j], arrival(network, j), j)) for own in network.sources_of]


def claim_order(network: Network, i: int) -> list[int]:
    """Return the sources of stage i as they claim its need: what arrives first, then what costs less."""
    landed = network.landed_costs
    return sorted(network.sources_of[i], key=lambda j: (arrival(network, j), landed[j], j))


def avoided_cost(network: Network, service: Service) -> float:
    """Return the shortage cost per unit sold that a source is there to avoid; at most 0 if it is not worth its price.

    With a faster, dearer source beside it a shortage costs at most the price difference, for which it can be expedited
    (the base and the surge of Allon & Van Mieghem 2010); with a slower, cheaper one beside it the price difference buys
    shorter waiting, so it comes off the shortage cost.
    """
    j, units, landed = service.source, service.units, network.landed_costs
    others = [(units * (landed[s] - landed[j]), arrival(network, s) - arrival(network, j)) for s in _beside(network, j)]
    dearer = [price for price, later in others if price > 0 and later < 0]
    saved = [-price / later for price, later in others if price < 0 and later > 0]
    return min([service.penalty, *dearer]) - max(saved, default=0.0)


def stand_in(network: Network, j: int) -> int:
    """Return the first source of the same stage that is neither slower nor dearer than source j: mostly j itself."""
    landed = network.landed_costs
    own = network.sources_of[network.source_stage[j]]
    as_good = [s for s in own if arrival(network, s) <= arrival(network, j) and landed[s] <= landed[j]]
    return min(as_good, key=lambda s: (arrival(network, s), landed[s], s))


def _beside(network: Network, j: int) -> list[int]:
    return [s for s in network.sources_of[network.source_stage[j]] if s != j]
