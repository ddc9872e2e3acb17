"""Cues as they come, offered on the Lab Streaming Layer: ``cuesense live --lsl``.

Streams: ``cuesense A``, ``cuesense B`` and ``cuesense dyad`` (float32, NaN where missing; words are
numbers, which the channels' description tells), ``cuesense words`` (the dyad's words as text) and
``cuesense events``. A sample's time is when the picture and sound were captured, on the LSL clock
of this machine; the channel ``t`` is the session's own time. Whoever is on the same network can
read the streams.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self
from xml.etree import ElementTree as ET

import numpy as np

from cuesense import schema
from cuesense.config import Config
from cuesense.errors import MissingExtraError
from cuesense.export.material import vocabulary
from cuesense.export.xdf import described
from cuesense.types import PEOPLE, DyadState, Event, Moment

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
        self._outlets = {
            **{p: self._outlet(p, "cues", TIMELINE, tick, name) for p in PEOPLE},
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
