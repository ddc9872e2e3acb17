"""Whether a voice follows the other's from turn to turn: proximity, convergence, synchrony.

The three measures of Levitan & Hirschberg 2011 at the places where the floor passes, for pitch,
level and pace, each as its deviation from the speaker's own median. At exchange ``k`` let ``a_k``
be the end of one person's turn and ``b_k`` the beginning of the answer:

- proximity: by how much ``b_k`` is nearer to ``a_k`` than to the other ends, mean over k of
  (mean over j != k of abs(a_j - b_k)) - abs(a_k - b_k);
- convergence: correlation of -abs(a_k - b_k) with time;
- synchrony: correlation of ``a_k`` with ``b_k``.

Turns of one person resemble each other and drift (people get louder together as a room does), so
which answer came after which turn cannot simply be shuffled: `courses` shuffles what is left once
a person's trend and the likeness of their successive turns are taken out, and puts these back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from cuesense.config import Entrainment
from cuesense.dyad.chance import UNKNOWN, Chance, against
from cuesense.dyad.floor import floor_passes
from cuesense.errors import ParameterError
from cuesense.types import F64, PEOPLE, Event, Person

FEATURES: Final = {"pitch": "f0_hz", "level": "loudness_db", "pace": "syllable_rate"}
"""What is compared, and the column of `schema.TIMELINE` that it is taken from."""
MEASURES: Final = ("proximity", "convergence", "synchrony")
LIKENESS: Final = 0.9
"""Largest likeness of successive turns that is put back; more could not be told from a trend."""


class Exchanges(NamedTuple):
    """The floor's passes to one person: (n,) each, in order of time.

    `t` s; `before` the end of the other's turn and `after` the beginning of the own one, as
    deviations from the speaker's median.
    """

    t: F64
    before: F64
    after: F64


@dataclass(frozen=True, slots=True)
class Following:
    """How one person's voice follows the other's.

    Attributes
    ----------
    exchanges
        by feature, the passes of the floor to this person at which both voices were read.
    measures
        by feature and measure, the value beside its null; proximity in semitones, dB and
        syllables/s, the others correlations. NaN below `exchanges` of the settings.
    found
        (feature, measure) pairs that are beyond chance at 5 % for all of this person's together
        (Holm 1979).
    reason
        why nothing is there, else "".
    """

    exchanges: Mapping[str, int]
    measures: Mapping[str, Mapping[str, Chance]]
    found: tuple[tuple[str, str], ...]
    reason: str


def entrainment(
    t: F64,
    columns: Mapping[Person, Mapping[str, F64]],
    events: Iterable[Event],
    settings: Entrainment,
    rng: np.random.Generator,
) -> dict[Person, Following]:
    """Measure, for each person, whether their voice follows the other's.

    Parameters
    ----------
    t
        (n,) s, ascending, evenly spaced.
    columns
        of each person: (n,) `f0_hz`, `loudness_db` and `syllable_rate`, NaN where missing.
    events
        of all kinds; turns count.
    settings
        stretch of a turn that is compared, least number of exchanges, draws.
    rng
        source of the draws.

    Raises
    ------
    ParameterError
        if a column is not as long as `t`.
    """
    events = list(events)
    values = {p: {name: _own(t, columns[p], name) for name in FEATURES} for p in PEOPLE}
    found = {}
    for person in PEOPLE:
        other = PEOPLE[1 - PEOPLE.index(person)]
        passes = [(e, b) for e, b in floor_passes(events) if b.person == person]
        pairs = {
            name: _exchanges(t, values[other][name], values[person][name], passes, settings)
            for name in FEATURES
        }
        found[person] = following(pairs, settings, rng)
    return found


def following(
    pairs: Mapping[str, Exchanges], settings: Entrainment, rng: np.random.Generator
) -> Following:
    """Measure exchanges of each feature and set them against their null.

    Parameters
    ----------
    pairs
        by feature.
    settings
        `exchanges` needed, `draws` of the null.
    rng
        source of the draws.
    """
    counts = {name: len(x.t) for name, x in pairs.items()}
    measures: dict[str, dict[str, Chance]] = {}
    for name, x in pairs.items():
        least = settings.exchanges
        if counts[name] < least or 0 in (np.ptp(x.before), np.ptp(x.after)):
            measures[name] = dict.fromkeys(MEASURES, UNKNOWN)
            continue
        answers = courses(x.t, x.after, settings.draws, rng)
        near = -np.abs(x.before - x.after)
        drawn = courses(x.t, near, settings.draws, rng, trend=False)
        measures[name] = {
            "proximity": against(
                float(proximity(x.before, x.after)), np.asarray(proximity(x.before, answers))
            ),
            "convergence": against(
                float(correlation(x.t, near)), np.asarray(correlation(x.t, drawn))
            ),
            "synchrony": against(
                float(correlation(x.before, x.after)), np.asarray(correlation(x.before, answers))
            ),
        }
    ps = {(n, m): c.p for n, by in measures.items() for m, c in by.items() if np.isfinite(c.p)}
    reason = "" if ps else f"insufficient data: under {settings.exchanges} exchanges"
    return Following(counts, measures, _holm(ps), reason)


def proximity(before: F64, after: F64) -> F64:
    """Return by how much (…, n) beginnings are nearer to the end before them than to the others.

    Raises
    ------
    ParameterError
        for fewer than 2 exchanges.
    """
    n = len(before)
    if n < 2:
        raise ParameterError(f"{n} exchanges must be at least 2: nothing to compare with")
    own = np.abs(before - after).mean(axis=-1)
    # The sum over j of |a_j - b| is piecewise linear in b: by order statistics, not n x n.
    ordered = np.sort(before)
    below = np.searchsorted(ordered, after)
    sums = np.concatenate(([0.0], np.cumsum(ordered)))
    total = after * (2 * below - n) + sums[-1] - 2.0 * sums[below]
    everybody = total.mean(axis=-1)  # the own one is among them
    nearer: F64 = (everybody - own) / (n - 1) - own
    return nearer


def correlation(x: F64, y: F64) -> F64:
    """Return Pearson's r of (n,) `x` with (…, n) `y`; NaN if either is constant."""
    x, y = x - x.mean(), y - y.mean(axis=-1, keepdims=True)
    size = np.sqrt((x @ x) * (y * y).sum(axis=-1))
    return np.where(size > 0, (y @ x) / np.where(size > 0, size, 1.0), np.nan)


def courses(t: F64, x: F64, count: int, rng: np.random.Generator, *, trend: bool = True) -> F64:
    """Return (count, n) series as `x` might have gone with nobody to follow.

    ``x = line + u``, ``u_k = c u_{k-1} + e_k``: the line (or, without `trend`, the mean) and c are
    fitted, the innovations e are shuffled and put together again. c is the lag-1 correlation of
    u, corrected for its bias at small n (Kendall 1954), not below 0. With ``c = 0`` this is a
    plain shuffle of what a line leaves over.

    Parameters
    ----------
    t
        (n,) s.
    x
        (n,).
    count
        how many.
    rng
        source of the shuffles.
    trend
        whether a line over t is kept.
    """
    n, centred = len(x), t - t.mean()
    slope = (centred @ x) / (centred @ centred) if trend else 0.0
    line = x.mean() + slope * centred
    u = x - line
    power = u @ u
    likeness = (u[1:] @ u[:-1]) / power if power > 0 else 0.0
    likeness += (1.0 + (4.0 if trend else 3.0) * likeness) / n
    c = float(np.clip(likeness, 0.0, LIKENESS))
    start = np.sqrt(1.0 - c * c)  # so that the first value varies as the others do
    innovations = np.concatenate(([start * u[0]], u[1:] - c * u[:-1]))
    drawn = rng.permuted(np.tile(innovations, (count, 1)), axis=1)
    drawn[:, 0] /= start
    for k in range(1, n):
        drawn[:, k] += c * drawn[:, k - 1]
    drawn += line
    return drawn


def _own(t: F64, columns: Mapping[str, F64], name: str) -> F64:
    """Return a feature as its deviation from the person's own median; pitch in semitones."""
    x = columns[FEATURES[name]]
    if x.shape != t.shape:
        raise ParameterError(f"{FEATURES[name]} {x.shape} and t {t.shape} must be equally long")
    if name == "pitch":
        x = 12.0 * np.log2(x)
    return x - np.nanmedian(x) if np.isfinite(x).any() else x


def _exchanges(
    t: F64,
    theirs: F64,
    own: F64,
    passes: Iterable[tuple[Event, Event]],
    settings: Entrainment,
) -> Exchanges:
    """Return the exchanges of one feature at which both have enough values."""
    step = (t[-1] - t[0]) / (len(t) - 1) if len(t) > 1 else np.inf
    least = settings.least_s / step

    def mean(x: F64, low: float, high: float) -> float:
        part = x[slice(*np.searchsorted(t, [low, high]))]
        part = part[np.isfinite(part)]
        return float(part.mean()) if len(part) >= max(1.0, least) else float("nan")

    rows = [
        (
            answer.t,
            mean(theirs, max(ended.t, ended.t_end - settings.edge_s), ended.t_end),
            mean(own, answer.t, min(answer.t_end, answer.t + settings.edge_s)),
        )
        for ended, answer in passes
    ]
    found = np.array(rows, np.float64).reshape(-1, 3)
    return Exchanges(*found[np.isfinite(found).all(axis=1)].T)


def _holm(ps: Mapping[tuple[str, str], float]) -> tuple[tuple[str, str], ...]:
    """Return the keys whose p holds at 5 % for all of them together."""
    kept = []
    for i, key in enumerate(sorted(ps, key=ps.__getitem__)):
        if ps[key] * (len(ps) - i) > 0.05:
            break
        kept.append(key)
    return tuple(kept)
