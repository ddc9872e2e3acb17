"""People code a session's bouts blind, and are compared with each other and with the tool.

``units`` says which bouts are coded, ``questions`` what is asked of them and what the tool says,
``agreement`` how far people agree: all three are pure. ``store`` keeps the ratings in the session
folder, ``media`` finds the recording, ``clips`` cuts it, ``sitting`` is one rater at work,
``server`` their page; ``results`` compares and ``words`` prints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from cuesense.rating.results import Study, study
from cuesense.rating.sitting import Sitting
from cuesense.rating.store import Ratings
from cuesense.session import Session

__all__ = ["Study", "rate", "study"]


def rate(
    session: Session,
    name: str,
    *,
    media: Sequence[Path] = (),
    count: int | None = None,
    unit_s: float | None = None,
    passphrase: Callable[[], str],
    port: int = 0,
    open_browser: bool = True,
    on_ready: Callable[[str], None],
) -> tuple[int, int]:
    """Let one person code a session on a page in their browser.

    Parameters
    ----------
    session
        a finished session.
    name
        the rater's; their answers go to ``ratings/NAME.csv`` of the session folder, each at once.
    media
        the session's recordings; see `media.opened`.
    count, unit_s
        see `store.Ratings.plan`.
    passphrase
        asked for that of an encrypted recording.
    port, open_browser, on_ready
        see `server.serve`.

    Returns
    -------
    done, total
        bouts that this rater has coded, and all.

    Raises
    ------
    KeyboardInterrupt
        If it is interrupted before the page is served; nothing is left decrypted.
    MediaError
        If the recording is not there, is another one, or cannot be read.
    ParameterError
        If the name, the number or the length is not allowed.
    OutputError
        If the session's ratings cannot be read or written.
    """
    from cuesense.rating import media as found
    from cuesense.rating.server import serve

    ratings = Ratings(session)
    ratings.check(name)
    with found.opened(session, media, passphrase) as source:
        sitting = Sitting(ratings, name, count=count, unit_s=unit_s)
        with suppress(KeyboardInterrupt):  # what was answered is kept: that is an end like any
            serve(sitting, source, port=port, open_browser=open_browser, on_ready=on_ready)
    return sitting.done, len(sitting)
