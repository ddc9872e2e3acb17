"""A number beside what chance gives: the record that every result on two people carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cuesense.types import F64


@dataclass(frozen=True, slots=True)
class Chance:
    """A value of a session against the same value where nothing ties the two people together.

    Attributes
    ----------
    value
        the session's; NaN if it could not be computed.
    median
        of the draws of the null; `low` and `high` are their 2.5 and 97.5 %.
    p
        two-sided: twice the share of the draws (and the session) that are at least as extreme on
        the value's side, at most 1 (Davison & Hinkley 1997, section 4.2).
    """

    value: float
    median: float
    low: float
    high: float
    p: float

    @property
    def beyond(self) -> bool:
        """Whether fewer than 5 % of the draws are as extreme; False if unknown."""
        return self.p <= 0.05


UNKNOWN: Final = Chance(*[float("nan")] * 5)
"""Nothing could be computed."""


def against(value: float, draws: F64, least: int = 39) -> Chance:
    """Set a value against draws of its null.

    Parameters
    ----------
    value
        the session's.
    draws
        (n,) of the null; NaN where a draw could not be computed.
    least
        draws that are needed: 39 are the fewest that allow a two-sided p of 5 %.
    """
    draws = draws[np.isfinite(draws)]
    if len(draws) < least or not np.isfinite(value):
        return Chance(float(value), *[float("nan")] * 4)
    tolerance = 1e-9 * max(1.0, abs(value))  # equal draws count as equal, whatever rounding did
    above = 1 + int(np.sum(draws >= value - tolerance))
    below = 1 + int(np.sum(draws <= value + tolerance))
    p = min(1.0, 2.0 * min(above, below) / (1 + len(draws)))
    low, median, high = (float(q) for q in np.quantile(draws, [0.025, 0.5, 0.975]))
    return Chance(float(value), median, low, high, p)


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the ends of its 95 % interval, NaN if unknown."""

    value: float
    low: float
    high: float


UNSURE: Final = Interval(*[float("nan")] * 3)
"""Nothing to estimate."""


def share(count: int, of: int) -> Interval:
    """Return a share and its interval, which holds near 0 and 1 as well (Wilson 1927)."""
    if not of:
        return UNSURE
    z, p = 1.96, count / of
    scale = 1.0 + z * z / of
    centre = (p + z * z / (2 * of)) / scale
    half = z * float(np.sqrt(p * (1 - p) / of + z * z / (4 * of * of))) / scale
    return Interval(p, max(0.0, centre - half), min(1.0, centre + half))
