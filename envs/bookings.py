"""Orders that customers place before they are due: which of a market's demand is booked when, and what is cancelled.

A unit that is due in period d and booked with lead l stands in the book from the demand event of period d - l on. At
the end of every period a share of what is booked and not yet due is cancelled. Cancelled orders come on top of demand:
what is due in a period is the market's demand, to the last unit, whatever is booked.

Orders of a period d are split by one uniform number v: with c(l) the share booked less than l periods ahead,
D - floor(D c(l) + v) of D units are booked at least l periods ahead (systematic sampling, Madow & Madow 1944): whole,
adding up to D, and on average in the shares stated. In real units nothing is rounded.
"""

from __future__ import annotations

import numpy as np

from pushpull.envs.network import Market


def book(
    market: Market, units: str, path: np.ndarray, periods: int, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what stands in the book of a market.

    Parameters
    ----------
    market : Market
        It states the shares of `order_lead`, for leads of 0 to k periods, and `cancellation`.
    units : {"integer", "real"}
        Whether orders are whole.
    path : ndarray [S, B]
        Demand due in each period; what is due later is not known to the book.
    periods : int
        T.
    numbers : ndarray [S, 2, B]
        Numbers in (0, 1): of the split, and of the cancellations, of what is due in each period.

    Returns
    -------
    ndarray [T, k, B]
        At the start of period t, orders due in t, t + 1, ..., t + k - 1.
    ndarray [T, k, B]
        After the demand event of period t, orders due in t + 1, ..., t + k.
    """
    before, after = np.zeros((2, periods, market.booked_ahead, path.shape[1]))
    for lead in range(market.booked_ahead, 0, -1):
        later = booked_later(market, lead)
        staying = path - (np.floor(path * later + numbers[:, 0]) if units == "integer" else path * later)
        staying = np.maximum(0.0, staying)
        for standing, ahead in ((before, lead - 1), (after, lead)):
            ordered = staying / (1 - market.cancellation) ** ahead
            if units == "integer":
                ordered = np.floor(ordered + numbers[:, 1])
            known = ordered[ahead : ahead + periods]
            standing[: len(known), lead - 1] = known
    return before, after


def booked_later(market: Market, lead: int) -> float:
    """Return the share of a period's demand that is booked less than `lead` periods ahead."""
    return sum((market.order_lead or (1.0,))[:lead])


def with_bookings(market: Market, forecast: np.ndarray, booked: np.ndarray) -> np.ndarray:
    """Return forecasts [T, H, B] that know the book [T, k, B] as it stands at the start of each period.

    Where a forecast knows no more than the demand process or its history, it is what is booked and will not be
    cancelled plus the forecast of the share that is not booked yet; a forecast whose error is declared (``noisy``,
    ``mmfe``) may have seen the same orders, so there it is the larger of the two.
    """
    known = forecast.copy()
    for h in range(min(booked.shape[1], forecast.shape[1])):
        sure = booked[:, h] * (1 - market.cancellation) ** h
        if market.forecast.kind in ("noisy", "mmfe"):
            known[:, h] = np.maximum(forecast[:, h], sure)
        else:
            known[:, h] = sure + booked_later(market, h + 1) * forecast[:, h]
    return known
