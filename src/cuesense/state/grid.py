"""The regular time grid: cues that come at their own times -> ticks at a fixed rate.

A tick takes, of each stream, the cue nearest to it, if there is one close enough. It is given out
once the source has passed it by the lateness bound: a stream that stalls gives missing values,
never a stalled grid.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cuesense.config import Grid as GridConfig
from cuesense.cues.body import Motion
from cuesense.cues.dynamics import FaceFeatures
from cuesense.types import VoiceCue


class _Timed(Protocol):
    @property
    def t(self) -> float: ...


T = TypeVar("T", bound=_Timed)
TIE_S = 1e-6
"""Times closer than this are the same: how the sound was cut into blocks rounds them anew."""


@dataclass(frozen=True, slots=True)
class RawTick:
    """What was sensed at one tick, before it is known whose voice it is.

    Attributes
    ----------
    t
        s.
    faces
        of seat 0 and 1; None where no cue is near.
    motions
        of seat 0 and 1.
    voices
        one per audio channel; None where no cue is near.
    nuclei
        syllable nuclei of each channel since the last tick.
    """

    t: float
    faces: tuple[FaceFeatures | None, FaceFeatures | None]
    motions: tuple[Motion | None, Motion | None]
    voices: tuple[VoiceCue | None, ...]
    nuclei: tuple[int, ...]


class Grid:
    """Stage: `push_*` cues in time order per stream, `advance` to the source's time."""

    def __init__(self, config: GridConfig, channels: int) -> None:
        self._step = 1.0 / config.rate_hz
        self._config = config
        self._next = 0
        self._faces: tuple[deque[FaceFeatures], ...] = (deque(), deque())
        self._motions: tuple[deque[Motion], ...] = (deque(), deque())
        self._voices: tuple[deque[VoiceCue], ...] = tuple(deque() for _ in range(channels))
        self._nuclei: tuple[deque[float], ...] = tuple(deque() for _ in range(channels))

    def push_face(self, cue: FaceFeatures) -> None:
        """Take one person's face."""
        self._faces[cue.seat].append(cue)

    def push_motion(self, cue: Motion) -> None:
        """Take one person's motion."""
        self._motions[cue.seat].append(cue)

    def push_voice(self, cue: VoiceCue) -> None:
        """Take one hop of one channel."""
        self._voices[cue.channel].append(cue)
        if cue.nucleus:
            self._nuclei[cue.channel].append(cue.t)

    def advance(self, now: float) -> list[RawTick]:
        """Return the ticks that are due when the source has come to `now` (s)."""
        return self._until(now - self._config.lateness_s)

    def flush(self, end: float) -> list[RawTick]:
        """Return the remaining ticks up to the source's end (s)."""
        return self._until(end)

    def _until(self, end: float) -> list[RawTick]:
        ticks = []
        while (t := self._next * self._step) <= end:
            ticks.append(self._tick(t))
            self._next += 1
        return ticks

    def _tick(self, t: float) -> RawTick:
        age = self._config.max_age_s
        faces = [_nearest(q, t, age) for q in self._faces]
        motions = [_nearest(q, t, age) for q in self._motions]
        nuclei = []
        for times in self._nuclei:
            count = 0
            while times and times[0] <= t + TIE_S:
                times.popleft()
                count += 1
            nuclei.append(count)
        return RawTick(
            t,
            (faces[0], faces[1]),
            (motions[0], motions[1]),
            tuple(_nearest(q, t, age) for q in self._voices),
            tuple(nuclei),
        )


def _nearest(queue: deque[T], t: float, age: float) -> T | None:
    """Return the cue nearest to `t`, if within `age`, and drop what no later tick can need."""
    # Of two equally near cues the earlier.
    while len(queue) > 1 and abs(queue[1].t - t) < abs(queue[0].t - t) - TIE_S:
        queue.popleft()
    return queue[0] if queue and abs(queue[0].t - t) <= age else None
