"""Two families of simulated people: what is drawn anew for each session, bout and event.

A family says how partners feel and talk, how listeners answer, and how cues err, as distributions.
The two share what the literature agrees on (who lags whom by how much, how often people nod) and
differ in everything that nobody has measured: the shape of the distributions, how long bouts last,
how slow a person's own fluctuation and a cue's error are, how habits spread. What is fitted on
`FIRST` is reported on `SECOND`; a method that only knows the first family's shapes falls there.

Sizes are in SD of a person's own baseline. They are assumptions; where they come from is in
``docs/science.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

Draw = Callable[[np.random.Generator], float]
"""Draws one number."""

KINDS: Final = ("ordinary", "distress", "sadness", "excitement", "calm")
"""What a partner's bout may be."""


def normal(mean: float, sd: float, low: float = -np.inf, high: float = np.inf) -> Draw:
    """Return a draw from a normal distribution, held to [low, high]."""
    return lambda rng: float(np.clip(rng.normal(mean, sd), low, high))


def uniform(low: float, high: float) -> Draw:
    """Return a draw from [low, high)."""
    return lambda rng: float(rng.uniform(low, high))


def lognormal(median: float, sigma: float, low: float = 0.0, high: float = np.inf) -> Draw:
    """Return a draw whose logarithm is normal with SD `sigma`, held to [low, high]."""
    return lambda rng: float(np.clip(median * np.exp(sigma * rng.normal()), low, high))


def gamma(mean: float, shape: float, least: float = 0.0) -> Draw:
    """Return a draw of `least` plus a gamma variable; `mean` is that of the sum."""
    return lambda rng: float(least + rng.gamma(shape, (mean - least) / shape))


def two(first: Draw, second: Draw, share: float) -> Draw:
    """Return a draw of `first` in a share of cases, else of `second`."""
    return lambda rng: first(rng) if rng.random() < share else second(rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Distributions that a session is drawn from (SD of own baseline, s, 1/min, shares).

    Attributes
    ----------
    spread
        SD of a partner's true arousal and valence within a session: a cue's error is
        relative to it.
    kinds
        share of the partner's bouts of each of `KINDS`.
    arousal
        level of a bout of each kind; `valence` alike.
    bout_s
        length of a partner's bout.
    rise_s
        time constant with which a bout comes and goes.
    restless_sd
        the partner's own fluctuation, with time constant `restless_s`.
    mode_s
        length of a stretch of one mode of the listener.
    disengaged
        share of the stretches that are disengaged; of the rest, `regulating` regulate.
    gain
        of the listener's state on the partner's while mirroring; `damped` while regulating.
    calming
        fall of arousal per SD of the partner's displeasure while regulating; `warming`
        the rise of valence.
    withdrawn
        fall of arousal while disengaged.
    lag_s
        from the partner's state to the listener's; `response_s` its time constant.
    expressive
        factor of all that the listener shows in answer.
    nature_arousal
        the listener's level without any partner, against the baseline; `nature_valence` alike.
    own_sd
        the listener's own fluctuation, with time constant `own_s`.
    bursts_per_min
        the listener's own bouts, unrelated to the partner, each `burst_sd` high.
    floor_s
        time for which the partner has the floor; `reply_s` the listener.
    utterance_s
        speech between two pauses of `pause_s` of one person.
    events_per_min
        the listener's nods and backchannels, a personal habit.
    answers
        share of them that answer a pause or a change of the partner, while engaged.
    idle
        factor of their rate while disengaged, when none of them answers.
    latency_s
        from what is answered to the nod; `event_s` how long that takes.
    missed
        share of events that are not seen; `imagined_per_min` those seen without any.
    looks
        share of time the listener looks at the partner while listening; a factor
        `looks_away` while disengaged and `looks_talking` while talking.
    glance_s
        mean length of a look and its counterpart.
    noise_s
        time constant of the cues' error; a share `drift` of its variance has `drift_s`.
    gap_s
        length of a gap in the cues.
    """

    spread: tuple[float, float]
    kinds: tuple[float, ...]
    arousal: tuple[Draw, ...]
    valence: tuple[Draw, ...]
    bout_s: Draw
    rise_s: Draw
    restless_sd: Draw
    restless_s: Draw
    mode_s: Draw
    disengaged: Draw
    regulating: Draw
    gain: Draw
    damped: Draw
    calming: Draw
    warming: Draw
    withdrawn: Draw
    lag_s: Draw
    response_s: Draw
    expressive: Draw
    nature_arousal: Draw
    nature_valence: Draw
    own_sd: Draw
    own_s: Draw
    bursts_per_min: Draw
    burst_sd: Draw
    floor_s: Draw
    reply_s: Draw
    utterance_s: Draw
    pause_s: Draw
    events_per_min: Draw
    answers: Draw
    idle: Draw
    latency_s: Draw
    event_s: Draw
    missed: Draw
    imagined_per_min: Draw
    looks: Draw
    looks_away: Draw
    looks_talking: Draw
    glance_s: Draw
    noise_s: Draw
    drift: Draw
    drift_s: Draw
    gap_s: Draw


FIRST: Final = Family(
    spread=(1.12, 1.39),
    kinds=(0.20, 0.28, 0.12, 0.28, 0.12),
    arousal=(
        normal(0.0, 0.3),
        normal(1.7, 0.4),
        normal(-0.5, 0.3),
        normal(1.6, 0.4),
        normal(-0.8, 0.25),
    ),
    valence=(
        normal(0.0, 0.3),
        normal(-1.8, 0.4),
        normal(-1.5, 0.4),
        normal(1.6, 0.4),
        normal(0.3, 0.3),
    ),
    bout_s=gamma(24.0, 2.0, least=6.0),
    rise_s=uniform(1.5, 4.0),
    restless_sd=normal(0.5, 0.1, low=0.2),
    restless_s=lognormal(6.0, 0.4),
    mode_s=gamma(100.0, 1.5, least=30.0),
    disengaged=normal(0.30, 0.10, low=0.1, high=0.6),
    regulating=uniform(0.3, 0.7),
    gain=normal(0.8, 0.17, low=0.3),
    damped=normal(0.22, 0.13),
    calming=normal(0.3, 0.15),
    warming=normal(0.55, 0.2, low=0.0),
    withdrawn=normal(0.55, 0.2),
    lag_s=lognormal(1.0, 0.5, low=0.3, high=3.0),
    response_s=uniform(0.4, 1.5),
    expressive=lognormal(1.0, 0.2),
    nature_arousal=normal(0.0, 0.25),
    nature_valence=normal(0.0, 0.2),
    own_sd=normal(0.25, 0.05, low=0.1),
    own_s=lognormal(7.0, 0.4),
    bursts_per_min=gamma(0.3, 2.0),
    burst_sd=normal(0.9, 0.3),
    floor_s=gamma(18.0, 1.2, least=3.0),
    reply_s=gamma(5.0, 1.2, least=1.0),
    utterance_s=gamma(2.4, 2.0, least=0.4),
    pause_s=gamma(0.6, 1.5, least=0.2),
    events_per_min=gamma(12.0, 5.0, least=2.0),
    answers=normal(0.55, 0.12, low=0.2, high=0.9),
    idle=uniform(0.15, 0.5),
    latency_s=lognormal(0.6, 0.4, low=0.2),
    event_s=uniform(0.3, 1.1),
    missed=uniform(0.15, 0.35),
    imagined_per_min=gamma(1.0, 2.0),
    looks=normal(0.75, 0.08, low=0.4, high=0.95),
    looks_away=uniform(0.45, 0.75),
    looks_talking=uniform(0.5, 0.8),
    glance_s=uniform(1.5, 4.0),
    noise_s=uniform(0.3, 0.7),
    drift=uniform(0.2, 0.4),
    drift_s=uniform(3.0, 6.0),
    gap_s=gamma(3.0, 1.0, least=0.4),
)
"""The family that estimators are fitted on: normal spreads, gamma durations, first-order people."""

SECOND: Final = Family(
    spread=(1.05, 1.3),
    kinds=(0.18, 0.24, 0.18, 0.22, 0.18),
    arousal=(
        uniform(-0.5, 0.5),
        uniform(0.9, 2.5),
        uniform(-0.9, 0.1),
        uniform(0.8, 2.2),
        uniform(-1.2, -0.3),
    ),
    valence=(
        uniform(-0.5, 0.5),
        uniform(-2.6, -0.9),
        uniform(-2.2, -0.8),
        uniform(0.8, 2.4),
        uniform(-0.1, 0.7),
    ),
    bout_s=lognormal(19.0, 0.6, low=5.0, high=90.0),
    rise_s=lognormal(3.5, 0.5, low=1.0, high=8.0),
    restless_sd=uniform(0.3, 0.7),
    restless_s=uniform(2.5, 12.0),
    mode_s=lognormal(85.0, 0.5, low=25.0, high=300.0),
    disengaged=uniform(0.15, 0.45),
    regulating=two(uniform(0.2, 0.4), uniform(0.6, 0.8), 0.5),
    gain=uniform(0.5, 1.1),
    damped=uniform(0.0, 0.45),
    calming=uniform(0.05, 0.55),
    warming=lognormal(0.5, 0.35, high=1.2),
    withdrawn=uniform(0.25, 0.85),
    lag_s=uniform(0.3, 2.6),
    response_s=lognormal(0.8, 0.5, low=0.2, high=2.5),
    expressive=uniform(0.7, 1.4),
    nature_arousal=two(uniform(-0.5, -0.15), uniform(0.1, 0.45), 0.5),
    nature_valence=uniform(-0.35, 0.35),
    own_sd=uniform(0.15, 0.38),
    own_s=uniform(3.0, 14.0),
    bursts_per_min=uniform(0.1, 0.55),
    burst_sd=lognormal(0.8, 0.4, high=2.0),
    floor_s=lognormal(13.0, 0.7, low=2.0),
    reply_s=lognormal(4.0, 0.7, low=0.8),
    utterance_s=lognormal(1.9, 0.5, low=0.4),
    pause_s=lognormal(0.5, 0.5, low=0.2),
    events_per_min=lognormal(11.0, 0.45, low=3.0, high=28.0),
    answers=uniform(0.35, 0.75),
    idle=two(uniform(0.1, 0.4), uniform(0.5, 0.85), 0.75),
    latency_s=gamma(0.75, 4.0, least=0.15),
    event_s=lognormal(0.6, 0.4, high=1.6),
    missed=uniform(0.1, 0.4),
    imagined_per_min=uniform(0.3, 2.0),
    looks=uniform(0.55, 0.92),
    looks_away=uniform(0.4, 0.8),
    looks_talking=uniform(0.4, 0.85),
    glance_s=lognormal(2.2, 0.4),
    noise_s=lognormal(0.5, 0.4, low=0.2, high=1.5),
    drift=uniform(0.15, 0.45),
    drift_s=lognormal(4.0, 0.4, high=10.0),
    gap_s=lognormal(2.2, 0.8, high=15.0),
)
"""The family that is reported on: flat or two-humped spreads, long-tailed durations."""

FAMILIES: Final = {"first": FIRST, "second": SECOND}
