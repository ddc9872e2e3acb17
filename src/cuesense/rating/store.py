"""What raters said, at rest: ``ratings/`` in the session folder.

``units.json`` holds the units, made once and the same for every rater; ``NAME.csv`` one row per
unit that this rater has coded. A file is replaced whole, after it is on the disk, or not at all.
"""

from __future__ import annotations

import csv
import io
import json
import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from cuesense.errors import OutputError, ParameterError
from cuesense.rating import units, whole
from cuesense.rating.questions import QUESTIONS, Question, Said
from cuesense.rating.units import Unit
from cuesense.session import Session

FOLDER: Final = "ratings"
UNITS: Final = "units.json"
COLUMNS: Final = ("unit", "start_s", "end_s", *(q.name for q in QUESTIONS), "sure", "words", "at")
SURE: Final = (1, 2, 3)
"""How sure a rater is: unsure, fairly sure, sure."""
LONGEST_NAME: Final = 40
LONGEST_WORDS: Final = 2000
VERSION: Final = 1
_TAKEN: Final = ("tool", "con", "prn", "aux", "nul")  # ours, and devices of Windows
_DEVICES: Final = ("com", "lpt")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is coded in a session.

    Attributes
    ----------
    units
        in order of time.
    asked
        how many were asked for; there may be fewer.
    unit_s
        s, their length.
    listener
        "A" or "B": whom the question is about.
    seed
        of the draw, and of each rater's order.
    """

    units: tuple[Unit, ...]
    asked: int
    unit_s: float
    listener: str
    seed: int


@dataclass(frozen=True, slots=True)
class Code:
    """What a rater said of one unit.

    Attributes
    ----------
    answers
        to `QUESTIONS`, in their order; "" where there is none yet.
    sure
        one of `SURE`, or None.
    words
        of their own.
    at
        ISO 8601 in UTC: when it was last written.
    """

    answers: tuple[str, ...]
    sure: int | None = None
    words: str = ""
    at: str = ""

    @property
    def complete(self) -> bool:
        """Whether every question has an answer."""
        return all(self.answers)


Codes = dict[int, Code]
"""By unit, counted from 0 in order of time."""


def checked_name(name: str) -> str:
    """Return a rater's name as it is used.

    Raises
    ------
    ParameterError
        If it is none: then it could name a file elsewhere.
    """
    name = unicodedata.normalize("NFC", name)
    plain = all(letter.isalnum() or letter in "-_" for letter in name)
    low = name.lower()
    taken = low in _TAKEN or (low[:3] in _DEVICES and low[3:].isdigit())
    if taken or not plain or not 0 < len(name) <= LONGEST_NAME:
        raise ParameterError(
            f"name={name!r} must be 1 to {LONGEST_NAME} letters, digits, - or _, and none of "
            f"{', '.join(_TAKEN)}; choose another with --as"
        )
    return name


def listener_of(session: Session) -> str:
    """Return who listens in a session, "A" or "B"."""
    people: dict[str, dict[str, str]] = session.meta["people"]
    return next(person for person, who in people.items() if who["role"] == "listener")


class Ratings:
    """The ratings of one session.

    Parameters
    ----------
    session
        A finished session.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.folder = session.path / FOLDER

    def plan(self, count: int | None = None, unit_s: float | None = None) -> Plan:
        """Return what is coded; the first call draws it, and it stays.

        Parameters
        ----------
        count
            units, None: `units.COUNT`; not looked at once there is a plan.
        unit_s
            s, None: `units.UNIT_S`, or what was chosen before.

        Raises
        ------
        ParameterError
            If the session holds nothing to code, or was begun with another length or listener.
        OutputError
            If the plan cannot be read or written.
        """
        path = self.folder / UNITS
        made = not path.exists()
        if made:
            drawn = self._draw(
                units.COUNT if count is None else count,
                units.UNIT_S if unit_s is None else unit_s,
            )
            with whole.writing(self.folder):
                self.folder.mkdir(exist_ok=True)
                whole.publish(path, _written(drawn))
        plan = self.planned()
        assert plan is not None
        for option, wanted, has in (
            ("units", count, plan.asked),
            ("seconds", unit_s, plan.unit_s),
        ):
            if wanted is not None and wanted != has and not made:
                raise ParameterError(
                    f"--{option} {wanted:g}: {str(self.folder)!r} was begun with {has:g}; leave it "
                    "out, or code a copy of the session without that folder"
                )
        return plan

    def planned(self) -> Plan | None:
        """Return what is coded, None if that was never drawn; errors as of `plan`."""
        path = self.folder / UNITS
        try:
            plan = _plan(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(
                f"{str(path)!r} cannot be read ({error}); put back an untouched copy"
            ) from error
        if plan.listener != (listener := listener_of(self.session)):
            raise ParameterError(
                f"{str(self.folder)!r} is about listener {plan.listener}, the session about "
                f"{listener}: analyse the recording again with --listener {plan.listener}"
            )
        return plan

    def names(self) -> list[str]:
        """Return the names of all raters, in order.

        Raises
        ------
        OutputError
            If a table is there that is no rater's.
        """
        found = []
        for path in self.folder.glob("[!.]*.csv"):
            try:
                found.append(checked_name(path.stem))
            except ParameterError as error:
                raise OutputError(f"{str(path)!r} is no rater's table: move it away") from error
        return sorted(found)

    def codes(self, name: str, plan: Plan) -> Codes:
        """Return what a rater has said so far.

        Raises
        ------
        OutputError
            If their file cannot be read, or is of other units.
        """
        path = self._file(name)
        try:
            text = path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise OutputError(f"{str(path)!r} cannot be read ({error})") from error
        return dict(_rows(path, text, plan))

    def save(self, name: str, plan: Plan, unit: int, code: Code) -> Codes:
        """Write down what a rater says of a unit, and return all that they have said.

        Raises
        ------
        OutputError
            If it cannot be written; what was there before still is.
        """
        codes = self.codes(name, plan)
        codes[unit] = replace(code, at=datetime.now(UTC).isoformat(timespec="seconds"))
        out = io.StringIO(newline="")
        rows = csv.writer(out)
        rows.writerow(COLUMNS)
        for i in sorted(codes):
            start, end = plan.units[i]
            c = codes[i]
            rows.writerow(
                (i + 1, f"{start:.3f}", f"{end:.3f}", *c.answers, c.sure or "", c.words, c.at)
            )
        with whole.writing(self.folder):
            whole.replace(self._file(name), out.getvalue())
        return codes

    def check(self, name: str) -> str:
        """Return a rater's name; errors as of `checked_name`, or if another differs in case only.

        Some file systems would take both for one.
        """
        name = checked_name(name)
        for other in self.names():
            if other != name and other.casefold() == name.casefold():
                raise ParameterError(
                    f"name={name!r} is {other!r} but for its case: use that, or another name"
                )
        return name

    def _file(self, name: str) -> Path:
        return self.folder / f"{checked_name(name)}.csv"

    def _draw(self, count: int, unit_s: float) -> Plan:
        if not 1 <= count <= units.MOST:
            raise ParameterError(f"--units {count} must be 1 to {units.MOST}")
        if not units.SHORTEST_S <= unit_s <= units.LONGEST_S:
            raise ParameterError(
                f"--seconds {unit_s:g} must be {units.SHORTEST_S:g} to {units.LONGEST_S:g}"
            )
        table = self.session.state.to_arrow(["t", "calibrated"])
        t, calibrated = (table.column(name).to_numpy() for name in ("t", "calibrated"))
        seed = units.seed_of(self.session.meta)
        rng = np.random.default_rng(seed)
        drawn = units.draw(t, calibrated == 1, unit_s=unit_s, count=count, rng=rng)
        if not drawn:
            raise ParameterError(
                f"{str(self.session.path)!r} has less than {unit_s:g} s in which what is usual for "
                "both people is known: there is nothing to code; see --baseline of 'analyze'"
            )
        return Plan(drawn, count, unit_s, listener_of(self.session), seed)


def checked_answer(question: Question, answer: str) -> str:
    """Return an answer that the question has, or ""; else ParameterError."""
    if answer and answer not in question.answers:
        raise ParameterError(
            f"{question.name}={answer!r} must be empty or one of {', '.join(question.answers)}"
        )
    return answer


def _written(plan: Plan) -> str:
    content = {
        "version": VERSION,
        "listener": plan.listener,
        "asked": plan.asked,
        "unit_s": plan.unit_s,
        "seed": str(plan.seed),  # more digits than other readers of JSON keep
        "units": [dict(zip(Unit._fields, unit, strict=True)) for unit in plan.units],
    }
    return json.dumps(content, indent=1)


def _plan(content: Mapping[str, Any]) -> Plan:
    if content["version"] != VERSION:
        raise ValueError(f"version {content['version']!r}, must be {VERSION}")
    found = tuple(
        Unit(*(float(unit[field]) for field in Unit._fields)) for unit in content["units"]
    )
    sound = all(math.isfinite(sum(u)) and 0 <= u.start < u.end for u in found)
    if not found or not sound:
        raise ValueError("its units are damaged")
    return Plan(
        found,
        int(content["asked"]),
        float(content["unit_s"]),
        str(content["listener"]),
        int(content["seed"]),
    )


def _rows(path: Path, text: str, plan: Plan) -> Iterator[tuple[int, Code]]:
    """Yield a rater's codes; OutputError where they are not of this plan."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    for row in reader:
        try:
            if None in row.values():
                raise ValueError("it has too few fields")
            unit, start = int(row["unit"]) - 1, float(row["start_s"])
            if not (0 <= unit < len(plan.units) and abs(start - plan.units[unit].start) < 0.01):
                raise ValueError(f"unit {row['unit']} at {row['start_s']} s is not in {UNITS}")
            answers = tuple(checked_answer(q, row[q.name]) for q in QUESTIONS)
            sure = int(row["sure"]) if row["sure"] else None
            if sure is not None and sure not in SURE:
                raise ValueError(f"sure={sure} must be empty or one of {SURE}")
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise OutputError(
                f"{str(path)!r}, line {reader.line_num}: {error}; mend it or move it away"
            ) from error
        yield unit, Code(answers, sure, row["words"] or "", row["at"] or "")


def as_numbers(codes: Codes, question: Question, n: int) -> Said:
    """Return a rater's answers to one question: (n,), -1 where missing."""
    said = np.full(n, -1, np.intp)
    for unit, code in codes.items():
        if answer := code.answers[QUESTIONS.index(question)]:
            said[unit] = question.answers.index(answer)
    return said
