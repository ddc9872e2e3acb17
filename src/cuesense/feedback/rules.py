"""What a rule of the policy is: which sentence, on what evidence, how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cuesense import schema
from cuesense.state.affect import AROUSAL, Cue

PRAISE: Final = "well-done"
KINDS: Final = (
    "pause",
    "slow-breath",
    "lower-voice",
    "soften-face",
    "let-finish",
    "listen",
    "look-back",
    "say-back",
    "share-joy",
    "tune-in",
    PRAISE,
)
"""The listener's next moves. A cool-down holds for a kind, whichever rule brought it up."""

LABELS: Final = tuple(schema.short(n) for n in schema.LABELS if n != schema.INSUFFICIENT)
"""What a rule may rest on: where the label is "insufficient" nothing is said."""

_SHAPE: Final = (
    Cue("smile", "face", 1.0, 0.02),
    Cue("brow_height", "face", 1.0, 0.012),
    Cue("brow_gap", "face", 1.0, 0.006),
)
"""Shapes that a rule may name. Floors: what pictures of one still face vary by, eye distances."""
CUES: Final[Mapping[str, Cue]] = {cue.column: cue for cue in (*AROUSAL, *_SHAPE)}
"""Columns with a scale of their own, and so with a usual in SD."""

WITNESS: Final[Mapping[str, str]] = {
    "nod": "head_pitch_rad",
    "shake": "head_yaw_rad",
    "blink": "eye_closure",
    "look_away": "gaze_on_partner",
    "turn": "speaking",
    "backchannel": "speaking",
}
"""Events of a person, and the column without which their absence says nothing."""

LONGEST_S: Final = 120.0
"""s that a rule may look back: what is kept in memory."""

_MINUS = "\N{MINUS SIGN}"
_WHOSE = {"listener": "your ", "partner": "their ", "dyad": ""}

PERSON_COLUMNS: Final = {c.name: c for c in schema.VALUE_COLUMNS}
DYAD_COLUMNS: Final = {c.name: c for c in schema.EVIDENCE}


@dataclass(frozen=True, slots=True)
class Level:
    """One column's value, or its change against the minute before.

    Attributes
    ----------
    of
        "listener", "partner" or "dyad".
    column
        of `schema.VALUES`, or of `schema.EVIDENCE` for the dyad.
    test
        "above", "below", "rises" or "falls".
    than
        in the column's unit, or in SD.
    sd
        whether it is in SD of the person's own baseline.
    over_s
        s over which "now" is averaged; None: as the settings say.
    words
        how the column is called.
    """

    of: str
    column: str
    test: str
    than: float
    sd: bool
    over_s: float | None
    words: str

    @property
    def change(self) -> bool:
        """Whether it is about a change."""
        return self.test in ("rises", "falls")

    def holds(self, value: float) -> bool:
        """Return whether `value` (of the column, or its change) fulfils it; NaN never does."""
        if self.test in ("above", "rises"):
            return value > self.than
        return value < (-self.than if self.test == "falls" else self.than)

    def because(self, value: float) -> str:
        """Return the number in words: "your pitch +1.4 SD"."""
        name = f"{_WHOSE[self.of]}{self.words}"
        known = DYAD_COLUMNS if self.of == "dyad" else PERSON_COLUMNS
        column = known[self.column]
        unit = "SD" if self.sd else column.unit
        share = unit == "1" and (column.low, column.high) == (0, 1)
        size = f"{100 * abs(value):.0f} %" if share else f"{abs(value):.1f}{_unit(unit)}"
        if self.change:
            return f"{name} {'up' if value > 0 else 'down'} {size} within a minute"
        sign = _MINUS if value < 0 else "+" if unit == "SD" else ""
        return f"{name} {sign}{size}"


@dataclass(frozen=True, slots=True)
class Count:
    """How often something happened lately: at least so often, or at most.

    Attributes
    ----------
    of
        "listener" or "partner".
    kinds
        of `WITNESS`; all are counted together.
    detail
        only events with this detail; "" takes all.
    least
        None if the test is `most`, and the other way round.
    within_s
        s up to now.
    words
        how they are called, in the plural.
    """

    of: str
    kinds: tuple[str, ...]
    detail: str
    least: int | None
    most: int | None
    within_s: float
    words: str

    def holds(self, count: float) -> bool:
        """Return whether the count fulfils it; NaN never does."""
        if self.most is not None:
            return count <= self.most
        return self.least is not None and count >= self.least

    def because(self, count: float) -> str:
        """Return the number in words: "your interruptions: 2 in 60 s"."""
        return f"{_WHOSE[self.of]}{self.words}: {count:.0f} in {self.within_s:.0f} s"


Condition = Level | Count


@dataclass(frozen=True, slots=True)
class Rule:
    """One sentence (in a few wordings) and all that must hold for it, without a break.

    Attributes
    ----------
    name
        unlike that of any other rule.
    kind
        of `KINDS`.
    labels
        of `LABELS`; one of them must be the dyad's.
    variants
        of `dyad.modes.VARIANTS`, likewise.
    hold_s
        s for which everything must have held.
    cooldown_s
        s before a sentence of this kind may come again.
    when
        the conditions; their numbers are the sentence's "because".
    say
        wordings, taken in turn.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    variants: tuple[str, ...]
    hold_s: float
    cooldown_s: float
    when: tuple[Condition, ...]
    say: tuple[str, ...]


def _unit(unit: str) -> str:
    """Return a unit as it follows a number: "/s", " SD"."""
    return unit[1:] if unit.startswith("1/") else "" if unit == "1" else f" {unit}"
