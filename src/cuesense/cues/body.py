"""Body: motion energy in each person's region, and nods and shakes of the head.

Motion energy analysis counts the pixels whose grey level changes from picture to picture within
a person's region (Ramseyer & Tschacher 2011, doi:10.1037/a0023419). The region follows the face:
as wide as the shoulders, from above the head to the lower edge, cut halfway to the other person.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cuesense.config import Body as BodyConfig
from cuesense.types import F64, PEOPLE, Event, FaceCue, Reason, VideoFrame

SHOULDERS = 1.6
"""Half the width of a person's region, in face widths."""
ABOVE = 0.4
"""How far the region goes above the face box, in face heights."""
MEMORY_S = 2.0
"""s for which a person's region stays where it was when the face is not seen."""
LONGEST_STEP_S = 0.25
"""s; pictures further apart than this are not differenced."""


@dataclass(frozen=True, slots=True)
class Motion:
    """Motion energy of one person at one picture: share of the region's pixels in [0, 1]."""

    t: float
    seat: int
    energy: float
    reason: Reason


@dataclass(slots=True)
class Swings:
    """State of the nod detector for one angle: the current swing and the run of swings so far."""

    extreme_t: float = np.nan
    extreme: float = np.nan
    start_t: float = np.nan
    start: float = np.nan
    direction: int = 0
    run: list[tuple[float, float, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Oscillation:
    """A finished nod or shake: `swings` half periods, `size` mean peak-to-peak angle in rad."""

    t: float
    t_end: float
    swings: int
    size: float


def grey(image: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Return the picture (h, w, 3) in grey levels, its longer side reduced to `side` px."""
    import cv2

    h, w = image.shape[:2]
    scale = min(1.0, side / max(h, w))
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)  # type: ignore[return-value]


def region(box: F64, other: F64 | None) -> F64:
    """Return a person's region (left, top, right, bottom) in [0, 1] from the face box(es).

    Parameters
    ----------
    box
        (4,) x, y, width, height of the person's face.
    other
        the other person's face in the same picture, or None.
    """
    x, y, w, h = box
    centre = x + w / 2
    left, right = centre - SHOULDERS * w, centre + SHOULDERS * w
    if other is not None:
        halfway = (centre + other[0] + other[2] / 2) / 2
        left, right = (
            (left, min(right, halfway)) if halfway > centre else (max(left, halfway), right)
        )
    return np.clip(np.array([left, y - ABOVE * h, right, 1.0], np.float64), 0.0, 1.0)


def swings(
    t: float, angle: float, state: Swings, *, least: float, low_hz: float, high_hz: float
) -> Oscillation | None:
    """Follow an angle through its turning points; return a nod (or shake) once it has ended.

    A swing is a move of at least `least` between two turning points that lasts between half a
    period of `high_hz` and of `low_hz`; a nod is a run of at least two swings. `state` is
    updated. A missing angle ends what is under way.

    Parameters
    ----------
    t
        s.
    angle
        rad, or NaN.
    state
        of this person and angle.
    least
        rad.
    low_hz
        slowest nod.
    high_hz
        fastest nod.
    """
    if not np.isfinite(angle):
        done = _finish(state)
        state.direction, state.extreme, state.run = 0, np.nan, []
        return done
    if not np.isfinite(state.extreme):
        state.extreme_t = state.start_t = t
        state.extreme = state.start = angle
        return None
    longest = 0.5 / low_hz
    done = None
    if state.direction == 0:
        moved = angle - state.start
        if abs(moved) >= least:
            state.direction = 1 if moved > 0 else -1
            state.extreme_t, state.extreme = t, angle
        elif abs(moved) < least / 3:
            state.start_t = t  # still at rest: a swing starts when the head leaves here
        elif t - state.start_t > longest:
            state.start_t, state.start = t, angle  # a slow drift, not a swing
        return None
    # A quarter of the least swing is jitter: it must not stretch a swing that has come to rest.
    if (angle - state.extreme) * state.direction > least / 4:
        state.extreme_t, state.extreme = t, angle
    elif abs(angle - state.extreme) >= least:
        duration = state.extreme_t - state.start_t
        if 0.5 / high_hz <= duration <= longest:
            state.run.append((state.start_t, state.extreme_t, abs(state.extreme - state.start)))
        else:
            done = _finish(state)
        state.start_t, state.start = state.extreme_t, state.extreme
        state.extreme_t, state.extreme = t, angle
        state.direction = -state.direction
    if t - state.extreme_t > longest:
        duration = state.extreme_t - state.start_t
        if 0.5 / high_hz <= duration <= longest:
            state.run.append((state.start_t, state.extreme_t, abs(state.extreme - state.start)))
        done = done or _finish(state)
        state.direction, state.run = 0, []
        state.start_t, state.start = t, angle
        state.extreme_t, state.extreme = t, angle
    return done


def _finish(state: Swings) -> Oscillation | None:
    run, state.run = state.run, []
    if len(run) < 2:
        return None
    return Oscillation(run[0][0], run[-1][1], len(run), float(np.mean([r[2] for r in run])))


class Body:
    """Stage: pictures and the faces found in them -> `Motion`, nods and shakes.

    Faces come some pictures after the picture itself; until then only the small mask of changed
    pixels is kept.
    """

    def __init__(self, config: BodyConfig, views: int) -> None:
        self._config = config
        self._views = views
        self._previous: dict[int, tuple[float, npt.NDArray[np.uint8]]] = {}
        self._changed: deque[tuple[float, int, npt.NDArray[np.bool_] | None]] = deque()
        self._box: list[tuple[float, F64] | None] = [None, None]
        self._nod = (Swings(), Swings())
        self._shake = (Swings(), Swings())

    def push_frame(self, frame: VideoFrame) -> None:
        """Take a picture."""
        picture = grey(frame.image, self._config.grey_side)
        before = self._previous.get(frame.view)
        changed = None
        if before is not None and frame.t - before[0] <= LONGEST_STEP_S:
            difference = np.abs(picture.astype(np.int16) - before[1])
            changed = difference > self._config.threshold
        self._previous[frame.view] = (frame.t, picture)
        self._changed.append((frame.t, frame.view, changed))

    def push_face(self, cue: FaceCue) -> tuple[Motion, list[Event]]:
        """Take one person's face; return the motion in the picture it was seen in, and events."""
        view = cue.seat if self._views == 2 else 0
        if cue.present:
            self._box[cue.seat] = (cue.t, cue.box)
        return self._motion(cue, view), self._gestures(cue)

    def _motion(self, cue: FaceCue, view: int) -> Motion:
        # Cues come in the order of the pictures, so older masks are not needed again.
        while self._changed and self._changed[0][0] < cue.t:
            self._changed.popleft()
        own, other = self._box[cue.seat], self._box[1 - cue.seat]
        changed = next((c for t, v, c in self._changed if t == cue.t and v == view), None)
        if own is None or cue.t - own[0] > MEMORY_S:
            return Motion(cue.t, cue.seat, np.nan, cue.reason or Reason.NO_FACE)
        if changed is None:
            return Motion(cue.t, cue.seat, np.nan, Reason.DROPPED)
        shared = other is not None and self._views < 2 and cue.t - other[0] <= MEMORY_S
        left, top, right, bottom = region(own[1], other[1] if shared and other else None)
        h, w = changed.shape
        part = changed[
            int(top * h) : max(int(top * h) + 1, int(np.ceil(bottom * h))),
            int(left * w) : max(int(left * w) + 1, int(np.ceil(right * w))),
        ]
        if part.size == 0:
            return Motion(cue.t, cue.seat, np.nan, Reason.OUT_OF_FRAME)
        return Motion(cue.t, cue.seat, float(part.mean()), Reason.OK)

    def _gestures(self, cue: FaceCue) -> list[Event]:
        c = self._config
        # A turned face's pose is too rough, and a doubtful face may be another person's.
        usable = cue.present and cue.reason is not Reason.REASSOCIATED
        pitch, yaw = (cue.pose[0], cue.pose[1]) if usable else (np.nan, np.nan)
        events = []
        for kind, angle, states in (("nod", pitch, self._nod), ("shake", yaw, self._shake)):
            found = swings(
                cue.t,
                float(angle),
                states[cue.seat],
                least=c.nod_rad,
                low_hz=c.nod_low_hz,
                high_hz=c.nod_high_hz,
            )
            if found is not None:
                events.append(
                    Event(
                        found.t,
                        found.t_end,
                        PEOPLE[cue.seat],
                        kind,
                        found.size,
                        f"{found.swings} swings",
                    )
                )
        return events
