"""Serving on this machine alone: the port, the server's settings, the user's browser."""

from __future__ import annotations

import os
import socket
import sys
import threading
import webbrowser
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from cuesense.errors import ParameterError


def listen(port: int) -> socket.socket:
    """Return a listening socket of 127.0.0.1; port 0 takes a free one.

    Raises
    ------
    ParameterError
        If the port cannot be had.
    """
    try:
        listener = socket.create_server(("127.0.0.1", port))
        # Connections inherit it. Without it every other picture waits for the page's delayed
        # acknowledgement, 40 ms; asyncio does not set it on sockets that it is given.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except (OSError, OverflowError) as error:
        raise ParameterError(
            f"port={port} cannot be had ({error}): choose another one, or none for a free one"
        ) from None


def settings(app: ASGIApp, **more: Any) -> uvicorn.Config:
    """Return the settings of a server that is quiet and says nothing about itself."""
    return uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        limit_concurrency=64,
        timeout_graceful_shutdown=2,
        **more,
    )


def show(address: str) -> None:
    """Open an address in the user's browser, if it would open a window, and do not wait for it."""
    # Without a screen a browser may take over this terminal.
    known = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    if sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in known):
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
