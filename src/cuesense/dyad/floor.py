"""What a session's turns tell: talk, silence, answers, and whether a listener gave space.

The floor passes when one person's turn follows the other's; its offset is that of `turns`.

*Gave space* (give grace) asks whether a listener waits longer before they speak when the partner
has just been highly activated or distressed than at other times. Nothing in it looks ahead, so it
could be asked live. A *peak* begins at the tick at which the partner's arousal reaches `peak` SD
above their usual, or their valence as much below; it is over once both are back within `peak_off`.
A wait comes after a peak if one was under way within the last `peak_s` of the turn that it follows.
Where the partner goes on after a silence, the listener waited at least that long; such waits are
longer than the middle one, so that medians are right although their ends were not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from cuesense import config
from cuesense.dyad.chance import UNKNOWN, UNSURE, Chance, Interval, against, share
from cuesense.dyad.turns import INTERRUPTION, WITHIN
from cuesense.errors import ParameterError
from cuesense.types import F64, PEOPLE, Event, Person

Bools = npt.NDArray[np.bool_]

OVERLAPS: Final = ("interruption", "backchannel", "attempt", "passing")
"""What an overlap is: the floor is taken while the other talks on; a short response; a turn that
ends before the other's does; or the two are briefly together while the floor passes."""
RESAMPLES: Final = 999
SHIFT_S: Final = 15.0
"""Least s by which one person's speech is moved against the other's."""
FINE_S: Final = 0.1  # s, grid on which speech is moved


@dataclass(frozen=True, slots=True)
class TurnSummary:
    """A session's turn-taking.

    Attributes
    ----------
    talk_share
        of all turn time, each person's share in [0, 1]; NaN without turns.
    turns
        number of turns of each person.
    median_offset_s
        median floor transfer offset of each person's turns, s; NaN if none.
    offset_s
        the same with its interval (offsets are resampled), from 5 offsets on.
    interruptions
        turns of each person that took the floor while the other talked on.
    interrupting
        their share of the person's turns, with its interval.
    backchannels_per_min
        of each person.
    overlaps
        number of overlaps by kind (`OVERLAPS`).
    silence_share
        share of the session in which nobody has a turn or a backchannel.
    silence
        the same beside one person's speech moved in time against the other's by `SHIFT_S` or
        more: less silence than by chance means that the two take turns. What both say at once
        is the same test: with everybody's speech given, either follows from the other.
    overlap_share
        share of the session in which both speak.
    """

    talk_share: Mapping[Person, float]
    turns: Mapping[Person, int]
    median_offset_s: Mapping[Person, float]
    offset_s: Mapping[Person, Interval]
    interruptions: Mapping[Person, int]
    interrupting: Mapping[Person, Interval]
    backchannels_per_min: Mapping[Person, float]
    overlaps: Mapping[str, int]
    silence_share: float
    silence: Chance
    overlap_share: float


def summarise(events: Iterable[Event], duration_s: float, rng: np.random.Generator) -> TurnSummary:
    """Summarise the turns, backchannels and overlaps of a session.

    Parameters
    ----------
    events
        events of all kinds; others are ignored.
    duration_s
        s, length of the session.
    rng
        source of the resampling.

    Raises
    ------
    ParameterError
        if the duration is not positive.
    """
    if not duration_s > 0:
        raise ParameterError(f"duration_s={duration_s:g} must be > 0 s")
    events = list(events)
    turns = {p: [e for e in events if e.kind == "turn" and e.person == p] for p in PEOPLE}
    time = {p: sum(e.t_end - e.t for e in turns[p]) for p in PEOPLE}
    total = sum(time.values())
    offsets = {p: np.array([e.value for e in turns[p] if np.isfinite(e.value)]) for p in PEOPLE}
    short = {p: sum(e.kind == "backchannel" and e.person == p for e in events) for p in PEOPLE}
    interruptions = {p: sum(e.detail == INTERRUPTION for e in turns[p]) for p in PEOPLE}
    silence_share, silence = _silence(events, duration_s)
    return TurnSummary(
        talk_share={p: time[p] / total if total else float("nan") for p in PEOPLE},
        turns={p: len(turns[p]) for p in PEOPLE},
        median_offset_s={
            p: float(np.median(offsets[p])) if len(offsets[p]) else float("nan") for p in PEOPLE
        },
        offset_s={p: _median(offsets[p], rng) for p in PEOPLE},
        interruptions=interruptions,
        interrupting={p: share(interruptions[p], len(turns[p])) for p in PEOPLE},
        backchannels_per_min={p: 60.0 * short[p] / duration_s for p in PEOPLE},
        overlaps=_overlaps(events),
        silence_share=silence_share,
        silence=silence,
        overlap_share=_union_s(e for e in events if e.kind == "overlap") / duration_s,
    )


def floor_turns(events: Iterable[Event]) -> list[Event]:
    """Return the turns that had the floor, in order of their starts."""
    return sorted((e for e in events if e.kind == "turn" and e.detail != WITHIN), key=lambda e: e.t)


def floor_passes(events: Iterable[Event]) -> list[tuple[Event, Event]]:
    """Return the (turn, answer) pairs between which the floor passes to the other person."""
    return [
        (ended, answer)
        for ended, answer in pairwise(floor_turns(events))
        if ended.person != answer.person and np.isfinite(answer.value)
    ]


@dataclass(frozen=True, slots=True)
class Space:
    """How long a listener waited after the partner's peaks, compared with other times.

    Attributes
    ----------
    after_s
        median wait after a peak, s; `otherwise_s` at other times.
    difference_s
        after minus otherwise, with its interval (waits are resampled).
    chance
        the difference beside the same with the peaks moved along the waits; needs 20 waits.
    after
        number of waits after a peak; `otherwise` of the others.
    longest
        (start, end) in s of the longest waits after a peak, in order of time.
    reason
        why there is no difference, else "".
    """

    after_s: float
    otherwise_s: float
    difference_s: Interval
    chance: Chance
    after: int
    otherwise: int
    longest: tuple[tuple[float, float], ...]
    reason: str


def space(
    events: Iterable[Event],
    listener: Person,
    t: F64,
    arousal: F64,
    valence: F64,
    settings: config.Turns,
    rng: np.random.Generator,
) -> Space:
    """Compare a listener's waits after the partner's peaks with their other waits.

    Parameters
    ----------
    events
        of all kinds; turns count.
    listener
        whose waits.
    t
        (n,) s, ascending, evenly spaced.
    arousal
        (n,) of the partner, baseline SD, NaN where missing; `valence` alike.
    valence
        see `arousal`.
    settings
        what a peak is, and how many waits are needed.
    rng
        source of the resampling.

    Raises
    ------
    ParameterError
        if `t`, `arousal` and `valence` are not equally long.
    """
    if not t.shape == arousal.shape == valence.shape:
        raise ParameterError(
            f"t {t.shape}, arousal {arousal.shape} and valence {valence.shape} must be equally long"
        )
    waits = [
        (ended.t_end, later.t)
        for ended, later in pairwise(floor_turns(events))
        if ended.person != listener
    ]
    starts = np.array([start for start, _ in waits])
    lengths = np.array([end - start for start, end in waits])
    peak = peaks(arousal, valence, settings)
    flags = _after(peak, t, starts, settings.peak_s)
    n_after, n_other = int(flags.sum()), int((~flags).sum())
    if min(n_after, n_other) < settings.peak_answers:
        reason = (
            f"insufficient data: under {settings.peak_answers} waits after a peak, or without one"
        )
        nan = float("nan")
        return Space(nan, nan, UNSURE, UNKNOWN, n_after, n_other, (), reason)
    groups = lengths[flags], lengths[~flags]
    value = _difference(lengths, flags)
    drawn = [np.median(rng.choice(g, (RESAMPLES, len(g))), axis=1) for g in groups]
    low, high = np.quantile(drawn[0] - drawn[1], [0.025, 0.975])
    order = sorted((w for w, flag in zip(waits, flags, strict=True) if flag), key=_length)
    return Space(
        after_s=float(np.median(groups[0])),
        otherwise_s=float(np.median(groups[1])),
        difference_s=Interval(value, float(low), float(high)),
        chance=against(value, _moved(lengths, flags)),
        after=n_after,
        otherwise=n_other,
        longest=tuple(sorted(order[-3:])),
        reason="",
    )


def peaks(arousal: F64, valence: F64, settings: config.Turns) -> Bools:
    """Return (n,) whether a peak is under way, from what was there up to each tick."""
    level = np.fmax(arousal, -valence)
    begins, ends = level >= settings.peak, ~(level >= settings.peak_off)
    # Between the two bounds it stays as it was.
    last = np.maximum.accumulate(np.where(begins | ends, np.arange(len(level)), -1))
    return np.where(last >= 0, begins[last], False)


def _after(peak: Bools, t: F64, at: F64, within_s: float) -> Bools:
    """Return whether a peak was under way in the `within_s` up to each time `at`."""
    so_far = np.concatenate(([0], np.cumsum(peak)))
    first, last = np.searchsorted(t, at - within_s, "left"), np.searchsorted(t, at, "right")
    return so_far[last] > so_far[first]


def _difference(lengths: F64, flags: Bools) -> float:
    return float(np.median(lengths[flags]) - np.median(lengths[~flags]))


def _moved(lengths: F64, flags: Bools) -> F64:
    """Return the differences with the flags moved along the waits, forwards and backwards.

    Peaks come in clusters, and so do long waits: moved as they are, they stay so, which a shuffle
    would not allow for.
    """
    orders = [np.roll(f, k) for f in (flags, flags[::-1]) for k in range(len(flags))]
    return np.array([_difference(lengths, f) for f in orders[1:]])  # the first is the truth


def _length(span: tuple[float, float]) -> float:
    return span[1] - span[0]


def _median(x: F64, rng: np.random.Generator, least: int = 5) -> Interval:
    """Return the median and its interval."""
    if len(x) < least:
        return UNSURE
    low, high = np.quantile(np.median(rng.choice(x, (RESAMPLES, len(x))), axis=1), [0.025, 0.975])
    return Interval(float(np.median(x)), float(low), float(high))


def _overlaps(events: list[Event]) -> dict[str, int]:
    """Count the overlaps by kind."""
    counts = dict.fromkeys(OVERLAPS, 0)
    spoken = [e for e in events if e.kind in ("turn", "backchannel")]
    for overlap in events:
        if overlap.kind != "overlap":
            continue
        middle = 0.5 * (overlap.t + overlap.t_end)
        there = [e for e in spoken if e.t <= middle <= e.t_end]
        # Who came in did so at the overlap's start.
        late = max(there, key=lambda e: e.t, default=None)
        if late is not None and late.kind == "backchannel":
            counts["backchannel"] += 1
        elif late is not None and late.detail in (INTERRUPTION, WITHIN):
            counts["interruption" if late.detail == INTERRUPTION else "attempt"] += 1
        else:
            counts["passing"] += 1
    return counts


def _silence(events: list[Event], duration_s: float) -> tuple[float, Chance]:
    """Return the share in which nobody has a turn or backchannel, and the same beside its null."""
    spoken = [e for e in events if e.kind in ("turn", "backchannel")]
    silent = max(0.0, 1.0 - _union_s(spoken) / duration_s)
    n, least = round(duration_s / FINE_S), round(SHIFT_S / FINE_S)
    speech = np.zeros((2, n))
    for e in spoken:
        speech[PEOPLE.index(e.person), round(e.t / FINE_S) : round(e.t_end / FINE_S)] = 1.0
    if n <= 2 * least or not speech.any(axis=1).all():
        return silent, Chance(silent, *[float("nan")] * 4)
    f, g = np.fft.rfft(speech, axis=1)
    together = np.fft.irfft(np.conj(f) * g, n)[least : n - least + 1 : round(1.0 / FINE_S)]
    return silent, against(silent, 1.0 - (speech.sum() - together) / n)


def _union_s(events: Iterable[Event]) -> float:
    """Return the time covered by at least one event, s."""
    covered, end = 0.0, float("-inf")
    for event in sorted(events, key=lambda e: e.t):
        covered += max(0.0, event.t_end - max(event.t, end))
        end = max(end, event.t_end)
    return covered
