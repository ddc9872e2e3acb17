"""A live session: devices in, feedback out, a session folder at the end.

`LiveSession` owns the sensing thread. It runs the very stages of the recorded path, first as a
rehearsal (set-up: nothing is kept), then for the session, writes what was sensed as it comes, and
posts what watchers (a page, a terminal) show on its board. Watchers send commands; neither ever
waits for the other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

from cuesense.board import Board
from cuesense.capture import LiveFeed, Source, SourceInfo
from cuesense.config import Config
from cuesense.errors import CuesenseError, OutputError, ParameterError
from cuesense.journal import Journal, finish
from cuesense.live.view import View
from cuesense.pipeline import Findings, run
from cuesense.profiles import Given, known
from cuesense.recording import Recorder
from cuesense.types import Event, Moment, Packet, VideoFrame

Phase = Literal["setup", "starting", "baseline", "session", "paused", "ending", "ended", "failed"]

STILL_S: Final = 0.5
"""s between showings of a recording's picture before it is played: pages come and go."""
FULL_S: Final = 60.0
"""s that the end of a session waits for space on a full disk."""
NOTE_LENGTH: Final = 500
"""Letters of a mark's or check-in's words."""

Watch = Callable[[Moment, float], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the people decided before the session."""

    listener: str = "auto"
    keep_picture: bool = False
    keep_sound: bool = False
    passphrase: str | None = None


class LiveSession:
    """One live session, from set-up to report.

    Parameters
    ----------
    feed
        The opened source.
    folder
        A folder of its own, from `folder.claim`.
    config
        Settings.
    choice
        Decided already: begin at once. None: rehearse until the command "begin".
    given
        Saved profiles of the two people.
    watch
        Called with each moment, and with time.monotonic() when what it tells of was captured.

    Attributes
    ----------
    board
        Where messages for watchers are posted.
    findings
        What the session learned of the two people so far.
    error
        What ended the session before its time, if anything did.
    """

    def __init__(
        self,
        feed: LiveFeed,
        folder: Path,
        config: Config,
        choice: Choice | None = None,
        given: Given = (None, None),
        watch: Watch | None = None,
    ) -> None:
        self._feed, self._folder, self._config = feed, folder, config
        self._watch = watch
        self._choice = choice
        self.board = Board()
        self.findings = Findings(given=given)
        self.error: Exception | None = None
        self._begin = threading.Event()
        if choice is not None:
            self._begin.set()
        self._ending = threading.Event()
        self._lock = threading.RLock()  # of what commands and the sensing thread share
        self._marks: list[Event] = []
        self._about: dict[str, Any] = {"checkins": [], "capture": feed.kind}
        self._phase: Phase = "setup"
        self._sentence = ""
        self._baseline_until = config.baseline.start_s + config.baseline.duration_s
        self._report: Path | None = None
        self._thread = threading.Thread(target=self._run, name="sensing", daemon=True)
        self._journal: Journal | None = None
        self._recorder: Recorder | None = None
        self._unrecorded = ""  # why nothing is recorded that should be
        self._view = View(self.board, feed, config)

    # What watchers see and say

    @property
    def phase(self) -> Phase:
        """Where the session is."""
        return self._phase

    @property
    def report(self) -> Path | None:
        """The report, once it is written."""
        return self._report

    def hello(self) -> dict[str, Any]:
        """Return all that a watcher must know to draw itself, at any moment."""
        view, now = self._view, self._now()
        advice = view.advice
        current = advice is not None and now is not None and now < advice["until"]
        choice = self._choice or Choice()
        return {
            "type": "hello",
            "version": version("cuesense"),
            "phase": self._phase,
            "sentence": self._sentence,
            "capture": self._feed.kind,
            "views": self._feed.info.views,
            "listener": view.listener or self._config.people.listener,
            "baseline_s": self._config.baseline.duration_s,
            "t": now,
            "left_s": self._left(now),
            "history": list(view.history),
            "keep": {"picture": choice.keep_picture, "sound": choice.keep_sound},
            "can_keep": self._feed.kind != "play",
            "folder": str(self._folder),
            "health": view.trouble,
            "checks": view.checks,
            "state": view.state,
            "advice": advice if current else None,
        }

    def command(self, message: Mapping[str, Any]) -> None:
        """Do what a watcher asks for.

        Raises
        ------
        ParameterError
            If it cannot be done, in words for the user.
        """
        commands: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "begin": self._on_begin,
            "pause": lambda _: self.pause(),
            "resume": lambda _: self.resume(),
            "mark": lambda m: self.mark(_words(m, "text")),
            "checkin": self._on_checkin,
            "seen": lambda m: self._view.seen(m),
            "end": lambda _: self.end(),
        }
        kind = str(message.get("type"))
        if kind not in commands:
            raise ParameterError(f"type={kind!r} must be one of {', '.join(commands)}")
        commands[kind](message)

    def pause(self) -> None:
        """Stop sensing for a while; the devices stay open."""
        with self._lock:
            if self._phase not in ("baseline", "session"):
                raise ParameterError(f"phase={self._phase}: only a running session can be paused")
            self._feed.pause()
            self._enter("paused", "Paused: nothing is sensed until you go on.")

    def resume(self) -> None:
        """Go on after a pause."""
        with self._lock:
            if self._phase != "paused":
                raise ParameterError(f"phase={self._phase}: there is nothing to resume")
            self._feed.resume()
            self._enter(self._running(self._now() or 0.0))

    def mark(self, text: str = "") -> None:
        """Mark this moment, with words or without."""
        t = self._now()
        if t is None:
            raise ParameterError(f"phase={self._phase}: moments are marked during the session")
        with self._lock:
            self._marks.append(Event(t, t, "", "mark", detail=text))
        self.board.keep({"type": "mark", "t": t})

    def end(self) -> None:
        """End the session; what was sensed is finished, then `join` returns."""
        self._ending.set()
        self._begin.set()
        self._feed.stop()

    # The thread

    def start(self) -> None:
        """Start sensing."""
        self._thread.start()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; return whether it has come."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def moments(self) -> Iterator[Moment]:
        """Sense in the calling thread; yield the session's moments as they come."""
        self._feed.on_picture = lambda *picture: self._view.picture(*picture)
        if not self._begin.is_set():
            self._rehearse()
        if self._choice is None:
            self._enter("ended", "The session was not begun; nothing was kept.")
            return
        yield from self._sense(self._choice)
        self._finish()

    def _run(self) -> None:
        try:
            for _ in self.moments():
                pass
        except Exception as error:  # whatever it is, watchers must hear that it is over
            self.error = error
            known = isinstance(error, CuesenseError)
            self._enter("failed", str(error) if known else f"cuesense failed: {error!r}")

    def _rehearse(self) -> None:
        """Show what is sensed, and keep nothing, until the session begins."""
        self._enter("setup")
        if self._feed.kind == "play":  # a file must not be used up
            stills = self._feed.stills(1)
            while not self._begin.wait(STILL_S):
                for still in stills:
                    self._view.picture(still.view, time.monotonic(), still.image)
            return
        for _ in run(self._feed, self._config, Findings(), self._view.glimpse):
            if self._begin.is_set():
                return
            self._view.setup()

    def _sense(self, choice: Choice) -> Iterator[Moment]:
        self._enter("starting", "Getting ready …")
        self._view = View(self.board, self._feed, self._config)
        config = self._config.with_listener(choice.listener)
        findings = self.findings
        usual, voices = known(findings.given)
        if all(person is not None for person in usual) and choice.listener != "auto":
            self._baseline_until = 0.0  # there is nothing to learn
        with Journal(self._folder, self._feed.info, config, findings) as journal:
            journal.about = self._about
            self._journal = journal
            with ExitStack() as recording:
                source, watch = self._source(choice, recording), self._view.glimpse
                for sensed in run(source, config, findings, watch, usual, voices):
                    if self._ending.is_set():  # perhaps before the feed had begun
                        self._feed.stop()
                    moment = self._with_events(sensed)
                    journal.write(moment)
                    self._tell(moment)
                    if self._watch is not None:
                        self._watch(moment, self._feed.started + moment.t)
                    yield moment
                self._enter("ending", "Writing the report …")
            self._about["clocks"] = self._feed.clocks()
            self._about["dropped"] = self._feed.dropped
            if self._recorder is not None:
                left_out, problem = self._recorder.left_out, self._recorder.problem
                self._about["recording"] = {"left_out": left_out, "problem": problem}
            deadline = time.monotonic() + FULL_S
            while not journal.retry() and time.monotonic() < deadline:
                self._enter("ending", journal.problem)
                time.sleep(1.0)

    def _source(self, choice: Choice, recording: ExitStack) -> Source:
        """Return the feed, recorded if that was chosen and can be."""
        if not (choice.keep_picture or choice.keep_sound):
            return self._feed
        try:
            self._recorder = recording.enter_context(
                Recorder(
                    self._folder,
                    self._feed.info,
                    picture=choice.keep_picture,
                    sound=choice.keep_sound,
                    passphrase=choice.passphrase,
                )
            )
        except OutputError as error:  # the session goes on without
            self._unrecorded = str(error)
            return self._feed
        return _Recorded(self._feed, self._recorder)

    def _finish(self) -> None:
        session = finish(self._folder)
        self._report = session.report
        self._enter("ended")
        self.board.keep({"type": "ended", "folder": str(self._folder), "report": ""})

    # What comes while sensing

    def _with_events(self, moment: Moment) -> Moment:
        """Add what happened outside the picture and the sound."""
        with self._lock:
            marks, self._marks = self._marks, []
        extra = (*marks, *self._feed.gaps())
        return replace(moment, events=(*moment.events, *extra)) if extra else moment

    def _tell(self, moment: Moment) -> None:
        recording = self._recorder.problem if self._recorder else self._unrecorded
        disk = self._journal.problem if self._journal else ""
        self._view.look_after((("disk", disk), ("recording", recording)))
        self._view.moment(moment)
        with self._lock:
            if self._phase == "paused" or self._ending.is_set():
                return
            phase = self._running(moment.t)
            if phase != self._phase or (phase == "baseline" and self._ticks_whole(moment.t)):
                self._enter(phase)

    def _ticks_whole(self, t: float) -> bool:
        """Return whether a tick is on a whole second."""
        return abs(t - round(t)) < 0.5 / self._config.grid.rate_hz

    def _running(self, t: float) -> Phase:
        return "baseline" if t < self._baseline_until else "session"

    def _enter(self, phase: Phase, sentence: str = "") -> None:
        with self._lock:  # messages come in the order of the phases
            self._phase, self._sentence = phase, sentence
            t = self._now()
            message = {"type": "phase", "phase": phase, "t": t, "left_s": self._left(t)}
            self.board.keep({**message, "sentence": sentence})

    def _left(self, t: float | None) -> float | None:
        """Return what is left of the baseline, s; None outside of it."""
        if t is None or self._phase != "baseline":
            return None
        return round(max(self._baseline_until - t, 0.0), 1)

    def _now(self) -> float | None:
        """Return the session's time in s, None while there is no session."""
        if self._phase not in ("baseline", "session", "paused"):
            return None
        return round(time.monotonic() - self._feed.started, 3)

    # Commands with arguments

    def _on_begin(self, message: Mapping[str, Any]) -> None:
        if self._begin.is_set():
            raise ParameterError("the session has begun already")
        if message.get("consent") is not True:
            raise ParameterError("consent is missing: both people must agree to being sensed")
        listener = message.get("listener", "auto")
        self._config.with_listener(listener)  # says what it must be
        self._choice = Choice(
            listener,
            bool(message.get("keep_picture")),
            bool(message.get("keep_sound")),
            _words(message, "passphrase") or None,
        )
        self._about["consent"] = True
        self._begin.set()
        self.board.keep({"type": "hello"})  # the server fills it in: what is kept, for all pages

    def _on_checkin(self, message: Mapping[str, Any]) -> None:
        if self._phase in ("ending", "ended", "failed"):
            raise ParameterError(f"phase={self._phase}: it is too late for a check-in")
        calm = message.get("calm")
        if not isinstance(calm, (int, float)) or not 0 <= calm <= 10:
            raise ParameterError(f"calm={calm!r} must be a number from 0 to 10")
        entry = {
            "when": "after" if message.get("when") == "after" else "before",
            "t": self._now(),
            "calm": float(calm),
            "note": _words(message, "note"),
        }
        self._about["checkins"].append(entry)


class _Recorded:
    """A source whose packets are also recorded. Methods as in `capture.Source`."""

    def __init__(self, source: Source, recorder: Recorder) -> None:
        self._source, self._recorder = source, recorder

    @property
    def info(self) -> SourceInfo:
        """What the source holds."""
        return self._source.info

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong so far."""
        return self._source.problems

    def packets(self) -> Iterator[Packet]:
        """Yield the packets and record them."""
        for packet in self._source.packets():
            self._recorder.push(packet)
            yield packet

    def stills(self, n: int) -> list[VideoFrame]:
        """Return the source's stills."""
        return self._source.stills(n)

    def __enter__(self) -> _Recorded:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the source to its owner."""


def _words(message: Mapping[str, Any], key: str) -> str:
    """Return a short text of a message."""
    text = message.get(key) or ""
    if not isinstance(text, str) or len(text) > NOTE_LENGTH:
        raise ParameterError(f"{key} must be at most {NOTE_LENGTH} letters")
    return text
