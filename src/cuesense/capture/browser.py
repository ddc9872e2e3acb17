"""The camera and the microphone of a page in the browser, which may use them where we may not."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

import cv2
import numpy as np

from cuesense.capture import Health
from cuesense.capture.clock import OtherClock
from cuesense.capture.ports import PicturePort, SoundPort
from cuesense.config import Live as Settings
from cuesense.types import F32, U8

WAITING: Final = 2
"""Pictures that wait to be decoded; of more, the oldest goes."""
MAX_PIXELS: Final = 4096 * 4096
RATES: Final = (8_000, 192_000)


class BrowserFeed:
    """A page's camera and microphone as one `Device`, fed by the server.

    Parameters
    ----------
    settings
        Of live sources.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self._clock = OtherClock()
        self._waiting: deque[tuple[float, bytes]] = deque(maxlen=WAITING)
        self._new = threading.Condition()
        self._stopped = False
        self._last = {"camera": 0.0, "microphone": 0.0}  # monotonic s
        self._heard = 0.0
        self._format: tuple[int, int] | None = None
        self._next_index = 0.0
        self._port: PicturePort | None = None
        self._sound: SoundPort | None = None
        self._thread = threading.Thread(target=self._decode, name="page's camera", daemon=True)

    @property
    def health(self) -> tuple[Health, ...]:
        """How both are."""
        now, found = time.monotonic(), []
        for device, last in self._last.items():
            if now - last < self._settings.stall_s:
                found.append(Health(f"{device} 1", "browser", "ok"))
                continue
            state, what = ("lost", "any more") if last else ("opening", "yet")
            kind = "picture" if device == "camera" else "sound"
            sentence = f"No {kind} comes from the page {what}: keep it open and allow the {device}."
            found.append(Health(f"{device} 1", "browser", state, sentence))
        return tuple(found)

    def start(self, pictures: PicturePort | None, sound: SoundPort | None) -> None:
        """Begin to take what the page sends."""
        self._port, self._sound = pictures, sound
        self._thread.start()

    def stop(self) -> None:
        """Take nothing any more."""
        with self._new:
            self._stopped = True
            self._new.notify()
        if self._thread.is_alive():
            self._thread.join()

    # What the server hands in; none of it waits

    def sync(self, page_ms: float, received: float) -> None:
        """Take a message's time on the page's clock (ms), and when it came (monotonic s)."""
        self._clock.push(page_ms / 1000, received)

    def offer_picture(self, at_ms: float, jpeg: bytes) -> None:
        """Take a JPEG picture captured at `at_ms` of the page's clock."""
        with self._new:
            self._waiting.append((at_ms / 1000, jpeg))
            self._new.notify()

    def offer_sound(
        self, at_ms: float, index: float, rate: int, channels: int, samples: F32
    ) -> None:
        """Take samples (n, channels) of which the first, number `index`, was captured at `at_ms`.

        What is no sound (another shape, an absurd rate) is left out.
        """
        if self._sound is None or samples.shape[1:] != (channels,) or not channels:
            return
        if not RATES[0] <= rate <= RATES[1] or not np.isfinite(index):
            return
        t = self._clock.at(at_ms / 1000)
        if np.isnan(t):
            return
        if self._format != (rate, channels):
            self._format = (rate, channels)
            self._sound.begin(rate, channels)
            self._next_index = index
        lost = abs(index - self._next_index) > 0.5
        self._next_index = index + len(samples)
        self._last["microphone"] = time.monotonic()
        self._sound.offer(t, samples, lost)

    def _decode(self) -> None:
        while True:
            with self._new:
                self._new.wait_for(lambda: self._stopped or self._waiting)
                if self._stopped:
                    return
                there, jpeg = self._waiting.popleft()
            t = self._clock.at(there)
            image = decode(jpeg)
            if image is not None and self._port is not None and not np.isnan(t):
                self._last["camera"] = time.monotonic()
                self._port.offer(t, image)


def decode(jpeg: bytes) -> U8 | None:
    """Return a JPEG as RGB; None if it is none, or absurdly large."""
    try:
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    if image is None or image.shape[0] * image.shape[1] > MAX_PIXELS:
        return None
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
