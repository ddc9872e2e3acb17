"""Between the sensing thread and those who watch: the latest of everything, without waiting.

Whoever senses never waits for a watcher. A *latest* topic (picture, faces, state …) holds one
message per key: a slow watcher misses those in between. A *kept* topic (advice, health, phase …)
is a queue per watcher, bounded: a watcher so slow that it overflows is told that it lagged.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

Message = Mapping[str, Any] | bytes
"""JSON-able, or binary (a picture)."""

KEPT_LIMIT: Final = 1000
"""Kept messages that wait for one watcher; a page that far behind starts afresh."""


class Board:
    """Messages for any number of watchers, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watchers: set[Watcher] = set()

    def watch(self, wake: Callable[[], None] | None = None, *, pictures: bool = True) -> Watcher:
        """Return a watcher of what is posted from now on.

        Parameters
        ----------
        wake
            called, in the posting thread, when there is something new and nothing waits to be
            taken; it must not block.
        pictures
            whether it shows pictures: they are not made for nobody.
        """
        watcher = Watcher(self, wake, pictures)
        with self._lock:
            self._watchers.add(watcher)
        return watcher

    def __len__(self) -> int:
        return len(self._watchers)

    @property
    def shows_pictures(self) -> bool:
        """Whether anybody would see a picture."""
        with self._lock:
            return any(watcher.pictures for watcher in self._watchers)

    def latest(self, key: str, message: Message) -> None:
        """Post a message that replaces the one of the same key that was not read yet."""
        with self._lock:
            watchers = tuple(self._watchers)
        for watcher in watchers:
            watcher._put(key, message)

    def keep(self, message: Message) -> None:
        """Post a message that every watcher gets."""
        with self._lock:
            watchers = tuple(self._watchers)
        for watcher in watchers:
            watcher._put(None, message)

    def _leave(self, watcher: Watcher) -> None:
        with self._lock:
            self._watchers.discard(watcher)


class Watcher:
    """One reader of a board; a context manager, at whose end it leaves."""

    def __init__(self, board: Board, wake: Callable[[], None] | None, pictures: bool) -> None:
        self._board = board
        self.pictures = pictures
        self._wake = wake
        self._new = threading.Condition()
        self._latest: dict[str, Message] = {}
        self._kept: deque[Message] = deque()
        self.lagged = False
        """Whether kept messages were lost because this watcher was too slow."""

    def take(self, timeout: float | None = 0.0) -> list[Message]:
        """Return what is new, kept messages first in their order.

        Parameters
        ----------
        timeout
            s to wait if there is nothing; None waits for ever.
        """
        with self._new:
            self._new.wait_for(lambda: self._kept or self._latest, timeout)
            found = [*self._kept, *self._latest.values()]
            self._kept.clear()
            self._latest.clear()
        return found

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        self._board._leave(self)

    def _put(self, key: str | None, message: Message) -> None:
        with self._new:
            told = bool(self._kept or self._latest)  # of what it has yet to take
            if key is not None:
                self._latest.pop(key, None)  # the order is that of the last post
                self._latest[key] = message
            elif len(self._kept) < KEPT_LIMIT:
                self._kept.append(message)
            else:
                self.lagged = True
            self._new.notify_all()
        if self._wake is not None and not told:
            self._wake()
