"""A scripted desk for the page's tests: it posts to a real board what a session would.

It stands in for the sensing only; server, sockets, files and the browser are the real ones.
"""

from __future__ import annotations

import queue
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np

import report_sessions
from cuesense import report
from cuesense.board import Board
from cuesense.errors import ParameterError
from cuesense.types import F32
from cuesense.web.app import serve

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "dyad.mp4"
FACES = ((0.184, 0.272, 0.138, 0.33), (0.686, 0.272, 0.142, 0.33))
"""x, y, width, height of both faces of the sample, in shares of the picture."""
WAIT_S = 15.0

CHECKS = [
    {"what": "camera", "state": "ok", "sentence": "Camera 1 works."},
    {"what": "faces", "state": "ok", "sentence": "Both faces are found."},
    {"what": "light", "state": "ok", "sentence": "The light is good."},
    {"what": "distance", "state": "warn", "sentence": "Come a little closer to the camera."},
    {"what": "sound", "state": "bad", "sentence": "Say a few words, to try the microphone."},
]


def pictures(count: int = 45, first: int = 250, width: int = 640) -> list[bytes]:
    """JPEGs of the bundled sample, as the session posts them."""
    found = []
    with av.open(str(SAMPLE)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i >= first:
                image = frame.reformat(width, width * 9 // 16, format="bgr24").to_ndarray()
                found.append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 82])[1])
            if len(found) == count:
                break
    return [jpeg.tobytes() for jpeg in found]


def oval(box: tuple[float, float, float, float], sway: float = 0.0) -> list[list[float]]:
    """36 points of an egg in the box, narrower at the chin."""
    x, y, w, h = box
    angles = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    narrow = 0.5 * w * (1 - 0.16 * np.clip(-np.cos(angles), 0, 1) ** 2)
    across = x + w / 2 + sway + narrow * np.sin(angles)
    down = y + h / 2 - 0.5 * h * np.cos(angles)
    return [[float(a), float(b)] for a, b in zip(across, down, strict=True)]


def person(role: str, arousal: float | None, **more: Any) -> dict[str, Any]:
    """One person of a state message."""
    known = arousal is not None
    return {
        "role": role,
        "arousal": arousal,
        "valence": -0.4 * arousal if arousal is not None else None,
        "speaking": 0.9 if role == "partner" else 0.1,
        "f0_hz": 208.0 if role == "partner" else None,
        "loudness_db": -24.0 if role == "partner" else None,
        "syllable_rate": 4.6 if role == "partner" else None,
        "gaze_on_partner": 1.0,
        "motion_energy": 0.031,
        "face_reason": "",
        "voice_reason": "" if role == "partner" else "silent",
        "state_reason": "" if known else "uncalibrated",
        "quality": 0.93,
        **more,
    }


def state(
    t: float,
    label: str,
    *,
    reason: str = "",
    variant: str = "",
    needle: float | None = None,
    arousal: tuple[float | None, float | None] = (0.4, 0.1),
) -> dict[str, Any]:
    """A state message: A is the partner, B the listener; `arousal` in that order."""
    modes = {"mirroring": (0.9, 0.06, 0.04), "regulating": (0.05, 0.92, 0.03)}
    lean = {"mirroring": -0.85, "regulating": 0.87, "moved": -0.8, "calm": 0.8}
    return {
        "type": "state",
        "t": t,
        "label": label,
        "reason": reason,
        "variant": variant,
        "p": modes.get(label),
        "needle": lean.get(label.split(";")[0]) if needle is None else needle,
        "contingency": 0.86,
        "by_chance": 0.31,
        "rests_on": ["nods come after the partner's pauses"],
        "rival": "mirroring is the next likely stance",
        "people": {"A": person("partner", arousal[0]), "B": person("listener", arousal[1])},
        "turn_share": 0.34,
        "nods": 6,
        "backchannels": 4,
        "dropped": 2,
        "fps": 29.8,
        "latency_ms": {"picture": 74.0, "cues": 210.0, "label": 1150.0},
    }


class ScriptedDesk:
    """Follows a page's wishes as a session would, without sensing anything."""

    def __init__(self, folder: Path, *, baseline_s: float = 45.0, **hello: Any) -> None:
        self.board = Board()
        self.commands: list[dict[str, Any]] = []
        self.delays: list[float] = []  # s from a picture's post until it was drawn
        self.report: Path | None = None
        self._folder = folder
        self._changed = threading.Condition()
        self._hello: dict[str, Any] = {
            "type": "hello",
            "version": "0.1.0",
            "phase": "setup",
            "capture": "device",
            "views": 1,
            "listener": None,
            "baseline_s": baseline_s,
            "t": None,
            "keep": {"picture": False, "sound": False},
            "can_keep": True,
            "folder": str(folder.name),
            "health": [],
            "checks": CHECKS,
            "state": None,
            "advice": None,
            "history": [],
            **hello,
        }

    def hello(self) -> dict[str, Any]:
        return dict(self._hello)

    def pretend(self, **hello: Any) -> None:
        """Let pages that come from now on be told this."""
        self._hello |= hello

    @property
    def phase(self) -> str:
        return str(self._hello["phase"])

    def command(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "seen":
            self.delays.append(time.monotonic() - message["t"])
        with self._changed:
            self.commands.append(dict(message))
            self._changed.notify_all()
        match message["type"]:
            case "begin":
                if not message["consent"]:
                    raise ParameterError("Both of you have to agree first.")
                keep = {"picture": message["keep_picture"], "sound": message["keep_sound"]}
                self._hello["keep"] = keep
                self.board.keep({"type": "hello"})
                self.enter("starting")
            case "pause":
                self.enter("paused")
            case "resume":
                self.enter("session")
            case "mark":
                self.board.keep({"type": "mark", "t": 12.0})
            case "end":
                if self.phase in ("ended", "failed"):
                    raise ParameterError("The session has ended already.")
                self.finish()

    def finish(self) -> None:
        """End as a session ends: the report is written, then pages are told."""
        self.enter("ending")
        path = self._folder / "report.html"
        path.write_text(report.render(report_sessions.session(60.0)), encoding="utf-8")
        self.report = path
        self.enter("ended")
        self.board.keep({"type": "ended", "folder": self._hello["folder"]})

    def enter(self, phase: str, *, left_s: float | None = None, sentence: str = "") -> None:
        self._hello |= {"phase": phase, "left_s": left_s, "sentence": sentence}
        message = {"type": "phase", "phase": phase, "t": 0.0, "left_s": left_s}
        self.board.keep(message | {"sentence": sentence})

    def show(self, message: dict[str, Any]) -> None:
        """Post a state, and let pages that come later have it."""
        self._hello |= {"state": message, "t": message["t"]}
        self.board.latest("state", message)

    def hold(self, label: str, *, t: float = 60.0, seconds: float = 3.0, **more: Any) -> None:
        """Post a label for as long as the page takes to believe it."""
        for i in range(int(5 * seconds)):
            self.board.keep(state(t + i / 5, label, **more))
        self.show(state(t + seconds, label, **more))

    def advise(self, text: str, *because: str, until: float = 1e6) -> None:
        message = {"type": "advice", "t": 60.0, "until": until, "kind": "soothe", "text": text}
        message |= {"because": list(because)}
        self._hello["advice"] = message
        self.board.keep(message)

    def faces(self, seats: tuple[int, ...] = (0, 1), sway: float = 0.0, view: int = 0) -> None:
        found = [
            {"seat": s, "box": FACES[s], "outline": oval(FACES[s], sway), "quality": 0.9}
            | {"reason": ""}
            for s in seats
        ]
        message = {"type": "faces", "view": view, "t": time.monotonic(), "faces": found}
        self.board.latest(f"faces{view}", message)

    def picture(self, jpeg: bytes, view: int = 0) -> float:
        t = time.monotonic()
        self.board.latest(f"picture{view}", struct.pack("<BBd", 1, view, t) + jpeg)
        return t

    def wait(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first command for which `holds`, once it came."""
        with self._changed:

            def found() -> list[dict[str, Any]]:
                return [c for c in self.commands if holds(c)]

            assert self._changed.wait_for(found, WAIT_S), f"only came: {self.commands[-5:]}"
            return found()[0]

    def wait_for(self, kind: str) -> dict[str, Any]:
        return self.wait(lambda c: c["type"] == kind)


class RecordingFeed:
    """Keeps what a page's camera and microphone offer."""

    def __init__(self) -> None:
        self.pictures: list[tuple[float, bytes]] = []
        self.sounds: list[tuple[float, int, int, F32]] = []
        self.syncs: list[tuple[float, float]] = []
        self._changed = threading.Condition()

    def offer_picture(self, at_ms: float, jpeg: bytes) -> None:
        with self._changed:
            self.pictures.append((at_ms, jpeg))
            self._changed.notify_all()

    def offer_sound(self, at_ms: float, index: int, rate: int, channels: int, samples: F32) -> None:
        assert samples.shape[1] == channels
        with self._changed:
            self.sounds.append((at_ms, index, rate, samples))
            self._changed.notify_all()

    def sync(self, page_ms: float, received: float) -> None:
        with self._changed:
            self.syncs.append((page_ms, received))
            self._changed.notify_all()

    def wait(self, holds: Callable[[RecordingFeed], bool], timeout_s: float = 30.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self), timeout_s), "too little came"

    def more(self, pictures: int) -> None:
        """Wait for this many further pictures."""
        least = len(self.pictures) + pictures
        self.wait(lambda feed: len(feed.pictures) >= least)


class Place(NamedTuple):
    """Where a desk's page is served."""

    address: str
    origin: str
    port: int
    token: str
    thread: threading.Thread


@contextmanager
def served(desk: ScriptedDesk, feed: Any = None, port: int = 0) -> Iterator[Place]:
    """Serve a desk in a thread of its own, and end it after."""
    ready: queue.Queue[str] = queue.Queue()
    thread = threading.Thread(
        target=serve,
        args=(desk,),
        kwargs={"open_browser": False, "feed": feed, "on_ready": ready.put, "port": port},
        daemon=True,
    )
    thread.start()
    address = ready.get(timeout=WAIT_S)
    origin, token = address.split("/#")
    try:
        yield Place(address, origin, int(origin.rsplit(":", 1)[1]), token, thread)
    finally:
        if desk.phase not in ("ended", "failed"):
            desk.finish()
        thread.join(WAIT_S)
        assert not thread.is_alive(), "the server did not end with the session"


@contextmanager
def filming(desk: ScriptedDesk, jpegs: list[bytes], fps: float = 30.0) -> Iterator[list[float]]:
    """Post pictures and outlines at a camera's pace from a thread; gives the times of posting."""
    stop, times = threading.Event(), list[float]()

    def film() -> None:
        start = time.monotonic()
        for i in range(10**9):
            if stop.wait(max(0.0, start + i / fps - time.monotonic())):
                return
            times.append(desk.picture(jpegs[i % len(jpegs)]))
            if i % 2 == 0:
                desk.faces(sway=0.002 * float(np.sin(i / 9)))

    thread = threading.Thread(target=film)
    thread.start()
    try:
        yield times
    finally:
        stop.set()
        thread.join()
