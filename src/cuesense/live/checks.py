"""Is what the camera and the microphone give good enough, and if not, what to do (pure).

In the set-up every check is shown; in the session only what needs a hand.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

from cuesense.capture import Health
from cuesense.types import FaceCue, Reason, VoiceCue

DARK: Final = 40.0
"""Mean grey level (0-255) of a picture below which the room is dark."""
NARROW, WIDE = 0.06, 0.35
"""Share of the picture's width that a face should fill: smaller ones move by less than the
landmarks' own noise, wider ones leave the picture when they lean."""
SPEECH_DB: Final = -50.0
"""dB(A) re full scale below which speech is too soft to measure."""
CLIPPED: Final = -6.0
"""dB(A) above which loud speech is likely cut off."""
WINDOW_S: Final = 4.0
"""s that a check looks back."""
MISSING_S: Final = 3.0
"""s without a face before it is said: people look away and lean out."""

State = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the check; `sentence` says what to do."""

    what: str
    state: State
    sentence: str

    def message(self) -> dict[str, str]:
        """Return it as a message holds it."""
        return asdict(self)


class Checks:
    """Looks at cues as they come.

    Parameters
    ----------
    people
        How many people should be seen.
    """

    def __init__(self, people: int = 2) -> None:
        self._people = people
        self._light: dict[int, float] = {}
        self._seen = [-math.inf, -math.inf]
        self._width: list[deque[float]] = [deque(maxlen=50), deque(maxlen=50)]
        self._dark_faces = [False, False]
        self._others: deque[tuple[float, int]] = deque()
        self._levels: deque[tuple[float, float, float]] = deque()  # t, level, speech
        self._now = 0.0
        self._pictures = False

    def see_picture(self, view: int, mean_grey: float) -> None:
        """Take a picture's mean grey level, 0 to 255."""
        self._light[view] = mean_grey

    def see(self, cue: FaceCue | VoiceCue) -> None:
        """Take the next cue; times in s."""
        self._now = max(self._now, cue.t)
        if isinstance(cue, VoiceCue):
            if math.isfinite(cue.loudness_db):
                self._levels.append((cue.t, cue.loudness_db, cue.speech))
            while self._levels and self._levels[0][0] < self._now - WINDOW_S:
                self._levels.popleft()
            return
        self._pictures = True
        self._others.append((cue.t, cue.others))
        while self._others and self._others[0][0] < self._now - MISSING_S:
            self._others.popleft()
        if cue.present:
            self._seen[cue.seat] = cue.t
            self._width[cue.seat].append(float(cue.box[2]))
            self._dark_faces[cue.seat] = cue.reason is Reason.LOW_LIGHT

    def setup(self, health: Sequence[Health]) -> list[Item]:
        """Return all checks, the devices first."""
        items = [_device(h) for h in health]
        if self._light or self._pictures:
            items += [self._faces(), self._light_item(), self._distance()]
        if self._levels:
            items.append(self._sound())
        return items

    def session(self, health: Sequence[Health]) -> list[Item]:
        """Return what needs a hand during the session: lasting trouble only."""
        items = [_device(h) for h in health]
        if self._light or self._pictures:
            items += [self._faces(), self._crowd()]
            if self._light_item().state == "bad":
                items.append(self._light_item())
        return [item for item in items if item.state != "ok"]

    def _present(self) -> int:
        return sum(self._now - t < MISSING_S for t in self._seen[: self._people])

    def _faces(self) -> Item:
        missing = self._people - self._present()
        if missing <= 0:
            return Item("faces", "ok", "Both faces are found.")
        if self._dark():
            return Item("faces", "bad", "It is too dark to see a face: switch on a light.")
        if missing == self._people:
            return Item("faces", "bad", "Nobody is in the picture: sit down before the camera.")
        return Item("faces", "warn", "One face is missing: sit so that the camera sees you both.")

    def _crowd(self) -> Item:
        if self._others and min(others for _, others in self._others) > 0:
            return Item("faces", "warn", "Somebody else is in the picture: only two are followed.")
        return Item("faces", "ok", "")

    def _dark(self) -> bool:
        return any(self._dark_faces) or (
            bool(self._light) and min(self._light.values()) < DARK and self._present() == 0
        )

    def _light_item(self) -> Item:
        if self._dark():
            return Item("light", "bad", "Your faces are dark: switch on a lamp in front of you.")
        return Item("light", "ok", "The light is good.")

    def _distance(self) -> Item:
        widths = [float(np.median(w)) for w in self._width if w]
        if not widths:
            return Item("distance", "warn", "The distance is checked once a face is found.")
        if min(widths) < NARROW:
            return Item("distance", "warn", "Come a little closer to the camera.")
        if max(widths) > WIDE:
            return Item("distance", "warn", "Move back a little, so that you can lean and turn.")
        return Item("distance", "ok", "The distance is good.")

    def _sound(self) -> Item:
        spoken = [level for _, level, speech in self._levels if speech > 0.5]
        if not spoken:
            return Item("sound", "warn", "Say a few words, to try the microphone.")
        level = float(np.quantile(spoken, 0.9))
        if level < SPEECH_DB:
            return Item("sound", "warn", "Your voices are soft: move the microphone closer.")
        if level > CLIPPED:
            return Item("sound", "warn", "The sound is too loud: turn the microphone down.")
        return Item("sound", "ok", "Your voices are heard well.")


def _device(health: Health) -> Item:
    what = health.device.split()[0]
    state: State = "ok" if health.state == "ok" else "bad"
    return Item(what, state, health.sentence or f"{health.device.capitalize()} works.")


def as_messages(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Return checks as messages hold them."""
    return [item.message() for item in items]
