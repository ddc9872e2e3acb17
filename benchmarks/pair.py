"""Voices from turn to turn, space given, settling: false alarms and power, on simulated talks.

Whoever draws the talks knows what is in them: nothing (false alarms, nominal 5 %), or a listener
who follows, waits or settles the other by a given amount.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cuesense.config import Dyad, Entrainment, Turns
from cuesense.dyad.chance import share
from cuesense.dyad.entrainment import MEASURES, Exchanges, following
from cuesense.dyad.floor import space
from cuesense.dyad.modes import MIRRORING, NO_DEMAND, REGULATING, Codes
from cuesense.dyad.settling import pooled, settling
from cuesense.types import F64, Event, Person

TALKS = 400
RNG = np.random.default_rng


def section() -> Iterator[str]:
    """Yield the section of results on the pair."""
    yield "## Voices, space and settling, simulated talks"
    yield ""
    yield f"{TALKS} talks per row, 95 % intervals. Nothing is there: nominal 5 %."
    yield ""
    yield "| | proximity | convergence | synchrony | any of 9 after Holm |"
    yield "|---|---|---|---|---|"
    for name, n, talk in voices():
        yield f"| {name}, {n} exchanges | " + " | ".join(_voices(talk, n)) + " |"
    yield ""
    yield "| | found | interval misses the truth |"
    yield "|---|---|---|"
    for extra_s in (0.0, 0.5, 1.0):
        yield f"| space: waits {extra_s:g} s longer after peaks, 60 waits | {_space(extra_s)} |"
    for effect in (0.0, -1.0):
        yield f"| settling: pulled by {effect:g} SD while regulated, 60 min | {_settling(effect)} |"
    yield f"| settling pooled, 5 sessions that truly differ by an SD of .15 | {_pooled()} |"


Talk = Callable[[np.random.Generator, int], tuple[F64, F64]]


def voices() -> Iterator[tuple[str, int, Talk]]:
    """Yield (name, exchanges, one feature's ends and answers) of kinds of talks."""

    def strangers(likeness: float, drift: float) -> Talk:
        def talk(rng: np.random.Generator, n: int) -> tuple[F64, F64]:
            rise = drift * np.linspace(-0.5, 0.5, n)
            return rise + _alike(rng, n, likeness), rise + _alike(rng, n, likeness)

        return talk

    def followers(gain: float) -> Talk:
        def talk(rng: np.random.Generator, n: int) -> tuple[F64, F64]:
            before = _alike(rng, n, 0.3)
            return before, gain * before + np.sqrt(1 - gain**2) * _alike(rng, n, 0.3)

        return talk

    def converging(rng: np.random.Generator, n: int) -> tuple[F64, F64]:
        before = _alike(rng, n, 0.3)
        return before, before + np.linspace(2.0, 0.3, n) * _alike(rng, n, 0.3)

    yield "strangers, no turn like the one before", 20, strangers(0.0, 0.0)
    yield "strangers, turns alike (.3)", 20, strangers(0.3, 0.0)
    yield "strangers, turns alike (.6)", 20, strangers(0.6, 0.0)
    yield "strangers, turns alike (.6)", 60, strangers(0.6, 0.0)
    yield "strangers who both drift by 2 SD, turns alike (.3)", 40, strangers(0.3, 2.0)
    yield "followers, r = .5", 20, followers(0.5)
    yield "followers, r = .5", 40, followers(0.5)
    yield "followers, r = .3", 80, followers(0.3)
    yield "converging, difference from 2 to .3 SD", 40, converging


def _alike(rng: np.random.Generator, n: int, likeness: float) -> F64:
    """Return an AR(1) series of variance 1."""
    x = rng.normal(size=n)
    for k in range(1, n):
        x[k] = likeness * x[k - 1] + np.sqrt(1.0 - likeness**2) * x[k]
    return x


def _voices(talk: Talk, n: int) -> list[str]:
    rng, settings, hits, some = RNG(1), Entrainment(draws=399), [], 0
    for _ in range(TALKS):
        t = np.linspace(0.0, 12.0 * n, n)
        pairs = {f: Exchanges(t, *talk(rng, n)) for f in ("pitch", "level", "pace")}
        found = following(pairs, settings, rng)
        hits.append([found.measures["pitch"][m].p <= 0.05 for m in MEASURES])
        some += bool(found.found)
    return [rate(int(h)) for h in (*np.sum(hits, axis=0), some)]


def rate(hits: int, of: int = TALKS) -> str:
    """Return "x % (low-high)"."""
    found = share(hits, of)
    return f"{found.value:.1%} ({found.low:.1%}-{found.high:.1%})"


def _space(extra_s: float) -> str:
    hits = missed = used = 0
    for rng in RNG(2).spawn(TALKS):
        events, t, arousal = _bouts(rng, extra_s)
        found = space(events, "B", t, arousal, np.zeros(len(t)), Turns(), rng)
        if np.isfinite(found.chance.p):
            used += 1
            hits += found.chance.p <= 0.05
            missed += not found.difference_s.low <= extra_s <= found.difference_s.high
    return f"{rate(hits, used)} | {rate(missed, used)}"


def _bouts(rng: np.random.Generator, extra_s: float) -> tuple[list[Event], F64, F64]:
    """Return turns, ticks and A's arousal; B's waits resemble each other (.3), and so do bouts."""
    events: list[Event] = []
    high: list[bool] = []
    t = 0.0
    usual = 0.35 * np.exp(0.8 * _alike(rng, 60, 0.3))
    for k, wait in enumerate(usual):
        up = rng.random() < ((2 / 3) if k and high[-1] else 0.12)
        high.append(up)
        for person, offset in (("A", 0.2), ("B", float(wait) + extra_s * up)):
            who: Person = "A" if person == "A" else "B"
            start = t + offset
            t = start + rng.uniform(2.0, 8.0)
            events.append(Event(start, t, who, "turn", offset))
    ticks = np.arange(0.0, t, 0.2)
    arousal = rng.normal(0.0, 0.2, len(ticks))
    for e, up in zip(events[::2], high, strict=True):
        arousal[(ticks >= e.t) & (ticks <= e.t_end)] += 1.8 * up
    return events, ticks, arousal


def _partner(rng: np.random.Generator, effect: float, minutes: float) -> tuple[F64, Codes]:
    """Return arousal of memory 20 s, pulled by `effect` SD while regulated, and the modes."""
    from scipy.signal import lfilter

    rate_hz = Dyad().rate_hz
    n = round(minutes * 60 * rate_hz)
    label, i = np.full(n, NO_DEMAND), 0
    while i < n:
        length = round(rate_hz * rng.uniform(10, 40))
        label[i : i + length] = rng.choice([MIRRORING, REGULATING, NO_DEMAND])
        i += length
    a = np.exp(-1.0 / (20.0 * rate_hz))
    drive = (1 - a) * effect * (label == REGULATING)
    steps = 0.6 * np.sqrt(1 - a * a) * rng.normal(size=n)
    arousal: F64 = 1.0 + lfilter([1.0], [1.0, -a], drive + steps)
    return arousal, label


def _settling(effect: float) -> str:
    hits = missed = 0
    config = Dyad()
    for rng in RNG(3).spawn(TALKS):
        found = settling(*_partner(rng, effect, 60.0), config, rng)
        hits += found.chance.p <= 0.05
        missed += not found.low <= 0.0 <= found.high
    # What a pull amounts to beyond the forecast is not known in closed form; without one it is 0.
    return f"{rate(hits)} | " + (rate(missed) if effect == 0.0 else "-")


def _pooled() -> str:
    rng, hits, missed, truth = RNG(4), 0, 0, -0.1
    for _ in range(TALKS):
        error = rng.uniform(0.08, 0.3, 5)
        y = truth + 0.15 * rng.normal(size=5) + error * rng.normal(size=5)
        found = pooled(list(zip(y, error, strict=True))).difference
        hits += found.high < 0
        missed += not found.low <= truth <= found.high
    return f"{rate(hits)} | {rate(missed)}"
