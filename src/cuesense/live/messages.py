"""What watchers of a live session are told: cues and moments as plain messages (pure).

Numbers that are missing are None. Coordinates are shares of the picture, which is not mirrored.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from cuesense import schema
from cuesense.types import (
    PEOPLE,
    Advice,
    DyadState,
    FaceCue,
    Moment,
    Person,
    PersonState,
    Role,
    VoiceCue,
)

PERSON_COLUMNS: Final = (
    "arousal",
    "valence",
    "speaking",
    "f0_hz",
    "loudness_db",
    "syllable_rate",
    "gaze_on_partner",
    "motion_energy",
)
POINTED: Final = (*schema.MODES, schema.RESPONDING, schema.CALM, schema.MOVED)
"""Labels at which the needle points somewhere."""
REASONS: Final = ("face_reason", "voice_reason", "state_reason")

FACE_OVAL: Final = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288),
    *(397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136),
    *(172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""Landmarks round the face, in order."""

LEAST_NATS: Final = 0.3
"""Log evidence from which something is worth a mention: odds of 4 to 3."""

PICTURE: Final = 1
"""First byte of a binary message that holds a picture."""


def picture(view: int, t: float, jpeg: bytes) -> bytes:
    """Return a picture: type, view, time of capture (monotonic s, little-endian), JPEG."""
    return struct.pack("<BBd", PICTURE, view, t) + jpeg


def faces(view: int, t: float, cues: Sequence[FaceCue]) -> dict[str, Any]:
    """Return the outlines of the faces of one picture; `t` is its time of capture."""
    return {
        "type": "faces",
        "view": view,
        "t": t,
        "faces": [
            {
                "seat": cue.seat,
                "box": np.round(cue.box, 4).tolist(),
                "outline": np.round(cue.landmarks[list(FACE_OVAL), :2], 4).tolist(),
                "quality": round(cue.quality, 3),
                "reason": str(cue.reason),
            }
            for cue in cues
            if cue.present
        ],
    }


def sound(t: float, cues: Mapping[int, VoiceCue]) -> dict[str, Any]:
    """Return what is heard on each channel."""
    return {
        "type": "sound",
        "t": t,
        "channels": [
            {
                "loudness_db": number(cue.loudness_db, 1),
                "f0_hz": number(cue.f0_hz, 1),
                "speech": number(cue.speech, 2),
            }
            for _, cue in sorted(cues.items())
        ],
    }


def advice(given: Advice) -> dict[str, Any]:
    """Return a sentence of feedback with its reasons."""
    return {
        "type": "advice",
        "t": given.t,
        "until": given.until,
        "kind": given.kind,
        "text": given.text,
        "because": list(given.because),
    }


class Tally:
    """What a live view counts: talk, nods and backchannels of each person."""

    def __init__(self) -> None:
        self._spoken = dict.fromkeys(PEOPLE, 0)
        self._counts: dict[tuple[str, str], int] = {}

    def push(self, moment: Moment) -> None:
        """Count one moment."""
        for person in moment.people:
            self._spoken[person.person] += person["speaking"] > 0.5
        for event in moment.events:
            key = (event.person, event.kind)
            self._counts[key] = self._counts.get(key, 0) + 1

    def share(self, person: Person) -> float | None:
        """Return the person's share of all speaking, None before anybody spoke."""
        total = sum(self._spoken.values())
        return round(self._spoken[person] / total, 3) if total else None

    def count(self, person: Person, kind: str) -> int:
        """Return how many events of a kind the person had."""
        return self._counts.get((person, kind), 0)


class Delay:
    """How late something was, over the last `size` times (of cues: some 15 s)."""

    def __init__(self, size: int = 2000) -> None:
        self._seen: deque[float] = deque(maxlen=size)

    def add(self, seconds: float) -> None:
        """Note one delay."""
        self._seen.append(seconds)

    @property
    def p95_ms(self) -> float | None:
        """95th percentile in ms, None before the first."""
        if not self._seen:
            return None
        rank = math.ceil(0.95 * len(self._seen)) - 1
        seen = np.fromiter(self._seen, np.float64, len(self._seen))
        return round(1000 * float(np.partition(seen, rank)[rank]), 1)


def listener_of(moment: Moment) -> Person | None:
    """Return who listens, None while it is not known."""
    return next((p.person for p in moment.people if p.role is Role.LISTENER), None)


def state(moment: Moment, tally: Tally, **more: Any) -> dict[str, Any]:
    """Return the session view's state of a moment that has a `DyadState`."""
    dyad = moment.dyad
    assert dyad is not None
    listener = listener_of(moment)
    known = all(math.isfinite(p) for p in dyad.p)
    return {
        "type": "state",
        "t": moment.t,
        "label": dyad.label,
        "reason": dyad.reason,
        "variant": dyad.variant,
        "p": [round(p, 3) for p in dyad.p] if known else None,
        "needle": round(dyad.p[1] - dyad.p[0], 3) if dyad.label in POINTED else None,
        "contingency": number(dyad.evidence.get("contingency", math.nan)),
        "by_chance": number(dyad.evidence.get("contingency_by_chance", math.nan)),
        "rests_on": _rests_on(dyad),
        "rival": schema.RIVALS.get(dyad.rival, ""),
        "people": {p.person: _person(p) for p in moment.people},
        "turn_share": tally.share(listener) if listener else None,
        "nods": tally.count(listener, "nod") if listener else 0,
        "backchannels": tally.count(listener, "backchannel") if listener else 0,
        **more,
    }


def _rests_on(dyad: DyadState, most: int = 2) -> list[str]:
    """Return what speaks most for a contingency, strongest first, in words."""
    found = {name: dyad.evidence.get(name, math.nan) for name in schema.LINKS}
    order = sorted((name for name in found if found[name] > LEAST_NATS), key=lambda n: -found[n])
    return [schema.LINKS[name] for name in order[:most]]


def trace(moment: Moment) -> dict[str, Any]:
    """Return both people's states, for the traces of a page that comes later."""
    states: dict[str, Any] = {
        p.person: {name: number(p[name]) for name in ("arousal", "valence")} for p in moment.people
    }
    return {"t": moment.t, **states}


def number(x: float, digits: int = 3) -> float | None:
    """Return a number as JSON holds it."""
    return round(float(x), digits) if math.isfinite(x) else None


def _person(person: PersonState) -> dict[str, Any]:
    return {
        "role": str(person.role),
        **{name: number(person[name]) for name in PERSON_COLUMNS},
        **{name: str(person.reasons[name]) for name in REASONS},
        "quality": number(person["face_quality"]),
    }
