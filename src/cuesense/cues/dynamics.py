"""What moves in a face: mouth, expression and head, from one picture to the next.

Each face becomes one row of the face columns of `schema.VALUES`. Speeds are differences over the
true time between pictures, root mean square over a short trailing window, so that they do not
depend on the frame rate.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from cuesense.cues import geometry
from cuesense.cues.measures import measures
from cuesense.schema import BLENDSHAPES, MEASURES, VALUE_INDEX, VALUES
from cuesense.types import F64, PEOPLE, Event, FaceCue, Reason

LONGEST_STEP_S = 0.25
"""s; no speed is taken over a longer gap between pictures."""
BLINK_CLOSED, BLINK_OPEN = 0.45, 0.3
"""Eye closure from which the eyes count as closed, and below which as open again."""
BLINK_S = (0.04, 0.6)
"""s; shortest and longest blink. Longer closures are closed eyes, not blinks."""

_MEASURES = [VALUE_INDEX[f"shape_{name}"] for name in MEASURES]
_BLENDS = slice(VALUE_INDEX[BLENDSHAPES[0]], VALUE_INDEX[BLENDSHAPES[-1]] + 1)


@dataclass(frozen=True, slots=True)
class FaceFeatures:
    """The face columns of one person at one picture; `values` (n columns,), others NaN."""

    t: float
    seat: int
    values: F64
    reason: Reason


@dataclass(slots=True)
class _Seat:
    t: float = np.nan
    mouth: float = np.nan
    shape: F64 | None = None
    pose: F64 | None = None
    squares: deque[tuple[float, F64]] = field(default_factory=deque)
    closed_since: float = np.nan


class Dynamics:
    """Stage: `FaceCue` -> `FaceFeatures` and blinks.

    Parameters
    ----------
    aspect
        width / height of each view's picture.
    window_s
        s over which speeds are averaged.
    """

    def __init__(self, aspect: tuple[float, ...], window_s: float) -> None:
        self._aspect = aspect
        self._window = window_s
        self._seats = (_Seat(), _Seat())

    def push(self, cue: FaceCue) -> tuple[FaceFeatures, list[Event]]:
        """Take one person's face at the next picture."""
        seat = self._seats[cue.seat]
        values = np.full(len(VALUES), np.nan)
        values[VALUE_INDEX["face_quality"]] = cue.quality
        if not cue.present:
            seat.shape = None
            seat.closed_since = np.nan
            return FaceFeatures(cue.t, cue.seat, values, cue.reason), []
        aspect = self._aspect[min(cue.seat, len(self._aspect) - 1)]
        shape = geometry.shape(cue.landmarks, aspect, cue.pose)
        mouth = geometry.mouth_opening(cue.landmarks, aspect)
        closure = geometry.eye_closure(cue.blendshapes)
        speeds = self._speeds(seat, cue, mouth, shape)
        named = {
            "box_x": cue.box[0],
            "box_y": cue.box[1],
            "box_w": cue.box[2],
            "box_h": cue.box[3],
            "head_pitch_rad": cue.pose[0],
            "head_yaw_rad": cue.pose[1],
            "head_roll_rad": cue.pose[2],
            "gaze_yaw_rad": cue.gaze[0],
            "gaze_pitch_rad": cue.gaze[1],
            "eye_closure": closure,
            "mouth_open": mouth,
            "mouth_motion": speeds[0],
            "face_motion": speeds[1],
            "head_speed": speeds[2],
            "smile": geometry.smile(shape),
            "brow_height": geometry.brow_height(shape),
            "brow_gap": geometry.brow_gap(shape),
        }
        for name, value in named.items():
            values[VALUE_INDEX[name]] = value
        values[_BLENDS] = cue.blendshapes
        values[_MEASURES] = measures(shape)
        features = FaceFeatures(cue.t, cue.seat, values, cue.reason)
        return features, _blink(seat, cue, closure)

    def _speeds(self, seat: _Seat, cue: FaceCue, mouth: float, shape: F64) -> F64:
        """Return RMS speed of mouth, face shape and head over the window, NaN at the start."""
        dt = cue.t - seat.t
        if seat.shape is not None and seat.pose is not None and 0 < dt <= LONGEST_STEP_S:
            speeds = (
                (mouth - seat.mouth) / dt,
                geometry.face_motion(shape, seat.shape, dt),
                float(np.linalg.norm(cue.pose - seat.pose)) / dt,
            )
            seat.squares.append((cue.t, np.square(speeds)))
        else:
            seat.squares.clear()
        seat.t, seat.mouth, seat.shape, seat.pose = cue.t, mouth, shape, cue.pose
        while seat.squares and seat.squares[0][0] < cue.t - self._window:
            seat.squares.popleft()
        if not seat.squares:
            return np.full(3, np.nan)
        return np.asarray(np.sqrt(np.mean([square for _, square in seat.squares], axis=0)))


def _blink(seat: _Seat, cue: FaceCue, closure: float) -> list[Event]:
    if np.isnan(seat.closed_since):
        if closure >= BLINK_CLOSED:
            seat.closed_since = cue.t
        return []
    if closure > BLINK_OPEN:
        return []
    start, seat.closed_since = seat.closed_since, np.nan
    if BLINK_S[0] <= cue.t - start <= BLINK_S[1]:
        return [Event(start, cue.t, PEOPLE[cue.seat], "blink")]
    return []
