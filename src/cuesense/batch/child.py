"""One analysis in a process of its own: ``python -m cuesense.batch.child``, and its parent's side.

So a crash in a decoder, a kill for want of memory or a hang-up ends one recording, not the rest,
and all memory goes back. Plain pipes, no multiprocessing: a Dask worker is daemonic, and may not
have such children.

The first line on standard input says what to do; then the pipe stays open and silent. It ends when
whoever asked does, and with it this process: a worker that is killed leaves nobody who would
publish a session later. Each line on standard output is a JSON object: how far it is, or what went
wrong.

Recordings are local files by now and sessions go into a local folder, so that this process has no
network (`cues.confine`).
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any, Final, Self

from cuesense.cues.confine import confine, environment
from cuesense.errors import CuesenseError, MediaError

CLEAN_UP_S: Final = 5.0
"""s that the analysis may take to remove what it began to write."""
POLL_S: Final = 0.5
"""s between two questions whether the result is still waited for."""
THREADS: Final = ("OMP", "OPENBLAS", "MKL", "NUMBA", "NUMEXPR", "VECLIB")
"""Libraries that are held to one thread by NAME_NUM_THREADS: the recordings are the parallelism."""


class StoppedError(CuesenseError):
    """Nobody waits for the result any more."""


class Child:
    """The process, seen from its parent. A context manager: the process ends with it.

    Parameters
    ----------
    asked
        the arguments of `session.analyze`; `recordings` and `config` (a tree) among them.
    variables
        of its environment, over ours.
    """

    def __init__(self, asked: Mapping[str, Any], variables: Mapping[str, str]) -> None:
        self._log = tempfile.TemporaryFile()
        one = {f"{library}_NUM_THREADS": "1" for library in THREADS}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "cuesense.batch.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**environment(), **one, **variables},
            start_new_session=True,  # a terminal's Ctrl-C is its parent's to handle
        )
        self._said: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._reader = Thread(target=self._read, name="child's words", daemon=True)
        self._reader.start()
        assert self._process.stdin is not None
        with suppress(OSError):  # if it has ended already, `end` says why
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._log.close()

    def progress(
        self, stall_s: float, wanted: Callable[[], bool]
    ) -> Iterator[tuple[float, float | None]]:
        """Yield the seconds done and in all (None: unknown), until it has finished its work.

        Parameters
        ----------
        stall_s
            s without progress after which it counts as hung.
        wanted
            asked twice a second whether to go on.

        Raises
        ------
        StoppedError
            If it is not wanted any more.
        MediaError
            If it failed, crashed or hangs.
        """
        heard = time.monotonic()
        while wanted():
            try:
                said = self._said.get(timeout=POLL_S)
            except Empty:
                if time.monotonic() - heard > stall_s:
                    self._process.kill()
                    raise MediaError(
                        f"no progress for {stall_s:g} s: the analysis hung and was ended"
                    ) from None
                continue
            heard = time.monotonic()
            if said is None:
                if why := self.end():
                    raise MediaError(why)
                return
            if "error" in said:
                raise MediaError(said["error"])
            yield said["done"], said["total"]
        raise StoppedError("stopped before it was finished")

    def end(self) -> str:
        """End the process; return how it came to its end if that was not by itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            code = self._process.wait(2 * CLEAN_UP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        return _words(code, self._log) if code else ""

    def _read(self) -> None:
        assert self._process.stdout is not None
        with suppress(ValueError, OSError):  # half a line: it was killed
            for line in self._process.stdout:
                self._said.put(json.loads(line))
        self._said.put(None)


def _words(code: int, log: IO[bytes]) -> str:
    """Say how a process ended."""
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    last = f" (its last words: {lines[-1].strip()})" if lines else ""
    if code == -getattr(signal, "SIGKILL", 9):
        return "the analysis was killed by the system, perhaps for want of memory: try fewer --jobs"
    if code < 0:
        return f"the analysis crashed with {signal.Signals(-code).name}{last}"
    return f"the analysis ended with code {code}{last}"


def _analyze(asked: dict[str, Any], answers: IO[bytes]) -> None:
    """Analyse, and tell how far it is."""
    import cv2

    from cuesense.config import Config
    from cuesense.session import analyze

    cv2.setNumThreads(1)

    def tell(done: float, total: float) -> None:
        _say(answers, {"done": done, "total": total if total == total else None})

    tell(0.0, float("nan"))
    config = Config.from_dict(asked.pop("config"))
    analyze(*asked.pop("recordings"), config=config, progress=tell, **asked)


def _say(answers: IO[bytes], what: dict[str, Any]) -> None:
    answers.write(json.dumps(what).encode() + b"\n")
    answers.flush()


def _end_with(orders: IO[bytes]) -> None:
    """End this process when its input does: first asked, so that it cleans up, then by force."""
    orders.read()
    _thread.interrupt_main()
    time.sleep(CLEAN_UP_S)
    os._exit(1)


def main() -> None:
    """Do what the first line says."""
    # This signal interrupts the analysis when the input ends, even if it was ignored before.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    confine()  # before any library that may have business on the network is loaded
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints may get between the answers
    orders = sys.stdin.buffer
    code = 1
    try:
        asked = json.loads(orders.readline())
        Thread(target=_end_with, args=(orders,), daemon=True).start()
        _analyze(asked, answers)
        code = 0
    except CuesenseError as error:
        _say(answers, {"error": str(error)})
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    except Exception as error:
        _say(answers, {"error": f"unexpected {type(error).__name__} ({error}); please report it"})
    # The vendor's own clean-up at exit prints errors and may hang; there is nothing to save.
    os._exit(code)


if __name__ == "__main__":
    main()
