"""Open pages: each is told what the board says, and what it asks for goes to the desk.

Nobody waits for a page. One that draws slowly gets fewer pictures and the latest of everything
else; one that falls far behind is closed, and starts afresh when it comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from cuesense.board import Board, Message, Watcher
from cuesense.errors import CuesenseError, ParameterError
from cuesense.report import words
from cuesense.types import F32
from cuesense.web import wire

HELLO_S: Final = 5.0
"""s that a page has to show its token."""
AHEAD: Final = 2
"""Pictures of a view that may be under way to a page that has not drawn them yet."""
RELOAD_S: Final = 2.0
"""s without any page after which all have left (one that is being reloaded comes back)."""
FINISHED, UNSUPPORTED, TOO_BIG, AGAIN, REFUSED = 1000, 1003, 1009, 1013, 4401
"""Why a page's socket is closed, as codes of the socket."""


class Desk(Protocol):
    """Who runs the session."""

    board: Board

    def hello(self) -> dict[str, Any]:
        """Return all that a page must know to draw itself at this moment."""
        ...

    def command(self, message: Mapping[str, Any]) -> None:
        """Do what a page asks for.

        Called one at a time from a thread that may wait; "seen" comes from the server's own
        thread, at any time, and must not wait.

        Raises
        ------
        CuesenseError
            With a sentence for the user, if it cannot be done.
        """
        ...

    @property
    def report(self) -> Path | None:
        """The report, once it is written."""
        ...


class Feed(Protocol):
    """Where pictures and sound go when a page is the camera and the microphone."""

    def offer_picture(self, at_ms: float, jpeg: bytes) -> None:
        """Take a picture, by the page's clock."""
        ...

    def offer_sound(self, at_ms: float, index: int, rate: int, channels: int, samples: F32) -> None:
        """Take sound (n, channels), by the page's clock; `index` is that of the first sample."""
        ...

    def sync(self, page_ms: float, received: float) -> None:
        """Take a reading of the page's clock, and the monotonic time (s) at which it came."""
        ...


class House:
    """All open pages of a session: who is let in, who is the camera, when all have left."""

    def __init__(self, desk: Desk, token: str, feed: Feed | None) -> None:
        self.desk = desk
        self.feed = feed
        self.feeder: Page | None = None  # the page whose camera and microphone are the session's
        self._token = token
        self._ticket = secrets.token_urlsafe(32)
        self._pages: set[Page] = set()
        self._vacant = asyncio.Event()
        self._vacant.set()
        self._commands = asyncio.Lock()

    async def receive(self, socket: WebSocket) -> None:
        """Serve one page for as long as it is open."""
        await socket.accept()
        if not await self._admits(socket):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it has gone already
                await socket.close(REFUSED, "the link does not fit")
            return
        page = Page(socket, self)
        self._pages.add(page)
        self._vacant.clear()
        if self.feed is not None and self.feeder is None:
            self.feeder = page
        try:
            await page.run()
        finally:
            self._pages.discard(page)
            if self.feeder is page:
                self.feeder = None
            if not self._pages:
                self._vacant.set()

    def hello(self, page: Page) -> dict[str, Any]:
        """Return a page's first message."""
        hello = self.desk.hello() | {
            "report": self.report,
            "words": {"reasons": words.REASONS, "dyad_reasons": words.DYAD_REASONS},
        }
        if self.feed is not None:
            hello["capture"] = "browser" if self.feeder is page else "device"
        return hello

    @property
    def report(self) -> str | None:
        """The report's path on this server, once there is a report."""
        return f"/report/{self._ticket}" if self.desk.report else None

    def fits(self, ticket: str) -> bool:
        """Tell whether this is the report's ticket."""
        return _same(ticket, self._ticket)

    async def command(self, message: Mapping[str, Any]) -> None:
        """Hand a page's wish to the desk, one at a time."""
        async with self._commands:
            await asyncio.to_thread(self.desk.command, message)

    async def left(self) -> None:
        """Return when no page is open any more."""
        while True:
            await self._vacant.wait()
            await asyncio.sleep(RELOAD_S)
            if self._vacant.is_set():
                return

    async def close(self) -> None:
        """Tell all pages that it is over."""
        for page in tuple(self._pages):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it has gone already
                await page.socket.close(FINISHED, "finished")

    async def _admits(self, socket: WebSocket) -> bool:
        try:
            async with asyncio.timeout(HELLO_S):
                text = await socket.receive_text()
            message = wire.read(text[: wire.TEXT_LIMIT])
        except (TimeoutError, WebSocketDisconnect, KeyError, ParameterError):
            return False
        return message["type"] == "hello" and _same(message["token"], self._token)


def _same(given: str, secret: str) -> bool:
    """Compare in a time that tells nothing about where they differ."""
    return hmac.compare_digest(given.encode(), secret.encode())


class Page:
    """One open page: a reader, and a sender that holds nobody up."""

    def __init__(self, socket: WebSocket, house: House) -> None:
        self.socket = socket
        self._house = house
        self._news = asyncio.Event()
        self._waiting: dict[int, bytes] = {}  # by view: the latest picture that was not sent
        self._under_way: dict[int, list[float]] = {}  # by view: times of those not drawn yet

    async def run(self) -> None:
        """Tell and listen until the page is gone."""
        with self._house.desk.board.watch(waker(self._news)) as watcher:
            tasks = [asyncio.create_task(self._tell(watcher)), asyncio.create_task(self._listen())]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, WebSocketDisconnect):
                raise end

    async def _tell(self, watcher: Watcher) -> None:
        await self._say(self._house.hello(self))
        while not watcher.lagged:
            await self._news.wait()
            self._news.clear()
            for message in watcher.take():
                await self._say(message)
            for view in [v for v in self._waiting if len(self._under_way.get(v, ())) < AHEAD]:
                picture = self._waiting.pop(view)
                self._under_way.setdefault(view, []).append(wire.shown(picture)[1])
                await self.socket.send_bytes(picture)
        await self.socket.close(AGAIN, "too far behind")

    async def _say(self, message: Message) -> None:
        if isinstance(message, bytes):
            if self._house.feeder is not self:  # the camera's page shows its own picture
                self._waiting[wire.shown(message)[0]] = message
            return
        if message["type"] == "hello":  # something changed that only a fresh start tells
            message = self._house.hello(self)
        elif message["type"] == "ended":
            message = {**message, "report": self._house.report}
        await self.socket.send_text(wire.write(message))

    async def _listen(self) -> None:
        while (event := await self.socket.receive())["type"] != "websocket.disconnect":
            text, data = event.get("text"), event.get("bytes")
            try:
                if data is not None:
                    if self._house.feeder is not self:
                        return await self.socket.close(UNSUPPORTED, "this page is not the camera")
                    self._feed(data)
                elif text is not None:
                    if len(text.encode()) > wire.TEXT_LIMIT:
                        return await self.socket.close(TOO_BIG, "message too long")
                    await self._obey(wire.read(text))
            except CuesenseError as error:
                await self._say({"type": "error", "sentence": str(error)})

    async def _obey(self, message: Mapping[str, Any]) -> None:
        match message["type"]:
            case "ping":
                now = time.monotonic()
                if self._house.feed is not None and self._house.feeder is self:
                    self._house.feed.sync(message["at"], now)
                await self._say({"type": "pong", "at": message["at"], "t": now})
            case "ready":  # it draws again after it did not for a while
                self._under_way.clear()
                self._news.set()
            case "seen":
                times = self._under_way.get(message["view"], [])
                self._under_way[message["view"]] = [t for t in times if t > message["t"]]
                self._news.set()
                self._house.desk.command(message)
            case "hello":  # it was let in already
                pass
            case _:
                await self._house.command(message)

    def _feed(self, data: bytes) -> None:
        feed = self._house.feed
        assert feed is not None
        match wire.taken(data):
            case wire.Picture() as picture:
                feed.offer_picture(picture.at_ms, picture.jpeg)
            case wire.Sound() as sound:
                feed.offer_sound(
                    sound.at_ms, sound.index, sound.rate, sound.samples.shape[1], sound.samples
                )


def waker(event: asyncio.Event) -> Callable[[], None]:
    """Return what sets an event of this loop from any thread, and does nothing once it is over."""
    loop = asyncio.get_running_loop()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(event.set)

    return wake
