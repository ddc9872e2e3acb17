"""How much later sound is timed than the picture of the same event (pure).

Somebody claps before the camera: the loudness jumps, and so does the change of the picture. What
the clocks of the devices cannot tell, such as the time that a camera takes to hand a picture over,
shows in the difference of the two.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import numpy as np

from cuesense.types import F32, U8, AudioBlock, Packet, VideoFrame

STEP_S: Final = 0.005
"""s over which loudness is taken."""
BEFORE_S: Final = 0.5
"""s before an event that it must stand out from."""
RISE: Final = 10.0
"""Times by which loudness (RMS) and change of the picture must rise."""
APART_S: Final = 0.4
"""s between two events at least; less is one."""
NEAR_S: Final = 0.25
"""s by which picture and sound of one event may differ."""
SIDE: Final = 96
"""px; of the longer side, so many are compared with the picture before (green alone)."""
ENTRY: Final = "sound after picture"
"""Under which a session keeps it."""
ENOUGH: Final = 3
"""Events that a measurement needs."""
KEPT: Final = 200
"""Latest events of each stream that are kept."""


class Skew:
    """Finds sudden events in both streams and compares their times."""

    def __init__(self) -> None:
        self._seen, self._heard = _Jumps(), _Jumps()
        self._last: tuple[float, F32] | None = None

    def push(self, packet: Packet) -> None:
        """Take the next packet."""
        if isinstance(packet, VideoFrame):
            self._picture(packet.t, packet.image)
        elif isinstance(packet, AudioBlock):
            self._sound(packet)

    @property
    def seen_s(self) -> tuple[float, ...]:
        """Times of sudden events in the picture, s: halfway between two pictures."""
        return tuple(self._seen.times)

    @property
    def heard_s(self) -> tuple[float, ...]:
        """Times of sudden events in the sound, s."""
        return tuple(self._heard.times)

    @property
    def pairs_s(self) -> list[float]:
        """Sound's time minus the picture's, s, of each event that was both seen and heard."""
        found = []
        seen = self.seen_s  # copies: others may ask while packets come
        for t in self.heard_s:
            near = min(seen, key=lambda other: abs(other - t), default=math.inf)
            if abs(near - t) <= NEAR_S:
                found.append(t - near)
        return found

    @property
    def ms(self) -> float:
        """The median of `pairs_s` in ms, NaN with less than `ENOUGH` of them."""
        pairs = self.pairs_s
        return 1000 * float(np.median(pairs)) if len(pairs) >= ENOUGH else math.nan

    def _picture(self, t: float, image: U8) -> None:
        every = max(max(image.shape[:2]) // SIDE, 1)
        now = image[::every, ::every, 1].astype(np.float32)
        if self._last is not None and self._last[1].shape == now.shape:
            before, earlier = self._last
            # It happened at some time between the two pictures.
            self._seen.push((before + t) / 2, float(np.abs(now - earlier).mean()) + 0.1)
        self._last = (t, now)

    def _sound(self, block: AudioBlock) -> None:
        step = max(round(STEP_S * block.rate), 1)
        whole = len(block.samples) // step * step
        mono = np.nan_to_num(block.samples[:whole].mean(axis=1)).reshape(-1, step)
        for i, power in enumerate(np.einsum("ij,ij->i", mono, mono).tolist()):
            self._heard.push(block.t + i * step / block.rate, math.sqrt(power / step) + 1e-4)


class _Jumps:
    """Times at which a series jumps far above what it was."""

    def __init__(self) -> None:
        self.times: deque[float] = deque(maxlen=KEPT)
        self._past: deque[tuple[float, float]] = deque()
        self._least: deque[tuple[float, float]] = deque()  # of the past: values that only rise

    def push(self, t: float, value: float) -> None:
        for held in (self._past, self._least):
            while held and held[0][0] < t - BEFORE_S:
                held.popleft()
        rested = not self.times or t - self.times[-1] > APART_S
        # Most values are not even above the least of the past: those need no median.
        if len(self._past) > 5 and rested and value > RISE * self._least[0][1]:
            usual = float(np.median([v for _, v in self._past]))
            if value > RISE * usual:
                self.times.append(t)
        self._past.append((t, value))
        while self._least and self._least[-1][1] >= value:
            self._least.pop()
        self._least.append((t, value))
