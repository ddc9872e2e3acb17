"""Raters and the tool compared, question by question, over one session or several."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cuesense.errors import ParameterError
from cuesense.rating import agreement, questions, units
from cuesense.rating.questions import QUESTIONS, RESPONDS, STANCE, Question, Said
from cuesense.rating.store import Codes, Plan, Ratings, as_numbers
from cuesense.schema import MODES
from cuesense.session import Session
from cuesense.types import F64

TOOL: Final = "tool"
LEAST_UNITS: Final = 10
"""Fewer units that both decided are no basis for κ: with them even full agreement would fit people
who disagree about a quarter of all bouts (the rule of three: 3 / 10)."""
SESSIONS_FOR_INTERVAL: Final = 5
"""From so many sessions on the sessions are resampled, not the units."""
SEED: Final = 1960
"""Of the resampling, so that the same ratings give the same interval."""
WANTED_WIDTH: Final = 0.2
"""Width of an interval that says something: κ to ± .1."""

Sheet = Mapping[str, Said]
"""The answers to one question in one session, by name; -1 where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two raters, or a rater and the tool, on one question.

    Attributes
    ----------
    first, second
        their names.
    table
        (k, k) counts of units that both answered, in the order of the question's answers; rows
        are the first's.
    sessions
        how many hold such units.
    agreed
        share of the units that both decided (neither "cannot tell") on which they agree.
    kappa, low, high
        Cohen's κ over these, and its 95 % interval; NaN under `LEAST_UNITS`.
    kappa_all
        κ over all units, "cannot tell" an answer like any other; NaN under `LEAST_UNITS`.
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
    over: str

    @property
    def coded(self) -> int:
        """Units that both answered."""
        return int(self.table.sum())

    @property
    def decided(self) -> int:
        """Units of which neither said "cannot tell"."""
        return int(self.table[:-1, :-1].sum())

    @property
    def enough(self) -> bool:
        """Whether κ is given at all."""
        return self.decided >= LEAST_UNITS

    @property
    def per_answer(self) -> F64:
        """(k - 1,), specific agreement on each answer but "cannot tell"."""
        return agreement.per_answer(self.table[:-1, :-1])

    @property
    def sentence(self) -> str:
        """How much, or how little, this says."""
        return _caution(self)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What was said to one question.

    Attributes
    ----------
    question
        it.
    pairs
        raters with each other, then each with the tool.
    alpha
        Krippendorff's over all raters (people only, "cannot tell" as missing); NaN with two.
    """

    question: Question
    pairs: tuple[Pair, ...]
    alpha: float


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
        units by rater, with an answer to every question.
    parts
        what was said, one for each of `QUESTIONS`.
    """

    sessions: int
    units: int
    coded: dict[str, int]
    parts: tuple[Part, ...]


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
    rated = [found for session in sessions if (found := _rated(session)) is not None]
    names = sorted({name for _, _, codes in rated for name in codes})
    if not names:
        raise ParameterError(
            f"nobody has coded {', '.join(repr(str(s.path)) for s in sessions)} yet: "
            "cuesense rate SESSION --as NAME"
        )
    coded = dict.fromkeys(names, 0)
    for _, _, by_name in rated:
        for name, codes in by_name.items():
            coded[name] += sum(code.complete for code in codes.values())
    return Study(
        sessions=len(rated),
        units=sum(len(plan.units) for _, plan, _ in rated),
        coded=coded,
        parts=tuple(
            part(question, names, [_sheet(question, *found) for found in rated])
            for question in QUESTIONS
        ),
    )


def part(question: Question, names: Sequence[str], sheets: Sequence[Sheet]) -> Part:
    """Compare raters, and each with the tool, on one question."""
    people = itertools.combinations(names, 2)
    with_tool = ((name, TOOL) for name in names)
    return Part(
        question,
        tuple(compare(a, b, sheets, question) for a, b in itertools.chain(people, with_tool)),
        alpha=_alpha(names, sheets, question) if len(names) > 2 else float("nan"),
    )


def compare(first: str, second: str, sheets: Sequence[Sheet], question: Question) -> Pair:
    """Compare two raters on one question, over the sessions that both coded."""
    k = len(question.answers)
    tables = [
        agreement.confusion(sheet[first], sheet[second], k)
        for sheet in sheets
        if first in sheet and second in sheet
    ]
    tables = [table for table in tables if table.sum()]
    total = np.sum(tables, axis=0) if tables else np.zeros((k, k))
    decided = [table[:-1, :-1] for table in tables if table[:-1, :-1].sum()]
    of_both = total[:-1, :-1]
    pooled = len(decided) < SESSIONS_FOR_INTERVAL
    value, low, high = float("nan"), float("nan"), float("nan")
    if of_both.sum() >= LEAST_UNITS:
        value = float(agreement.kappa(of_both))
        rng = np.random.default_rng(SEED)
        low, high = agreement.interval([of_both] if pooled else decided, rng)
    return Pair(
        first,
        second,
        total,
        sessions=len(tables),
        agreed=float(agreement.agreed(of_both)),
        kappa=value,
        low=low,
        high=high,
        kappa_all=float(agreement.kappa(total)) if total.sum() >= LEAST_UNITS else float("nan"),
        over="units" if pooled else "sessions",
    )


def _rated(session: Session) -> tuple[Session, Plan, dict[str, Codes]] | None:
    """Return what a session's raters said; None if nobody has coded it."""
    ratings = Ratings(session)
    plan, names = ratings.planned(), ratings.names()
    if plan is None or not names:
        return None
    return session, plan, {name: ratings.codes(name, plan) for name in names}


def _sheet(question: Question, session: Session, plan: Plan, by_name: dict[str, Codes]) -> Sheet:
    people = {name: as_numbers(codes, question, len(plan.units)) for name, codes in by_name.items()}
    return {**people, TOOL: said_by_tool(question, session, plan)}


def said_by_tool(question: Question, session: Session, plan: Plan) -> Said:
    """Return the tool's answer for each unit, by the bounds of the session's own settings."""
    bounds = session.meta["config"]["dyad"]
    stances = [f"p_{mode}" for mode in MODES]
    table = session.state.to_arrow(["t", *stances, "contingency"])
    if question is STANCE:
        p = np.stack([table.column(name).to_numpy() for name in stances], axis=1)
        ticks = questions.stances(p, float(bounds["min_p"]))
    else:
        assert question is RESPONDS
        contingency = table.column("contingency").to_numpy()
        ticks = questions.responses(contingency, float(bounds["min_contingency"]))
    t = table.column("t").to_numpy()
    bouts = [units.within(t, unit) for unit in plan.units]
    return questions.most_frequent(ticks, bouts, question)


def _alpha(names: Sequence[str], sheets: Sequence[Sheet], question: Question) -> float:
    """Return Krippendorff's α over the units of all sessions."""
    blocks = []
    for sheet in sheets:
        missing = np.full(len(next(iter(sheet.values()))), -1, np.intp)
        blocks.append(np.stack([sheet.get(name, missing) for name in names]))
    said = np.concatenate(blocks, axis=1)
    k = question.decided
    return agreement.alpha(np.where(said < k, said, -1), k)


def _caution(pair: Pair) -> str:
    n = pair.decided
    if not pair.enough:
        bouts = "1 bout" if n == 1 else f"{n or 'no'} bouts"
        return f"Insufficient data: both decided {bouts}, κ needs {LEAST_UNITS} or more."
    if not np.isfinite(pair.kappa):
        return (
            f"Both gave one and the same answer to all {n} units: κ is not defined, and "
            "agreement by chance cannot be told from any other."
        )
    if pair.agreed == 1:
        return (
            f"They agreed on all {n} units. Had they disagreed on {min(1, 3 / n):.0%} of all such "
            "bouts, that would still happen in one study of twenty; no interval can show it."
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
