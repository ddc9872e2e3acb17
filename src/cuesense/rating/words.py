"""A study in words: tables and sentences for the terminal, JSON for scripts."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cuesense.rating.questions import RESPONDS, Question
from cuesense.rating.results import TOOL, Pair, Part, Study

NOTES: Final = (
    "κ is over the units of which neither said “cannot tell” (the tool: no stance likely enough, "
    "or two equally long).",
    "The tool's “no” means “not shown”: it never claims that somebody does not respond. It goes by "
    "all that it has seen of the session so far, a rater by one bout.",
    "An interval over units takes them for independent; neighbours in one conversation are not, so "
    "it is rather too narrow. From 5 sessions on it resamples sessions instead.",
    "How far people agree with each other is the most that the tool can be asked for.",
)


def show(found: Study, console: Console) -> None:
    """Print a study."""

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style), soft_wrap=False)

    sessions = "1 session" if found.sessions == 1 else f"{found.sessions} sessions"
    coded = ", ".join(f"{name} {n}" for name, n in found.coded.items())
    say(f"{sessions}, {found.units} units; with both answers: {coded}")
    for part in found.parts:
        say(f"\n{part.question.words}", "bold underline")
        console.print(_overview(part))
        if not math.isnan(part.alpha):
            say(f"Krippendorff's alpha over all {len(found.coded)} raters: {_number(part.alpha)}")
        for pair in part.pairs:
            say(f"\n{pair.first} and {_named(pair.second)}", "bold")
            say(pair.sentence)
            if pair.coded:
                console.print(_confusion(pair, part))
    say("")
    for note in NOTES:
        say(note, "dim")


def _overview(part: Part) -> Table:
    table = Table("", "coded by both", "both decided", "agree", "κ [95 %]", "κ with “cannot tell”")
    for column in table.columns[1:]:
        column.justify = "right"
    for pair in part.pairs:
        value = _number(pair.kappa) + _between(pair.low, pair.high)
        table.add_row(
            f"{pair.first} and {_named(pair.second)}",
            str(pair.coded),
            str(pair.decided),
            _percent(pair.agreed),
            value if pair.enough else "insufficient data",
            _number(pair.kappa_all),
        )
    return table


def _confusion(pair: Pair, part: Part) -> Table:
    """Return who said what together, and how far they agree on each answer."""
    answers, tools = part.question.answers, list(part.question.answers)
    if part.question is RESPONDS and pair.second == TOOL:
        tools[1] = "not shown"
    table = Table(f"{pair.first} ↓  {_named(pair.second)} →", *tools, "agree on it")
    for column in table.columns[1:]:
        column.justify = "right"
    per_answer = [*map(_percent, pair.per_answer), ""]
    for answer, counts, share in zip(answers, pair.table, per_answer, strict=True):
        table.add_row(answer, *(str(int(n)) if n else "·" for n in counts), share)
    return table


def _named(name: str) -> str:
    return "the tool" if name == TOOL else name


def _number(x: float) -> str:
    return "" if math.isnan(x) else f"{x:.2f}"


def _between(low: float, high: float) -> str:
    return "" if math.isnan(low) else f" [{low:.2f}, {high:.2f}]"


def _percent(x: float) -> str:
    return "" if math.isnan(x) else f"{x:.0%}"


def as_json(found: Study) -> dict[str, Any]:
    """Return a study as JSON holds it: None where a number is missing."""
    return {
        "sessions": found.sessions,
        "units": found.units,
        "coded": found.coded,
        "questions": {
            part.question.name: {
                "answers": list(part.question.answers),
                "alpha": _or_none(part.alpha),
                "pairs": [_pair(pair, part.question) for pair in part.pairs],
            }
            for part in found.parts
        },
    }


def _pair(pair: Pair, question: Question) -> dict[str, Any]:
    return {
        "first": pair.first,
        "second": pair.second,
        "sessions": pair.sessions,
        "coded_by_both": pair.coded,
        "decided_by_both": pair.decided,
        "agreement": _or_none(pair.agreed),
        "kappa": _or_none(pair.kappa),
        "kappa_interval": [_or_none(pair.low), _or_none(pair.high)],
        "interval_over": pair.over,
        "kappa_with_cannot_tell": _or_none(pair.kappa_all),
        "per_answer": dict(zip(question.answers, map(_or_none, pair.per_answer), strict=False)),
        "table": pair.table.astype(int).tolist(),
        "caution": pair.sentence,
    }


def _or_none(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None
