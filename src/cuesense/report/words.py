"""How numbers, times and reasons are written in a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cuesense.types import Reason

MINUS: Final = "\N{MINUS SIGN}"
NB: Final = "\N{NO-BREAK SPACE}"
THIN: Final = "\N{NARROW NO-BREAK SPACE}"

REASONS: Final[dict[str, str]] = {
    Reason.NO_VIDEO: "no picture",
    Reason.NO_AUDIO: "no sound",
    Reason.NO_PERSON: "nobody in this seat",
    Reason.NO_FACE: "face not seen",
    Reason.OUT_OF_FRAME: "face partly outside the picture",
    Reason.LOW_LIGHT: "too dark",
    Reason.BLURRED: "face too small or blurred",
    Reason.REASSOCIATED: "face came back, might be someone else's",
    Reason.SILENT: "not speaking",
    Reason.UNVOICED: "no pitch in this sound",
    Reason.OVERLAP: "both speaking at once",
    Reason.OTHER_VOICE: "another voice",
    Reason.UNCALIBRATED: "still learning this person's usual",
    Reason.DROPPED: "damaged here",
}
"""What each `types.Reason` means, for people who are not engineers."""

DYAD_REASONS: Final = (
    ("under", "the beginning"),
    ("uncalibrated", "still learning what is usual for both"),
    ("coverage of the partner", "too little of the one who shares"),
    ("coverage of the listener", "too little of the one who listens"),
    ("no channel", "no signal that both have"),
    ("partner within", "the one who shares is near their usual"),
    ("no mode above", "the signals do not agree"),
    ("contingency under", "not shown to be about this partner yet"),
)
"""How the reasons of `dyad.modes.reasons` begin, and what they mean."""


def reason(code: str) -> str:
    """Return the words for a reason of the timeline; an unknown one unchanged."""
    return REASONS.get(code, code)


def dyad_reason(code: str) -> str:
    """Return the words for why there is no mode; an unknown one unchanged."""
    return next((words for start, words in DYAD_REASONS if code.startswith(start)), code)


def percent(share: float) -> str:
    """Write a share in [0, 1] as whole per cent; small but not nothing is "< 1 %"."""
    if 0 < share < 0.005:
        return f"<{THIN}1{THIN}%"
    return f"{100 * share:.0f}{THIN}%"


def signed(x: float, digits: int = 1) -> str:
    """Write a number with its sign, "" if it is missing."""
    if math.isnan(x):
        return ""
    text = f"{abs(x):.{digits}f}"
    return text if float(text) == 0 else (MINUS if x < 0 else "+") + text


def plain(x: float, digits: int = 0) -> str:
    """Write a number, "" if it is missing."""
    return "" if math.isnan(x) else f"{x:.{digits}f}".replace("-", MINUS)


def seconds(x: float) -> str:
    """Write a length of time below an hour: "0.6 s", "12 s" or "2 min 5 s"."""
    if x < 9.95:
        return f"{x:.1f}{THIN}s"
    whole = round(x)
    if whole < 60:
        return f"{whole}{THIN}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}{THIN}min" + (f" {rest}{THIN}s" if rest else "")


def wait(x: float) -> str:
    """Write a wait: "0.4 s", or "-0.4 s" where it is an overlap."""
    return seconds(x) if x >= 0 else f"{signed(x)}{THIN}s"


def clock(t: float) -> str:
    """Write a time of the recording as m:ss or h:mm:ss."""
    minutes, rest = divmod(int(t + 1e-6), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def probability(p: float) -> str:
    """Write a p value."""
    return f"p{NB}<{NB}0.01" if p < 0.01 else f"p{NB}={NB}{p:.2f}"


def times(n: int) -> str:
    """Write how often: "once", "twice", "3 times"."""
    return {0: "not once", 1: "once", 2: "twice"}.get(n, f"{n} times")


class At(NamedTuple):
    """A moment of the recording that a sentence points to."""

    start: float
    end: float
    note: str = ""

    @property
    def clock(self) -> str:
        """Where it begins, as it is written."""
        return clock(self.start)

    @property
    def words(self) -> str:
        """Its stretch, as it is written."""
        same = clock(self.start) == clock(self.end)
        return self.clock if same else f"{self.clock} to {clock(self.end)}"

    @property
    def href(self) -> str:
        """Its stretch as the timeline's links name it."""
        if self.end - self.start < 0.05:
            return f"{self.start:.1f}"
        return f"{self.start:.1f}-{self.end:.1f}"


@dataclass(frozen=True, slots=True)
class Who:
    """How a person is called.

    Attributes
    ----------
    subject
        "you", "your partner", "A (left)".
    possessive
        "your", "your partner's", "A's".
    you
        whether the verb is that of "you".
    """

    subject: str
    possessive: str
    you: bool = False

    @property
    def was(self) -> str:
        """The verb that fits."""
        return "were" if self.you else "was"


def sentence_case(text: str) -> str:
    """Return `text` with a capital first letter."""
    return text[:1].upper() + text[1:]


def listed(parts: Sequence[str]) -> str:
    """Join as "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def number(x: object) -> float:
    """Return a number of session.json, NaN where it says null."""
    return float(x) if isinstance(x, int | float) else float("nan")
