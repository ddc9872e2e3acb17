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

from cuesense.capture import Health, SourceInfo
from cuesense.capture.ports import PicturePort, SoundPort
from cuesense.capture.skew import ENTRY, Skew
from cuesense.config import Capture
from cuesense.config import Live as Settings
from cuesense.errors import DeviceError
from cuesense.types import U8, AudioBlock, Event, Lull, Packet, VideoFrame

LULL_S: Final = 0.1
"""s without a packet after which it is said that time goes on."""
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
        self._skew = Skew()
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
            self._skew = Skew()
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
                    self._skew.push(packet)
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
        """Return each stream's lateness, jitter and drift; and the skew, if events showed it.

        Claps, and whatever else is suddenly both seen and heard, show it in any session.
        """
        found = {}
        for i, port in enumerate(self._pictures):
            found[f"camera {i + 1}"] = port.clock() | {"fps": round(port.fps, 1)}
        for i, sound in enumerate(self._sounds):
            found[f"microphone {i + 1}"] = sound.clock()
        if not math.isnan(self._skew.ms):
            events = float(len(self._skew.pairs_s))
            found[ENTRY] = {"ms": round(self._skew.ms, 1), "events": events}
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
