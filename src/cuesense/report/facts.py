"""What there is to say about a session, as numbers and moments: pure functions of its series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cuesense import schema
from cuesense.report.digest import Digest, Span, Track
from cuesense.report.series import Run, coarsen
from cuesense.report.words import At
from cuesense.types import F64

STEP_S: Final = 2.0
"""s over which a series is averaged before its peaks and rises are looked for."""
APART_S: Final = 20.0
"""s between two peaks or rises that are told apart."""
NOTABLE: Final = 1.0
"""Baseline SD from which a peak or a rise is worth a sentence."""
RISE_S: Final = 10.0
"""s within which a rise has to happen."""
BEFORE_S: Final = 6.0
"""s before a rise in which its occasion is looked for."""
SPEAKS: Final = 0.5
"""Share of a bin's time from which a person is speaking in it."""


class Rise(NamedTuple):
    """A quick rise of arousal.

    `occasion` is what was going on: "partner" (was activated already), "both" spoke, "other" or
    "own" turn, or "silence".
    """

    start: float
    end: float
    size: float
    occasion: str


class Gaze(NamedTuple):
    """Shares of time with the eyes on the other, NaN where there is too little; s they rest on."""

    listening: float
    speaking: float
    listened_s: float


def steps(digest: Digest, x: F64) -> tuple[F64, F64]:
    """Return the centres and means of `x` over `STEP_S`."""
    factor = max(1, round(STEP_S / digest.width_s))
    y = coarsen(x, factor)
    t = (np.arange(len(y)) + 0.5) * factor * digest.width_s
    return np.asarray(t, np.float64), y


def peaks(t: F64, x: F64, most: int = 3, least: float = NOTABLE) -> list[tuple[float, float]]:
    """Return (time, value) of up to `most` highest values, at least `APART_S` apart, by time.

    Parameters
    ----------
    t
        (n,) s.
    x
        (n,), NaN where missing; for the lowest values, pass ``-x``.
    most
        number of peaks.
    least
        values below this are no peaks.
    """
    found: list[tuple[float, float]] = []
    for i in np.argsort(-np.nan_to_num(x, nan=-np.inf), kind="stable"):
        if not x[i] >= least or len(found) == most:
            break
        if all(abs(t[i] - other) >= APART_S for other, _ in found):
            found.append((float(t[i]), float(x[i])))
    return sorted(found)


def trend(x: F64) -> tuple[float, float] | None:
    """Return the means of the first and last third of `x`; None if either has few values."""
    thirds = np.array_split(x, 3)
    ends = [thirds[0], thirds[-1]]
    if any(np.isfinite(part).sum() < max(3, 0.3 * len(part)) for part in ends):
        return None
    first, last = (float(np.nanmean(part)) for part in ends)
    return first, last


def rises(digest: Digest, who: Track, other: Track | None, most: int = 5) -> list[Rise]:
    """Return the largest quick rises of a person's arousal and what was going on before each."""
    t, x = steps(digest, who.series["arousal"])
    back = max(1, round(RISE_S / STEP_S))
    candidates = []
    for i in range(1, len(x)):
        before = x[max(0, i - back) : i]
        if np.isfinite(x[i]) and np.isfinite(before).any():
            low = max(0, i - back) + int(np.nanargmin(before))
            candidates.append((float(x[i] - x[low]), float(t[low]), float(t[i])))
    chosen: list[tuple[float, float, float]] = []
    for size, start, end in sorted(candidates, reverse=True):
        if size < NOTABLE or len(chosen) == most:
            break
        if all(abs(end - taken) >= APART_S for _, _, taken in chosen):
            chosen.append((size, start, end))
    return [
        Rise(start, end, size, _occasion(digest, start, who, other))
        for size, start, end in sorted(chosen, key=lambda c: c[1])
    ]


def _occasion(digest: Digest, start: float, who: Track, other: Track | None) -> str:
    low, high = start - BEFORE_S, start + STEP_S
    if other is not None:
        inside = (digest.t >= low) & (digest.t <= start)
        arousal = other.series["arousal"][inside]
        if np.isfinite(arousal).any() and np.nanmean(arousal) >= NOTABLE:
            return "partner"
    if touching(digest.events["overlap"], low, high):
        return "both"
    turns = touching(digest.events["turn"], start, high)
    if any(turn.person != who.person for turn in turns):
        return "other"
    return "own" if turns else "silence"


def touching(spans: Sequence[Span], low: float, high: float) -> list[Span]:
    """Return the spans that have time in common with [low, high]."""
    return [s for s in spans if s.t_end >= low and s.t <= high]


def gaze(who: Track, other: Track, width_s: float, least_s: float = 10.0) -> Gaze:
    """Return how much of the time a person looks at the other, while listening and speaking."""
    looks = who.series["gaze_on_partner"]
    speaks, heard = who.series["speaking"] > SPEAKS, other.series["speaking"] > SPEAKS

    def share(when: npt.NDArray[np.bool_]) -> tuple[float, float]:
        seen = looks[when & np.isfinite(looks)]
        length = len(seen) * width_s
        return (float(seen.mean()) if length >= least_s else float("nan")), length

    listening, listened_s = share(heard & ~speaks)
    return Gaze(listening, share(speaks & ~heard)[0], listened_s)


def shares(digest: Digest) -> dict[str, float]:
    """Return the share of the judged time that each of `schema.LABELS` has; {} without any."""
    total = sum(run.length for run in digest.labels)
    if not total:
        return {}
    return {
        label: sum(r.length for r in digest.labels if r.value == label) / total
        for label in schema.LABELS
    }


def stances(shares: Mapping[str, float]) -> dict[str, float]:
    """Return the share of the time that each clear stance has, whoever it is about."""
    found = dict.fromkeys(schema.MODES, 0.0)
    for label, stance in schema.STANCES.items():
        found[stance] += shares.get(label, 0.0)
    return found


def stance_runs(digest: Digest) -> list[Run]:
    """Return the runs of one clear stance, whoever it is about."""
    joined: list[Run] = []
    for run in digest.labels:
        stance = schema.STANCES.get(run.value, "")
        if joined and joined[-1].value == stance and joined[-1].end == run.start:
            joined[-1] = joined[-1]._replace(end=run.end)
        else:
            joined.append(run._replace(value=stance))
    return [run for run in joined if run.value]


def longest(found: Sequence[Run], value: str, most: int = 1, least_s: float = 2.0) -> list[At]:
    """Return the longest stretches with this value, by time."""
    matching = [r for r in found if r.value == value and r.length >= least_s]
    top = sorted(matching, key=lambda r: -r.length)[:most]
    return [At(r.start, r.end) for r in sorted(top)]


def main_reason(digest: Digest) -> str:
    """Return the reason for which there was no mode for most of the time, "" if there is none."""
    total: dict[str, float] = {}
    for run in digest.reasons:
        total[run.value] = total.get(run.value, 0.0) + run.length
    return max(total, key=total.__getitem__, default="")
