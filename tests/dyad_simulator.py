"""A simulated conversation with known modes, after the observation model's own assumptions.

The partner's arousal and valence wander (Ornstein-Uhlenbeck); the listener switches between modes
whose gains and offsets are drawn anew for each bout from the configured spread, so no two bouts
are alike. What is observed is that plus noise (`reliability` = correlation of cue and truth), a
baseline error per person and channel, and 5-s dropouts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from cuesense.config import Dyad
from cuesense.dyad.features import DyadSample
from cuesense.dyad.modes import Codes
from cuesense.types import F64

PARTNER_SD = 1.2  # baseline SD
PARTNER_TAU_S = 20.0
NOISE_TAU_S = 0.5


@dataclass(frozen=True)
class Conversation:
    samples: list[DyadSample]
    mode: Codes  # (n,) index into schema.MODES
    noise_sd: float


def wander(rng: np.random.Generator, n: int, tau_s: float, rate_hz: float) -> F64:
    """Return (n, 2) independent Ornstein-Uhlenbeck series of SD 1."""
    a = np.exp(-1.0 / (rate_hz * tau_s))
    start = a * rng.normal(size=(1, 2))
    steps = rng.normal(size=(n, 2)) * np.sqrt(1.0 - a * a)
    series: F64 = lfilter([1.0], [1.0, -a], steps, axis=0, zi=start)[0]
    return series


def converse(
    rng: np.random.Generator,
    *,
    minutes: float,
    reliability: float,
    baseline_sd: float,
    config: Dyad,
    bout_s: float = 60.0,
    dropout: float = 0.1,
) -> Conversation:
    rate = config.rate_hz
    n = round(60 * minutes * rate)
    modes = (config.mirroring, config.regulating, config.disengaged)
    partner = PARTNER_SD * wander(rng, n, PARTNER_TAU_S, rate)
    delay = round(config.partner_delay_s * rate)
    heard = np.concatenate([np.repeat(partner[:1], delay, axis=0), partner])[:n]
    listener, events, gaze = np.empty((n, 2)), np.empty(n), np.empty(n)
    mode = np.empty(n, np.intp)
    start, k = 0, int(rng.integers(3))
    while start < n:
        stop = min(n, start + round(rate * (10.0 + rng.exponential(bout_s - 10.0))))
        m = modes[k]
        gain = rng.normal(*np.transpose([m.gain_arousal, m.gain_valence]))
        offset = rng.normal(*np.transpose([m.offset_arousal, m.offset_valence]))
        mode[start:stop] = k
        listener[start:stop] = gain * heard[start:stop] + offset
        per_min = m.events_per_min * rng.gamma(config.events_r, 1.0 / config.events_r)
        events[start:stop] = rng.poisson(per_min / (60.0 * rate), stop - start)
        looks = rng.random((stop - start) // 5 + 1) < m.gaze  # 1-s glances
        gaze[start:stop] = np.repeat(looks, 5)[: stop - start]
        start, k = stop, (k + int(rng.integers(1, 3))) % 3

    noise_sd = PARTNER_SD * float(np.sqrt(1.0 / reliability**2 - 1.0))
    for series in (partner, listener):
        series += noise_sd * wander(rng, n, NOISE_TAU_S, rate)
        series += baseline_sd * rng.normal(size=2)
    there = np.repeat(rng.random((n // 25 + 1, 2)) >= dropout, 25, axis=0)[:n]
    partner[~there[:, 0]] = np.nan
    listener[~there[:, 1]] = np.nan
    gaze[~there[:, 1]] = np.nan
    return Conversation(
        [
            DyadSample(
                t=i / rate,
                partner_arousal=partner[i, 0],
                partner_valence=partner[i, 1],
                partner_arousal_sd=baseline_sd,
                partner_valence_sd=baseline_sd,
                partner_speaking_prob=1.0,
                partner_ok=bool(there[i, 0]),
                listener_arousal=listener[i, 0],
                listener_valence=listener[i, 1],
                listener_arousal_sd=baseline_sd,
                listener_valence_sd=baseline_sd,
                listener_speaking_prob=1.0,
                listener_ok=bool(there[i, 1]),
                listener_events=events[i],
                listener_gaze_on_partner=gaze[i],
                calibrated=True,
            )
            for i in range(n)
        ],
        mode,
        noise_sd,
    )


def smoothed_noise_sd(noise_sd: float, config: Dyad) -> float:
    """Return the SD of that noise after the estimator's EMA."""
    a = np.exp(-1.0 / (config.rate_hz * NOISE_TAU_S))
    q = np.exp(-1.0 / (config.rate_hz * config.smoothing_s))
    return noise_sd * float(
        np.sqrt((1.0 - q) ** 2 * (1.0 + q * a) / ((1.0 - q**2) * (1.0 - q * a)))
    )


def macro_f1(truth: Codes, guess: Codes) -> float:
    """Return the mean F1 of the three modes."""
    scores = [
        2.0 * np.sum((truth == k) & (guess == k)) / max(1, np.sum(truth == k) + np.sum(guess == k))
        for k in range(3)
    ]
    return float(np.mean(scores))
