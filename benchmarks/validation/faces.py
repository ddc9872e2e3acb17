"""Faces of photographs and clips, read by the package's own tracker, and played to its stages."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cuesense import models
from cuesense.config import Config
from cuesense.cues import geometry
from cuesense.cues.dynamics import Dynamics, FaceFeatures
from cuesense.cues.face_worker import Setup, Trackers
from cuesense.cues.sightings import Order
from cuesense.schema import VALUE_INDEX
from cuesense.state.affect import PersonAffect
from cuesense.types import F64, U8, FaceCue
from validation.part import Interval, bootstrap

LOOKS = 4
"""Times that the tracker looks at a photograph: it settles as on a live picture."""
SMALLEST = 0.04
"""Narrowest face looked for, share of the picture's longer side."""
HELD_S = 8.0
"""s for which a photograph is shown to the stages: their smoothing has settled then."""
APART_S = 1.0
"""s without a face between two takes, so that the second starts afresh."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One picture's face: what the tracker and what `Dynamics` say, and its shape (468, 3)."""

    cue: FaceCue
    features: FaceFeatures
    shape: F64


def looks(pictures: Sequence[tuple[float, U8]], window_s: float = 0.4) -> list[Look]:
    """Return the faces of one person's pictures (times in s); pictures without one are left out."""
    trackers = _trackers()
    found: list[Look] = []
    started = False
    aspect = pictures[0][1].shape[1] / pictures[0][1].shape[0]
    dynamics = Dynamics((aspect,), window_s)
    for t, image in pictures:
        order = Order()
        if not started:
            swept = trackers.look(image, t, [(0, Order(rest=True, sweep=SMALLEST))])[0].swept
            if not swept:
                continue
            order = Order(start=max(swept, key=lambda d: d.place.size).place)
            started = True
        face = trackers.look(image, t, [(0, order)])[0].face
        if face is None:
            continue
        cue = FaceCue(
            t,
            0,
            face.box,
            face.landmarks,
            face.blendshapes,
            face.pose,
            face.gaze,
            face.quality,
            face.reason,
        )
        shape = geometry.shape(cue.landmarks, aspect, cue.pose)
        found.append(Look(cue, dynamics.push(cue)[0], shape))
    return found


@cache
def _trackers() -> Trackers:
    return Trackers(Setup(models.fetch("face_landmarker"), Config().faces))


@cache
def photograph(path: Path) -> Look:
    """Return the face of a photograph.

    Raises
    ------
    ValueError
        if there is none.
    """
    from PIL import Image

    with Image.open(path) as file:
        image = np.ascontiguousarray(file.convert("RGB"), np.uint8)
    found = looks([(0.04 * i, image) for i in range(LOOKS)])
    if not found:
        raise ValueError(f"no face in {path}")
    return found[-1]


@cache
def clip(path: Path) -> tuple[Look, ...]:
    """Return the faces of a clip with one person, one per picture."""
    import av

    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        pictures = [
            (float(f.time or 0.0), np.asarray(f.to_ndarray(format="rgb24"), np.uint8))
            for f in frames
        ]
    return tuple(looks(pictures))


class Played:
    """A person's state stage that was played a baseline, and can be played takes after it.

    Parameters
    ----------
    baseline
        looks that are played again and again until the baseline is complete.
    """

    def __init__(self, baseline: Sequence[Look], config: Config | None = None) -> None:
        config = config or Config()
        self._rate = config.grid.rate_hz
        self._stage = PersonAffect(config)
        base = config.baseline
        self._tick = 0
        self.baseline = self._push(baseline, base.start_s + base.duration_s + 2.0)

    def take(self, shown: Sequence[Look], seconds: float | None = None) -> F64:
        """Return the rows (ticks, columns) of a take; each is played after the baseline alone.

        Parameters
        ----------
        shown
            looks, one per tick; played again and again if `seconds` is longer.
        seconds
            s; None plays them once.
        """
        after = copy.deepcopy(self)
        after._tick += round(APART_S * self._rate)
        return after._push(shown, len(shown) / self._rate if seconds is None else seconds)

    def _push(self, shown: Sequence[Look], seconds: float) -> F64:
        rows = []
        for i in range(round(seconds * self._rate)):
            look = shown[i % len(shown)]
            row = look.features.values.copy()
            t = self._tick / self._rate
            self._stage.push(t, row, look.features.reason)
            rows.append(row)
            self._tick += 1
        return np.array(rows)


def column(rows: F64, name: str) -> F64:
    """Return a column of rows (ticks, columns)."""
    return np.asarray(rows[:, VALUE_INDEX[name]])


def share(hits: npt.NDArray[np.bool_], people: Sequence[Hashable]) -> Interval:
    """Return the share of hits (n,) with its interval over people (n,)."""
    return bootstrap(lambda i: float(hits[i].mean()), people)
