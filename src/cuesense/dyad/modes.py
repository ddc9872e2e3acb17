"""Is the listener mirroring, regulating or disengaged? A causal Bayesian observation model.

Each mode says how the listener's arousal and valence ``y`` follow the partner's ``x`` (own
baseline = 0, in baseline SD), how often the listener nods and gives backchannels, and how much
the listener looks at the partner. Mirroring goes along in kind and size; regulating answers, but
calmer and warmer (Butler & Randall 2013: coupling that damps); disengaged does not answer.

The label rests to a good part on the listener alone, so a share of "regulating" means little
until `cuesense.dyad.null` has shown what a wrong partner would have given.

The maths is three array functions: `extract` (causal smoothing, state in, state out),
`mode_log_likelihood` + `posterior`, and `judge`. `Modes` calls them for one sample or many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from cuesense import kernels, schema
from cuesense.config import Dyad
from cuesense.types import F64, DyadState

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]

CHANNELS: Final = ("arousal", "valence", "events", "gaze")
VARIANTS: Final = ("", "sharing", "escalating")
_FLAT: Final = 1e-9  # SD/s; a steady state's slope is 0 up to rounding
MIRRORING, REGULATING, DISENGAGED, NO_DEMAND, INSUFFICIENT = range(len(schema.LABELS))


@dataclass(frozen=True, slots=True, kw_only=True)
class DyadSample:
    """What is known of both people at one tick of the dyad's grid; NaN where it is not known.

    Attributes:
        t: s.
        partner_arousal: baseline SD, with `partner_arousal_sd` its standard error (that of the
            baseline); likewise valence and the listener's. A value counts only with its error.
        partner_speaking_prob: in [0, 1]; NaN counts as silent.
        partner_ok: whether the partner's state was there.
        listener_events: nods and backchannels completed since the last sample.
        listener_gaze_on_partner: share of the time since the last sample, in [0, 1].
        calibrated: whether both people's baselines are complete.
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


_COLUMN: Final = {f.name: i for i, f in enumerate(fields(DyadSample))}
_PARTNER: Final = slice(_COLUMN["partner_arousal"], _COLUMN["partner_ok"] + 1)
_LISTENER: Final = slice(_COLUMN["listener_arousal"], _COLUMN["listener_ok"] + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """The smoothed numbers that a judgement rests on, n samples of them.

    Attributes:
        t: (n,) s.
        elapsed_s: (n,) s since the first sample.
        calibrated: (n,) bool.
        partner: (n, 2) arousal and valence, baseline SD, delayed and smoothed; `listener` alike,
            not delayed. NaN where too little of the last seconds is there.
        partner_var: (n, 2) noise variance of `partner`; `listener_var` alike.
        partner_slope: (n,) slope of the partner's arousal, SD/s.
        coverage: (n, 2) share of the last seconds with a state, partner and listener.
        event_rate: (n,) the listener's nods and backchannels per min.
        gaze: (n,) share of the time the listener looks at the partner.
    """

    t: F64
    elapsed_s: F64
    calibrated: Bools
    partner: F64
    listener: F64
    partner_var: F64
    listener_var: F64
    partner_slope: F64
    coverage: F64
    event_rate: F64
    gaze: F64


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """What follows from `Features`: `label` indexes `schema.LABELS`.

    Attributes:
        label: (n,) index into `schema.LABELS`.
        reason: (n,) index into `reasons(config)`.
        variant: (n,) index into `VARIANTS`.
        p: (n, 3) posterior of the modes; NaN while the reason is other than a low posterior.
        support: (n, 4) nats by which each of `CHANNELS` speaks for the likeliest mode, against
            the average mode: ``log L_best - log mean_k L_k``; NaN for a missing channel.
    """

    label: Codes
    reason: Codes
    variant: Codes
    p: F64
    support: F64


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
        [[getattr(s, name) for name in _COLUMN] for s in samples], dtype=np.float64
    ).reshape(len(samples), len(_COLUMN))


def fading_mean(
    x: F64, alpha: float, min_share: float, state: tuple[float, float] = (0.0, 0.0)
) -> tuple[F64, tuple[float, float]]:
    """Exponentially weighted mean of the values that are there, and of those only.

    ``EMA(x · there) / EMA(there)``: unlike an EMA that stands still in a gap, what comes after
    a gap is not held up by what came before it.

    Args:
        x: (n,), NaN where missing.
        alpha: EMA weight of one step, in (0, 1].
        min_share: below this weighted share of values that are there, the mean is NaN.
        state: as returned by the call before; zeros at the start.

    Returns:
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


def _noise(fade: dict[str, F64], who: str, config: Dyad) -> F64:
    """Return the (n, 2) noise variance of one person's arousal and valence.

    Without the voice, arousal rests on fewer cues: its variance grows by `silent_factor`²,
    in proportion to the silent share of the smoothing window.
    """
    silent = 1.0 - fade[f"{who}_speaking_prob"]
    widened = config.sigma_arousal**2 * (1.0 + silent * (config.silent_factor**2 - 1.0))
    steady = np.full_like(silent, config.sigma_valence**2)
    error = np.stack([fade[f"{who}_arousal_sd"], fade[f"{who}_valence_sd"]], axis=1)
    return np.stack([widened, steady], axis=1) + error**2


def extract(x: F64, config: Dyad, carry: Carry | None = None) -> tuple[Features, Carry]:
    """Smooth, delay and summarise samples, causally.

    Args:
        x: (n, fields) from `to_array`, n >= 1, at `config.rate_hz`.
        config: constants.
        carry: state of the call before; None at the start. Splitting `x` anywhere and carrying
            the state gives the same features as one call.

    Returns:
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
        column = x[:, _COLUMN[name]]
        if name.endswith("speaking_prob"):
            column = np.nan_to_num(column)
            share = 0.0
        else:
            share = config.min_coverage
        fade[name], state = fading_mean(column, slow if name in _SLOW else fast, share, state)
        fading.append(state)

    def pair(who: str) -> F64:
        return np.stack([fade[f"{who}_arousal"], fade[f"{who}_valence"]], axis=1)

    slopes, slope_tail = _trailing(fade["partner_arousal"], n_slope, carry.slope)
    present = x[:, [_COLUMN["partner_ok"], _COLUMN["listener_ok"]]]
    covers, coverage_tail = _trailing(present, n_coverage, carry.coverage)
    features = Features(
        t=x[:, 0],
        elapsed_s=x[:, 0] - carry.start,
        calibrated=x[:, _COLUMN["calibrated"]] > 0,
        partner=pair("partner"),
        listener=pair("listener"),
        partner_var=_noise(fade, "partner", config),
        listener_var=_noise(fade, "listener", config),
        partner_slope=_slope(slopes, dt, config.min_coverage),
        coverage=covers.mean(axis=-1),
        event_rate=fade["listener_events"] * (60.0 * config.rate_hz),
        gaze=fade["listener_gaze_on_partner"],
    )
    return features, Carry(
        carry.start, shifted[len(x) :], slope_tail, coverage_tail, tuple(fading)
    )


_SLOW: Final = ("listener_events", "listener_gaze_on_partner")
_FADING: Final = (
    *list(_COLUMN)[_PARTNER][:-1],
    *list(_COLUMN)[_LISTENER][:-1],
    *_SLOW,
)


def mode_log_likelihood(features: Features, config: Dyad) -> F64:
    """Log likelihood of each channel under each mode.

    Arousal and valence, mode k with gain ``g ± σ_g`` and offset ``o ± σ_o``::

        y ~ N(g x + o, (σ_g x)² + σ_o² + var_y + g² var_x)

    where ``var`` is measurement noise plus the squared standard error of the baseline; events in
    the window T ~ negative binomial with mean ``λ T`` and size r (the mode-free factor is left
    out); gaze ~ Bernoulli, weighted.

    Returns:
        (n, 4, 3): `CHANNELS` × `schema.MODES`, in nats; NaN for a missing channel.
    """
    modes = (config.mirroring, config.regulating, config.disengaged)
    gain = np.array([[m.gain_arousal for m in modes], [m.gain_valence for m in modes]])
    offset = np.array([[m.offset_arousal for m in modes], [m.offset_valence for m in modes]])
    x, y = features.partner[:, :, None], features.listener[:, :, None]
    mean = gain[..., 0] * x + offset[..., 0]
    variance = (
        (gain[..., 1] * x) ** 2
        + offset[..., 1] ** 2
        + features.listener_var[:, :, None]
        + gain[..., 0] ** 2 * features.partner_var[:, :, None]
    )
    affect = -0.5 * ((y - mean) ** 2 / variance + np.log(2.0 * np.pi * variance))

    minutes = config.events_s / 60.0
    expected = np.array([m.events_per_min for m in modes]) * minutes
    count = features.event_rate[:, None] * minutes
    r = config.events_r
    events = r * np.log(r / (r + expected)) + count * np.log(expected / (r + expected))

    looks = np.array([m.gaze for m in modes])
    gaze = features.gaze[:, None]
    bernoulli = config.gaze_weight * (gaze * np.log(looks) + (1.0 - gaze) * np.log1p(-looks))
    return np.concatenate([affect, events[:, None], bernoulli[:, None]], axis=1)


def posterior(log_likelihood: F64) -> F64:
    """Posterior of the modes under a flat prior; missing channels say nothing.

    Args:
        log_likelihood: (n, 4, 3) from `mode_log_likelihood`.

    Returns:
        (n, 3), rows sum to 1; NaN where both people share neither arousal nor valence.
    """
    total = np.nansum(log_likelihood, axis=1)
    odds = np.exp(total - total.max(axis=1, keepdims=True))
    p: F64 = odds / odds.sum(axis=1, keepdims=True)
    p[np.isnan(log_likelihood[:, :2, 0]).all(axis=1)] = np.nan
    return p


def reasons(config: Dyad) -> tuple[str, ...]:
    """Return the words for why there is no mode, in the order in which they are checked."""
    least = f"{100 * config.min_coverage:g} %"
    return (
        "",
        f"under {config.min_time_s:g} s",
        "uncalibrated",
        f"coverage of the partner under {least}",
        f"coverage of the listener under {least}",
        "no channel in common",
        f"partner within {config.demand:g} SD of baseline",
        f"no mode above {100 * config.min_p:g} %",
    )


def judge(features: Features, config: Dyad) -> Verdicts:
    """Return labels, reasons, variants and posteriors for n samples.

    A mode is named only after 10 s, with both people calibrated and covered, when the partner is
    away from their baseline (else no mode could be told from another: "no demand"), and when the
    posterior is clear. "escalating" marks mirroring of growing distress, "sharing" mirroring or
    regulating while both are pleased.
    """
    log_likelihood = mode_log_likelihood(features, config)
    p = posterior(log_likelihood)
    common = np.isfinite(p[:, 0])
    top = np.where(common, np.nan_to_num(p).argmax(axis=1), 0)

    demand = np.fmax(np.abs(features.partner[:, 0]), np.abs(features.partner[:, 1]))
    checks = [
        features.elapsed_s < config.min_time_s,
        ~features.calibrated,
        features.coverage[:, 0] < config.min_coverage,
        features.coverage[:, 1] < config.min_coverage,
        ~common,
        demand < config.demand,
        np.nan_to_num(p).max(axis=1) < config.min_p,
    ]
    reason = np.select(checks, np.arange(1, len(checks) + 1), default=0)
    calm, unclear = len(checks) - 1, len(checks)
    known = (reason == 0) | (reason == calm) | (reason == unclear)
    label = np.select([reason == 0, reason == calm], [top, NO_DEMAND], default=INSUFFICIENT)

    rising = features.partner_slope > -_FLAT
    distress = (features.partner[:, 1] < -config.escalating) & rising
    aroused = (features.partner[:, 0] > config.escalating) & (
        features.listener[:, 0] > config.escalating
    )
    pleased = (features.partner[:, 1] > config.sharing) & (
        features.listener[:, 1] > config.sharing
    )
    variant = np.select(
        [(label == MIRRORING) & distress & aroused, (label <= REGULATING) & pleased],
        [VARIANTS.index("escalating"), VARIANTS.index("sharing")],
        default=0,
    )

    best = np.take_along_axis(log_likelihood, top[:, None, None], axis=2)[:, :, 0]
    peak = log_likelihood.max(axis=2, keepdims=True)
    average = np.log(np.exp(log_likelihood - peak).mean(axis=2)) + peak[:, :, 0]
    return Verdicts(
        label=label,
        reason=reason,
        variant=variant,
        p=np.where(known[:, None], p, np.nan),
        support=best - average,
    )


class Modes:
    """Stage: samples of both people on the dyad's grid in, the listener's mode out."""

    def __init__(self, config: Dyad) -> None:
        self._config = config
        self._reasons = reasons(config)
        self._carry: Carry | None = None

    def push(self, sample: DyadSample) -> DyadState:
        """Return the state at this sample; `sample.t` must be one grid step after the last."""
        return self.extend([sample])[0]

    def extend(self, samples: Sequence[DyadSample]) -> list[DyadState]:
        """Return the states at these samples: the same as pushing them one by one."""
        if not samples:
            return []
        features, self._carry = extract(to_array(samples), self._config, self._carry)
        verdicts = judge(features, self._config)
        evidence = _evidence(features, verdicts)
        return [
            DyadState(
                t=float(features.t[i]),
                label=schema.LABELS[verdicts.label[i]],
                reason=self._reasons[verdicts.reason[i]],
                variant=VARIANTS[verdicts.variant[i]],
                p=(float(verdicts.p[i, 0]), float(verdicts.p[i, 1]), float(verdicts.p[i, 2])),
                evidence={name: float(column[i]) for name, column in evidence.items()},
            )
            for i in range(len(samples))
        ]


def _evidence(features: Features, verdicts: Verdicts) -> dict[str, F64]:
    """Return the columns of `schema.EVIDENCE`."""
    sigma = np.sqrt((features.partner_var + features.listener_var) / 2.0)
    return {
        "partner_arousal": features.partner[:, 0],
        "partner_valence": features.partner[:, 1],
        "listener_arousal": features.listener[:, 0],
        "listener_valence": features.listener[:, 1],
        "sigma_arousal": sigma[:, 0],
        "sigma_valence": sigma[:, 1],
        "event_rate": features.event_rate,
        "gaze_on_partner": features.gaze,
        **{f"ev_{name}": verdicts.support[:, i] for i, name in enumerate(CHANNELS)},
        "partner_slope": features.partner_slope,
        "coverage_partner": features.coverage[:, 0],
        "coverage_listener": features.coverage[:, 1],
    }
