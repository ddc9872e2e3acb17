"""Stance and contingency on simulated people and on real dyads' signals: ``make bench-dyad``.

The estimator was fitted on the first simulated family (``benchmarks/dyad_fit.py``); everything here
is of the second. ``python benchmarks/dyad.py [--sessions 100]
[--only simulated|pair|real|composed]``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import composed
import couples
import pair
import recordings
import run as page_of_the_day
from cuesense import schema
from cuesense.dyad.response import ABOUT, CLAIMS, Response
from cuesense.dyad.simulator import Case, Conversation, simulate
from cuesense.types import F64
from dyad_fit import blocks, seen
from validation.part import auc

RATE_HZ = 5.0
MINUTES = 15.0
STEP = 5  # ticks between those that are scored
CAL = 0.3
RESAMPLES = 500
BINS = 15
CASES: tuple[Case, ...] = ("calm by nature", "third thing", "talks over", "smiles only")

Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Scored:
    """Sessions by seconds: (sessions, n) unless said otherwise."""

    mode: Codes
    stance: F64  # (sessions, n, 3)
    contingency: F64
    lead: F64
    claim: Codes


def talks(seed: int, count: int, reliability: float, case: Case = "ordinary") -> list[Conversation]:
    """Return sessions of the second family."""
    return [
        simulate(
            rng,
            minutes=MINUTES,
            family="second",
            case=case,
            reliability=reliability,
            baseline_sd=CAL,
        )
        for rng in np.random.default_rng(seed).spawn(count)
    ]


def judged(here: list[Conversation], partner: int = 0) -> Scored:
    """Judge sessions, each with the partner of the session `partner` further on."""
    stage, kept = Response(RATE_HZ), []
    for block in blocks(seen(here, partner)):
        verdict = stage.extend(block)
        kept.append(
            tuple(
                a[STEP - 1 :: STEP]
                for a in (verdict.stance, verdict.contingency, verdict.lead, verdict.claim)
            )
        )
    stance, contingency, lead, claim = (
        np.concatenate([block[i] for block in kept]).swapaxes(0, 1) for i in range(4)
    )
    mode = np.stack([c.mode[STEP - 1 :: STEP] for c in here])
    return Scored(mode, stance, contingency, lead, claim)


def interval(
    measure: Callable[[npt.NDArray[np.intp]], float], sessions: int, digits: int = 2
) -> str:
    """Return "value (low-high)" with a 95 % bootstrap interval over sessions."""
    rng = np.random.default_rng(0)
    values = [measure(rng.integers(sessions, size=sessions)) for _ in range(RESAMPLES)]
    low, high = np.nanquantile(values, [0.025, 0.975], method="nearest")  # some are infinite
    whole = measure(np.arange(sessions))
    return f"{whole:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def confusions(s: Scored) -> F64:
    """Return (sessions, 3, 3) counts, truth by stance, after the first 30 s."""
    pairs = 3 * s.mode[:, 30:] + s.stance[:, 30:].argmax(axis=-1)
    counts = [np.bincount(row, minlength=9) for row in pairs]
    return np.array(counts, np.float64).reshape(-1, 3, 3)


def macro_f1(confusion: F64) -> float:
    """Return the mean F1 of a (3, 3) confusion."""
    hit = np.diagonal(confusion)
    return float(np.mean(2 * hit / np.maximum(confusion.sum(0) + confusion.sum(1), 1)))


def ece(p: F64, right: F64) -> float:
    """Return the expected calibration error of probabilities and what came true."""
    found = np.minimum((p * BINS).astype(int), BINS - 1)
    error = 0.0
    for k in np.unique(found):
        here = found == k
        error += here.mean() * abs(right[here].mean() - p[here].mean())
    return float(error)


def delays(s: Scored, shown: npt.NDArray[np.bool_], modes: tuple[int, ...]) -> list[list[float]]:
    """Return per session the s from each change of mode to its being `shown` (inf: never).

    Changes in the first 5 minutes do not count: nothing can be shown of a contingency there.
    """
    out = []
    for mode, right in zip(s.mode, shown, strict=True):
        at = np.flatnonzero(np.diff(mode)) + 1
        waits = []
        for start, stop in zip(at, [*at[1:], len(mode)], strict=True):
            if start >= 300 and mode[start] in modes:
                hit = np.flatnonzero(right[start:stop])
                waits.append(float(hit[0]) if len(hit) else np.inf)
        out.append(waits)
    return out


def median_of(lists: list[list[float]]) -> Callable[[npt.NDArray[np.intp]], float]:
    """Return a measure: the median over the sessions chosen."""

    def measure(chosen: npt.NDArray[np.intp]) -> float:
        return float(np.median(np.concatenate([lists[i] for i in chosen])))

    return measure


def above(yes: F64, no: F64) -> Callable[[npt.NDArray[np.intp]], float]:
    """Return a measure: the AUC over the sessions chosen."""
    is_yes = np.repeat([True, False], [len(yes), len(no)])

    def measure(chosen: npt.NDArray[np.intp]) -> float:
        some = np.concatenate((chosen, len(yes) + chosen))
        return auc(np.concatenate((yes, no))[some], is_yes[some])

    return measure


def share_of(shown: npt.NDArray[np.bool_]) -> Callable[[npt.NDArray[np.intp]], float]:
    """Return a measure: the share of time over the sessions chosen."""
    return lambda chosen: float(shown[chosen].mean())


def rows(reliability: float, sessions: int) -> dict[str, str]:
    """Return the table's cells of one reliability."""
    here = talks(100 + round(100 * reliability), sessions, reliability)
    true, wrong = judged(here), judged(here, 1)
    named = (true.claim <= 1, wrong.claim <= 1)
    confusion = confusions(true)
    top, best = true.stance.max(axis=-1), true.stance.argmax(axis=-1)
    cells = {
        "stance macro-F1": interval(lambda i: macro_f1(confusion[i].sum(0)), sessions),
        "stance ECE": interval(
            lambda i: ece(top[i, 30:].ravel(), (best == true.mode)[i, 30:].ravel()), sessions, 3
        ),
    }
    for minute in (5, 10):
        at = 60 * minute - 1
        cells[f"contingency AUC after {minute} min"] = interval(
            above(true.contingency[:, at], wrong.contingency[:, at]), sessions, 3
        )
    p = np.stack([true.contingency, wrong.contingency], axis=1)
    is_true = np.broadcast_to(np.array([1.0, 0.0])[None, :, None], p.shape)
    cells["contingency ECE"] = interval(
        lambda i: ece(p[i, :, 60:].ravel(), is_true[i, :, 60:].ravel()), sessions, 3
    )
    for what, shown in (("true", named[0]), ("wrong", named[1])):
        cells[f"mirroring or regulating shown, {what} partner"] = interval(
            share_of(shown), sessions
        )
        cells[f"the same from minute 5 on, {what} partner"] = interval(
            share_of(shown[:, 300:]), sessions
        )
    right = true.claim == true.mode
    cells["accuracy when shown"] = interval(
        lambda i: float(right[i][named[0][i]].mean()) if named[0][i].any() else np.nan, sessions
    )
    cells["s from a change to the stance, median"] = interval(
        median_of(delays(true, best == true.mode, (0, 1, 2))), sessions, 1
    )
    cells["s from a change to the label, median"] = interval(
        median_of(delays(true, right, (0, 1))), sessions, 1
    )
    return cells


REACH = {
    "stance macro-F1": ">= .82; >= .75",
    "stance ECE": "<= .05",
    "contingency AUC after 5 min": ">= .92; >= .75",
    "contingency AUC after 10 min": ">= .95; >= .80",
    "contingency ECE": "<= .05",
    "mirroring or regulating shown, true partner": ">= 40 %",
    "mirroring or regulating shown, wrong partner": "<= 10 %",
    "accuracy when shown": ">= .92",
    "s from a change to the stance, median": "<= 10",
    "s from a change to the label, median": "<= 25",
}


def simulated(sessions: int) -> Iterator[str]:
    """Yield the section of simulated people."""
    yield "## Stance and contingency, simulated people"
    yield ""
    columns = {r: rows(r, sessions) for r in (0.9, 0.7)}
    yield f"{sessions} sessions of {MINUTES:g} min per column, second family, baseline error {CAL}."
    yield "Fitted on the first family. 95 % intervals over sessions."
    yield ""
    yield "| | reliability .9 | reliability .7 | reach |"
    yield "|---|---|---|---|"
    for name in columns[0.9]:
        cells = " | ".join(cells[name] for cells in columns.values())
        yield f"| {name} | {cells} | {REACH.get(name, '')} |"
    yield ""
    yield "Listeners who answer nobody (and one who answers smiles only), reliability .9:"
    yield ""
    cases = ("ordinary", *CASES)
    yield "| share of time | " + " | ".join(cases) + " |"
    yield "|---" * (len(cases) + 1) + "|"
    found = [judged(talks(6 + i, sessions // 2, 0.9, case)) for i, case in enumerate(cases)]
    for k, name in enumerate(CLAIMS):
        yield f"| {name} | " + " | ".join(f"{(s.claim == k).mean():.0%}" for s in found) + " |"
    linked = [s.contingency >= ABOUT for s in found]
    behind = (f"{(s.lead[x] < 0).mean():.0%}" for s, x in zip(found, linked, strict=True))
    yield "| of that with a contingency: nobody leads | " + " | ".join(behind) + " |"
    yield ""
    yield f"Reach: calm by nature shown as {schema.MODES[1]} <= 10 % of the time."


def main() -> None:
    """Measure, and write the sections into the page of the day."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--only", choices=("simulated", "pair", "real", "composed"))
    options = parser.parse_args()
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "simulated": lambda: simulated(options.sessions),
        "pair": pair.section,
        "real": lambda: couples.section(recordings.folder()),
        "composed": lambda: composed.section(recordings.folder()),
    }
    sections: dict[str, list[str]] = {}
    for name, part in parts.items():
        if options.only in (None, name):
            sections[name] = []
            for line in part():
                print(line, flush=True)
                sections[name].append(line)
    page_of_the_day.write(sections)


if __name__ == "__main__":
    main()
