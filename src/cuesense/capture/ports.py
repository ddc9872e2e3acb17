"""Ports: where devices hand in what they captured, and where it gets its form and its time.

A picture port keeps one size, a sound port one rate and number of channels, whatever device is
plugged in; both note what is missing and how late things come.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final, Protocol

import cv2
import numpy as np

from cuesense.capture.clock import SampleClock
from cuesense.capture.sound import Reblock
from cuesense.config import Live as Settings
from cuesense.types import F32, U8, AudioBlock, Event, VideoFrame

FPS_S: Final = 2.0
"""s over which pictures per second are counted."""


class Taker(Protocol):
    """Who takes what a port made of it: `live.LiveSource`."""

    def clock(self) -> float:
        """Return the monotonic time, s."""
        ...

    def take_picture(self, frame: VideoFrame) -> None:
        """Take a picture, in monotonic time."""
        ...

    def take_sound(self, block: AudioBlock) -> None:
        """Take a block of sound, in monotonic time."""
        ...


class _Stream:
    """What both ports share: when something came last, and what was missed."""

    def __init__(self, what: str, settings: Settings) -> None:
        self._what = what
        self._gap_s = settings.gap_s
        self.last = math.nan  # monotonic s
        self.gaps: list[Event] = []  # in monotonic s
        self._delays: deque[float] = deque(maxlen=500)

    def came(self, t: float, now: float) -> None:
        """Note that something captured at `t` was delivered `now`."""
        if t - self.last > self._gap_s:
            self.gaps.append(self.gap(self.last, t))
        self.last = t
        self._delays.append(now - t)

    def gap(self, start: float, stop: float) -> Event:
        """Return a gap of this stream."""
        return Event(start, stop, "", "gap", stop - start, f"no {self._what}")

    def begin_session(self, now: float) -> None:
        """Count from `now` on what is missing."""
        self.last = now
        self.gaps.clear()

    def end_session(self, now: float) -> None:
        """Close a gap that is still open."""
        if now - self.last > self._gap_s:
            self.gaps.append(self.gap(self.last, now))

    def clock(self) -> dict[str, float]:
        """Return how late the stream is delivered, ms."""
        if not self._delays:
            return {}
        delays = 1000 * np.array(self._delays)
        median = float(np.median(delays))
        spread = float(np.quantile(delays, 0.95) - np.quantile(delays, 0.05))
        return {"latency_ms": round(median, 2), "jitter_ms": round(spread, 2)}


class PicturePort(_Stream):
    """Where a camera's pictures go; of one size, whatever the camera does."""

    def __init__(
        self, view: int, source: Taker, settings: Settings, max_side: int, many: bool
    ) -> None:
        super().__init__(f"picture from camera {view + 1}" if many else "picture", settings)
        self._view, self._source, self._max_side = view, source, max_side
        self.size: tuple[int, int] | None = None
        self._times: deque[float] = deque()
        self._count = 0

    @property
    def fps(self) -> float:
        """Pictures per second of late."""
        return len(self._times) / FPS_S

    def offer(self, t: float, image: U8) -> None:
        """Take a picture (RGB, upright) captured at `t` (monotonic s)."""
        if t <= self.last:
            return  # the same picture again
        height, width = image.shape[:2]
        zoom = min(self._max_side / max(height, width), 1.0)
        size = self.size or (round(width * zoom), round(height * zoom))
        if size != (width, height):
            image = letterbox(image, size)
        self.size = size
        image.flags.writeable = False
        self.came(t, self._source.clock())
        self._times.append(t)
        while self._times[0] < t - FPS_S:
            self._times.popleft()
        self._source.take_picture(VideoFrame(t, image, self._count, self._view))
        self._count += 1


class SoundPort(_Stream):
    """Where a microphone's samples go; of one rate and number of channels, on the clock."""

    def __init__(
        self, view: int, source: Taker, settings: Settings, block_s: float, many: bool
    ) -> None:
        super().__init__(f"sound from microphone {view + 1}" if many else "sound", settings)
        self._view, self._source, self._block_s = view, source, block_s
        self.rate, self.channels = 0, 0
        self._clock: SampleClock | None = None
        self._reblock: Reblock | None = None
        self._fresh = False
        self._breaks = 0  # times that the device lost samples, in this session
        self._silent_s = settings.silent_s
        self._heard = math.inf

    def begin(self, rate: int, channels: int) -> None:
        """Say what will come; the first time decides what the stream is for good."""
        if not self.rate:
            self.rate, self.channels = rate, channels
        from soxr import ResampleStream

        self._resample = None
        if rate != self.rate:
            self._resample = ResampleStream(rate, self.rate, self.channels, dtype="float32")
        self._given = rate
        self._restart()

    def begin_session(self, now: float) -> None:
        """Time the blocks to come by the clock as it is now, not by what it was at first."""
        super().begin_session(now)
        self._fresh, self._breaks = True, 0

    def offer(self, t: float, samples: F32, lost: bool = False) -> None:
        """Take samples (n, any channels), the first captured at `t` (monotonic s).

        `lost`: the device said that it could not keep up.
        """
        clock = self._clock
        if clock is None or not len(samples):
            return
        if lost or (self._in and clock.broken(self._in, t)):
            self._breaks += 1
            clock = self._restart()
        clock.push(self._in, t)
        self._in += len(samples)
        if samples.any():
            self._heard = t
        elif t - self._heard > self._silent_s:
            # No room is as still as that: the microphone is muted. Nothing is known of the sound,
            # least of all that nobody spoke.
            self._out = self._in * self.rate / self._given
            return
        start = clock.at(self._out * self._given / self.rate)
        if samples.shape[1] != self.channels:
            samples = np.repeat(samples.mean(axis=1, keepdims=True), self.channels, axis=1)
        if self._resample is not None:
            samples = self._resample.resample_chunk(np.ascontiguousarray(samples, np.float32))
        self.came(t, self._source.clock())
        if self._reblock is None or self._fresh:
            self._fresh = False
            self._reblock = Reblock(self.rate, self._block_s, start, self._view)
        self._out += len(samples)
        for block in self._reblock.push(samples, start):
            self._source.take_sound(block)

    def clock(self) -> dict[str, float]:
        """Return lateness, losses, and how far the device's rate is from its nominal one."""
        drift = self._clock.drift_ppm if self._clock is not None else math.nan
        found = {**super().clock(), "breaks": self._breaks}
        return found if math.isnan(drift) else found | {"drift_ppm": round(drift, 1)}

    def _restart(self) -> SampleClock:
        self._clock = SampleClock(self._given)
        self._in, self._out = 0, 0.0
        return self._clock


def letterbox(image: U8, size: tuple[int, int]) -> U8:
    """Return the whole picture at (width, height), with black bars where it is too narrow."""
    height, width = image.shape[:2]
    zoom = min(size[0] / width, size[1] / height)
    inner = (max(round(width * zoom), 1), max(round(height * zoom), 1))
    small = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    if inner == size:
        return np.asarray(small, np.uint8)
    out = np.zeros((size[1], size[0], 3), np.uint8)
    x, y = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    out[y : y + inner[1], x : x + inner[0]] = small
    return out
