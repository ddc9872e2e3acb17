"""Who may ask at all: only a page that this very server gave out, under its own name.

A name that an attacker points at 127.0.0.1 (DNS rebinding) shows in Host, another site's page in
Origin: both are refused before anything else looks at the request.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOREIGN: Final = 4403
"""Code with which a socket of another site is refused (before it opens: HTTP 403)."""


class Guard:
    """ASGI middleware: checks Host and Origin, and puts the safety headers on every answer.

    Parameters
    ----------
    app
        what is guarded.
    port
        the port that it is served at.
    camera
        whether pages may use their own camera and microphone.
    clips
        whether pages ask by requests instead of a socket, and play what they got.
    """

    def __init__(
        self, app: ASGIApp, port: int, *, camera: bool = False, clips: bool = False
    ) -> None:
        self._app = app
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        sockets = " ".join(f"ws://{host}" for host in self._hosts)
        talk = "'self'; media-src blob:" if clips else sockets
        devices = "(self)" if camera else "()"
        self._headers = {
            "content-security-policy": (
                f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                f"connect-src {talk}; base-uri 'none'; form-action 'none'; "
                "frame-ancestors 'none'"
            ),
            "cache-control": "no-store",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": f"camera={devices}, microphone={devices}, geolocation=()",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if self._is_ours(scope):
            await self._app(scope, receive, self._with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": FOREIGN})
        else:
            refusal = PlainTextResponse(
                "Refused: open the address that cuesense printed in the terminal.\n", 403
            )
            await refusal(scope, receive, self._with_headers(send))

    def _is_ours(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return False
        # A browser leaves Origin out of a plain visit, and never out of a socket's opening.
        own = [f"http://{hosts[0]}"]
        return origins == own or (not origins and scope["type"] == "http")

    def _with_headers(self, send: Send) -> Send:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        return guarded
