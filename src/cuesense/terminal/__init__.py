"""A live session in the terminal, and moments as JSON lines for scripts.

`show` watches a desk's board as the page does and sends the same commands; keys are read one by
one. Without a terminal it prints a plain line now and then. `moment_line` is what a headless
session writes.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Protocol

from rich.console import Console
from rich.live import Live

from cuesense.board import Board
from cuesense.errors import CuesenseError, ParameterError
from cuesense.terminal.keys import Keys
from cuesense.terminal.lines import moment_line
from cuesense.terminal.view import View

__all__ = ["Desk", "moment_line", "show"]

REFRESH_S: Final = 0.1
"""s between two drawings."""
PLAIN_S: Final = 5.0
"""s between two lines where nothing can be drawn."""


class Desk(Protocol):
    """Who runs the session: `live.LiveSession`."""

    board: Board

    def hello(self) -> dict[str, Any]:
        """Return all that is to be known at this moment."""
        ...

    def command(self, message: Mapping[str, Any]) -> None:
        """Do what the user wants; raise `CuesenseError` with a sentence if it cannot be."""
        ...


def show(
    desk: Desk,
    *,
    listener: str = "auto",
    keep_picture: bool = False,
    keep_sound: bool = False,
    passphrase: str | None = None,
) -> None:
    """Show a session from set-up to its end; take the user's keys.

    Being told to end (SIGTERM, SIGHUP) is like Ctrl-C. The terminal is left as it was found.

    Parameters
    ----------
    desk
        whose board is watched.
    listener
        who listens, unless a key says otherwise: "auto", "left", "right", "A" or "B".
    keep_picture, keep_sound
        what is recorded; told with the question for consent.
    passphrase
        encrypts the recording.

    Raises
    ------
    ParameterError
        if the session waits for consent and there is no keyboard.
    KeyboardInterrupt
        on Ctrl-C.
    """
    kept = " and ".join(w for w, on in (("picture", keep_picture), ("sound", keep_sound)) if on)
    if kept:
        kept += ", encrypted" if passphrase else ""
    begin = {"keep_picture": keep_picture, "keep_sound": keep_sound, "passphrase": passphrase}
    with ExitStack() as stack:
        stack.enter_context(interruptible())
        keys = stack.enter_context(Keys(sys.stdin))
        watcher = stack.enter_context(desk.board.watch(pictures=False))
        view = View(desk.hello(), time.monotonic(), listener, kept)
        draw = stack.enter_context(_display(view))
        while not view.over:
            for message in watcher.take(REFRESH_S):
                if not isinstance(message, bytes):
                    view.take(message, time.monotonic())
            for key in keys.read():
                _press(key, desk, view, begin)
            draw()
            if keys.closed and view.phase == "setup":
                raise ParameterError(
                    "keyboard=none: nobody can agree to be sensed; use a terminal, or --headless"
                )


def _press(key: str, desk: Desk, view: View, begin: Mapping[str, Any]) -> None:
    """Do what a key asks for in this phase."""
    message: dict[str, Any] | None = None
    if key in "eq":
        message = {"type": "end"}
    elif view.phase == "setup":
        if key in "lra":
            view.choose(key)
        elif key in "\r\n":
            message = {"type": "begin", "listener": view.listener, **begin, "consent": True}
    elif key == " ":
        message = {"type": "resume" if view.phase == "paused" else "pause"}
    elif key == "m":
        message = {"type": "mark", "text": ""}
    if message is None:
        return
    try:
        desk.command(message)
    except CuesenseError as error:
        view.note(str(error), time.monotonic())


@contextmanager
def _display(view: View) -> Iterator[Callable[[], None]]:
    """Give what draws the view, as often as makes sense: a screen, or lines where none can be."""
    console = Console()
    due, told = float("-inf"), list[str]()

    def write() -> None:
        nonlocal due, told
        now, news = time.monotonic(), view.news()
        lines = [line for line in news if line not in told]
        if now >= due:
            lines, due = [*lines, view.line()], now + PLAIN_S
        told = news
        sys.stdout.writelines(f"{line}\n" for line in lines if line)
        sys.stdout.flush()

    if not console.is_terminal or console.is_dumb_terminal:
        yield write
        return

    def draw() -> None:
        nonlocal due
        now = time.monotonic()
        if now >= due:
            due = now + REFRESH_S
            live.update(view.screen(now, console.width), refresh=True)

    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield draw


@contextmanager
def interruptible() -> Iterator[None]:
    """Have SIGTERM and SIGHUP raise KeyboardInterrupt, so that all is left in order."""
    names = [n for n in ("SIGTERM", "SIGHUP") if hasattr(signal, n)]
    before = {n: signal.signal(getattr(signal, n), signal.default_int_handler) for n in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
