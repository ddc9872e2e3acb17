"""A camera, read with OpenCV in a thread of its own, opened again whenever it goes away."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from cuesense.capture import Health
from cuesense.capture.ports import PicturePort, SoundPort
from cuesense.config import Live as Settings
from cuesense.errors import ParameterError

SYSTEM: Final = Path("/sys/class/video4linux")
"""Where Linux lists its cameras."""
OLDEST_S: Final = 0.5
"""s; a stamp that is older is of another clock."""
ACCESS: Final = (
    "allow this program (the terminal) to use the camera in the system's privacy settings, or "
    "use the browser's camera: cuesense live --capture browser"
)


def list_cameras() -> list[tuple[int, str]]:
    """Return number and name of each camera that the system lists (Linux), else nothing."""
    found = []
    with contextlib.suppress(OSError):
        for entry in sorted(SYSTEM.iterdir(), key=lambda p: (len(p.name), p.name)):
            number = entry.name.removeprefix("video")
            with contextlib.suppress(OSError):
                # A camera has further nodes for its metadata; pictures come from the first.
                if number.isdigit() and (entry / "index").read_text().strip() == "0":
                    found.append((int(number), (entry / "name").read_text().strip()))
    return found


def resolve(name: str) -> int | str:
    """Return what to open: a camera's number, or a device or URL as given.

    Raises
    ------
    ParameterError
        If no camera has that name.
    """
    if name.isdigit():
        return int(name)
    if "://" in name:
        return name
    if "/" in name:
        # By its number it is opened as a camera, by its name it might be taken for a film.
        node = re.fullmatch(r"/dev/video(\d+)", os.path.realpath(name))
        return int(node[1]) if node else name
    known = list_cameras()
    for number, title in known:
        if name.lower() in title.lower():
            return number
    there = ", ".join(f"{n} ({title})" for n, title in known) or "none is listed"
    raise ParameterError(f"camera={name!r} must be a name, number, device or URL; here: {there}")


class Camera:
    """A camera as a `Device`.

    Parameters
    ----------
    name
        name (or a part of it), number, device or URL; "" for the first.
    settings
        Of live sources.
    number
        Counting from 1, as the user is told.
    """

    def __init__(self, name: str, settings: Settings, number: int = 1) -> None:
        self._target = resolve(name) if name else 0
        self._settings = settings
        self._label = f"camera {number}"
        self._problem: tuple[str, str] = ("opening", "")
        self._last = 0.0  # monotonic s, of the last picture
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self._label, daemon=True)

    @property
    def health(self) -> tuple[Health, ...]:
        """How it is."""
        state, sentence = self._problem
        if state == "ok" and time.monotonic() - self._last > self._settings.stall_s:
            state, sentence = "lost", self._gone()
        return (Health(self._label, str(self._target), state, sentence),)

    def start(self, pictures: PicturePort | None, sound: SoundPort | None) -> None:
        """Begin to capture."""
        assert pictures is not None
        self._port = pictures
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a driver that hangs is left behind."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(self._settings.stall_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            camera = self._open()
            if camera is not None:
                try:
                    self._read(camera)
                finally:
                    camera.release()
            self._stop.wait(self._settings.retry_s)

    def _open(self) -> Any:
        """Return an opened camera, or None and note why not."""
        # What OpenCV logs of absent cameras would read as errors of ours.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        s = self._settings
        camera: Any = None
        try:
            if isinstance(self._target, str) and "://" in self._target:
                wait_ms = int(1000 * s.stall_s)
                limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait_ms]
                limits += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait_ms]
                camera = cv2.VideoCapture(self._target, cv2.CAP_FFMPEG, limits)
            else:
                camera = cv2.VideoCapture(self._target)
                # Uncompressed, most cameras reach this size only at a few pictures per second.
                camera.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
                camera.set(cv2.CAP_PROP_FRAME_WIDTH, s.width)
                camera.set(cv2.CAP_PROP_FRAME_HEIGHT, s.height)
                camera.set(cv2.CAP_PROP_FPS, s.fps)
            if camera.isOpened() and camera.grab():
                return camera
        except (cv2.error, OSError):
            pass  # why, is found out below
        if camera is not None:
            camera.release()
        self._problem = self._why_not()
        return None

    def _why_not(self) -> tuple[str, str]:
        if self._last:
            return "lost", self._gone()
        if isinstance(self._target, str) and "://" in self._target:
            return "missing", f"The camera at {self._target} does not answer: check its address."
        if not sys.platform.startswith("linux"):
            return "missing", f"No picture comes from {self._label}: plug it in, or {ACCESS}."
        node = f"/dev/video{self._target}" if isinstance(self._target, int) else self._target
        if not os.path.exists(node):
            return "missing", f"There is no {self._label}: plug one in, or name another."
        if not os.access(node, os.R_OK | os.W_OK):
            return "denied", f"You may not use {node}: add yourself to the group 'video'."
        return "busy", f"{self._label.capitalize()} is in use: close other programs that show it."

    def _gone(self) -> str:
        return f"No picture comes from {self._label} any more: check its cable; the rest goes on."

    def _stamp(self, camera: Any, now: float) -> float:
        """Return when the picture that was just grabbed was taken: as the driver says, or now."""
        if not sys.platform.startswith("linux") or "://" in str(self._target):
            return now
        stamp = camera.get(cv2.CAP_PROP_POS_MSEC) / 1000  # V4L2's, on the monotonic clock or not
        return stamp if 0 <= now - stamp < OLDEST_S else now

    def _read(self, camera: Any) -> None:
        """Hand over pictures until there are no more."""
        while not self._stop.is_set() and camera.grab():
            t = self._stamp(camera, time.monotonic())
            done, image = camera.retrieve()
            if not done:
                return
            self._last, self._problem = t, ("ok", "")
            if image.ndim == 2:
                image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
            rgb = cv2.cvtColor(image[:, :, :3], cv2.COLOR_BGR2RGB)
            self._port.offer(t, np.asarray(rgb, np.uint8))
