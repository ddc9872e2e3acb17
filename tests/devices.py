"""Virtual devices for live tests: a camera served over HTTP, a microphone of a sound server.

Both are real to what is tested: OpenCV opens the camera by its address, PortAudio the microphone
as the system's default.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import av
import cv2
import numpy as np
import pytest

from cuesense.types import U8

Scene = Callable[[float], U8 | bytes]
"""From the time (monotonic s) to the picture (RGB, or JPEG already) that a camera sees."""


def jpeg(image: U8) -> bytes:
    """Return an RGB picture as JPEG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def grey(size: tuple[int, int] = (640, 360)) -> Scene:
    """Return a scene that is grey."""
    image = jpeg(np.full((size[1], size[0], 3), 128, np.uint8))
    return lambda t: image


def film(
    recording: Path,
    seconds: float,
    size: tuple[int, int] | None = None,
    across: tuple[float, float] = (0.0, 1.0),
) -> Scene:
    """Return a scene that plays the first seconds of a recording over and over, from now on.

    `across` cuts a part of the picture out, from left to right.
    """
    frames = []
    with av.open(str(recording)) as container:
        for frame in container.decode(video=0):
            if frame.time is None or frame.time >= seconds:
                break
            left, right = (round(share * frame.width) for share in across)
            image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)[:, left:right]
            small = image if size is None else cv2.resize(image, size)
            frames.append((frame.time, jpeg(np.asarray(small, np.uint8))))
    times = np.array([t for t, _ in frames])
    began = time.monotonic()

    def scene(t: float) -> bytes:
        at = (t - began) % seconds
        return frames[max(int(np.searchsorted(times, at, "right")) - 1, 0)][1]

    return scene


ON_S = 0.3
"""s of each second that the lamp and the tone are on."""


def lamp(size: tuple[int, int] = (640, 360)) -> Scene:
    """Return a scene with a lamp that goes on at whole seconds of our clock."""
    dark, light = (jpeg(np.full((size[1], size[0], 3), v, np.uint8)) for v in (0, 255))
    return lambda t: light if t % 1.0 < ON_S else dark


@contextmanager
def tone(rate: int = 48_000) -> Iterator[subprocess.Popen[bytes]]:
    """Play a tone that goes on at whole seconds of our clock into the sound server."""
    player = subprocess.Popen(
        ["pacat", "--latency-msec=10", "--format=float32le", f"--rate={rate}", "--channels=1"],
        stdin=subprocess.PIPE,
    )
    ended = threading.Event()
    assert player.stdin is not None
    write, flush = player.stdin.write, player.stdin.flush

    def speak() -> None:
        due = time.monotonic()
        while not ended.is_set():
            t = due + np.arange(rate // 200) / rate
            samples = 0.3 * np.sin(2 * np.pi * 440 * t) * (t % 1.0 < ON_S) + 1e-4
            try:
                write(samples.astype(np.float32).tobytes())
                flush()
            except OSError:
                return  # the server was unplugged
            due += 0.005
            ended.wait(max(due - time.monotonic(), 0))

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        yield player
    finally:
        ended.set()
        player.kill()
        speaker.join()
        with suppress(OSError):
            player.stdin.close()
        player.wait()


def noise(path: Path, seconds: float = 30.0, rate: int = 48_000) -> Path:
    """Write a file of soft noise."""
    samples = np.random.default_rng(0).normal(0, 1000, int(seconds * rate)).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
    return path


class WebCamera:
    """A camera that sends Motion JPEG over HTTP on 127.0.0.1, as network cameras do.

    Parameters
    ----------
    scene
        What it sees.
    fps
        Pictures per second.
    port
        0 takes a free one.
    """

    def __init__(self, scene: Scene, fps: float = 30.0, port: int = 0) -> None:
        self.scene, self.fps = scene, fps
        self.stalled = threading.Event()
        self.sent = 0
        self._ended = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                kind = "multipart/x-mixed-replace; boundary=frame"
                self.send_header("Content-Type", kind)
                self.end_headers()
                try:
                    camera._stream(self.wfile.write)
                except OSError:
                    pass  # whoever watched has gone

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/camera.mjpg"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def _stream(self, write: Callable[[bytes], int]) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            if not self.stalled.is_set():
                seen = self.scene(time.monotonic())
                body = seen if isinstance(seen, bytes) else jpeg(seen)
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
                write(b"--frame\r\n" + head.encode() + body + b"\r\n")
                self.sent += 1
            due = max(due + 1 / self.fps, time.monotonic() - 1 / self.fps)
            self._ended.wait(max(due - time.monotonic(), 0.001))

    def close(self) -> None:
        """Unplug it."""
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SoundServer:
    """A PulseAudio server of its own whose default input hears what `play` is told to play.

    Its environment makes PortAudio use it; it must be set before PortAudio is initialised.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "pulse.socket"
        config = folder / "asound.conf"
        alsa = Path("/usr/share/alsa/alsa.conf")
        config.write_text(
            f"<{alsa}>\npcm.!default {{ type pulse }}\nctl.!default {{ type pulse }}\n"
        )
        self.environment = {
            "PULSE_SERVER": f"unix:{self._socket}",
            "PULSE_SOURCE": "cue.monitor",
            "PULSE_SINK": "cue",
            "PULSE_LATENCY_MSEC": "20",
            "ALSA_CONFIG_PATH": str(config),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_STATE_PATH": str(folder),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.plug_in()

    def plug_in(self) -> None:
        """Start the server."""
        modules = [
            f"module-native-protocol-unix socket={self._socket} auth-anonymous=1",
            "module-null-sink sink_name=cue rate=48000 channels=1",
        ]
        log = (self._folder / "pulse.log").open("ab")
        self._process = subprocess.Popen(
            [
                *("pulseaudio", "--daemonize=no", "-n", "--exit-idle-time=-1"),
                *("--disallow-exit=yes", "--use-pid-file=no", "--log-target=stderr"),
                *(f"--load={module}" for module in modules),
            ],
            env=os.environ | self.environment | {"HOME": str(self._folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        log.close()
        deadline = time.monotonic() + 20
        while self._pactl("info") != 0:
            assert time.monotonic() < deadline, (self._folder / "pulse.log").read_text()
            assert self._process.poll() is None, (self._folder / "pulse.log").read_text()

    def unplug(self) -> None:
        """End the server."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._socket.unlink(missing_ok=True)

    def play(self, wav: Path) -> subprocess.Popen[bytes]:
        """Play a file into what the microphone hears; it ends with the file."""
        return subprocess.Popen(
            ["paplay", "--latency-msec=20", str(wav)],
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
        )

    def mute(self, muted: bool) -> None:
        """Mute the microphone: it gives zeros."""
        assert self._pactl("set-source-mute", "cue.monitor", str(int(muted))) == 0

    def _pactl(self, *words: str) -> int:
        return subprocess.run(
            ["pactl", *words],
            env=os.environ | self.environment,
            capture_output=True,
            check=False,
        ).returncode


@contextmanager
def sound_server(folder: Path) -> Iterator[SoundServer]:
    """Give a running sound server; the test is skipped where there is none to run."""
    if not all(map(shutil.which, ("pulseaudio", "pactl", "paplay"))):
        pytest.skip("no PulseAudio: install pulseaudio pulseaudio-utils libasound2-plugins")
    server = SoundServer(folder)
    before = {name: os.environ.get(name) for name in server.environment}
    os.environ.update(server.environment)
    try:
        yield server
    finally:
        server.unplug()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
