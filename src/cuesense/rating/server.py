"""The rater's page, served on 127.0.0.1 for as long as they code.

Static files come from an explicit table. Everything else needs the token of the address's
fragment in its Authorization header, and goes by a bout's place in the rater's order.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import socket
from collections.abc import Awaitable, Callable
from importlib import resources
from types import FrameType
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cuesense.capture.file import FileSource
from cuesense.errors import CuesenseError, OutputError
from cuesense.rating.clips import Clips
from cuesense.rating.sitting import Sitting
from cuesense.web import local
from cuesense.web.guard import Guard

STATIC: Final = {
    "/": ("cuesense.rating", "index.html", "text/html"),
    "/rate.css": ("cuesense.rating", "rate.css", "text/css"),
    "/rate.js": ("cuesense.rating", "rate.js", "text/javascript"),
    "/player.js": ("cuesense.rating", "player.js", "text/javascript"),
    "/desk.js": ("cuesense.rating", "desk.js", "text/javascript"),
    "/live.css": ("cuesense.web", "live.css", "text/css"),
    "/link.js": ("cuesense.web", "link.js", "text/javascript"),
    "/icon.svg": ("cuesense.web", "icon.svg", "image/svg+xml"),
}
"""Every path that is served: from which package, which file, as what."""
BODY_LIMIT: Final = 16 * 1024
"""Bytes of an answer."""

Handler = Callable[[Request], Awaitable[Response]]


def app(
    sitting: Sitting,
    source: FileSource,
    clips: Clips,
    token: str,
    port: int,
    stop: Callable[[], None],
) -> Starlette:
    """Return the application.

    Parameters
    ----------
    sitting
        the rater's.
    source
        the recording.
    clips
        of the sitting's stretches.
    token
        what a page must show.
    port
        that it is served at: requests that name another host are refused.
    stop
        called when the page says that the rater has finished for now.
    """
    files = {
        path: Response(
            resources.files(package).joinpath("static", name).read_bytes(), media_type=kind
        )
        for path, (package, name, kind) in STATIC.items()
    }
    writing = asyncio.Lock()
    word = f"Bearer {token}".encode()

    def let_in(handler: Handler) -> Handler:
        """Let nobody past without the token."""

        async def checked(request: Request) -> Response:
            shown = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(shown, word):
                return _no(401, "open the address that cuesense printed in the terminal")
            return await handler(request)

        return checked

    async def static(request: Request) -> Response:
        return files[request.url.path]

    async def sheet(request: Request) -> Response:
        return JSONResponse(sitting.tell(source.info))

    async def clip(request: Request) -> Response:
        place = int(request.path_params["place"])
        if not place < len(clips):
            return _no(404, "there is no such bout: reload the page")
        wanted = None
        try:
            wanted = clips.get(place)
            # Shielded: a page that goes away must not take it from one that waits for it, too.
            made = await asyncio.shield(asyncio.wrap_future(wanted))
        except CuesenseError as error:
            return _no(422, str(error))
        except asyncio.CancelledError:
            if wanted is None or not wanted.cancelled():
                raise
            return _no(409, "other bouts were asked for meanwhile: play it again")
        return Response(made, media_type="video/webm")

    async def answer(request: Request) -> Response:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > BODY_LIMIT:
                return _no(413, f"an answer must have at most {BODY_LIMIT} bytes")
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            return _no(400, "an answer must be JSON: reload the page")
        try:
            async with writing:
                done = await asyncio.to_thread(sitting.answer, message)
        except OutputError as error:
            return _no(507, str(error))
        except CuesenseError as error:
            return _no(400, str(error))
        return JSONResponse({"done": done})

    async def finish(request: Request) -> Response:
        return JSONResponse({}, background=BackgroundTask(stop))

    return Starlette(
        routes=[
            *(Route(path, static) for path in STATIC),
            Route("/sheet", let_in(sheet)),
            Route("/clip/{place:int}", let_in(clip)),
            Route("/answer", let_in(answer), methods=["POST"]),
            Route("/finish", let_in(finish), methods=["POST"]),
        ],
        middleware=[Middleware(Guard, port=port, clips=True)],
    )


def _no(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)


def serve(
    sitting: Sitting,
    source: FileSource,
    *,
    port: int = 0,
    open_browser: bool = True,
    on_ready: Callable[[str], None],
) -> None:
    """Serve the page in this thread until the rater finishes, or Ctrl-C; both end it well.

    Parameters
    ----------
    sitting
        the rater's.
    source
        the recording.
    port
        0: a free one.
    open_browser
        whether to open the page in the user's browser.
    on_ready
        called with the page's address, token included, once it is served.

    Raises
    ------
    ParameterError
        If the port cannot be had.
    """
    with local.listen(port) as listener, Clips(source, sitting.stretches) as clips:
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(32)
        address = f"http://127.0.0.1:{port}/#{token}"

        def ready() -> None:
            on_ready(address)
            if open_browser:
                local.show(address)

        def stop() -> None:
            clips.end()  # else the server waits for those whom a page still waits for
            server.should_exit = True

        clips.get(sitting.first)  # so that it is ready when the rater has read what to do
        server = _Server(app(sitting, source, clips, token, port, stop), ready, stop)
        asyncio.run(server.serve(sockets=[listener]))


class _Server(uvicorn.Server):
    """Uvicorn that says when it serves, and for which a signal is a wish to end, not an error."""

    def __init__(
        self, application: Starlette, ready: Callable[[], None], stop: Callable[[], None]
    ) -> None:
        super().__init__(local.settings(application))
        self._ready, self._stop = ready, stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, then say so."""
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End; from the second signal on at once."""
        self.force_exit = self.should_exit
        self._stop()
