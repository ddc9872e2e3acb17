"""The terminal's display on a real pseudo terminal, and moments as lines.

This file is also the program that runs on that terminal: a scripted desk, shown.
"""

from __future__ import annotations

import io
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from cuesense import schema
from cuesense.board import Board
from cuesense.errors import ParameterError
from cuesense.terminal import moment_line, show
from cuesense.terminal.drawing import GLYPHS
from cuesense.terminal.view import View
from cuesense.types import (
    Advice,
    DyadState,
    Event,
    Moment,
    Person,
    PersonState,
    Reason,
    Role,
)

WAIT_S = 30.0
ADVICE = "Try a slower breath."

# ---- A desk that posts what a session would --------------------------------------------------


def person(role: str, **values: Any) -> dict[str, Any]:
    return {"role": role, "arousal": 0.4, "valence": -0.2, "speaking": 0.1, **values}


def state(t: float, label: str = "regulating", **more: Any) -> dict[str, Any]:
    return {
        "type": "state",
        "t": t,
        "label": label,
        "reason": "",
        "variant": "",
        "needle": 0.9 if label == "regulating" else None,
        "people": {
            "A": person("partner", arousal=1.8, speaking=0.9),
            "B": person("listener", valence=None),
        },
        "turn_share": 0.34,
        "nods": 6,
        "backchannels": 4,
        "dropped": 2,
        "fps": 29.8,
        "latency_ms": {"picture": None, "cues": 210.0, "label": 1150.0},
        **more,
    }


def hello(**more: Any) -> dict[str, Any]:
    return {
        "type": "hello",
        "phase": "setup",
        "sentence": "",
        "capture": "device",
        "views": 1,
        "health": [],
        "checks": [{"what": "distance", "state": "warn", "sentence": "Come a little closer."}],
        "state": None,
        "advice": None,
        **more,
    }


class ScriptedDesk:
    """Follows commands as a session would, without sensing; writes them down."""

    def __init__(self, log: Path, phase: str) -> None:
        self.board = Board()
        self._log, self._phase = log, phase

    def hello(self) -> dict[str, Any]:
        return hello(phase=self._phase)

    def command(self, message: Mapping[str, Any]) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(dict(message)) + "\n")
        match message["type"]:
            case "begin":
                self._enter("baseline", left_s=31.0)
                self.board.latest("picture0", b"\x01 a picture")
            case "pause":
                self._enter("paused", sentence="Paused: nothing is sensed until you go on.")
            case "resume":
                self._enter("session")
                for i in range(10):
                    self.board.keep(state(60.0 + i / 5))
                self.board.keep(
                    {"type": "advice", "t": 62.0, "until": 99.0, "kind": "slow-breath"}
                    | {"text": ADVICE, "because": ["your pitch +1.4 SD"]}
                )
            case "mark":
                self.board.keep({"type": "mark", "t": 63.0})
                raise_if = os.environ.get("CUESENSE_TEST_BREAK")
                if raise_if:
                    raise RuntimeError(raise_if)
            case "end":
                threading.Timer(0.2, self._enter, ("ended",)).start()

    def _enter(self, phase: str, **more: Any) -> None:
        self.board.keep({"type": "phase", "phase": phase, "t": 1.0, "left_s": None} | more)


def main(log: str, phase: str) -> None:
    desk = ScriptedDesk(Path(log), phase)
    try:
        show(desk, keep_sound=True, passphrase="a secret")
    except (KeyboardInterrupt, ParameterError) as error:
        sys.exit(f"told: {type(error).__name__} {error}")


# ---- A pseudo terminal -----------------------------------------------------------------------

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b.")


class Shell:
    """The program of this file on a terminal, and what came out so far."""

    def __init__(self, log: Path, phase: str, **environment: str) -> None:
        import fcntl
        import termios

        self.log = log
        self.master, self.slave = os.openpty()
        termios.tcsetwinsize(self.slave, (40, 100))
        self.before = termios.tcgetattr(self.slave)
        self.raw = ""
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(log), phase],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm-256color", **environment},
        )

    def wait_for(self, words: str) -> None:
        """Read until `words` are on the screen that came since the last call."""
        deadline, seen = time.monotonic() + WAIT_S, ""
        while words not in ANSI.sub("", seen):
            assert time.monotonic() < deadline, f"{words!r} did not come, but {ANSI.sub('', seen)}"
            if select.select([self.master], [], [], 0.1)[0]:
                seen += os.read(self.master, 65536).decode(errors="replace")
        self.raw += seen

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def leave(self) -> int:
        """Wait for the program's end; return its exit code."""
        deadline = time.monotonic() + WAIT_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "it did not end"
            self._drain(0.05)
        self._drain(0.2)
        return self.process.returncode

    def _drain(self, wait_s: float) -> None:
        while select.select([self.master], [], [], wait_s)[0]:
            self.raw += os.read(self.master, 65536).decode(errors="replace")

    def commands(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def assert_as_it_was(self) -> None:
        """The terminal's modes, its first screen and its cursor are back."""
        import termios

        assert termios.tcgetattr(self.slave) == self.before
        assert self.raw.rindex("\x1b[?1049l") > self.raw.rindex("\x1b[?1049h")
        assert self.raw.rindex("\x1b[?25h") > self.raw.rindex("\x1b[?25l")


@contextmanager
def shell(tmp_path: Path, phase: str = "setup", **environment: str) -> Iterator[Shell]:
    running = Shell(tmp_path / "commands.jsonl", phase, **environment)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        os.close(running.master)
        os.close(running.slave)


needs_pty = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no pseudo terminals of this kind"
)


@needs_pty
def test_a_session_from_consent_to_its_end_by_keys(tmp_path: Path) -> None:
    with shell(tmp_path) as terminal:
        terminal.wait_for("Come a little closer.")
        terminal.wait_for("both of you agree")
        terminal.wait_for("sound, encrypted")
        terminal.type("l")
        terminal.wait_for("● l  who sits on the left, facing the screen")
        terminal.type("\r")
        terminal.wait_for("31 s to learn what is usual")
        terminal.type(" ")
        terminal.wait_for("nothing is sensed until you go on")
        terminal.type(" ")
        terminal.wait_for(ADVICE)
        terminal.wait_for("because your pitch +1.4 SD")
        terminal.wait_for("you stay steadier than your partner")
        terminal.type("\x1b[D\x1a")  # an arrow, whose last letter is no key; Ctrl-Z
        terminal.type("m")
        terminal.wait_for("Marked.")
        terminal.type("e")
        assert terminal.leave() == 0
        terminal.assert_as_it_was()
        begin, *others = terminal.commands()
    assert begin == {
        "type": "begin",
        # Who sits on the left, facing the screen, is on the right of the camera's picture.
        "listener": "right",
        "keep_picture": False,
        "keep_sound": True,
        "passphrase": "a secret",
        "consent": True,
    }
    assert [c["type"] for c in others] == ["pause", "resume", "mark", "end"]


@needs_pty
@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM", "SIGHUP", "error"])
def test_the_terminal_is_left_as_it_was(tmp_path: Path, how: str) -> None:
    broken = {"CUESENSE_TEST_BREAK": "a fault of ours"} if how == "error" else {}
    with shell(tmp_path, "session", **broken) as terminal:
        terminal.wait_for("m mark this moment")
        if how == "Ctrl-C":
            terminal.type("\x03")
        elif how == "error":
            terminal.type("m")
        else:
            terminal.process.send_signal(getattr(signal, how))
        assert terminal.leave() == 1
        terminal.assert_as_it_was()
        said = "a fault of ours" if how == "error" else "told: KeyboardInterrupt"
        assert said in terminal.raw


@needs_pty
def test_leaving_the_set_up_begins_nothing(tmp_path: Path) -> None:
    with shell(tmp_path) as terminal:
        terminal.wait_for("Who listens?")
        terminal.type(" mq")  # nothing to pause or mark yet
        assert terminal.leave() == 0
        assert [c["type"] for c in terminal.commands()] == ["end"]


@contextmanager
def piped(log: Path, phase: str) -> Iterator[subprocess.Popen[str]]:
    """Run the program with pipes in the place of a terminal."""
    with subprocess.Popen(
        [sys.executable, __file__, str(log), phase],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    ) as program:
        try:
            yield program
        finally:
            program.kill()


@pytest.mark.timeout(60)  # it reads lines until those come
@pytest.mark.skipif(sys.platform == "win32", reason="keys come from the console there")
def test_without_a_terminal_there_are_plain_lines(tmp_path: Path) -> None:
    with piped(tmp_path / "log", "paused") as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == "paused\n"
        program.stdin.write(" ")
        program.stdin.close()  # from here on nobody types, and the session goes on
        words = ""
        while "1:01 regulating (you stay steadier than your partner)" not in words:
            line = program.stdout.readline()
            assert line, f"only came: {words}"
            words += line
        assert "\x1b" not in words
        assert words.count(f"{ADVICE} because your pitch +1.4 SD") == 1
        program.send_signal(signal.SIGTERM)
        assert "told: KeyboardInterrupt" in program.stderr.read()


def test_without_a_keyboard_nobody_can_agree(tmp_path: Path) -> None:
    with piped(tmp_path / "log", "setup") as program:
        out, errors = program.communicate("", timeout=WAIT_S)
    assert program.returncode == 1
    assert "told: ParameterError" in errors
    assert "--headless" in errors
    assert not (tmp_path / "log").exists()
    assert "Nothing leaves this machine" in out


# ---- The drawing -----------------------------------------------------------------------------


def drawn(view: View, now: float = 0.0, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True)
    console.print(view.screen(now, width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def session(**more: Any) -> View:
    return View(hello(phase="session", **more), 0.0, "auto", "")


def follow(view: View, label: str, t: float, seconds: float, **more: Any) -> None:
    for i in range(round(5 * seconds)):
        view.take(state(t + i / 5, label, **more), t + i / 5)


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_it_fits_the_terminal(width: int) -> None:
    for view in (View(hello(), 0.0, "auto", ""), session()):
        follow(view, "mirroring", 60.0, 2.0, needle=-1.0)
        picture = drawn(view, width=width)
        assert max(map(len, picture.splitlines())) <= width
        assert "…" not in picture


def test_a_label_is_shown_once_it_held() -> None:
    view = session()
    follow(view, "regulating", 60.0, 2.0)
    view.take(state(62.0, "mirroring"), 62.0)
    assert "you stay steadier than your partner" in drawn(view)
    follow(view, "mirroring", 62.2, 0.8, variant="escalating")
    assert "both of you are getting more worked up" in drawn(view)


@pytest.mark.parametrize(("needle", "place"), [(-1.0, 0), (0.0, 20), (0.5, 30), (1.0, 40)])
def test_the_needle_points_where_it_leans(needle: float, place: int) -> None:
    view = session()
    view.take(state(60.0, needle=needle), 60.0)
    track = re.search(r"mirroring {2}(\S+) {2}regulating", drawn(view))
    assert track is not None
    assert track[1].index("●") == place
    assert len(track[1]) == 41


def test_a_manner_that_is_not_shown_to_be_an_answer_is_hollow() -> None:
    view = session()
    follow(view, schema.CALM, 60.0, 2.0, needle=0.8, variant="sharing")
    picture = drawn(view)
    assert "○" in picture
    assert "●─" not in picture.replace("● speaking", "")
    assert "calm" in picture
    assert "not shown to be responding yet" in picture


def test_where_nothing_can_be_said_there_is_no_dot_and_a_reason() -> None:
    view = session()
    view.take(state(60.0, "insufficient", reason="coverage of the partner under 60 %"), 60.0)
    picture = drawn(view)
    assert "not enough to say" in picture
    assert "too little of the one who shares" in picture
    assert "─●" not in picture


def test_during_a_pause_nothing_is_claimed() -> None:
    view = session()
    view.take(state(60.0), 60.0)
    view.take({"type": "phase", "phase": "paused", "t": 61.0, "left_s": None, "sentence": ""}, 61.0)
    picture = drawn(view)
    assert "you stay steadier" not in picture
    assert "─●" not in picture
    assert "space go on" in picture


def test_bars_numbers_and_the_last_minute_of_both() -> None:
    view = session()
    for i in range(600):
        t = 60.0 + i / 5
        people = {
            "A": person("partner", arousal=3.0 if i >= 450 else -3.0, speaking=0.9),
            "B": person("listener", arousal=None if i >= 450 else 0.0, valence=1.5),
        }
        view.take(state(t, people=people), t)
    partner, you = (
        next(line for line in drawn(view).splitlines() if line.startswith(f"  {name} "))
        for name in ("partner", "you   ")
    )
    low, high, middle = GLYPHS[0], GLYPHS[-1], GLYPHS[len(GLYPHS) // 2]
    assert f"····│████  +3.0 {low * 9}{high * 9}" in partner
    assert f"····│····     - {middle * 9}{' ' * 9}" in you
    assert "····│██··  +1.5" in you
    assert "● speaking" in partner
    assert "● speaking" not in you


def test_advice_stands_until_its_time() -> None:
    advice = {"type": "advice", "t": 60.0, "until": 70.0, "kind": "pause", "text": ADVICE}
    view = session()
    view.take(state(61.0), 1000.0)
    view.take(advice | {"because": ["your pitch +1.4 SD"]}, 1000.0)
    assert ADVICE in drawn(view, 1008.9)
    assert ADVICE not in drawn(view, 1009.1)
    # Who comes late sees what still stands.
    late = session(state=state(65.0), advice=advice | {"because": []})
    assert ADVICE in drawn(late, 4.9)
    assert ADVICE not in drawn(late, 5.1)


def test_what_needs_a_hand_is_said_until_it_is_mended() -> None:
    view = session()
    sentence = "The microphone is silent: unmute it."
    item = {"what": "microphone", "state": "silent", "sentence": sentence}
    view.take({"type": "health", "items": [item]}, 0.0)
    assert f"✗ {sentence}" in drawn(view)
    assert sentence in view.news()
    view.take({"type": "health", "items": []}, 0.0)
    assert sentence not in drawn(view)


def test_an_answer_to_a_key_stands_for_a_moment() -> None:
    view = session()
    view.take({"type": "error", "sentence": "Both of you have to agree first."}, 10.0)
    assert "Both of you have to agree first." in drawn(view, 11.0)
    assert "space pause" in drawn(view, 20.0)


@pytest.mark.parametrize(
    ("about", "key", "listener", "words"),
    [
        ({}, "l", "right", "who sits on the left, facing the screen"),
        ({}, "r", "left", "who sits on the right, facing the screen"),
        ({}, "a", "auto", "whoever speaks less at the start"),
        ({"capture": "play"}, "l", "left", "left in the picture"),
        ({"capture": "play"}, "r", "right", "right in the picture"),
        ({"views": 2}, "l", "A", "the first person"),
        ({"views": 0}, "r", "B", "the second person"),
    ],
)
def test_who_listens(about: dict[str, Any], key: str, listener: str, words: str) -> None:
    view = View(hello(**about), 0.0, "auto", "")
    view.choose(key)
    assert view.listener == listener
    assert f"● {key}  {words}" in drawn(view)
    # A listener that was named on the command line is chosen already.
    assert f"● {key}  {words}" in drawn(View(hello(**about), 0.0, listener, ""))


def test_a_person_named_by_letter_is_the_one_on_that_side() -> None:
    assert View(hello(), 0.0, "A", "").listener == "left"
    assert View(hello(views=2), 0.0, "right", "").listener == "B"


# ---- Moments as lines ------------------------------------------------------------------------


def moment(full: bool) -> Moment:
    rng = np.random.default_rng(3)

    def sensed(who: Person, role: Role) -> PersonState:
        values = rng.normal(size=len(schema.VALUES))
        values[::7] = np.nan
        values[1] = np.inf
        reasons = dict.fromkeys(schema.REASONS, Reason.OK) | {"voice_reason": Reason.SILENT}
        return PersonState(1.24, who, role, values, reasons)

    people = (sensed("A", Role.PARTNER), sensed("B", Role.LISTENER))
    if not full:
        return Moment(1.24, people)
    evidence = {c.name: float(i) for i, c in enumerate(schema.EVIDENCE)} | {"ev_gaze": np.nan}
    dyad = DyadState(1.24, "regulating", "", "sharing", (0.1, 0.85, 0.05), evidence)
    advice = Advice(1.24, 11.24, "B", "pause", "„Wait“\n\u2028 a moment", ("your pitch +1.4 SD",))
    return Moment(1.24, people, dyad, advice, (Event(1.0, 1.2, "B", "nod", 0.05, "2 swings"),))


def strictly(line: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    tree: dict[str, Any] = json.loads(line, parse_constant=refuse)
    return tree


def test_a_moment_survives_being_a_line() -> None:
    given = moment(full=True)
    line = moment_line(given)
    assert len(line.splitlines()) <= 2  # U+2028 is a line to str, not to JSON readers
    assert "\n" not in line
    tree = strictly(line)
    assert tree["t"] == given.t
    for sensed in given.people:
        row = tree["people"][sensed.person]
        assert row.pop("role") == sensed.role
        assert row.pop("voice_reason") == "silent"
        assert list(row) == list(schema.VALUES)  # reasons that are not set are left out
        back = np.array([np.nan if x is None else x for x in row.values()])
        known = np.isfinite(sensed.values)
        np.testing.assert_array_equal(back[known], sensed.values[known])
        assert np.isnan(back[~known]).all()
    assert set(tree["dyad"]) == {c.name for c in schema.STATE}
    assert (tree["dyad"]["p_regulating"], tree["dyad"]["ev_gaze"]) == (0.85, None)
    assert given.advice is not None
    assert Advice(**tree["advice"] | {"because": tuple(tree["advice"]["because"])}) == given.advice
    assert [Event(**e) for e in tree["events"]] == list(given.events)


def test_what_is_not_there_is_null() -> None:
    tree = strictly(moment_line(moment(full=False)))
    assert (tree["dyad"], tree["advice"], tree["events"]) == (None, None, [])


if __name__ == "__main__":
    main(*sys.argv[1:])
