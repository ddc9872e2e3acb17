"""A live session on virtual devices, measured: ``make bench-live``, or ``make soak`` for 30 min.

A camera over HTTP and a sound server's microphone (as in the tests) feed ``cuesense live``; a real
browser shows the page; a second client listens in. The peer is the loop that every webcam demo is:
grab a picture, call one FaceLandmarker per half of it, nothing else.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import devices  # noqa: E402  (the tests' virtual devices)
import run as page_of_the_day  # noqa: E402

SAMPLE = ROOT / "samples" / "dyad.mp4"
WARM_SHARE = 0.25
"""Share of a session after which memory counts as warm."""
LOOK_S = 5.0
BINS = 20
"""Stretches of a session of whose memory the least counts."""
Series = npt.NDArray[np.float64]
BEGIN = {
    "type": "begin",
    "listener": "right",
    "keep_picture": False,
    "keep_sound": False,
    "passphrase": None,
    "consent": True,
}


@contextmanager
def camera(size: tuple[int, int], fps: float) -> Iterator[str]:
    """Give the address of a camera in a process of its own."""
    command = [sys.executable, __file__, "--serve", f"{size[0]}x{size[1]}", "--fps", str(fps)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().decode().strip()
        finally:
            process.kill()


def serve(size: tuple[int, int], fps: float) -> None:
    """Serve a camera until the input ends."""
    with devices.WebCamera(devices.film(SAMPLE, 20.0, size), fps) as served:
        print(served.url, flush=True)
        sys.stdin.read()


def speech(folder: Path) -> Path:
    """Write the sample's sound."""
    import wave

    import av

    path = folder / "speech.wav"
    with av.open(str(SAMPLE)) as container, wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(48_000)
        resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000)
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                out.writeframes(part.to_ndarray().tobytes())
    return path


class Loop:
    """Plays a file into the microphone over and over."""

    def __init__(self, server: devices.SoundServer, wav: Path) -> None:
        self._server, self._wav = server, wav
        self._ended = threading.Event()
        self._player: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            with self._server.play(self._wav) as self._player:
                pass

    def __enter__(self) -> Loop:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._player is not None:
            self._player.kill()
        self._thread.join()


@contextmanager
def browser(url: str) -> Iterator[Any]:
    """Open the page in a real browser without a window."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        "--window-size=1280,800",
    ):
        options.add_argument(flag)
    with webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver"))) as page:
        page.get(url)
        yield page


def memory_mb(root: psutil.Process) -> float:
    """Return the memory of a process and its children, shared pages once."""
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        info: Any = process.memory_full_info()
        total += getattr(info, "pss", info.rss) / 1e6
    return total


def growth(t: Series, mb: Series) -> float:
    """Return the slope of memory, MB/h, from what it was (n,) at times (n,) in s.

    Through the least of each of `BINS` stretches: pictures of 2.8 MB that are under way come and
    go with the load of the machine.
    """
    bin_of = ((t - t[0]) / (t[-1] - t[0] + 1e-9) * BINS).astype(int)
    least = [int(np.flatnonzero(bin_of == k)[mb[bin_of == k].argmin()]) for k in set(bin_of)]
    return float(np.polyfit(t[least] / 3600, mb[least], 1)[0])


def cpu_s(root: psutil.Process) -> float:
    """Return the processor seconds of a process and its living children."""
    return sum(sum(p.cpu_times()[:2]) for p in [root, *root.children(recursive=True)])


def session(url: str, folder: Path, minutes: float) -> dict[str, Any]:
    """Run one live session with a page; return what was measured."""
    from websockets.sync.client import connect
    from websockets.typing import Origin

    out = folder / "session"
    command = [sys.executable, "-m", "cuesense", "live", "--no-browser", "--camera", url]
    begun = time.monotonic()
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        live = subprocess.Popen([*command, "-o", str(out)], stderr=subprocess.PIPE, text=True)
        stack.callback(live.kill)
        assert live.stderr is not None
        address = ""
        while not address:
            line = live.stderr.readline()
            if not line:
                raise RuntimeError("cuesense live ended before it had a page")
            match = re.search(r"http://127\.0\.0\.1:(\d+)/#(\S+)", line)
            if match:
                address, (port, token) = match.group(0), match.groups()
        found["page_s"] = time.monotonic() - begun
        socket = stack.enter_context(
            connect(
                f"ws://127.0.0.1:{port}/socket",
                origin=Origin(f"http://127.0.0.1:{port}"),
                max_size=2**22,
            )
        )
        socket.send(json.dumps({"type": "hello", "token": token}))
        while not isinstance(socket.recv(20), bytes):
            pass
        found["first_picture_s"] = time.monotonic() - begun
        stack.enter_context(browser(address))
        while json.loads(_text(socket))["type"] != "checks":
            pass
        socket.send(json.dumps(BEGIN))
        root = psutil.Process(live.pid)
        states: list[dict[str, Any]] = []
        arrived: list[float] = []
        looks: list[tuple[float, float]] = []
        end = time.monotonic() + 60 * minutes
        warm = time.monotonic() + 60 * minutes * WARM_SHARE
        cpu_from: tuple[float, float] | None = None
        look = 0.0
        while (now := time.monotonic()) < end:
            message = json.loads(_text(socket))
            if message["type"] == "state":
                states.append(message)
                arrived.append(now)
            if now > look:
                look = now + LOOK_S
                looks.append((now, memory_mb(root)))
                if now > warm and cpu_from is None:
                    cpu_from = (now, cpu_s(root))
        assert cpu_from is not None
        found["cores"] = (cpu_s(root) - cpu_from[1]) / (time.monotonic() - cpu_from[0])
        socket.send(json.dumps({"type": "end"}))
        while (message := json.loads(_text(socket)))["type"] != "ended":
            if message["type"] == "error":
                raise RuntimeError(message["sentence"])
    late = [s for s, t in zip(states, arrived, strict=True) if t > warm]
    t, rss = np.array([x for x in looks if x[0] > warm]).T
    found["mb"] = float(rss.max())
    found["mb_per_h"] = growth(t, rss) if len(t) > 2 else np.nan
    found["fps"] = float(np.median([s["fps"] for s in late]))
    found["dropped"] = states[-1]["dropped"]
    found["apart_ms"] = 1000 * float(np.quantile(np.diff(arrived[len(arrived) // 4 :]), 0.95))
    for name in ("picture", "cues", "label"):
        values = [s["latency_ms"][name] for s in late if s["latency_ms"][name] is not None]
        found[f"{name}_ms"] = float(np.median(values)) if values else np.nan
    missed = [s["page_late"] for s in late if s["page_late"] is not None]
    found["page_late"] = float(np.median(missed)) if missed else np.nan
    meta = json.loads((out / "session.json").read_text())
    found["clocks"] = meta["live"]["clocks"]
    found["no_sound"] = max(meta["coverage"][p]["voice_reasons"].get("no_audio", 0.0) for p in "AB")
    found["faces"] = min(meta["coverage"][p]["face"] for p in "AB")
    found["minutes"] = meta["source"]["duration_s"] / 60
    return found


def _text(socket: Any) -> str:
    """Return the next message that is text; pictures are for the browser."""
    while isinstance(message := socket.recv(30), bytes):
        struct.unpack_from("<BB", message)
    return str(message)


def bare(url: str, seconds: float) -> dict[str, float]:
    """Grab, and call one FaceLandmarker per half of each picture, in one loop and one thread."""
    import cv2
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    from cuesense import models

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(models.fetch("face_landmarker"))),
        running_mode=vision.RunningMode.VIDEO,
        num_faces=1,
        output_face_blendshapes=True,
    )
    landmarkers = [vision.FaceLandmarker.create_from_options(options) for _ in range(2)]
    view = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
    view.grab()
    this, pictures = psutil.Process(), 0
    start, cpu = time.monotonic(), sum(this.cpu_times()[:2])
    while time.monotonic() < start + seconds:
        _, image = view.read()
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        half = rgb.shape[1] // 2
        for landmarker, part in zip(landmarkers, (rgb[:, :half], rgb[:, half:]), strict=True):
            picture = mp.Image(mp.ImageFormat.SRGB, np.ascontiguousarray(part))
            landmarker.detect_for_video(picture, pictures * 33)
        pictures += 1
    wall = time.monotonic() - start
    return {"fps": pictures / wall, "cores": (sum(this.cpu_times()[:2]) - cpu) / wall}


def skew_ms(seconds: float = 15.0) -> tuple[float, float, float]:
    """Return how much later sound is timed than the picture, and how late each of them is, ms.

    A lamp and a tone go on at whole seconds of our clock. The camera's rate is no whole number of
    pictures per second, so that the lamp goes on at any time between two of them.
    """
    from cuesense.capture import open_live
    from cuesense.capture.skew import Skew
    from cuesense.config import Config

    skew = Skew()
    with (
        devices.tone() as tone,
        devices.WebCamera(devices.lamp(), fps=29.3) as camera,
        open_live([camera.url], [], Config()) as feed,
    ):
        assert tone.poll() is None
        for packet in feed.packets():
            skew.push(packet)
            if packet.end > seconds:
                break
        late = [
            1000 * float(np.median([(t + feed.started + 0.5) % 1.0 - 0.5 for t in times]))
            for times in (skew.seen_s, skew.heard_s)
        ]
    return skew.ms, late[0], late[1]


def section(minutes: float, folder: Path) -> Iterator[str]:
    """Yield the section's lines."""
    yield f"## Live, {minutes:g} min" if minutes >= 10 else "## Live"
    yield ""
    rows: dict[str, dict[str, Any]] = {}
    peers: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        server = stack.enter_context(devices.sound_server(folder))
        skew, seen, heard = skew_ms()  # before anything else is played
        stack.enter_context(Loop(server, speech(folder)))
        sizes = [(1280, 720)] if minutes >= 10 else [(1280, 720), (640, 480)]
        for size in sizes:
            name = f"{size[0]}x{size[1]}"
            with camera(size, 30.0) as url:
                done = subprocess.run(
                    [sys.executable, __file__, "--bare", url],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                peers[name] = json.loads(done.stdout.splitlines()[-1])
                place = folder / name
                place.mkdir()
                rows[name] = session(url, place, minutes)
    yield from _table(rows, peers)
    yield ""
    yield (
        f"Sound after picture of one event: {skew:+.0f} ms (reach: within 20 ms); the picture is "
        f"timed {seen:+.0f} ms, the sound {heard:+.0f} ms after the event. Sound cannot be timed "
        "before it was made: what is negative there is the virtual microphone's, which says that "
        "its sound is older than it is."
    )
    yield ""
    yield (
        "Peer: OpenCV and one FaceLandmarker per half of the picture in one loop; no voice, no "
        "page. Camera, sound server, browser and peer share the machine's cores."
    )


ROWS: list[tuple[str, Callable[[dict[str, Any]], str], str]] = [
    ("minutes", lambda r: f"{r['minutes']:.1f}", ""),
    ("pictures per second", lambda r: f"{r['fps']:.1f}", ">= 25 (30 at 640x480)"),
    ("pictures dropped", lambda r: f"{r['dropped']}", ""),
    ("both faces", lambda r: f"{r['faces']:.1%}", ""),
    ("picture on the page, p95", lambda r: f"{r['picture_ms']:.0f} ms", "<= 150 ms"),
    ("cues, p95", lambda r: f"{r['cues_ms']:.0f} ms", "<= 400 ms"),
    ("states (labels), p95", lambda r: f"{r['apart_ms']:.0f} ms apart", "200 ms apart"),
    ("states behind capture, p95", lambda r: f"{r['label_ms']:.0f} ms", ""),
    ("time without sound", lambda r: f"{r['no_sound']:.2%}", "0"),
    ("losses of sound", lambda r: f"{_sound(r)['breaks']:.0f}", "0"),
    ("microphone's drift", lambda r: f"{_sound(r).get('drift_ppm', np.nan):+.1f} ppm", ""),
    ("memory, all processes", lambda r: f"{r['mb']:.0f} MB", ""),
    ("memory's slope", lambda r: f"{r['mb_per_h']:+.1f} MB/h", "< 5 MB/h in 30 min"),
    ("cores", lambda r: f"{r['cores']:.2f}", "<= 1.3"),
    ("page's frames late", lambda r: f"{r['page_late']:.1%}", "<= 10 %"),
    ("start to first picture", lambda r: f"{r['first_picture_s']:.1f} s", "<= 3 s"),
]
"""What is told of a session: name, how it is written, what is to be reached."""


def _table(rows: dict[str, dict[str, Any]], peers: dict[str, dict[str, float]]) -> Iterator[str]:
    heads = list(rows)
    yield "| | " + " | ".join(heads) + " | reach |"
    yield "|---|" + "---|" * (len(heads) + 1)
    for what, show, reach in ROWS:
        cells = " | ".join(show(row) for row in rows.values())
        yield f"| {what} | {cells} | {reach} |"
    cells = " | ".join(f"{p['cores']:.2f} at {p['fps']:.1f}" for p in peers.values())
    yield f"| peer: cores, pictures per second | {cells} | |"
    ratios = (
        (row["cores"] / row["fps"]) / (peer["cores"] / peer["fps"])
        for row, peer in zip(rows.values(), peers.values(), strict=True)
    )
    cells = " | ".join(f"{ratio:.2f}" for ratio in ratios)
    yield f"| cores per picture, cuesense / peer | {cells} | |"


def _sound(row: dict[str, Any]) -> dict[str, float]:
    found: dict[str, float] = row["clocks"]["microphone 1"]
    return found


def main() -> None:
    """Measure, and write the section into the page of the day."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--fps", type=float, default=30.0, help=argparse.SUPPRESS)
    parser.add_argument("--bare", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        width, height = map(int, options.serve.split("x"))
        serve((width, height), options.fps)
        return
    if options.bare:
        print(json.dumps(bare(options.bare, 15.0)))
        return
    with tempfile.TemporaryDirectory() as name:
        lines = []
        for line in section(options.minutes, Path(name)):
            print(line, flush=True)
            lines.append(line)
    page_of_the_day.write({"live": lines})


if __name__ == "__main__":
    main()
