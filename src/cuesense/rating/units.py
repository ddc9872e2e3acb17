"""Which stretches of a session people code. Pure.

Units have one length and lie side by side on a grid over the calibrated time, and which of them are
coded is decided by time alone: neither where the tool changes its mind nor what it says there has
a part in it. That is interval coding (Bakeman & Quera 2011, Sequential Analysis and Observational
Methods, ch. 5), of thin slices: judgements of some seconds predict as well as those of minutes
(Ambady & Rosenthal 1992, doi:10.1037/0033-2909.111.2.256).

Of the grid's cells a systematic sample is drawn: evenly spread over the session, each cell as
likely as any other (Cochran 1977, Sampling Techniques, ch. 8). So shares among the units estimate
shares of the session's time without weights, and what is rare in the session is rare among them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cuesense.types import F64

UNIT_S: Final = 12.0
SHORTEST_S, LONGEST_S = 5.0, 60.0
CONTEXT_S: Final = 8.0
"""s that are played before a unit and not coded."""
COUNT: Final = 40
MOST: Final = 1000


class Unit(NamedTuple):
    """A stretch to code: `start` and `end` in s."""

    start: float
    end: float


def within(t: F64, unit: Unit) -> slice:
    """Return the rows of a unit: those with start <= t < end.

    Parameters
    ----------
    t
        (n,), s, increasing.
    unit
        the unit.
    """
    first, last = np.searchsorted(t, (unit.start - 1e-6, unit.end - 1e-6))
    return slice(int(first), int(last))


def draw(
    t: F64,
    calibrated: npt.NDArray[np.bool_],
    *,
    unit_s: float,
    count: int,
    rng: np.random.Generator,
) -> tuple[Unit, ...]:
    """Choose the units of a session.

    Parameters
    ----------
    t
        (n,), s, increasing: the tool's ticks.
    calibrated
        (n,), whether both baselines are complete; units start at the first such tick.
    unit_s
        s, length of a unit.
    count
        units that are wanted.
    rng
        decides where the grid and the sample begin.

    Returns
    -------
        Units in order of time, without overlap; fewer than wanted if there is not enough time,
        none if there is none.
    """
    ready = np.flatnonzero(calibrated)
    if not len(ready):
        return ()
    start, step = float(t[ready[0]]), float(np.median(np.diff(t))) if len(t) > 1 else 0.0
    length = float(t[-1]) + step - start
    cells = int((length + 1e-6) // unit_s)
    start += rng.uniform(0.0, max(0.0, length - cells * unit_s))
    drawn = min(count, cells)
    # Cell i holds one of the marks, which are cells / drawn >= 1 apart, with probability
    # drawn / cells, wherever it is.
    marks = (np.arange(drawn) + rng.random()) * cells / max(1, drawn)
    chosen = np.floor(marks).astype(int)
    return tuple(Unit(float(start + i * unit_s), float(start + (i + 1) * unit_s)) for i in chosen)


def seed_of(meta: Mapping[str, Any]) -> int:
    """Return a session's seed: from its recordings' hashes, else from when it was made."""
    text = "".join(meta["source"]["sha256"]) or str(meta["created"])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def order_for(name: str, seed: int, count: int) -> list[int]:
    """Return the order in which a rater sees the units: always the same for a name and a seed."""
    text = f"{seed}/{name}".encode()
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:8]))
    return [int(i) for i in rng.permutation(count)]
