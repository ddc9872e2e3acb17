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
from cuesense.schema import VALUE_INDEX, VALUES
from cuesense.state.affect import PersonAffect
from cuesense.types import F64, U8, FaceCue, Reason
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


def looks(shown: Sequence[tuple[float, U8]], window_s: float = 0.4) -> list[Look]:
    """Return the faces of one person's pictures (times in s); pictures without one are left out."""
    trackers = _trackers()
    found: list[Look] = []
    started = False
    aspect = shown[0][1].shape[1] / shown[0][1].shape[0]
    dynamics = Dynamics((aspect,), window_s)
    for t, image in shown:
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
    found = still(picture(path))
    if found is None:
        raise ValueError(f"no face in {path}")
    return found


def picture(path: Path) -> U8:
    """Return a photograph's picture (height, width, 3)."""
    from PIL import Image

    with Image.open(path) as file:
        return np.ascontiguousarray(file.convert("RGB"), np.uint8)


def still(image: U8) -> Look | None:
    """Return the face of one picture, if there is one."""
    found = looks([(0.04 * i, image) for i in range(LOOKS)])
    return found[-1] if found else None


@cache
def clip(path: Path) -> tuple[Look, ...]:
    """Return the faces of a clip with one person, one per picture."""
    return tuple(looks(pictures(path)))


def pictures(path: Path) -> list[tuple[float, U8]]:
    """Return a clip's pictures with their times (s)."""
    import av

    with av.open(str(path)) as container:
        return [
            (float(f.time or 0.0), np.asarray(f.to_ndarray(format="rgb24"), np.uint8))
            for f in container.decode(video=0)
        ]


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
        nobody = np.full(len(VALUES), np.nan)
        for _ in range(round(APART_S * self._rate)):
            after._tell(nobody.copy(), Reason.NO_FACE)
        return after._push(shown, len(shown) / self._rate if seconds is None else seconds)

    def _push(self, shown: Sequence[Look], seconds: float) -> F64:
        looks = (shown[i % len(shown)].features for i in range(round(seconds * self._rate)))
        return np.array([self._tell(look.values.copy(), look.reason) for look in looks])

    def _tell(self, row: F64, reason: Reason) -> F64:
        self._stage.push(self._tick / self._rate, row, reason)
        self._tick += 1
        return row


def held(looks: Sequence[Look], seconds: float = 4.0) -> list[Look]:
    """Return photographs as a take: each is shown for some seconds."""
    return [look for look in looks for _ in range(round(25 * seconds))]


def column(rows: F64, name: str) -> F64:
    """Return a column of rows (ticks, columns)."""
    return np.asarray(rows[:, VALUE_INDEX[name]])


def share(hits: npt.NDArray[np.bool_], people: Sequence[Hashable]) -> Interval:
    """Return the share of hits (n,) with its interval over people (n,)."""
    return bootstrap(lambda i: float(hits[i].mean()), people)


def per_person(hits: npt.NDArray[np.bool_], people: Sequence[Hashable]) -> Interval:
    """Return the mean over people (n,) of each one's share of hits (n,), with its interval."""
    of: dict[Hashable, list[int]] = {}
    for i, person in enumerate(people):
        of.setdefault(person, []).append(i)
    shares = np.array([hits[mine].mean() for mine in of.values()])
    return bootstrap(lambda i: float(shares[i].mean()), range(len(shares)))
