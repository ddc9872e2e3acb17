"""One rater at work: what their page is told, and what it may ask for.

A page knows a bout by its place in this rater's own order. It is never told when in the session
that is, what the tool says there, how it was drawn, or what another rater said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cuesense.capture import SourceInfo
from cuesense.errors import ParameterError
from cuesense.rating import units
from cuesense.rating.questions import QUESTIONS
from cuesense.rating.store import LONGEST_WORDS, SURE, Code, Ratings, checked_answer

_HALF: Final = re.compile("[\ud800-\udfff]")  # half a character, which no file can hold
_NAMES: Final = tuple(question.name for question in QUESTIONS)
_FIELDS: Final = {"place", *_NAMES, "sure", "words"}


class Sitting:
    """A rater's bouts, and what they have said of them.

    Parameters
    ----------
    ratings
        of the session.
    name
        the rater's.
    count
        units, if they are still to be drawn; see `Ratings.plan`.
    unit_s
        s, likewise.

    Raises
    ------
    ParameterError
        As `Ratings.check` and `Ratings.plan`.
    OutputError
        As `Ratings.plan` and `Ratings.codes`.
    """

    def __init__(
        self,
        ratings: Ratings,
        name: str,
        *,
        count: int | None = None,
        unit_s: float | None = None,
    ) -> None:
        self._ratings = ratings
        self.name = ratings.check(name)
        self._plan = ratings.plan(count, unit_s)
        self._order = units.order_for(self.name, self._plan.seed, len(self._plan.units))
        self._codes = ratings.codes(self.name, self._plan)

    @property
    def stretches(self) -> list[tuple[float, float]]:
        """What is played of each bout, in this rater's order: (start, end) in s, with context."""
        found = [self._plan.units[unit] for unit in self._order]
        return [(max(0.0, unit.start - units.CONTEXT_S), unit.end) for unit in found]

    @property
    def first(self) -> int:
        """The place of the first bout that is not wholly coded, 0 if all are."""
        done = {unit for unit, code in self._codes.items() if code.complete}
        left = (place for place, unit in enumerate(self._order) if unit not in done)
        return next(left, 0)

    @property
    def done(self) -> int:
        """How many bouts are coded: have an answer to every question."""
        return sum(code.complete for code in self._codes.values())

    def __len__(self) -> int:
        return len(self._order)

    def tell(self, info: SourceInfo) -> dict[str, Any]:
        """Return all that the page is told: the bouts in this rater's order, and their answers."""
        people = self._ratings.session.meta["people"]
        bouts = []
        for unit, (start, _) in zip(self._order, self.stretches, strict=True):
            code = self._codes.get(unit, Code(("",) * len(QUESTIONS)))
            bouts.append(
                {
                    "lead_s": self._plan.units[unit].start - start,
                    "length_s": self._plan.unit_s,
                    **dict(zip(_NAMES, code.answers, strict=True)),
                    "sure": code.sure,
                    "words": code.words,
                }
            )
        return {
            "name": self.name,
            "listener": self._plan.listener,
            "side": people[self._plan.listener]["side"],
            "picture": info.views > 0,
            "stereo": sum(info.channels) == 2,
            "questions": list(_NAMES),
            "bouts": bouts,
        }

    def answer(self, message: Any) -> int:
        """Write down what the page sends; return how many bouts are coded.

        Raises
        ------
        ParameterError
            If it is no answer to one of the bouts.
        OutputError
            If it cannot be written.
        """
        place, code = _read(message, len(self))
        unit = self._order[place]
        self._codes = self._ratings.save(self.name, self._plan, unit, code)
        return self.done


def _read(message: Any, count: int) -> tuple[int, Code]:
    """Check a page's answer whole."""
    if not isinstance(message, Mapping) or message.keys() != _FIELDS:
        raise ParameterError(f"an answer must have the fields {sorted(_FIELDS)}: reload the page")
    place, sure, words = (message[k] for k in ("place", "sure", "words"))
    if type(place) is not int or not 0 <= place < count:
        raise ParameterError(f"place of an answer must be 0 to {count - 1}: reload the page")
    answers = []
    for question in QUESTIONS:
        answer = message[question.name]
        if not isinstance(answer, str):
            raise ParameterError(f"{question.name} must be text, empty if there is no answer yet")
        answers.append(checked_answer(question, answer))
    if sure is not None and (type(sure) is not int or sure not in SURE):
        raise ParameterError(f"sure must be null or one of {SURE}")
    sound = isinstance(words, str) and len(words) <= LONGEST_WORDS
    if not sound or _HALF.search(words) or "\0" in words:
        raise ParameterError(f"words must be text of at most {LONGEST_WORDS} characters")
    return place, Code(tuple(answers), sure, words)
