"""A recording played as if it were live: the very packets of the file, each not before its time."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal, Self

from cuesense.capture import Health, Source, SourceInfo
from cuesense.types import U8, Event, Packet, VideoFrame


class Paced:
    """A recording as a `LiveFeed`. Nothing is dropped, so the results are those of the file.

    Parameters
    ----------
    source
        The opened recording.
    speed
        How many times faster than real time.
    """

    def __init__(self, source: Source, speed: float = 1.0) -> None:
        self._source, self._speed = source, speed
        self.kind: Literal["device", "browser", "play"] = "play"
        self.started = time.monotonic()
        self.dropped = 0
        self.on_picture: Callable[[int, float, U8], None] | None = None
        self._wake = threading.Condition()
        self._stopped = False
        self._paused_at = math.nan

    @property
    def info(self) -> SourceInfo:
        """What the recording holds."""
        return self._source.info

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong so far while reading."""
        return self._source.problems

    @property
    def fps(self) -> float:
        """Pictures per second of the recording."""
        return min((f for f in self.info.fps if f == f), default=0.0)

    @property
    def health(self) -> tuple[Health, ...]:
        """Nothing can be wrong with a device."""
        return ()

    def stills(self, n: int) -> list[VideoFrame]:
        """Return the recording's stills."""
        return self._source.stills(n)

    def packets(self) -> Iterator[Packet]:
        """Yield the recording's packets, in real time."""
        self._stopped = False
        self.started = time.monotonic()
        for packet in self._source.packets():
            if not self._wait(packet.end):
                return
            if isinstance(packet, VideoFrame) and self.on_picture is not None:
                self.on_picture(packet.view, time.monotonic(), packet.image)
            yield packet

    def _wait(self, t: float) -> bool:
        """Wait for session time `t`; return False if it is stopped before."""
        with self._wake:
            while not self._stopped:
                left = self.started + t / self._speed - time.monotonic()
                paused = not math.isnan(self._paused_at)
                if left <= 0 and not paused:
                    return True
                self._wake.wait(None if paused else left)
        return False

    def stop(self) -> None:
        """End `packets`."""
        with self._wake:
            self._stopped = True
            self._wake.notify()

    def pause(self) -> None:
        """Hold the recording."""
        with self._wake:
            if math.isnan(self._paused_at):
                self._paused_at = time.monotonic()

    def resume(self) -> None:
        """Let it go on where it was held: no time has passed in it."""
        with self._wake:
            if not math.isnan(self._paused_at):
                self.started += time.monotonic() - self._paused_at
                self._paused_at = math.nan
                self._wake.notify()

    def gaps(self) -> list[Event]:
        """Return nothing: holding the recording leaves no gap in it."""
        return []

    def clocks(self) -> dict[str, dict[str, float]]:
        """Return nothing: there is no device."""
        return {}

    def __enter__(self) -> Self:
        self._source.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._source.__exit__()
