"""The sentences of a report: numbers in, plain words and moments out.

Kind, concrete, and never more certain than the numbers: what was seen and heard, not what was
felt. What cannot be said is said calmly (`Sentence.calm`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cuesense.report import words
from cuesense.report.facts import Gaze, Rise
from cuesense.report.words import At, Who, percent, sentence_case, signed

SHIFT: Final = 0.5
"""Baseline SD by which a first and a last third have to differ to be a trend."""

LIMITS: Final = (
    "It reads faces and voices, not minds. What someone felt is theirs to say; where this page "
    "and a person disagree, believe the person.",
    "“Activated” and “pleasant” mean: looked and sounded more so than this person did where "
    "their usual was learned: at the start, unless another place is named below. If they were "
    "tense there, tense counts as usual.",
    "“Mirroring” and “regulating” name patterns, not skill or goodwill. Neither is better: a "
    "shared laugh is mirroring too.",
    "Much of what makes a response look regulating is a person's own manner. Only a share that "
    "beats the wrong partner is about the two of you.",
    "Moving in step is not the same as getting on; couples in distress are often in step.",
    "Eye contact is estimated from head and eyes in an ordinary video. It is least sure for faces "
    "seen from the side, and how much is comfortable differs between people and cultures.",
    "One recording is one occasion. It is no diagnosis, and no basis for a decision about anyone.",
)
"""What a report cannot tell, in plain words."""
LEARNED_FROM: Final = {
    "start": "the beginning",
    "given": "the stretch that was named for it",
    "auto": "the most ordinary stretch of the recording",
}
"""Where a person's usual was learned, by how the stretch was chosen."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, the moments it rests on, and whether it says that something cannot be said."""

    text: str
    moments: tuple[At, ...] = ()
    calm: bool = False


def anchored(said: Sequence[Sentence], duration_s: float) -> list[Sentence]:
    """Return sentences of which each that claims something points somewhere: else to the whole."""
    whole = (At(0.0, duration_s, "(whole recording)"),)
    return [s if s.moments or s.calm else replace(s, moments=whole) for s in said]


def quiet(text: str, moments: Sequence[At] = ()) -> Sentence:
    """Return a sentence that says that something cannot be said."""
    return Sentence(text, tuple(moments), calm=True)


# ---- Read their cues, and tune in to yourself ------------------------------------------------


def activation(who: Who, peaks: Sequence[tuple[float, float]], known: bool) -> Sentence:
    """When a person looked and sounded most activated.

    Parameters
    ----------
    who
        the person.
    peaks
        (time, baseline SD) of the highest moments.
    known
        whether there is any arousal of theirs at all.
    """
    if not known:
        return quiet(
            f"{sentence_case(who.possessive)} activation cannot be shown: there is no usual to "
            "compare with. It takes about 45 seconds of ordinary talk at the start."
        )
    if not peaks:
        return Sentence(
            f"{sentence_case(who.subject)} stayed close to {_their(who)} usual level of activation "
            "all the way through."
        )
    return Sentence(
        f"{sentence_case(who.subject)} looked and sounded most activated here:",
        tuple(At(t, t, f"({signed(value)})") for t, value in peaks),
    )


def pleasantness(
    who: Who,
    lows: Sequence[tuple[float, float]],
    highs: Sequence[tuple[float, float]],
    known: bool,
) -> list[Sentence]:
    """When a person looked least and most pleased; (time, baseline SD) each."""
    if not known:
        return [
            quiet(
                f"How pleasant things looked for {who.subject} cannot be shown: that is read from "
                "the face."
            )
        ]
    said = []
    subject = sentence_case(who.subject)
    for found, word in ((lows, "least"), (highs, "most")):
        if found:
            moments = tuple(At(t, t, f"({signed(value)})") for t, value in found)
            said.append(Sentence(f"{subject} looked {word} at ease or pleased here:", moments))
    return said


def trend(who: Who, ends: tuple[float, float] | None, duration_s: float) -> list[Sentence]:
    """How the last third of a recording compares with the first, in baseline SD."""
    if ends is None:
        return []
    first, last = ends
    if abs(last - first) < SHIFT:
        how = "about as activated at the end as at the beginning"
    else:
        how = ("more" if last > first else "less") + " activated at the end than at the beginning"
    return [
        Sentence(
            f"{sentence_case(who.subject)} {who.was} {how} ({signed(first)} in the first third, "
            f"{signed(last)} in the last).",
            (
                At(0.0, duration_s / 3, "(first third)"),
                At(2 * duration_s / 3, duration_s, "(last third)"),
            ),
        )
    ]


OCCASIONS: Final = {
    "partner": "{other} {was} activated already",
    "both": "both were speaking",
    "other": "while {other} spoke",
    "own": "while {who} spoke",
    "silence": "in a pause",
}
"""How the occasions of a `facts.Rise` are written."""


def rises(who: Who, other: Who | None, found: Sequence[Rise], known: bool) -> list[Sentence]:
    """When a person's arousal rose quickly, and what was going on just before."""
    if not known:
        return []
    if not found:
        return [Sentence(f"{sentence_case(who.possessive)} activation never rose abruptly.")]
    names = {
        "who": who.subject,
        "other": other.subject if other else "the other",
        "was": other.was if other else "was",
    }
    moments = tuple(
        At(r.start, r.end, f"(+{r.size:.1f}, {OCCASIONS[r.occasion].format(**names)})")
        for r in found
    )
    said = [
        Sentence(
            f"{sentence_case(who.possessive)} activation rose quickly {words.times(len(found))}:",
            moments,
        )
    ]
    led = sum(r.occasion == "partner" for r in found)
    if other is not None and len(found) >= 2 and 2 * led > len(found):
        said.append(
            Sentence(
                f"Most of these rises ({led} of {len(found)}) came when {names['other']} "
                f"{names['was']} already activated. That is worth noticing from the inside."
            )
        )
    return said


# ---- Active listening ------------------------------------------------------------------------


def eye_contact(who: Who, other: Who, gaze: Gaze | None, away: Sequence[At]) -> list[Sentence]:
    """How much a person looked at the other; the longest looks away."""
    if gaze is None or not math.isfinite(gaze.listening):
        return [
            quiet(
                f"There was too little of {who.possessive} eyes while {other.subject} spoke to say "
                "anything about eye contact."
            )
        ]
    text = (
        f"While {other.subject} spoke, {who.possessive} eyes were on {other.subject} for "
        f"{percent(gaze.listening)} of the time"
    )
    if math.isfinite(gaze.speaking):
        self = "yourself" if who.you else "themselves"
        text += f" (while speaking {self}: {percent(gaze.speaking)})"
    said = [Sentence(f"{text}.")]
    if away:
        said.append(Sentence("Longest looks away:", tuple(away)))
    return said


def signals(
    who: Who, nods: Sequence[At], backchannels: Sequence[At], minutes: float, faces: bool
) -> Sentence:
    """How often a person nodded or gave a short vocal response, over `minutes` of recording."""
    if minutes < 0.5:
        return quiet("The recording is too short to count nods and short responses.")
    short = f"{len(backchannels) / minutes:.1f} short responses (“mm-hm”)"
    nodded = f"{len(nods) / minutes:.1f} nods and " if faces else ""
    where = _spread([*nods, *backchannels])
    text = f"{sentence_case(who.subject)} gave {nodded}{short} a minute."
    return Sentence(text + (" For example:" if where else ""), where)


# ---- What could be seen and heard ------------------------------------------------------------


def coverage(who: Who, shares: Mapping[str, Any] | None, gaps: Sequence[At]) -> Sentence:
    """How much of a person could be seen, heard and judged, and what was missing most.

    Parameters
    ----------
    who
        the person.
    shares
        this person's entry of the session's coverage.
    gaps
        the longest gaps, with their reasons as notes.
    """
    subject = sentence_case(who.subject)
    if not shares:
        return quiet(f"{subject} could not be found in this recording.")
    text = (
        f"{sentence_case(who.possessive)} face could be read for {percent(shares['face'])} of the "
        f"time, there was sound for {percent(shares['voice'])}, and {_their(who)} activation and "
        f"pleasantness could be judged for {percent(shares['state'])}."
    )
    return Sentence(text + (" Longest gaps:" if gaps else ""), tuple(gaps))


def baseline(who: Who, about: Mapping[str, Any] | None) -> Sentence:
    """Whether a person's usual could be learned, and from when.

    Parameters
    ----------
    who
        the person.
    about
        this person's entry of the session's baselines.
    """
    if not about or not about.get("complete"):
        missing = words.listed(
            [str(c).replace("_", " ") for c in (about or {}).get("missing") or ()]
        )
        lacks = f": not enough of {missing}" if missing else ""
        return quiet(
            f"What is usual for {who.subject} could not be fully learned{lacks}. It takes about "
            "45 seconds of ordinary talk, so what rests on it is left out."
        )
    begun, how = f"What is usual for {who.subject} was", about.get("how", "start")
    saved = (about.get("profile") or {}).get("name")
    if how == "profile":
        return Sentence(f"{begun} known before, from the saved profile “{saved}”.")
    span = At(float(about["start_s"]), float(about["end_s"]), "")
    if saved:
        begun += f" taken from the saved profile “{saved}”, and what that lacks was"
    return Sentence(f"{begun} learned from {LEARNED_FROM[how]}, {span.words}.", (span,))


# ---- helpers ---------------------------------------------------------------------------------


def _their(who: Who) -> str:
    return "your" if who.you else "their"


def _spread(moments: Sequence[At], most: int = 3) -> tuple[At, ...]:
    """Return up to `most` of the moments, spread over the recording."""
    ordered = sorted(moments)
    if len(ordered) <= most:
        return tuple(ordered)
    return tuple(ordered[round(i * (len(ordered) - 1) / (most - 1))] for i in range(most))
