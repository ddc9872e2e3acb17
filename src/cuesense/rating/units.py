"""Which stretches of a session people code, and what the tool says of each. Pure.

Units have one length and lie side by side on a grid over the calibrated time, whatever the tool
found there: cut at the tool's own changes of label they would tell where it saw one. That is
interval coding (Bakeman & Quera 2011, Sequential Analysis and Observational Methods, ch. 5), of
thin slices: judgements of some seconds predict as well as those of minutes (Ambady & Rosenthal
1992, doi:10.1037/0033-2909.111.2.256).

Of the grid's cells a stratified sample is drawn, as even as there are cells over what the tool
says, so that rare answers occur. A unit's weight, cells per unit of its stratum (Horvitz &
Thompson 1952, doi:10.1080/01621459.1952.10483446), leads back to shares of the session's time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cuesense.schema import MODES, NO_DEMAND
from cuesense.types import F64

CANNOT_TELL: Final = "cannot tell"
ANSWERS: Final[tuple[str, ...]] = (*MODES, NO_DEMAND, CANNOT_TELL)
"""What a unit can be called, in the order of the keys 1 to 5."""
DECIDED: Final = len(ANSWERS) - 1
"""How many of `ANSWERS`, from the first on, say something about the two people."""

UNIT_S: Final = 12.0
SHORTEST_S, LONGEST_S = 5.0, 60.0
CONTEXT_S: Final = 8.0
"""s that are played before a unit and not coded."""
COUNT: Final = 40
MOST: Final = 1000


class Unit(NamedTuple):
    """A stretch to code: `start` and `end` in s, `weight` cells of the session that it is for."""

    start: float
    end: float
    weight: float


def answer_of(label: str) -> str:
    """Return the answer that a label of the tool amounts to.

    A label that claims neither a mode nor that there is nothing to respond to, such as
    "insufficient", is "cannot tell".
    """
    return label if label in ANSWERS[:DECIDED] else CANNOT_TELL


def tool_answer(labels: Sequence[str]) -> str:
    """Return the tool's answer for a unit: the most frequent one among its ticks.

    Parameters
    ----------
    labels
        of the ticks within it.

    Returns
    -------
        One of `ANSWERS`; "cannot tell" if two are equally frequent, or there is no tick.
    """
    counts = Counter(map(answer_of, labels)).most_common(2)
    if not counts or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return CANNOT_TELL
    return counts[0][0]


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


def tool_answers(t: F64, labels: Sequence[str], units: Sequence[Unit]) -> list[str]:
    """Return the tool's answer for each unit, from its labels at times `t` (n,), s."""
    return [tool_answer(labels[within(t, unit)]) for unit in units]


def draw(
    t: F64,
    labels: Sequence[str],
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
    labels
        (n,), its labels.
    calibrated
        (n,), whether both baselines are complete; units start at the first such tick.
    unit_s
        s, length of a unit.
    count
        units that are wanted.
    rng
        decides.

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
    n = int((length + 1e-6) // unit_s)
    start += rng.uniform(0.0, max(0.0, length - n * unit_s))
    cells = [Unit(start + i * unit_s, start + (i + 1) * unit_s, 1.0) for i in range(n)]
    strata: dict[str, list[Unit]] = {}
    for cell, answer in zip(cells, tool_answers(t, labels, cells), strict=True):
        strata.setdefault(answer, []).append(cell)
    names = sorted(strata)
    shares = allot([len(strata[name]) for name in names], count, rng)
    chosen: list[Unit] = []
    for name, share in zip(names, shares, strict=True):
        weight = len(strata[name]) / share if share else 0.0
        picked = rng.choice(len(strata[name]), share, replace=False)
        chosen += [strata[name][i]._replace(weight=weight) for i in picked]
    return tuple(sorted(chosen))


def allot(sizes: Sequence[int], count: int, rng: np.random.Generator) -> list[int]:
    """Share units out over strata, as evenly as there are cells.

    Parameters
    ----------
    sizes
        cells of each stratum.
    count
        units in all.
    rng
        decides who gets what cannot be shared evenly.

    Returns
    -------
        Units of each stratum; their sum is `count`, or that of `sizes` if that is less.
    """
    shares = [0] * len(sizes)
    left = min(count, sum(sizes))
    while left:
        open_ = [i for i, size in enumerate(sizes) if shares[i] < size]
        for i in rng.permutation(open_)[:left]:
            shares[i] += 1
            left -= 1
    return shares


def seed_of(meta: Mapping[str, Any]) -> int:
    """Return a session's seed: from its recordings' hashes, else from when it was made."""
    text = "".join(meta["source"]["sha256"]) or str(meta["created"])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def order_for(name: str, seed: int, count: int) -> list[int]:
    """Return the order in which a rater sees the units: always the same for a name and a seed."""
    text = f"{seed}/{name}".encode()
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:8]))
    return [int(i) for i in rng.permutation(count)]
