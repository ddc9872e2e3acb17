"""The verb that senses a conversation as it happens."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import nullcontext, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cuesense.cli.codes import INTERRUPTED, OK, PASSPHRASE
from cuesense.errors import CuesenseError, ParameterError

if TYPE_CHECKING:
    from cuesense.capture.browser import BrowserFeed
    from cuesense.live import Choice, LiveSession


def live(options: argparse.Namespace) -> int:
    """Sense a conversation live."""
    from cuesense import profiles
    from cuesense.capture import open_live, play
    from cuesense.capture.browser import BrowserFeed
    from cuesense.config import Config
    from cuesense.folder import claim
    from cuesense.live import Choice, LiveSession
    from cuesense.lsl import Outlets
    from cuesense.session import keep

    config = Config.load(options.config) if options.config else Config()
    if options.listener is not None:
        config = config.with_listener(options.listener)
    if options.capture == "browser" and (options.no_page or options.headless):
        raise ParameterError("capture=browser needs the page: leave out --no-page and --headless")
    given = profiles.load_both(profiles.of_people(options.profile))
    names = profiles.of_people(options.save_profile)
    profiles.check_new(names, replace=options.replace_profile)
    browser = BrowserFeed() if options.capture == "browser" else None
    if options.play is not None:
        feed = play(options.play, config)
    else:
        feed = open_live(options.camera or (), options.microphone or (), config, feed=browser)
    choice = Choice(
        config.people.listener,
        options.keep in ("picture", "both"),
        options.keep in ("sound", "both"),
        os.environ.get(PASSPHRASE) or None,
    )
    folder = options.out or Path(f"live-{datetime.now():%Y%m%d-%H%M%S}.cuesense")
    outlets = Outlets(config, folder.name) if options.lsl else None
    folder = claim(folder)
    try:
        with feed, outlets or nullcontext():
            # With a page or a terminal there are people to ask; without, to start it is the word.
            decided = choice if options.headless else None
            session = LiveSession(
                feed, folder, config, decided, given, outlets.push if outlets else None
            )
            if options.headless:
                _stream(session)
            else:
                _attend(session, choice, options, browser)
    except KeyboardInterrupt:  # the second one
        print(f"\ncuesense: what was sensed is kept: cuesense report {folder}", file=sys.stderr)
        return INTERRUPTED
    finally:
        with suppress(OSError):
            folder.rmdir()  # only if nothing was written
    if session.error is not None:
        if (folder / "live.json").exists():
            print(f"cuesense: what was sensed is kept: cuesense report {folder}", file=sys.stderr)
        raise session.error
    if session.report is not None:
        print(f"Report: {session.report.resolve()}", file=sys.stderr)
        keep(session.findings, config, names, replace=options.replace_profile)
    return OK


def _stream(session: LiveSession) -> None:
    """Print a session's moments as JSON lines; Ctrl-C (or being told to end) ends it well."""
    from cuesense.terminal import moment_line

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: session.end())
    try:
        for moment in session.moments():
            try:
                print(moment_line(moment), flush=True)
            except BrokenPipeError:  # whoever read has gone; what was sensed is finished
                sys.stdout = open(os.devnull, "w", encoding="utf-8")
                session.end()
    except CuesenseError as error:
        session.error = error  # told by the caller, as that of a session in its own thread


def _attend(
    session: LiveSession, choice: Choice, options: argparse.Namespace, browser: BrowserFeed | None
) -> None:
    """Show a session on a page or in the terminal, to its end."""
    from cuesense import terminal
    from cuesense.web import serve

    session.start()
    try:
        if options.no_page:
            terminal.show(session, **asdict(choice))
        else:
            serve(
                session,
                port=options.port,
                open_browser=not options.no_browser,
                feed=browser,
                on_ready=lambda url: print(f"cuesense: {url}", file=sys.stderr, flush=True),
            )
    except KeyboardInterrupt:
        print("\ncuesense: ending the session …", file=sys.stderr)
    finally:
        session.end()
        session.join()
