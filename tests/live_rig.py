"""The command ``cuesense live`` as a process, and what two people say, for live tests."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av

DEADLINE_S = 60.0


def speech(recording: Path, path: Path) -> Path:
    """Write what is said in a recording as a sound file."""
    with av.open(str(recording)) as container, wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(48_000)
        resampler = av.AudioResampler("s16", "mono", 48_000)
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                out.writeframes(piece.to_ndarray().tobytes())
    return path


class Command:
    """``cuesense live`` in a process of its own, whose lines are read as they come.

    Parameters
    ----------
    folder
        The session's.
    *options
        Of the command.
    under
        Another command, to run it under.
    """

    def __init__(self, folder: Path, *options: str, under: Sequence[str] = ()) -> None:
        self._errors = folder.with_suffix(".err")
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*under, sys.executable, "-m", "cuesense", "live", "-o", str(folder), *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.lines: list[dict[str, Any]] = []
        self._new = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._new:
                self.lines.append(json.loads(line))
                self._new.notify()
        with self._new:
            self._new.notify()

    def until(self, holds: Callable[[dict[str, Any]], object], since: int = 0) -> int:
        """Wait for a line for which something holds; return its index."""

        def found() -> int | None:
            return next((i for i in range(since, len(self.lines)) if holds(self.lines[i])), None)

        with self._new:
            self._new.wait_for(lambda: found() is not None or not self.running, DEADLINE_S)
            index = found()
        assert index is not None, (self.errors, self.lines[-1:])
        return index

    def told(self, start: str) -> str:
        """Wait until it says something to the user; return the whole word that begins so."""
        deadline = time.monotonic() + DEADLINE_S
        while not (found := [w for w in self.errors.split() if w.startswith(start)]):
            assert self.running, self.errors
            assert time.monotonic() < deadline, self.errors
            threading.Event().wait(0.02)
        return found[0]

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    def ended(self, by: signal.Signals | None = None) -> int:
        """Return its exit code, after a signal if one is given."""
        if by is not None:
            self.process.send_signal(by)
        code = self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        return code

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
