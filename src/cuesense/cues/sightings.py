"""What sweeps and trackers see, what they are told to do, and how faces are compared.

Places are in picture lengths (the picture's longer side is 1, both across and down).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from cuesense.types import F32, F64, Reason

SURE = 0.7
"""Detector score from which an unknown face counts. People known to be there may score less, in
profile or half hidden; things that are no faces scored up to 0.67."""
SEPARATION = 2.0
"""Distance between two people's identities below which they look too alike to compare."""
COLOURS: Final = 45
"""Length of an appearance; the last numbers of an identity."""
GEOMETRY_SD, COLOUR_SD = 0.027, 0.035
"""Usual spread within one person (measured on 20 faces of 10 clips) of log distances and colours.
Between people it was 2.5 and 4.5 times as much."""


class Place(NamedTuple):
    """Centre and size of a face, in picture lengths."""

    x: float
    y: float
    size: float


def distance(a: Place, b: Place) -> float:
    """Return the distance of two faces' centres in sizes of the larger."""
    return float(np.hypot(a.x - b.x, a.y - b.y)) / max(a.size, b.size)


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A face that a sweep found; `appearance` (45,) are the colours around it."""

    place: Place
    score: float
    appearance: F64


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face that a tracker read. Fields as in `types.FaceCue`, and `identity` (66,)."""

    place: Place
    box: F64
    landmarks: F32
    blendshapes: F32
    pose: F64
    gaze: F64
    quality: float
    reason: Reason
    identity: F64


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one tracker saw in one picture; `swept` is None where it did not sweep."""

    face: Face | None = None
    swept: tuple[Detection, ...] | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What a tracker is to do with a picture.

    Attributes
    ----------
    start
        look for the face afresh here.
    rest
        do not look at all.
    sweep
        find all faces at least this wide, in picture lengths; 0: no sweep.
    """

    start: Place | None = None
    rest: bool = False
    sweep: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What is said of one seat in one picture: the face, or None with the reason."""

    face: Face | None
    reason: Reason


def identity(signature: F64, appearance: F64) -> F64:
    """Return geometry and colours as one vector (66,) in which one person's spread is about 1."""
    geometry = signature / (GEOMETRY_SD * np.sqrt(len(signature)))
    return np.concatenate([geometry, appearance / (COLOUR_SD * np.sqrt(len(appearance)))])


def margin(x: F64, own: F64, other: F64, alike: float = 0.0) -> float:
    """Return how much better `x` fits `own` than `other`, [-1, 1]; `alike` if they are that."""
    apart = float(np.linalg.norm(own - other))
    if apart < SEPARATION:
        return alike
    return float(np.linalg.norm(x - other) - np.linalg.norm(x - own)) / apart
