"""Raters and the tool compared, over one session or several."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cuesense.errors import ParameterError
from cuesense.rating import agreement, units
from cuesense.rating.store import Ratings, as_numbers, label_column
from cuesense.rating.units import ANSWERS, DECIDED
from cuesense.session import Session
from cuesense.types import F64

TOOL: Final = "tool"
SESSIONS_FOR_INTERVAL: Final = 5
"""From so many sessions on the sessions are resampled, not the units."""
SEED: Final = 1960
"""Of the resampling, so that the same ratings give the same interval."""
WANTED_WIDTH: Final = 0.2
"""Width of an interval that says something: κ to ± .1."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """The answers of one session as numbers of `ANSWERS`, -1 where there is none.

    Attributes
    ----------
    said
        by name, the tool's last: (units,).
    weights
        (units,), what each stands for.
    """

    said: dict[str, npt.NDArray[np.intp]]
    weights: F64


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two raters, or a rater and the tool.

    Attributes
    ----------
    first, second
        their names.
    table
        (5, 5) counts of units coded by both, `ANSWERS` in order, rows are the first's.
    sessions
        how many hold such units.
    agreed
        share of the units that both decided (neither "cannot tell") on which they agree.
    kappa, low, high
        Cohen's κ over these, and its 95 % interval.
    kappa_all
        κ over all units, "cannot tell" an answer like any other.
    agreed_of_time, kappa_of_time
        of the units that both decided, weighted to the session's time.
    over
        what the interval resamples: "units" or "sessions".
    """

    first: str
    second: str
    table: F64
    sessions: int
    agreed: float
    kappa: float
    low: float
    high: float
    kappa_all: float
    agreed_of_time: float
    kappa_of_time: float
    over: str

    @property
    def coded(self) -> int:
        """Units coded by both."""
        return int(self.table.sum())

    @property
    def decided(self) -> int:
        """Units of which neither said "cannot tell"."""
        return int(self.table[:DECIDED, :DECIDED].sum())

    @property
    def per_answer(self) -> F64:
        """(4,), specific agreement on each answer but "cannot tell"."""
        return agreement.per_answer(self.table[:DECIDED, :DECIDED])

    @property
    def sentence(self) -> str:
        """How much, or how little, this says."""
        return _caution(self)


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """All that the ratings of some sessions say.

    Attributes
    ----------
    sessions
        how many.
    units
        how many were to be coded.
    coded
        units by rater.
    pairs
        raters with each other, then each with the tool.
    alpha
        Krippendorff's over all raters (people only, "cannot tell" as missing); NaN with two.
    """

    sessions: int
    units: int
    coded: dict[str, int]
    pairs: tuple[Pair, ...]
    alpha: float


def study(sessions: Sequence[Session]) -> Study:
    """Compare everybody who coded these sessions, and the tool.

    Parameters
    ----------
    sessions
        at least one; raters of the same name are one rater.

    Raises
    ------
    ParameterError
        If nobody has coded any of them, or a session is given twice.
    OutputError
        If ratings cannot be read.
    """
    folders = [session.path.resolve() for session in sessions]
    for folder in folders:
        if folders.count(folder) > 1:
            raise ParameterError(f"session={str(folder)!r} is given twice: give it once")
    sheets = [sheet for session in sessions if (sheet := _sheet(session)) is not None]
    names = sorted({name for sheet in sheets for name in sheet.said} - {TOOL})
    if not names:
        raise ParameterError(
            f"nobody has coded {', '.join(repr(str(s.path)) for s in sessions)} yet: "
            "cuesense rate SESSION --as NAME"
        )
    people = itertools.combinations(names, 2)
    with_tool = ((name, TOOL) for name in names)
    return Study(
        sessions=len(sheets),
        units=sum(len(sheet.weights) for sheet in sheets),
        coded={n: sum(int((s.said[n] >= 0).sum()) for s in sheets if n in s.said) for n in names},
        pairs=tuple(compare(a, b, sheets) for a, b in itertools.chain(people, with_tool)),
        alpha=_alpha(names, sheets) if len(names) > 2 else float("nan"),
    )


def compare(first: str, second: str, sheets: Sequence[Sheet]) -> Pair:
    """Compare two raters over the sessions that both coded."""
    k = len(ANSWERS)
    tables, weighted = [np.zeros((k, k))], np.zeros((k, k))
    for sheet in sheets:
        if first in sheet.said and second in sheet.said:
            a, b = sheet.said[first], sheet.said[second]
            tables.append(agreement.confusion(a, b, k))
            weighted += agreement.confusion(a, b, k, sheet.weights)
    tables = [table for table in tables if table.sum()]
    total = np.sum(tables, axis=0) if tables else np.zeros((k, k))
    decided = total[:DECIDED, :DECIDED]
    pooled = len(tables) < SESSIONS_FOR_INTERVAL
    resampled = [decided] if pooled else [table[:DECIDED, :DECIDED] for table in tables]
    low, high = agreement.interval(resampled, np.random.default_rng(SEED))
    of_time = weighted[:DECIDED, :DECIDED]
    return Pair(
        first,
        second,
        total,
        sessions=len(tables),
        agreed=float(agreement.agreed(decided)),
        kappa=float(agreement.kappa(decided)),
        low=low,
        high=high,
        kappa_all=float(agreement.kappa(total)),
        agreed_of_time=float(agreement.agreed(of_time)),
        kappa_of_time=float(agreement.kappa(of_time)),
        over="units" if pooled else "sessions",
    )


def as_json(found: Study) -> dict[str, Any]:
    """Return a study as JSON holds it: None where a number is missing."""

    def number(x: float) -> float | None:
        return float(x) if np.isfinite(x) else None

    return {
        "answers": list(ANSWERS),
        "sessions": found.sessions,
        "units": found.units,
        "coded": found.coded,
        "alpha": number(found.alpha),
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                "sessions": pair.sessions,
                "coded_by_both": pair.coded,
                "decided_by_both": pair.decided,
                "agreement": number(pair.agreed),
                "kappa": number(pair.kappa),
                "kappa_interval": [number(pair.low), number(pair.high)],
                "interval_over": pair.over,
                "kappa_with_cannot_tell": number(pair.kappa_all),
                "agreement_of_time": number(pair.agreed_of_time),
                "kappa_of_time": number(pair.kappa_of_time),
                "per_answer": dict(zip(ANSWERS, map(number, pair.per_answer), strict=False)),
                "table": pair.table.astype(int).tolist(),
                "caution": pair.sentence,
            }
            for pair in found.pairs
        ],
    }


def _sheet(session: Session) -> Sheet | None:
    """Return the answers of a session; None if nobody has coded it."""
    ratings = Ratings(session)
    plan, names = ratings.planned(), ratings.names()
    if plan is None or not names:
        return None
    numbers = as_numbers([ratings.codes(name, plan) for name in names], len(plan.units))
    t, labels, _ = label_column(session)
    tool = [ANSWERS.index(answer) for answer in units.tool_answers(t, labels, plan.units)]
    said = {**dict(zip(names, numbers, strict=True)), TOOL: np.array(tool, np.intp)}
    return Sheet(said, np.array([unit.weight for unit in plan.units]))


def _alpha(names: Sequence[str], sheets: Sequence[Sheet]) -> float:
    """Return Krippendorff's α over the units of all sessions."""
    blocks = []
    for sheet in sheets:
        missing = np.full(len(sheet.weights), -1, np.intp)
        blocks.append(np.stack([sheet.said.get(name, missing) for name in names]))
    said = np.concatenate(blocks, axis=1)
    return agreement.alpha(np.where(said < DECIDED, said, -1), DECIDED)


def _caution(pair: Pair) -> str:
    n = pair.decided
    if not n:
        return "There is no unit of which both said something: nothing can be said."
    if not np.isfinite(pair.kappa):
        return (
            f"Both gave one and the same answer to all {n} units: κ is not defined, and "
            "agreement by chance cannot be told from any other."
        )
    if pair.agreed == 1:
        return (
            f"They agreed on all {n} units. Had they disagreed on {min(1, 3 / n):.0%} of all such "
            "bouts, that would still happen in one study of twenty; the interval cannot show it."
        )
    width = pair.high - pair.low
    if not np.isfinite(width):
        return f"{n} units are too few for an interval: κ is only a number here."
    if width <= WANTED_WIDTH:
        return f"κ is known to about ± {width / 2:.2f}, if the {pair.over} are independent."
    needed = int(np.ceil(n * (width / WANTED_WIDTH) ** 2 / 10) * 10)
    return (
        f"{n} units say little: anything from {pair.low:.2f} to {pair.high:.2f} fits them. "
        f"For ± {WANTED_WIDTH / 2:.1f} some {needed} would be needed, better of many couples than "
        "of one."
    )
