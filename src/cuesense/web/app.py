"""The live page's server: on 127.0.0.1 only, for as long as the session lasts.

`app` is the ASGI application, `serve` runs it in the main thread. Files are served from an
explicit table, the report under a ticket, everything else through the page's socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable
from importlib import resources
from types import FrameType
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route, WebSocketRoute

from cuesense.board import Message
from cuesense.errors import CuesenseError
from cuesense.web import local, wire
from cuesense.web.guard import Guard
from cuesense.web.pages import Desk, Feed, House, waker

MODULES: Final = (
    "capture",
    "details",
    "link",
    "main",
    "modes",
    "needle",
    "session",
    "setup",
    "sound-worklet",
    "stage",
    "traces",
    "words",
)
STATIC: Final = {
    "/": ("index.html", "text/html"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/live.css": ("live.css", "text/css"),
    **{f"/{name}.js": (f"{name}.js", "text/javascript") for name in MODULES},
}
"""Every path that is served, from which file and as what: there is no other way to a file."""

STAY_S: Final = 900.0
"""s for which pages that stay open are served after the end, for them to open the report."""


def app(desk: Desk, token: str, port: int, feed: Feed | None = None) -> Starlette:
    """Return the application that lets pages in.

    Parameters
    ----------
    desk
        who runs the session.
    token
        what a page must show first.
    port
        the port that it is served at: requests that name another host are refused.
    feed
        where a page's own camera and microphone go; None: pages do not sense.
    """
    house = House(desk, token, feed)
    folder = resources.files(__package__).joinpath("static")
    files = {
        path: Response(folder.joinpath(name).read_bytes(), media_type=kind)
        for path, (name, kind) in STATIC.items()
    }

    async def static(request: Request) -> Response:
        return files[request.url.path]

    async def report(request: Request) -> Response:
        if desk.report is None or not house.fits(request.path_params["ticket"]):
            raise HTTPException(404)
        # The report brings its own policy, which names its script and style by their hashes.
        policy = {"content-security-policy": "frame-ancestors 'none'"}
        return FileResponse(desk.report, media_type="text/html", headers=policy)

    made = Starlette(
        routes=[
            *(Route(path, static) for path in STATIC),
            Route("/report/{ticket}", report),
            WebSocketRoute("/socket", house.receive),
        ],
        middleware=[Middleware(Guard, port=port, camera=feed is not None)],
    )
    made.state.house = house
    return made


def serve(
    desk: Desk,
    *,
    port: int = 0,
    open_browser: bool = True,
    feed: Feed | None = None,
    on_ready: Callable[[str], None],
) -> None:
    """Serve the page in this thread until the session is over and pages have left.

    Ctrl-C asks the desk to end the session; when it has, pages are told and KeyboardInterrupt is
    raised here. A second Ctrl-C does not wait.

    Parameters
    ----------
    desk
        who runs the session.
    port
        0: a free one.
    open_browser
        whether to open the page in the user's browser.
    feed
        where a page's own camera and microphone go; None: pages do not sense.
    on_ready
        called with the page's address, token included, once it is served.

    Raises
    ------
    ParameterError
        If the port cannot be had.
    KeyboardInterrupt
        After Ctrl-C.
    """
    with local.listen(port) as listener:
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(32)
        address = f"http://127.0.0.1:{port}/#{token}"

        def ready() -> None:
            on_ready(address)
            if open_browser:
                local.show(address)

        async def run() -> bool:
            application = app(desk, token, port, feed)
            return await _run(_Server(application, feed is not None, ready), desk, listener)

        if asyncio.run(run()):
            raise KeyboardInterrupt


async def _run(server: _Server, desk: Desk, listener: socket.socket) -> bool:
    """Serve until the end; return whether it came by Ctrl-C."""
    house: House = server.application.state.house
    over = asyncio.create_task(_over(desk))
    asked = asyncio.create_task(server.interrupted.wait())
    serving = asyncio.create_task(server.serve(sockets=[listener]))

    async def first(*tasks: asyncio.Task[Any], timeout_s: float | None = None) -> None:
        await asyncio.wait([serving, *tasks], timeout=timeout_s, return_when="FIRST_COMPLETED")

    await first(over, asked)
    if over.done():
        await first(asyncio.create_task(house.left()), asked, timeout_s=STAY_S)
    elif asked.done():
        with contextlib.suppress(CuesenseError):  # there is nothing to end yet
            await house.command({"type": "end"})
            await first(over)
    await house.close()
    server.should_exit = True
    await serving
    return asked.done()


async def _over(desk: Desk) -> None:
    """Return when the session has ended or failed."""
    news = asyncio.Event()
    with desk.board.watch(waker(news), pictures=False) as watcher:
        if desk.hello()["phase"] in ("ended", "failed"):
            return
        while not any(_says_over(message, desk) for message in watcher.take()):
            await news.wait()
            news.clear()


def _says_over(message: Message, desk: Desk) -> bool:
    if isinstance(message, bytes):
        return False
    # With a report, "ended" says where it is, and comes last; without one, the phase is all.
    ended = message.get("phase") == "ended" and desk.report is None
    return ended or message["type"] == "ended" or message.get("phase") == "failed"


class _Server(uvicorn.Server):
    """Uvicorn, quiet, for which the first Ctrl-C is a wish and the second an order."""

    def __init__(self, application: Starlette, camera: bool, ready: Callable[[], None]) -> None:
        super().__init__(
            local.settings(
                application,
                ws="websockets-sansio",
                ws_max_size=wire.BINARY_LIMIT if camera else wire.TEXT_LIMIT,
                ws_per_message_deflate=False,  # pictures do not deflate, and the way is short
            )
        )
        self.application = application
        self.interrupted = asyncio.Event()
        self._ready = ready
        self._interrupt: Callable[[], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, then say so."""
        self._interrupt = waker(self.interrupted)
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal; from the second one on the server goes at once."""
        if self._interrupt is None or self.interrupted.is_set():
            super().handle_exit(sig, frame)
        else:
            self._interrupt()
