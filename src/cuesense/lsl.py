"""Cues as they come, or again, on the Lab Streaming Layer: ``--lsl`` and ``--lsl-replay``.

Streams: ``cuesense A``, ``cuesense B`` and ``cuesense dyad`` (float32, NaN where missing; words are
numbers, which the channels' description tells), ``cuesense words`` (the dyad's words as text) and
``cuesense events``. A sample's time is when the picture and sound were captured, on the LSL clock
of this machine; the channel ``t`` is the session's own time. Whoever is on the same network can
read the streams.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self
from xml.etree import ElementTree as ET

import numpy as np

from cuesense import schema
from cuesense.config import Config
from cuesense.errors import MissingExtraError
from cuesense.export.material import Material, Recorded, vocabulary
from cuesense.export.xdf import described
from cuesense.types import (
    PEOPLE,
    DyadState,
    Event,
    Moment,
    Person,
    PersonState,
    Reason,
    Role,
)

if TYPE_CHECKING:
    import pylsl

TIMELINE: Final = tuple(c for c in schema.TIMELINE if c.name != "person")
DYAD: Final = tuple(c for c in schema.STATE if c.kind == "float" or vocabulary(c.name))
WORDS: Final = tuple(c for c in schema.STATE if c.kind == "text")
EVENTS: Final = schema.EVENTS_TABLE
CODES: Final = {
    c.name: {word: i for i, word in enumerate(("", *vocabulary(c.name)))}
    for c in (*TIMELINE, *DYAD)
    if c.kind == "text"
}
"""The number of each word that the schema knows, by column; of any other it is -1."""
WAIT_S: Final = 0.05
LINGER_S: Final = 1.0
_SLACK: Final = 1e-6
"""s: times are sums of steps."""


class Outlets:
    """Edge: the outlets of one live session; a context manager.

    Parameters
    ----------
    config
        Settings: the rates.
    name
        Tells this session's streams from those of another program on the network.

    Raises
    ------
    MissingExtraError
        If pylsl, or the library it needs, is not installed.
    """

    def __init__(self, config: Config, name: str) -> None:
        try:
            import pylsl
        except (ImportError, RuntimeError) as error:  # RuntimeError: liblsl is not there
            raise MissingExtraError(
                "LSL streams need pylsl and liblsl: pip install 'cuesense[lsl]'"
            ) from error
        self._lsl = pylsl
        tick, dyad = config.grid.rate_hz, config.dyad.rate_hz
        self._outlets: dict[str, pylsl.StreamOutlet] = {
            **{str(p): self._outlet(p, "cues", TIMELINE, tick, name) for p in PEOPLE},
            "dyad": self._outlet("dyad", "cues", DYAD, dyad, name),
            "words": self._outlet("words", "Markers", WORDS, None, name),
            "events": self._outlet("events", "Markers", EVENTS, None, name),
        }

    def push(self, moment: Moment, captured: float) -> None:
        """Offer one moment.

        Parameters
        ----------
        moment
            Of the session.
        captured
            `time.monotonic()` when its picture and sound were captured, s.
        """
        # The two clocks may differ, and a machine that slept may have moved one against the other.
        at = captured + self._lsl.local_clock() - time.monotonic()
        for person in moment.people:
            words = {"role": str(person.role)} | {k: str(v) for k, v in person.reasons.items()}
            numbers = {"t": person.t} | dict(
                zip(schema.VALUES, person.values.tolist(), strict=True)
            )
            self._outlets[person.person].push_sample(_numbers(TIMELINE, numbers, words), at)
        if moment.dyad is not None:
            found = _columns(moment.dyad)
            words = {c.name: str(found[c.name]) for c in WORDS}
            self._outlets["dyad"].push_sample(_numbers(DYAD, found, words), at)
            self._outlets["words"].push_sample(list(words.values()), at)
        for event in moment.events:
            sample = [str(getattr(event, c.name)) for c in EVENTS]
            self._outlets["events"].push_sample(sample, at + _since(event, moment.t))

    def heard(self) -> bool:
        """Return whether anybody reads any of the streams."""
        return any(outlet.have_consumers() for outlet in self._outlets.values())

    def _outlet(
        self,
        stream: str,
        kind: str,
        columns: Sequence[schema.Column],
        rate_hz: float | None,
        name: str,
    ) -> pylsl.StreamOutlet:
        lsl = self._lsl
        form = "string" if rate_hz is None else "float32"
        rate = lsl.IRREGULAR_RATE if rate_hz is None else rate_hz
        info = lsl.StreamInfo(
            f"cuesense {stream}", kind, len(columns), rate, form, f"cuesense {name} {stream}"
        )
        _append(info.desc(), described(columns, CODES if rate_hz else {}))
        return lsl.StreamOutlet(info)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._outlets.clear()  # the library closes an outlet when it is let go of


def replay(session: Recorded, told: Callable[[str], None]) -> None:
    """Offer a finished session in real time, from when somebody first reads one of its streams.

    Parameters
    ----------
    session
        The session; its folder's name is in the streams' `source_id`.
    told
        Called with a line for the user.

    Raises
    ------
    MissingExtraError
        If pylsl, or the library it needs, is not installed.
    OutputError
        If the session cannot be read.
    """
    material = Material(session)
    with Outlets(Config.from_dict(session.meta["config"]), session.path.name) as outlets:
        told("LSL: streams are offered; the replay begins when somebody reads one …")
        while not outlets.heard():
            time.sleep(WAIT_S)
        began = time.monotonic()
        for moment in moments(material):
            time.sleep(max(0.0, began + moment.t - time.monotonic()))
            outlets.push(moment, began + moment.t)
        time.sleep(LINGER_S)  # what was sent last is still on its way


def moments(material: Material) -> Iterator[Moment]:
    """Yield a finished session's moments again, in the order of time."""
    states = [_state(row) for group in material.groups("state") for row in group.to_pylist()]
    happened = list(material.happened)
    for group in material.people():
        for rows in zip(*(group[p].to_pylist() for p in PEOPLE), strict=True):
            first, second = (_person(row, p) for row, p in zip(rows, PEOPLE, strict=True))
            events = []
            while happened and happened[0].t <= first.t + _SLACK:
                events.append(happened.pop(0))
            state = None
            while states and states[0].t <= first.t + _SLACK:
                state = states.pop(0)
            yield Moment(first.t, (first, second), state, events=tuple(events))


def _person(row: Mapping[str, Any], person: Person) -> PersonState:
    values = np.array([row.get(name, np.nan) for name in schema.VALUES], np.float64)
    reasons = {name: Reason(row.get(name, "")) for name in schema.REASONS}
    return PersonState(row["t"], person, Role(row["role"]), values, reasons)


def _state(row: Mapping[str, Any]) -> DyadState:
    own = {"t", "label", "reason", "variant", "rival", *(f"p_{m}" for m in schema.MODES)}
    first, second, third = (row[f"p_{m}"] for m in schema.MODES)
    evidence = {name: value for name, value in row.items() if name not in own}
    return DyadState(
        t=row["t"],
        label=row["label"],
        reason=row["reason"],
        variant=row["variant"],
        p=(first, second, third),
        evidence=evidence,
        rival=row["rival"],
    )


def _since(event: Event, now: float) -> float:
    """Return when an event began, from now on, in s: at most 0."""
    return min(0.0, event.t - now)


def _columns(state: DyadState) -> dict[str, Any]:
    """Return a state's values by column name."""
    posterior = {f"p_{m}": p for m, p in zip(schema.MODES, state.p, strict=True)}
    found = posterior | dict(state.evidence)
    return {c.name: found.get(c.name, getattr(state, c.name, np.nan)) for c in schema.STATE}


def _numbers(
    columns: Sequence[schema.Column], numbers: Mapping[str, Any], words: Mapping[str, str]
) -> list[float]:
    """Return a sample: numbers as they are, words as theirs."""
    return [
        float(CODES[c.name].get(words[c.name], -1))
        if c.kind == "text"
        else float(numbers.get(c.name, np.nan))
        for c in columns
    ]


def _append(node: pylsl.XMLElement, element: ET.Element) -> None:
    """Append an element, and what is in it, to a stream's description."""
    child = node.append_child(element.tag)
    for below in element:
        if len(below):
            _append(child, below)
        else:
            child.append_child_value(below.tag, below.text or "")
