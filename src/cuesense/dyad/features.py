"""What the dyad's judgement rests on: both people's samples, smoothed causally.

`extract` is state in, state out: cutting the samples anywhere gives the same features as one
call, so the live stage and the whole-session nulls share it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from cuesense import kernels
from cuesense.config import Dyad
from cuesense.types import F64

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class DyadSample:
    """What is known of both people at one tick of the dyad's grid; NaN where it is not known.

    Attributes
    ----------
    t
        s.
    partner_arousal
        baseline SD, with `partner_arousal_sd` its standard error; likewise valence and the
        listener's. The estimator does without the errors.
    partner_speaking_prob
        in [0, 1]; NaN counts as silent.
    partner_ok
        whether the partner's state was there.
    listener_events
        nods and backchannels completed since the last sample.
    listener_gaze_on_partner
        share of the time since the last sample, in [0, 1].
    calibrated
        whether both people's baselines are complete.
    """

    t: float
    partner_arousal: float
    partner_valence: float
    partner_arousal_sd: float
    partner_valence_sd: float
    partner_speaking_prob: float
    partner_ok: bool
    listener_arousal: float
    listener_valence: float
    listener_arousal_sd: float
    listener_valence_sd: float
    listener_speaking_prob: float
    listener_ok: bool
    listener_events: float
    listener_gaze_on_partner: float
    calibrated: bool


COLUMN: Final = {f.name: i for i, f in enumerate(fields(DyadSample))}
_PARTNER: Final = slice(COLUMN["partner_arousal"], COLUMN["partner_ok"] + 1)
_SLOW: Final = ("listener_events", "listener_gaze_on_partner")
_FADING: Final = (
    *(f"{who}_{channel}" for who in ("partner", "listener") for channel in ("arousal", "valence")),
    *_SLOW,
)


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """The smoothed numbers that a judgement rests on, n samples of them.

    Attributes
    ----------
    t
        (n,) s.
    elapsed_s
        (n,) s since the first sample.
    calibrated
        (n,) bool.
    partner
        (n, 2) arousal and valence, baseline SD, delayed and smoothed; `listener` alike,
        not delayed. NaN where too little of the last seconds is there.
    partner_slope
        (n,) slope of the partner's arousal, SD/s.
    coverage
        (n, 2) share of the last seconds with a state, partner and listener.
    event_rate
        (n,) the listener's nods and backchannels per min.
    gaze
        (n,) share of the time the listener looks at the partner.
    """

    t: F64
    elapsed_s: F64
    calibrated: Bools
    partner: F64
    listener: F64
    partner_slope: F64
    coverage: F64
    event_rate: F64
    gaze: F64


@dataclass(frozen=True, slots=True, eq=False)
class Carry:
    """State of `extract` between calls: start time, delayed rows, window tails, EMA states."""

    start: float
    delayed: F64
    slope: F64
    coverage: F64
    fading: tuple[tuple[float, float], ...]


def to_array(samples: Sequence[DyadSample]) -> F64:
    """Return `samples` as (n, fields of `DyadSample`)."""
    return np.array(
        [[getattr(s, name) for name in COLUMN] for s in samples], dtype=np.float64
    ).reshape(len(samples), len(COLUMN))


def fading_mean(
    x: F64, alpha: float, min_share: float, state: tuple[float, float] = (0.0, 0.0)
) -> tuple[F64, tuple[float, float]]:
    """Exponentially weighted mean of the values that are there, and of those only.

    ``EMA(x · there) / EMA(there)``: unlike an EMA that stands still in a gap, what comes after
    a gap is not held up by what came before it.

    Parameters
    ----------
    x
        (n,), NaN where missing.
    alpha
        EMA weight of one step, in (0, 1].
    min_share
        below this weighted share of values that are there, the mean is NaN.
    state
        as returned by the call before; zeros at the start.

    Returns
    -------
        The mean (n,) and the state to go on with.
    """
    there = np.isfinite(x)
    total, last_total = kernels.ema(np.where(there, x, 0.0), alpha, state[0])
    weight, last_weight = kernels.ema(there.astype(np.float64), alpha, state[1])
    enough = weight >= max(min_share, np.finfo(np.float64).tiny)
    return np.where(enough, total / np.where(enough, weight, 1.0), np.nan), (
        last_total,
        last_weight,
    )


def _trailing(x: F64, length: int, tail: F64) -> tuple[F64, F64]:
    """Return the (n, ..., length) windows that end at each row of `x`, and the new tail."""
    full = np.concatenate((tail, x))
    return np.lib.stride_tricks.sliding_window_view(full, length, axis=0), full[len(x) :]


def _slope(windows: F64, dt: float, min_share: float) -> F64:
    """Least-squares slope per s of (n, length) windows, NaN values left out."""
    there = np.isfinite(windows)
    count = there.sum(axis=1)
    enough = count >= max(2.0, min_share * windows.shape[1])
    n = np.where(enough, count, 1)
    t = np.where(there, dt * np.arange(windows.shape[1]), 0.0)
    t = np.where(there, t - (t.sum(axis=1) / n)[:, None], 0.0)
    spread = np.where(enough, (t * t).sum(axis=1), np.nan)
    slope: F64 = (t * np.where(there, windows, 0.0)).sum(axis=1) / spread
    return slope


def extract(x: F64, config: Dyad, carry: Carry | None = None) -> tuple[Features, Carry]:
    """Smooth, delay and summarise samples, causally.

    Parameters
    ----------
    x
        (n, fields) from `to_array`, n >= 1, at `config.rate_hz`.
    config
        constants.
    carry
        state of the call before; None at the start. Splitting `x` anywhere and carrying
        the state gives the same features as one call.

    Returns
    -------
        The features of all n samples, and the state to go on with.
    """
    dt = 1.0 / config.rate_hz
    delay = round(config.partner_delay_s * config.rate_hz)
    n_slope = max(2, round(config.slope_s * config.rate_hz))
    n_coverage = max(1, round(config.coverage_s * config.rate_hz))
    partner_columns = _PARTNER.stop - _PARTNER.start
    if carry is None:
        missing = np.full((delay, partner_columns), np.nan)
        missing[:, -1] = 0.0
        carry = Carry(
            start=float(x[0, 0]),
            delayed=missing,
            slope=np.full(n_slope - 1, np.nan),
            coverage=np.zeros((n_coverage - 1, 2)),
            fading=((0.0, 0.0),) * len(_FADING),
        )
    shifted = np.concatenate((carry.delayed, x[:, _PARTNER]))
    x = x.copy()
    x[:, _PARTNER] = shifted[: len(x)]

    slow = kernels.alpha(dt, config.events_s)
    fast = kernels.alpha(dt, config.smoothing_s)
    fade: dict[str, F64] = {}
    fading = []
    for name, state in zip(_FADING, carry.fading, strict=True):
        alpha = slow if name in _SLOW else fast
        fade[name], state = fading_mean(x[:, COLUMN[name]], alpha, config.min_coverage, state)
        fading.append(state)

    def pair(who: str) -> F64:
        return np.stack([fade[f"{who}_arousal"], fade[f"{who}_valence"]], axis=1)

    slopes, slope_tail = _trailing(fade["partner_arousal"], n_slope, carry.slope)
    present = x[:, [COLUMN["partner_ok"], COLUMN["listener_ok"]]]
    covers, coverage_tail = _trailing(present, n_coverage, carry.coverage)
    features = Features(
        t=x[:, 0],
        elapsed_s=x[:, 0] - carry.start,
        calibrated=x[:, COLUMN["calibrated"]] > 0,
        partner=pair("partner"),
        listener=pair("listener"),
        partner_slope=_slope(slopes, dt, config.min_coverage),
        coverage=covers.mean(axis=-1),
        event_rate=fade["listener_events"] * (60.0 * config.rate_hz),
        gaze=fade["listener_gaze_on_partner"],
    )
    return features, Carry(carry.start, shifted[len(x) :], slope_tail, coverage_tail, tuple(fading))


def to_evidence(features: Features) -> dict[str, F64]:
    """Return the features as columns of `schema.EVIDENCE`."""
    return {
        "partner_arousal": features.partner[:, 0],
        "partner_valence": features.partner[:, 1],
        "listener_arousal": features.listener[:, 0],
        "listener_valence": features.listener[:, 1],
        "event_rate": features.event_rate,
        "gaze_on_partner": features.gaze,
        "partner_slope": features.partner_slope,
        "coverage_partner": features.coverage[:, 0],
        "coverage_listener": features.coverage[:, 1],
        "calibrated": features.calibrated.astype(np.float64),
    }


def from_evidence(t: F64, columns: Mapping[str, F64]) -> Features:
    """Return the features that `to_evidence` made columns of, at the times `t` (n,) in s."""

    def pair(who: str) -> F64:
        return np.stack([columns[f"{who}_arousal"], columns[f"{who}_valence"]], axis=1)

    return Features(
        t=t,
        elapsed_s=t - t[0] if len(t) else t,
        calibrated=np.asarray(columns["calibrated"]) > 0,
        partner=pair("partner"),
        listener=pair("listener"),
        partner_slope=columns["partner_slope"],
        coverage=np.stack([columns["coverage_partner"], columns["coverage_listener"]], axis=1),
        event_rate=columns["event_rate"],
        gaze=columns["gaze_on_partner"],
    )
