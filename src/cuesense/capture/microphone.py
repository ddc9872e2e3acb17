"""A microphone, read through PortAudio's callbacks, opened again whenever it goes away."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, Final

import numpy as np

from cuesense.capture import Health
from cuesense.capture.ports import PicturePort, SoundPort
from cuesense.config import Live as Settings
from cuesense.errors import DeviceError

RATES: Final = (48_000, 44_100, 16_000, 32_000)
"""Hz; tried where the device's own rate is refused."""
LATENCY_S: Final = 0.1
"""s of sound that the host can hold for us; pieces come as soon as they are there all the same."""
OLDEST_S: Final = 1.0
"""s; a host that says that sound was captured longer ago does not know."""
WATCH_S: Final = 0.2
"""s between looks whether the stream still runs: a device that dies raises nothing."""
LIBRARY: Final = "apt-get install libportaudio2 (Debian, Ubuntu)"

_open = 0  # streams of this process; PortAudio lists devices anew only when there is none
_lock = threading.Lock()


def portaudio() -> Any:
    """Return the module sounddevice.

    Raises
    ------
    DeviceError
        If the library that it needs is missing.
    """
    try:
        import sounddevice
    except OSError as error:  # the package is there, the library that it wraps is not
        raise DeviceError(f"{error}: {LIBRARY}") from error
    return sounddevice


def list_microphones() -> list[tuple[int, str]]:
    """Return number and name of each device that has input channels.

    Raises
    ------
    DeviceError
        If PortAudio is missing or fails.
    """
    sd = portaudio()
    try:
        devices = sd.query_devices()
    except sd.PortAudioError as error:
        raise DeviceError(f"microphones cannot be listed: {error}") from error
    return [(i, d["name"]) for i, d in enumerate(devices) if d["max_input_channels"] > 0]


class Microphone:
    """A microphone as a `Device`.

    Parameters
    ----------
    name
        name (or a part of it) or number; "" for the system's default.
    settings
        Of live sources.
    number
        Counting from 1, as the user is told.
    """

    def __init__(self, name: str, settings: Settings, number: int = 1) -> None:
        self._name = name
        self._settings = settings
        self._label = f"microphone {number}"
        self._problem: tuple[str, str] = ("opening", "")
        self._last = 0.0
        self._heard = 0.0  # monotonic s, when a sample was not zero
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self._label, daemon=True)

    @property
    def health(self) -> tuple[Health, ...]:
        """How it is."""
        state, sentence = self._problem
        now = time.monotonic()
        if state == "ok" and now - self._last > self._settings.stall_s:
            state, sentence = "lost", self._gone()
        elif state == "ok" and now - self._heard > self._settings.silent_s:
            state = "silent"
            sentence = f"{self._label.capitalize()} gives no sound at all: it is muted; unmute it."
        return (Health(self._label, self._name or "default", state, sentence),)

    def start(self, pictures: PicturePort | None, sound: SoundPort | None) -> None:
        """Begin to capture."""
        assert sound is not None
        self._port = sound
        self._thread.start()

    def stop(self) -> None:
        """End the stream."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2 * self._settings.stall_s)

    def _run(self) -> None:
        global _open
        while not self._stop.is_set():
            try:
                sd = portaudio()
                stream = self._open_stream(sd)
            except DeviceError as error:
                self._problem = ("lost", self._gone()) if self._last else ("missing", f"{error}.")
                self._stop.wait(self._settings.retry_s)
                continue
            try:
                self._watch(stream)
            finally:
                stream.close(ignore_errors=True)
                with _lock:
                    _open -= 1
            if not self._stop.is_set():
                self._problem = "lost", self._gone()
                self._stop.wait(self._settings.retry_s)

    def _watch(self, stream: Any) -> None:
        """Wait until the stream ends, or nothing came for so long that it might as well have."""
        self._last = self._heard = time.monotonic()
        while not self._stop.wait(WATCH_S) and stream.active:
            if time.monotonic() - self._last > 2 * self._settings.stall_s:
                return

    def _open_stream(self, sd: Any) -> Any:
        """Return a running stream.

        Raises
        ------
        DeviceError
            If there is none.
        """
        global _open
        with _lock:
            if _open == 0:  # the list of devices is as old as the library's initialisation
                sd._terminate()
                sd._initialize()
            device, info = self._find(sd)
            stream = self._try_rates(sd, device, info)
            _open += 1
        return stream

    def _find(self, sd: Any) -> tuple[int | None, dict[str, Any]]:
        """Return the device's number (None: the default) and what is known of it."""
        try:
            if not self._name:
                return None, sd.query_devices(kind="input")
            devices = list(sd.query_devices())
        except (sd.PortAudioError, ValueError) as error:
            raise DeviceError(
                f"There is no {self._label}: plug one in, or check the sound settings"
            ) from error
        inputs = [(i, d) for i, d in enumerate(devices) if d["max_input_channels"] > 0]
        for i, d in inputs:
            if self._name == str(i) or (
                not self._name.isdigit() and self._name.lower() in d["name"].lower()
            ):
                return i, d
        there = ", ".join(f"{i} ({d['name']})" for i, d in inputs) or "none is listed"
        raise DeviceError(f"There is no microphone {self._name!r}; here: {there}")

    def _try_rates(self, sd: Any, device: int | None, info: dict[str, Any]) -> Any:
        channels = max(
            1, min(self._port.channels or self._settings.channels, info["max_input_channels"])
        )
        # ALSA's plugins all call 44.1 kHz their own, whatever the card's is.
        own = int(info["default_samplerate"])
        preferred = RATES if sys.platform.startswith("linux") else (own, *RATES)
        rates = (self._port.rate, *preferred, own) if self._port.rate else (*preferred, own)
        problem: Exception | None = None
        for rate in dict.fromkeys(rates):
            try:
                stream = sd.InputStream(
                    samplerate=rate,
                    device=device,
                    channels=channels,
                    dtype="float32",
                    # Small pieces of one size: with sizes left to the host some report times
                    # of capture that creep by half a second.
                    blocksize=rate // 100,
                    latency=LATENCY_S,
                    callback=self._callback(rate),
                )
                self._port.begin(rate, channels)
                stream.start()
            except (sd.PortAudioError, ValueError) as error:
                problem = error
                continue
            return stream
        raise DeviceError(
            f"{self._label.capitalize()} cannot be opened ({problem}): close other programs "
            "that use it, or allow this program to use the microphone"
        )

    def _callback(self, rate: int) -> Any:
        """Return what PortAudio calls with each piece of sound."""

        def hear(samples: Any, frames: int, moment: Any, status: Any) -> None:
            now = time.monotonic()
            ago = moment.currentTime - moment.inputBufferAdcTime
            # Some hosts do not know when a piece was captured: then it was just now.
            known = moment.inputBufferAdcTime > 0 and 0 <= ago < OLDEST_S
            t = now - (ago if known else frames / rate)
            self._last, self._problem = now, ("ok", "")
            if samples.any():
                self._heard = now
            self._port.offer(t, np.array(samples, np.float32), bool(status.input_overflow))

        return hear

    def _gone(self) -> str:
        return f"No sound comes from {self._label} any more: check its cable; the rest goes on."
