"""The processes that follow faces, and the shared memory through which they get their pictures.

``python -m cuesense.cues.face_worker`` is started with plain pipes, not through multiprocessing:
a spawned or forked-from-a-server child imports the caller's main module, which breaks notebooks
and every script without an ``if __name__ == "__main__"`` guard, and a forked child inherits the
parent's threads' locks. The pipes carry pickles (each object frames itself); pictures do not go
through them.

The worker ends when its standard input does, so it never outlives its parent. It ignores Ctrl-C:
that is the parent's to handle. What the vendor's libraries print goes to a temporary file.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, Protocol
from zipfile import BadZipFile

import numpy as np

from cuesense.config import Faces as FacesConfig
from cuesense.cues.confine import confine, environment
from cuesense.cues.sightings import Look, Order
from cuesense.errors import ModelError
from cuesense.types import U8

if TYPE_CHECKING:
    from cuesense.cues.face_tracker import Sweeper, Tracker


class WorkerGoneError(Exception):
    """The worker process ended; `Faces` starts another."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker needs to know."""

    model: Path
    config: FacesConfig


@dataclass(frozen=True, slots=True)
class Task:
    """One picture for some of the trackers: where it lies, and what each is to do."""

    memory: str
    offset: int
    shape: tuple[int, ...]
    t: float
    orders: tuple[tuple[int, Order], ...]


class Trackers:
    """The trackers of one worker, each made at its first order and kept."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._sweeper: Sweeper | None = None
        self._trackers: dict[int, Tracker] = {}

    def look(self, image: U8, t: float, orders: Sequence[tuple[int, Order]]) -> dict[int, Look]:
        """Return what each ordered tracker saw in the picture.

        Raises
        ------
        ModelError
            If the model file cannot be used.
        """
        return {number: self._tracker(number).look(image, t, order) for number, order in orders}

    def close(self) -> None:
        """Free the models."""
        for owner in (*self._trackers.values(), self._sweeper):
            if owner is not None:
                owner.close()

    def _tracker(self, number: int) -> Tracker:
        from cuesense.cues.face_tracker import Sweeper, Tracker

        setup = self._setup
        try:
            if self._sweeper is None:
                self._sweeper = Sweeper(setup.model, setup.config)
            if number not in self._trackers:
                self._trackers[number] = Tracker(setup.model, setup.config, self._sweeper)
        except (RuntimeError, ValueError, OSError, KeyError, BadZipFile) as error:
            raise ModelError(
                f"face model {setup.model} cannot be used: {error}; "
                "run 'cuesense models verify' and fetch it again"
            ) from error
        return self._trackers[number]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture and where in the shared memory it lies (nowhere if no process needs it)."""

    image: U8
    memory: str = ""
    offset: int = 0


class Worker(Protocol):
    """Something that looks at pictures: `send`, and later `receive` in the same order."""

    @property
    def pid(self) -> int:
        """The number of the process that it runs in."""
        ...

    def send(self, picture: Picture, t: float, orders: dict[int, Order]) -> None:
        """Ask what the ordered trackers see in a picture."""
        ...

    @property
    def ready(self) -> bool:
        """Whether the oldest answer is there: `receive` would not wait."""
        ...

    def receive(self) -> dict[int, Look]:
        """Return the oldest answer."""
        ...

    def last_words(self) -> str:
        """Return the last line that it printed."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class LocalWorker:
    """A worker in this very process, for debugging. Methods as in `Worker`."""

    def __init__(self, setup: Setup) -> None:
        self._trackers = Trackers(setup)
        self._done: deque[dict[int, Look]] = deque()

    @property
    def pid(self) -> int:
        """The number of this very process."""
        return os.getpid()

    def send(self, picture: Picture, t: float, orders: dict[int, Order]) -> None:
        """Look at once."""
        self._done.append(self._trackers.look(picture.image, t, tuple(orders.items())))

    @property
    def ready(self) -> bool:
        """Whether there is an answer."""
        return bool(self._done)

    def receive(self) -> dict[int, Look]:
        """Return the oldest answer."""
        return self._done.popleft()

    def last_words(self) -> str:
        """Return nothing: what it prints is seen."""
        return ""

    def close(self) -> None:
        """Free the models."""
        self._trackers.close()


class Ring:
    """Slots of shared memory for the pictures in flight; a slot is written once, read by all."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._memory: SharedMemory | None = None
        self._size = 0
        self._retired: list[SharedMemory] = []
        self._next = 0

    def put(self, image: U8) -> Picture:
        """Copy a picture in."""
        if self._memory is None or image.nbytes > self._size:
            # Pictures in flight still lie in the old one, so it is kept to the end.
            if self._memory is not None:
                self._retired.append(self._memory)
            self._size = image.nbytes
            self._memory = SharedMemory(create=True, size=self._size * self._slots)
        offset = self._next % self._slots * self._size
        self._next += 1
        view = np.ndarray(image.shape, np.uint8, self._memory.buf, offset)
        view[:] = image
        return Picture(image, self._memory.name, offset)

    def close(self) -> None:
        """Give the memory back."""
        for memory in [*self._retired, *([self._memory] if self._memory else [])]:
            memory.close()
            memory.unlink()
        self._retired, self._memory = [], None


class ProcessWorker:
    """A worker process, seen from the parent."""

    def __init__(self, setup: Setup) -> None:
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "cuesense.cues.face_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment(),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to: IO[bytes] = self._process.stdin
        self._from: IO[bytes] = self._process.stdout
        self._answers: SimpleQueue[dict[int, Look] | Exception] = SimpleQueue()
        # Pipes cannot be asked on every system whether a whole answer is there; a queue can.
        self._reader = Thread(target=self._read, name="face answers", daemon=True)
        self._reader.start()
        self._write(setup)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def send(self, picture: Picture, t: float, orders: dict[int, Order]) -> None:
        """Ask what the ordered trackers see in a picture of the ring.

        Raises
        ------
        WorkerGoneError
            if the process has ended.
        """
        shape = picture.image.shape
        self._write(Task(picture.memory, picture.offset, shape, t, tuple(orders.items())))

    @property
    def ready(self) -> bool:
        """Whether there is an answer, or the news that the process ended."""
        return not self._answers.empty()

    def receive(self) -> dict[int, Look]:
        """Wait for the oldest result.

        Raises
        ------
        WorkerGoneError
            if the process has ended.
        ModelError
            if it could not load the model.
        """
        answer = self._answers.get()
        if isinstance(answer, Exception):
            self._answers.put(answer)  # it will not come to life again
            raise answer
        return answer

    def last_words(self) -> str:
        """Return the last line that the process printed."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def close(self) -> None:
        """End the process: closing its input is the word."""
        try:
            self._to.close()
        except OSError:
            pass  # it is gone already
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._from.close()
        self._log.close()

    def _read(self) -> None:
        """Take the process's answers as they come, to its end."""
        while True:
            try:
                answer = pickle.load(self._from)
            except (EOFError, pickle.UnpicklingError, OSError):
                self._answers.put(WorkerGoneError())
                return
            self._answers.put(answer)

    def _write(self, message: Any) -> None:
        try:
            pickle.dump(message, self._to, pickle.HIGHEST_PROTOCOL)
            self._to.flush()
        except OSError as error:
            raise WorkerGoneError from error


def _attach(name: str) -> SharedMemory:
    """Open the parent's memory without becoming responsible for it."""
    if sys.version_info >= (3, 13):
        return SharedMemory(name, track=False)
    from multiprocessing import resource_tracker

    # Before 3.13 opening also registers, and this process's tracker would unlink it at the end.
    register = resource_tracker.register
    resource_tracker.register = lambda name, rtype: None
    try:
        return SharedMemory(name)
    finally:
        resource_tracker.register = register


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer every task with its looks, until the input ends."""
    import cv2

    cv2.setNumThreads(1)  # the processes are the parallelism
    setup: Setup = pickle.load(requests)
    from cuesense.cues import face_tracker  # noqa: F401  (seconds; while the parent decodes)

    trackers = Trackers(setup)
    memories: dict[str, SharedMemory] = {}
    while True:
        try:
            task: Task = pickle.load(requests)
        except EOFError:
            return
        if task.memory not in memories:
            memories[task.memory] = _attach(task.memory)
        image = np.ndarray(task.shape, np.uint8, memories[task.memory].buf, task.offset)
        answer: dict[int, Look] | ModelError
        try:
            answer = trackers.look(image, task.t, task.orders)
        except ModelError as error:
            answer = error
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


def main() -> None:
    """Run the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    confine()  # before any library that may have business on the network is loaded
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints may get between the answers
    try:
        _serve(sys.stdin.buffer, answers)
    except (BrokenPipeError, KeyboardInterrupt):
        pass
    # The vendor's own clean-up at exit prints errors and may hang; there is nothing to save.
    os._exit(0)


if __name__ == "__main__":
    main()
