"""What is asked about a bout, and what the tool says to it. Pure.

Two claims are kept apart, as the tool keeps them apart: a *stance* (what the listener does) and
whether it is a response to this partner. Agreement on the one says nothing of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cuesense.schema import MODES
from cuesense.types import F64

CANNOT_TELL: Final = "cannot tell"
YES, NO = "yes", "no"

Said = npt.NDArray[np.intp]
"""Answers as numbers: their places in `Question.answers`, -1 where there is none."""


class Question(NamedTuple):
    """A question: its name in tables, its words, and its answers, the last `CANNOT_TELL`."""

    name: str
    words: str
    answers: tuple[str, ...]

    @property
    def decided(self) -> int:
        """How many answers, from the first on, say something about the two people."""
        return len(self.answers) - 1


STANCE: Final = Question("stance", "What does the listener do?", (*MODES, CANNOT_TELL))
RESPONDS: Final = Question("responds", "Is it a response to this partner?", (YES, NO, CANNOT_TELL))
QUESTIONS: Final = (STANCE, RESPONDS)


def stances(p: F64, least: float) -> Said:
    """Return the tool's answers to `STANCE`, tick by tick.

    Parameters
    ----------
    p
        (n, 3), probabilities of `schema.MODES`; NaN where it has none.
    least
        the probability from which it names one.

    Returns
    -------
        (n,), the likeliest stance; "cannot tell" where none is likely enough.
    """
    known = np.nan_to_num(p)
    said: Said = np.where(known.max(axis=1) >= least, known.argmax(axis=1), STANCE.decided)
    return said


def responses(contingency: F64, least: float) -> Said:
    """Return the tool's answers to `RESPONDS`, tick by tick.

    Parameters
    ----------
    contingency
        (n,), probability that the listener answers this partner; NaN where it has none.
    least
        the probability from which it says so.

    Returns
    -------
        (n,), "yes" from `least` on, else "no", which is the tool's *not shown*: it never claims
        that somebody does not respond. "cannot tell" where there is no probability.
    """
    yes, no = RESPONDS.answers.index(YES), RESPONDS.answers.index(NO)
    said: Said = np.select(
        [contingency >= least, np.isfinite(contingency)], [yes, no], RESPONDS.decided
    )
    return said


def most_frequent(said: Said, bouts: Sequence[slice], question: Question) -> Said:
    """Return one answer per bout: the most frequent one among its ticks.

    Parameters
    ----------
    said
        (n,), one answer per tick.
    bouts
        the ticks of each.
    question
        that they answer.

    Returns
    -------
        (bouts,); "cannot tell" if two are equally frequent, or there is no tick.
    """
    found = np.full(len(bouts), question.decided, np.intp)
    for i, ticks in enumerate(bouts):
        counts = np.bincount(said[ticks], minlength=len(question.answers))
        first = counts == counts.max()
        if counts.any() and first.sum() == 1:
            found[i] = int(np.argmax(first))
    return found
