"""Devices in, packets out, on one clock, for as long as it takes.

Each device runs in a thread of its own and hands what it captured to a *port*; `LiveSource` keeps
it in queues until the pipeline takes it. When the pipeline is behind, pictures are dropped, the
oldest first, and counted; sound never is. What stalls or goes away leaves a gap, with its reason.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal, Protocol, Self

import cv2
import numpy as np

from cuesense.capture import Health, SourceInfo
from cuesense.capture.clock import SampleClock
from cuesense.capture.sound import Reblock
from cuesense.config import Capture
from cuesense.config import Live as Settings
from cuesense.errors import DeviceError
from cuesense.types import F32, U8, AudioBlock, Event, Lull, Packet, VideoFrame

LULL_S: Final = 0.1
"""s without a packet after which it is said that time goes on."""
FPS_S: Final = 2.0
"""s over which pictures per second are counted."""
DEFAULT_SIZE: Final = (1280, 720)
"""Of a camera that is not there yet."""
DEFAULT_RATE: Final = 48_000


class Device(Protocol):
    """A camera, a microphone, or a page that is both. It never gives up by itself."""

    @property
    def health(self) -> tuple[Health, ...]:
        """How it is."""
        ...

    def start(self, pictures: PicturePort | None, sound: SoundPort | None) -> None:
        """Begin to capture into the ports, in threads of its own."""
        ...

    def stop(self) -> None:
        """End them."""
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
        self, view: int, source: LiveSource, settings: Settings, max_side: int, many: bool
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
        self, view: int, source: LiveSource, settings: Settings, block_s: float, many: bool
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


def asleep() -> float:
    """Return for how many seconds the machine slept since it was started (Linux; else 0)."""
    if sys.platform != "linux":
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


class LiveSource:
    """Cameras and microphones as a `LiveFeed`. A context manager: it owns the devices.

    Parameters
    ----------
    cameras
        One view each; none: sound only.
    microphones
        One per view (or one for all).
    settings
        Of live sources.
    capture
        Of pictures and sound.
    kind
        "device" or "browser".
    clock
        The monotonic clock, s.
    asleep
        How long the machine has slept while that clock stood still, s.

    Raises
    ------
    DeviceError
        On entering, if no device at all can be used.
    """

    def __init__(
        self,
        cameras: Sequence[Device],
        microphones: Sequence[Device],
        settings: Settings,
        capture: Capture,
        *,
        kind: Literal["device", "browser"] = "device",
        clock: Callable[[], float] = time.monotonic,
        asleep: Callable[[], float] = asleep,
    ) -> None:
        self.kind: Literal["device", "browser", "play"] = kind
        self.clock = clock
        self._asleep = asleep
        self._settings = settings
        self._cameras, self._microphones = tuple(cameras), tuple(microphones)
        many = max(len(cameras), len(microphones)) > 1
        self._pictures = [
            PicturePort(i, self, settings, capture.max_side, many) for i in range(len(cameras))
        ]
        self._sounds = [
            SoundPort(i, self, settings, capture.block_s, many) for i in range(len(microphones))
        ]
        self._queues: list[deque[Packet]] = [
            deque() for _ in (*self._pictures, *self._sounds)
        ]  # in monotonic time
        self._new = threading.Condition()
        self._running = self._stopped = self._paused = False
        self._events: list[Event] = []
        self._pause_from = math.nan
        self.started = clock()
        self.dropped = 0
        self.on_picture: Callable[[int, float, U8], None] | None = None

    # As a source

    @property
    def info(self) -> SourceInfo:
        """What the devices give."""
        return SourceInfo(
            paths=(),
            duration_s=math.nan,
            views=len(self._pictures),
            size=tuple(p.size or DEFAULT_SIZE for p in self._pictures),
            fps=tuple(p.fps or math.nan for p in self._pictures),
            rate=tuple(s.rate for s in self._sounds),
            channels=tuple(s.channels for s in self._sounds),
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """Nothing: `health` and `gaps` tell."""
        return ()

    def stills(self, n: int) -> list[VideoFrame]:
        """Return nothing: there is no future to look at."""
        return []

    def packets(self) -> Iterator[Packet]:
        """Begin a session at time 0; yield what comes, until `stop`."""
        with self._new:
            for queue in self._queues:
                queue.clear()
            self._events.clear()
            self._running, self._stopped, self.dropped = True, False, 0
            self.started = looked = self.clock()
            slept = self._asleep()
            for port in (*self._pictures, *self._sounds):
                port.begin_session(self.started)
        told = 0.0
        try:
            while True:
                with self._new:
                    self._new.wait_for(lambda: self._stopped or any(self._queues), LULL_S)
                    now = self.clock()
                    self._hold_jump(looked, now, self._asleep() - slept)
                    looked, slept = now, self._asleep()
                    packet = self._first()
                    stopped = self._stopped
                if packet is not None:
                    told = max(told, packet.end)
                    yield packet
                elif stopped:
                    return
                elif now - self.started - LULL_S > told:
                    told = now - self.started - LULL_S
                    yield Lull(told)
        finally:
            self._running = False
            for port in (*self._pictures, *self._sounds):
                port.end_session(self.clock())

    def _first(self) -> Packet | None:
        """Take the earliest packet that waits, its time on the session's clock."""
        waiting = [queue for queue in self._queues if queue]
        while waiting:
            queue = min(waiting, key=lambda q: q[0].end)
            packet = queue.popleft()
            t = packet.t - self.started
            if t >= 0:
                return replace(packet, t=t)
            waiting = [queue for queue in self._queues if queue]  # it was before the session
        return None

    def _hold_jump(self, looked: float, now: float, slept: float) -> None:
        """Note that the machine slept; an hour of nothing in the data would tell nobody more.

        Where the clock went on meanwhile (it stands still on Linux, `slept` s), it is held.
        """
        start, jump = looked - self.started, now - looked - self._settings.jump_s
        if jump > 0 and not any(self._queues):
            self.started += jump
            slept = now - looked
            for port in (*self._pictures, *self._sounds):
                port.last = math.nan  # told by the event
        if slept > LULL_S:
            end = now - self.started
            self._events.append(Event(start, end, "", "gap", slept, "the computer slept"))

    # What devices hand in

    def take_picture(self, frame: VideoFrame) -> None:
        """Take a picture in monotonic time; the oldest waiting one goes if there are too many."""
        if self.on_picture is not None and not self._paused:
            self.on_picture(frame.view, frame.t, frame.image)
        with self._new:
            if not self._running or self._paused:
                return
            queue = self._queues[frame.view]
            queue.append(frame)
            if len(queue) > self._settings.queued_pictures:
                queue.popleft()
                self.dropped += 1
            self._new.notify()

    def take_sound(self, block: AudioBlock) -> None:
        """Take a block of sound in monotonic time."""
        with self._new:
            if self._running and not self._paused:
                self._queues[len(self._pictures) + block.view].append(block)
                self._new.notify()

    # Control

    def stop(self) -> None:
        """End the session: what waits is still given out."""
        with self._new:
            self._stopped = True
            if self._paused:
                self._end_pause()
            self._new.notify()

    def pause(self) -> None:
        """Give out nothing but the news that time goes on."""
        with self._new:
            if not self._paused:
                self._paused, self._pause_from = True, self.clock()
                for queue in self._queues:
                    queue.clear()

    def resume(self) -> None:
        """Give out again."""
        with self._new:
            if self._paused:
                self._end_pause()

    def _end_pause(self) -> None:
        self._paused = False
        now = self.clock()
        t = self._pause_from - self.started
        self._events.append(
            Event(t, now - self.started, "", "gap", now - self._pause_from, "paused")
        )
        for port in (*self._pictures, *self._sounds):
            port.begin_session(now)

    # What is known

    @property
    def health(self) -> tuple[Health, ...]:
        """How the devices are."""
        seen: dict[int, Device] = {id(d): d for d in (*self._cameras, *self._microphones)}
        return tuple(h for device in seen.values() for h in device.health)

    @property
    def fps(self) -> float:
        """Pictures per second of the slowest camera."""
        return min((p.fps for p in self._pictures), default=0.0)

    def gaps(self) -> list[Event]:
        """Return the gaps of the session that ended since the last call."""
        found, self._events = self._events, []
        for port in (*self._pictures, *self._sounds):
            ended, port.gaps = port.gaps, []
            found += [
                replace(e, t=max(e.t - self.started, 0.0), t_end=e.t_end - self.started)
                for e in ended
                if e.t_end > self.started
            ]
        return found

    def clocks(self) -> dict[str, dict[str, float]]:
        """Return each stream's lateness, jitter and drift."""
        found = {}
        for i, port in enumerate(self._pictures):
            found[f"camera {i + 1}"] = port.clock() | {"fps": round(port.fps, 1)}
        for i, sound in enumerate(self._sounds):
            found[f"microphone {i + 1}"] = sound.clock()
        return found

    def __enter__(self) -> Self:
        for i, camera in enumerate(self._cameras):
            camera.start(self._pictures[i], self._sounds_of(camera))
        for i, microphone in enumerate(self._microphones):
            if microphone not in self._cameras:
                microphone.start(None, self._sounds[i])
        if self.kind == "device":
            self._await_devices()
        for sound in self._sounds:
            if not sound.rate:  # it may come later; by then its stream must be known
                sound.begin(DEFAULT_RATE, 1)
        return self

    def _sounds_of(self, device: Device) -> SoundPort | None:
        return (
            self._sounds[self._microphones.index(device)] if device in self._microphones else None
        )

    def _await_devices(self) -> None:
        """Wait until every device gave something, or said that it cannot."""
        deadline = self.clock() + self._settings.open_s
        while self.clock() < deadline:
            if not any(h.state == "opening" for h in self.health):
                break
            threading.Event().wait(0.02)
        health = self.health
        if health and all(h.state not in ("ok", "silent", "opening") for h in health):
            self.__exit__()
            raise DeviceError(
                "no camera and no microphone can be used: "
                + " ".join(h.sentence for h in health)
                + " (cuesense doctor tells more)"
            )

    def __exit__(self, *_: object) -> None:
        self.stop()
        for device in dict.fromkeys((*self._cameras, *self._microphones)):
            device.stop()
