"""A study on the terminal: tables for the eye, sentences that say what they mean."""

from __future__ import annotations

import math
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cuesense.rating.results import TOOL, Pair, Study
from cuesense.rating.units import ANSWERS, DECIDED

NOTES: Final = (
    "κ is over the units of which neither said “cannot tell” (the tool: insufficient, or two "
    "labels equally long). It holds for these units, which were drawn so that each of the tool's "
    "answers occurs; “of the time” weights them back to how often they do in the session.",
    "The interval takes units for independent; neighbours in one conversation are not, so it is "
    "rather too narrow. From 5 sessions on it resamples sessions instead.",
    "How far people agree with each other is the most that the tool can be asked for.",
)


def show(found: Study, console: Console) -> None:
    """Print a study."""

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style), soft_wrap=False)

    sessions = "1 session" if found.sessions == 1 else f"{found.sessions} sessions"
    coded = ", ".join(f"{name} {n}" for name, n in found.coded.items())
    say(f"{sessions}, {found.units} units; coded: {coded}")
    console.print(_overview(found))
    if not math.isnan(found.alpha):
        say(f"Krippendorff's alpha over all {len(found.coded)} raters: {_number(found.alpha)}")
    for pair in found.pairs:
        say(f"\n{pair.first} and {_named(pair.second)}", "bold")
        say(pair.sentence)
        console.print(_confusion(pair))
    say("")
    for note in NOTES:
        say(note, "dim")


def _overview(found: Study) -> Table:
    heads = ("coded by both", "both decided", "agree", "κ [95 %]", "κ with “cannot tell”")
    table = Table("", *heads, "agree, of the time", "κ, of the time")
    for column in table.columns[1:]:
        column.justify = "right"
    for pair in found.pairs:
        table.add_row(
            f"{pair.first} and {_named(pair.second)}",
            str(pair.coded),
            str(pair.decided),
            _percent(pair.agreed),
            _number(pair.kappa) + _between(pair.low, pair.high),
            _number(pair.kappa_all),
            _percent(pair.agreed_of_time),
            _number(pair.kappa_of_time),
        )
    return table


def _confusion(pair: Pair) -> Table:
    """Return who said what together, and how far they agree on each answer."""
    table = Table(f"{pair.first} ↓  {_named(pair.second)} →", *ANSWERS, "agree on it")
    for column in table.columns[1:]:
        column.justify = "right"
    for i, answer in enumerate(ANSWERS):
        counts = [str(int(n)) if n else "·" for n in pair.table[i]]
        table.add_row(answer, *counts, _percent(pair.per_answer[i]) if i < DECIDED else "")
    return table


def _named(name: str) -> str:
    return "the tool" if name == TOOL else name


def _number(x: float) -> str:
    return "" if math.isnan(x) else f"{x:.2f}"


def _between(low: float, high: float) -> str:
    return "" if math.isnan(low) else f" [{low:.2f}, {high:.2f}]"


def _percent(x: float) -> str:
    return "" if math.isnan(x) else f"{x:.0%}"
