"""The keyboard, key by key and without waiting; the terminal is left as it was found."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import Self, TextIO

_ESCAPED = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
"""Arrow and function keys: several characters, none of them meant as a letter."""


class Keys:
    """What was typed since the last look; a context manager.

    Parameters
    ----------
    stream
        a terminal, or whatever stands in its place.

    Attributes
    ----------
    closed
        whether nothing can be typed (any more).
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._fd = -1
        self.closed = False

    if sys.platform == "win32":

        def __enter__(self) -> Self:
            self.closed = self._stream is None or not self._stream.isatty()
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self) -> str:
            """Return the keys that were pressed since the last call."""
            import msvcrt

            typed = ""
            while not self.closed and msvcrt.kbhit():
                key = msvcrt.getwch()
                if key in "\x00\xe0":  # the first half of an arrow or function key
                    msvcrt.getwch()
                else:
                    typed += key
            return typed

    else:

        def __enter__(self) -> Self:
            import termios
            import tty

            try:
                self._fd = self._stream.fileno() if self._stream is not None else -1
            except (OSError, ValueError):
                self._fd = -1
            self._before = None
            if self._fd < 0:
                self.closed = True
            elif os.isatty(self._fd):
                with suppress(OSError):  # a terminal that is not ours to control has no groups
                    if os.tcgetpgrp(self._fd) != os.getpgrp():
                        self.closed = True  # in the background the keyboard is somebody else's
                        return self
                self._before = termios.tcgetattr(self._fd)
                tty.setcbreak(self._fd)
                changed = termios.tcgetattr(self._fd)
                # Ctrl-Z would freeze the session with the terminal in this state.
                changed[6][termios.VSUSP] = os.fpathconf(self._fd, "PC_VDISABLE").to_bytes()
                termios.tcsetattr(self._fd, termios.TCSANOW, changed)
            return self

        def __exit__(self, *_: object) -> None:
            import termios

            if self._before is not None:
                with suppress(termios.error):  # it may be gone
                    termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

        def read(self) -> str:
            """Return the keys that were pressed since the last call."""
            import select

            if self.closed or not select.select([self._fd], [], [], 0)[0]:
                return ""
            try:
                typed = os.read(self._fd, 1024)
            except OSError:  # the terminal has gone
                typed = b""
            self.closed = not typed
            return _ESCAPED.sub("", typed.decode(errors="ignore"))
