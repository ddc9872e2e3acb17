"""The sentences on what two people did with their turns and voices, each number beside chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cuesense.report.sentences import Sentence, quiet
from cuesense.report.words import (
    NB,
    THIN,
    At,
    Who,
    listed,
    number,
    percent,
    probability,
    seconds,
    sentence_case,
    signed,
    times,
    wait,
)

LEAST_TURNS: Final = 3
"""Answers from which their median is worth a sentence."""
UNITS: Final = {"pitch": "semitones", "level": "dB", "pace": "syllables/s"}
SAYINGS: Final = {
    ("proximity", True): "began nearer to how {other} had just ended than to {others} other turns",
    ("proximity", False): "began further from how {other} had just ended than from {others} "
    "other turns",
    ("convergence", True): "grew more alike to {others} in the course of the talk",
    ("convergence", False): "grew less alike to {others} in the course of the talk",
    ("synchrony", True): "went up and down with {others} from turn to turn",
    ("synchrony", False): "went up where {others} went down, from turn to turn",
}
"""What a measure says where it is above, or below, chance."""


def between(low: float, high: float, write: Any = signed) -> str:
    """Write a 95 % interval."""
    return f"95{THIN}% interval {write(low)} to {write(high)}"


def voices(who: Who, other: Who, found: Mapping[str, Any] | None) -> list[Sentence]:
    """Whether a person's voice follows the other's from turn to turn.

    Parameters
    ----------
    who
        whose voice may follow.
    other
        whom.
    found
        a `dyad.entrainment.Following` as a dict, or None.
    """
    if not found:
        return []
    measures = found.get("measures") or {}
    ps = {
        (feature, name): number(chance.get("p"))
        for feature, by in measures.items()
        for name, chance in by.items()
        if math.isfinite(number(chance.get("p")))
    }
    if not ps:
        most = max((found.get("exchanges") or {"": 0}).values())
        return [
            quiet(
                f"Whether {who.possessive} voice followed {other.possessive} from turn to turn "
                f"cannot be said: there were {most} answers in which both voices could be read, "
                "which is too few."
            )
        ]
    beyond = [(str(feature), str(name)) for feature, name in found.get("found") or ()]
    if not beyond:
        feature, name = min(ps, key=ps.__getitem__)
        return [
            Sentence(
                f"From turn to turn {who.possessive} voice could not be shown to follow "
                f"{other.possessive}: of {len(ps)} comparisons of {listed(list(measures))} none "
                f"was beyond chance (the strongest: {name} of {feature}, "
                f"{_beside(measures[feature][name], feature, name)})."
            )
        ]
    said = []
    for feature, name in beyond:
        chance = measures[feature][name]
        above = number(chance.get("value")) > number(chance.get("median"))
        saying = SAYINGS[name, above].format(other=other.subject, others=other.possessive)
        said.append(
            Sentence(
                f"The {feature} of {who.possessive} voice {saying} "
                f"({_beside(chance, feature, name)})."
            )
        )
    return said


def _beside(chance: Mapping[str, Any], feature: str, name: str) -> str:
    """Write a measure beside its null."""
    value, low, high, p = (number(chance.get(k)) for k in ("value", "low", "high", "p"))
    digits = 1 if name == "proximity" else 2
    unit = f"{NB}{UNITS[feature]}" if name == "proximity" else ""
    symbol = "" if name == "proximity" else f"r{NB}={NB}"
    return (
        f"{symbol}{signed(value, digits)}{unit}, by chance {signed(low, digits)} to "
        f"{signed(high, digits)}, {probability(p)}"
    )


def latency(
    who: Who,
    other: Who,
    median_s: float,
    turns: int,
    slow: Sequence[At],
    interval_s: tuple[float, float] = (math.nan, math.nan),
) -> Sentence:
    """How quickly a person answers.

    Parameters
    ----------
    who
        who answers.
    other
        who spoke before.
    median_s
        median floor transfer offset, s; NaN if unknown.
    turns
        turns it rests on.
    slow
        the longest pauses before an answer, their lengths as notes.
    interval_s
        ends of the median's 95 % interval, NaN if unknown.
    """
    if not math.isfinite(median_s) or turns < LEAST_TURNS:
        return quiet(
            f"How quickly {who.subject} answered cannot be said: it takes {LEAST_TURNS} answers "
            f"or more, and there were {turns}."
        )
    subject, based = sentence_case(who.subject), f"median of {turns} turns"
    if math.isfinite(interval_s[0]):
        ends = " to ".join(wait(x) for x in interval_s)
        based += f", 95{THIN}% interval {ends}"
    if median_s < -0.05:
        text = (
            f"{subject} mostly began {seconds(-median_s)} before {other.subject} ended ({based})."
        )
    else:
        text = f"{subject} mostly left {seconds(max(0.0, median_s))} before answering"
    return Sentence(f"{text} ({based})." + (" Longest pauses:" if slow else ""), tuple(slow))


def interruptions(
    who: Who,
    other: Who,
    found: Sequence[At],
    turns: int,
    interval: tuple[float, float] = (math.nan, math.nan),
) -> Sentence:
    """How often a person took the floor while the other went on talking.

    Parameters
    ----------
    who
        the person.
    other
        the other.
    found
        where they did.
    turns
        their turns.
    interval
        ends of the 95 % interval of the share of their turns, NaN if unknown.
    """
    if not turns:
        return quiet(f"No turns of {who.subject} were found, so nothing is said on interruptions.")
    based = ""
    if math.isfinite(interval[0]):
        low, high = (percent(x) for x in interval)
        based = f" (of {turns} turns; 95{THIN}% interval {low} to {high} of them)"
    if not found:
        return Sentence(
            f"{sentence_case(who.subject)} let {other.subject} finish every time{based}."
        )
    return Sentence(
        f"{sentence_case(who.subject)} began to speak while {other.subject} {other.was} still "
        f"talking {times(len(found))}{based}:",
        tuple(found),
    )


def space(who: Who, other: Who, found: Mapping[str, Any] | None) -> list[Sentence]:
    """Whether a person waited longer after the other's peaks than at other times.

    Parameters
    ----------
    who
        who listens.
    other
        who shares.
    found
        a `dyad.floor.Space` as a dict, or None.
    """
    if not found:
        return []
    interval, chance = (found.get(k) or {} for k in ("difference_s", "chance"))
    value, low, high = (number(interval.get(k)) for k in ("value", "low", "high"))
    if not math.isfinite(value):
        return [
            quiet(
                f"Whether {who.subject} waited longer after {other.possessive} emotional peaks "
                f"cannot be said: {found.get('after') or 0} turns ended with one and "
                f"{found.get('otherwise') or 0} without, which is too few to compare."
            )
        ]
    p = number(chance.get("p"))
    known = f", {probability(p)}" if math.isfinite(p) else ""
    moments = [
        At(start, end, f"({seconds(end - start)})") for start, end in found.get("longest") or ()
    ]
    waits = [wait(number(found.get(k))) for k in ("after_s", "otherwise_s")]
    numbers = (
        f"When {other.subject} had just been highly activated or at a low point, the middle wait "
        f"before {who.subject} spoke was {waits[0]}; at other times it was {waits[1]} "
        f"({'longer' if value >= 0 else 'shorter'} by {seconds(abs(value))}, "
        f"{between(low, high, wait)}{known})."
    )
    if not math.isfinite(p):
        verdict = "The recording is too short to say whether that is more than chance."
    elif p > 0.05:
        verdict = "That may well be chance."
    elif value > 0:
        verdict = f"So {who.subject} gave {other.subject} more space then."
    else:
        verdict = f"So {who.subject} left {other.subject} less space then."
    return [Sentence(f"{numbers} {verdict} Longest:", tuple(moments))]


def floor(who: Who, share: float, turns: Mapping[str, Any], longest: Sequence[At]) -> Sentence:
    """How the talking time divides, and how silent the talk was beside chance.

    Parameters
    ----------
    who
        the person.
    share
        theirs of the talking time, in [0, 1]; NaN if unknown.
    turns
        a `dyad.floor.TurnSummary` as a dict.
    longest
        their longest turns.
    """
    if not math.isfinite(share):
        return quiet("Who spoke how much cannot be said: no turns were found.")
    chance = turns.get("silence") or {}
    low, high = (number(chance.get(k)) for k in ("low", "high"))
    beside = (
        f" (by chance, had each talked without regard to the other: {percent(low)} to "
        f"{percent(high)})"
        if math.isfinite(low)
        else ""
    )
    return Sentence(
        f"{sentence_case(who.subject)} had {percent(share)} of the talking time, and for "
        f"{percent(number(turns.get('silence_share')))} of the conversation nobody spoke{beside}."
        + (" Longest turns:" if longest else ""),
        tuple(longest),
    )
