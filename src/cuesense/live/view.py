"""What watchers are shown while sensing: pictures at once, cues as they come, states, trouble."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from cuesense.board import Board
from cuesense.capture import LiveFeed
from cuesense.config import Config
from cuesense.live import messages
from cuesense.live.checks import Checks, as_messages
from cuesense.types import U8, FaceCue, Moment, Person, VoiceCue

PREVIEW_SIDE: Final = 640
"""px; pictures are shown no larger than this."""
PREVIEW_QUALITY: Final = 75
CHECK_S: Final = 0.5
"""s between looks at devices and checks."""
SOUND_S: Final = 0.1
"""s between messages on the sound."""
HISTORY_S: Final = 120.0
"""s of states that a page shows."""


class View:
    """Turns what is sensed into messages on the board. Made anew for each run of the stages.

    Parameters
    ----------
    board
        Where messages go.
    feed
        What is sensed.
    config
        Settings.

    Attributes
    ----------
    listener
        who listens, None while it is not known.
    state, advice
        the last message of each, None before the first.
    checks, trouble
        the last items of the set-up, and of what needs a hand.
    history
        the states of the last `HISTORY_S`, for pages that come later.
    """

    def __init__(self, board: Board, feed: LiveFeed, config: Config) -> None:
        self._board, self._feed = board, feed
        self.listener: Person | None = None
        self.state: dict[str, Any] | None = None
        self.advice: dict[str, Any] | None = None
        self.checks: list[dict[str, Any]] = []
        self.trouble: list[dict[str, Any]] = []
        self.history: deque[dict[str, Any]] = deque(maxlen=round(HISTORY_S * config.dyad.rate_hz))
        self._tally = messages.Tally()
        self._looks = Checks()
        self._pairs: dict[int, dict[int, FaceCue]] = {}
        self._heard: dict[int, VoiceCue] = {}
        self._sound_due = self._look_due = 0.0
        self._page_late: float | None = None  # share of a page's frames that came late
        self._delays = {name: messages.Delay() for name in ("picture", "cues", "label")}

    def picture(self, view: int, t: float, image: U8) -> None:
        """Show a picture (RGB, captured at monotonic `t`), from the camera's own thread."""
        import cv2

        small = image
        zoom = PREVIEW_SIDE / max(image.shape[:2])
        if zoom < 1:
            height, width = image.shape[:2]
            size = (round(width * zoom), round(height * zoom))
            small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        self._looks.see_picture(view, float(small[::8, ::8].mean()))
        if self._board.shows_pictures:
            colours = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
            done, jpeg = cv2.imencode(".jpg", colours, [cv2.IMWRITE_JPEG_QUALITY, PREVIEW_QUALITY])
            if done:
                self._board.latest(f"picture{view}", messages.picture(view, t, jpeg.tobytes()))

    def glimpse(self, cue: FaceCue | VoiceCue) -> None:
        """Show a cue long before the moment that it becomes part of."""
        self._looks.see(cue)
        captured = self._feed.started + cue.t
        self._delays["cues"].add(time.monotonic() - captured)
        if not len(self._board):
            return
        if isinstance(cue, VoiceCue):
            self._heard[cue.channel] = cue
            if cue.t >= self._sound_due:
                self._sound_due = cue.t + SOUND_S
                self._board.latest("sound", messages.sound(captured, self._heard))
            return
        view = cue.seat if self._feed.info.views == 2 else 0
        pair = self._pairs.setdefault(view, {})
        pair[cue.seat] = cue
        if all(other.t == cue.t for other in pair.values()):
            self._board.latest(f"faces{view}", messages.faces(view, captured, list(pair.values())))

    def moment(self, moment: Moment) -> None:
        """Show a moment's state and advice."""
        self._tally.push(moment)
        self._delays["label"].add(time.monotonic() - self._feed.started - moment.t)
        self.listener = messages.listener_of(moment)
        if moment.advice is not None:
            self.advice = messages.advice(moment.advice)
            self._board.keep(self.advice)
        if moment.dyad is not None:
            self.state = messages.state(
                moment,
                self._tally,
                dropped=self._feed.dropped,
                fps=self._feed.fps,
                page_late=self._page_late,
                latency_ms={name: delay.p95_ms for name, delay in self._delays.items()},
            )
            self._board.latest("state", self.state)
            self.history.append(messages.trace(moment))

    def setup(self) -> None:
        """Show the checks of the set-up, now and then."""
        if self._due():
            self.checks = as_messages(self._looks.setup(self._feed.health))
            self._board.latest("checks", {"type": "checks", "items": self.checks})

    def look_after(self, problems: Iterable[tuple[str, str]]) -> None:
        """Show what needs a hand, now and then, if it changed.

        Parameters
        ----------
        problems
            further ones: what, and a sentence ("" if there is none).
        """
        if not self._due():
            return
        items = as_messages(self._looks.session(self._feed.health))
        items += [
            {"what": what, "state": "bad", "sentence": sentence}
            for what, sentence in problems
            if sentence
        ]
        if items != self.trouble:
            self.trouble = items
            self._board.keep({"type": "health", "items": items})

    def seen(self, message: Mapping[str, Any]) -> None:
        """Take word from a page: which picture it has drawn, and how many frames came late."""
        t, late = message.get("t"), message.get("late")
        if isinstance(t, (int, float)) and math.isfinite(t):
            self._delays["picture"].add(time.monotonic() - t)
        if isinstance(late, (int, float)) and 0 <= late <= 1:
            self._page_late = float(late)

    def _due(self) -> bool:
        now = time.monotonic()
        if now < self._look_due:
            return False
        self._look_due = now + CHECK_S
        return True
