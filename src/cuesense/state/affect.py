"""Each person's valence and arousal, as deviations from their own baseline.

Arousal is the mean of the z-scores of voice (F0 in semitones, level, pace) and motion (face, head,
body): the cues that rise with activation in every corpus that was compared. Valence is the smile
minus tension and sadness. Cues are smoothed first and standardised afterwards, both in
the baseline and later: the slow part of a cue carries the state, and its own slow spread is the
measure that a state has to stand out from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cuesense.config import Config
from cuesense.kernels import alpha
from cuesense.schema import BLENDSHAPES, VALUE_INDEX
from cuesense.state.baseline import Baseline, mean_of, standardise
from cuesense.types import F64, Event, Person, Reason

SMOOTHING_S = 1.5
"""s, EMA of each cue before it is standardised."""
HOLD_S = {"voice": 2.0, "face": 0.5, "body": 0.5}
"""s for which a smoothed cue stands after its last value; after that it is missing."""
ERROR_CORRELATION = 0.3
"""Correlation taken between the cues' baseline errors."""
LEAST_CUES = 2
"""Arousal needs so many cues: never level alone, which automatic gain control may set."""
LEAST_QUALITY = 0.2
"""Face quality below which a face does not count."""
SPEAKS = 0.5
"""Speaking probability from which a voice is taken as this person's."""
LOOK_AWAY_S = 0.4
"""s; shorter glances are not events."""


def _same(x: float) -> float:
    return x


def _semitones(f0_hz: float) -> float:
    return 12.0 * float(np.log2(f0_hz / 100.0))


def _log(x: float) -> float:
    return float(np.log(x + 1e-3))


@dataclass(frozen=True, slots=True)
class Cue:
    """One cue of a state: the column (or columns, averaged), its transform, weight and floor."""

    columns: tuple[str, ...]
    family: str
    weight: float
    floor: float
    transform: Callable[[float], float] = _same


AROUSAL: tuple[Cue, ...] = (
    Cue(("f0_hz",), "voice", 1.0, 0.6, _semitones),
    Cue(("loudness_db",), "voice", 1.0, 1.0),
    Cue(("syllable_rate",), "voice", 1.0, 0.3),
    Cue(("face_motion",), "face", 1.0, 0.15, _log),
    Cue(("head_speed",), "face", 1.0, 0.15, _log),
    Cue(("motion_energy",), "body", 1.0, 0.25, _log),
)
"""Cues of arousal. Floors: what each cue varies by, smoothed, in a still and steady person."""

VALENCE: tuple[Cue, ...] = (
    Cue(("smile",), "face", 1.0, 0.01),
    Cue(("mouthSmileLeft", "mouthSmileRight"), "face", 1.0, 0.03),
    Cue(("brow",), "face", -0.5, 0.008),
    Cue(("mouthFrownLeft", "mouthFrownRight"), "face", -0.5, 0.01),
    Cue(("browInnerUp",), "face", -0.25, 0.05),
)
"""Cues of valence: lip corners, brows down and together, lip corners down, inner brows up."""

_CUES = AROUSAL + VALENCE
_COLUMNS = [[VALUE_INDEX[c] for c in cue.columns] for cue in _CUES]
_AROUSAL = slice(0, len(AROUSAL))
_VALENCE = slice(len(AROUSAL), len(_CUES))
_WEIGHTS = np.array([c.weight for c in _CUES])
_FACE_COLUMNS = np.array(
    [i for name, i in VALUE_INDEX.items() if name in BLENDSHAPES]
    + [VALUE_INDEX[c] for c in ("smile", "brow", "face_motion", "head_speed")]
)


class _Smoothed:
    """The smoothed cues of one person, with the time since each was last seen."""

    def __init__(self, rate_hz: float) -> None:
        self._alpha = alpha(1.0 / rate_hz, SMOOTHING_S)
        self._step = 1.0 / rate_hz
        self._last = np.full(len(_CUES), np.nan)
        self._age = np.full(len(_CUES), np.inf)
        self._hold = np.array([HOLD_S[c.family] for c in _CUES])

    def push(self, x: F64) -> F64:
        """Take the cues (n,) of a tick; return the smoothed ones, NaN where out of date."""
        seen = np.isfinite(x)
        self._age = np.where(seen, 0.0, self._age + self._step)
        # A cue that was away for long starts afresh: its old value says nothing any more.
        fresh = seen & ~np.isfinite(self._last)
        self._last = np.where(self._age > self._hold, np.nan, self._last)
        stepped = self._last + self._alpha * (x - self._last)
        self._last = np.where(fresh, x, np.where(seen, stepped, self._last))
        return self._last


class PersonAffect:
    """Stage of one person: the row of a tick -> valence, arousal, gaze on the partner."""

    def __init__(self, config: Config) -> None:
        base, rate = config.baseline, config.grid.rate_hz
        self._limit = config.affect.z_limit
        self._radius = config.people.gaze_radius_rad
        self._smoothed = _Smoothed(rate)

        def zero(family: str, floor: float) -> Baseline:
            return Baseline(
                start_s=base.start_s,
                duration_s=base.duration_s,
                least_s=base.min_voice_s if family == "voice" else base.min_face_s,
                floor=floor,
                correlation_s=2 * SMOOTHING_S,
                rate_hz=rate,
            )

        self._zeros = [zero(c.family, c.floor) for c in _CUES]
        self._gaze = [zero("face", 0.01), zero("face", 0.01)]
        self._away_since = np.nan

    @property
    def calibrated(self) -> bool:
        """Whether enough zeros are fixed for an arousal."""
        return sum(b.zero is not None for b in self._zeros[_AROUSAL]) >= LEAST_CUES

    @property
    def missing(self) -> tuple[str, ...]:
        """Columns whose zero is not fixed (yet)."""
        return tuple(
            dict.fromkeys(
                c.columns[0] for c, z in zip(_CUES, self._zeros, strict=True) if z.zero is None
            )
        )

    def push(self, t: float, values: F64, face_reason: Reason) -> Reason:
        """Fill the state columns of a tick's row (n columns,); return the state's reason."""
        x = np.array([_read(values, c, i) for c, i in zip(_CUES, _COLUMNS, strict=True)])
        if face_reason not in (Reason.OK, Reason.OUT_OF_FRAME) or (
            values[VALUE_INDEX["face_quality"]] < LEAST_QUALITY
        ):
            x[[c.family == "face" for c in _CUES]] = np.nan
        smooth = self._smoothed.push(x)
        for baseline, value in zip(self._zeros, smooth, strict=True):
            baseline.push(t, float(value))
        z = np.array(
            [
                standardise(float(v), b.zero, self._limit)
                for v, b in zip(smooth, self._zeros, strict=True)
            ]
        )
        error = np.array([b.zero.error_sd if b.zero else np.nan for b in self._zeros])
        self._fill(values, z, error)
        self._look(t, values)
        if np.isfinite(values[VALUE_INDEX["arousal"]]):
            return Reason.OK
        if any(b.zero is None for b in self._zeros[_AROUSAL]) and np.isfinite(smooth).any():
            return Reason.UNCALIBRATED
        return face_reason or Reason.SILENT

    def _fill(self, values: F64, z: F64, error: F64) -> None:
        if np.isfinite(z[_AROUSAL]).sum() >= LEAST_CUES:
            values[[VALUE_INDEX["arousal"], VALUE_INDEX["arousal_sd"]]] = mean_of(
                z[_AROUSAL], _WEIGHTS[_AROUSAL], error[_AROUSAL], ERROR_CORRELATION
            )
        if np.isfinite(z[_VALENCE]).all():
            values[[VALUE_INDEX["valence"], VALUE_INDEX["valence_sd"]]] = mean_of(
                z[_VALENCE], _WEIGHTS[_VALENCE], error[_VALENCE], ERROR_CORRELATION
            )

    def _look(self, t: float, values: F64) -> None:
        gaze = (values[VALUE_INDEX["gaze_yaw_rad"]], values[VALUE_INDEX["gaze_pitch_rad"]])
        for baseline, angle in zip(self._gaze, gaze, strict=True):
            baseline.push(t, float(angle))
        yaw, pitch = (b.zero for b in self._gaze)
        if yaw is not None and pitch is not None and np.isfinite(gaze[0]):
            off = np.hypot(gaze[0] - yaw.median, gaze[1] - pitch.median)
            values[VALUE_INDEX["gaze_on_partner"]] = float(off <= self._radius)

    def look_away(self, t: float, person: Person, on_partner: float) -> list[Event]:
        """Follow `gaze_on_partner`; return the look-away that has just ended, if any."""
        if on_partner == 0.0:
            if np.isnan(self._away_since):
                self._away_since = t
            return []
        since, self._away_since = self._away_since, np.nan
        if t - since >= LOOK_AWAY_S:
            return [Event(since, t, person, "look_away")]
        return []


def _read(values: F64, cue: Cue, columns: list[int]) -> float:
    value = float(values[columns].mean())
    return cue.transform(value) if np.isfinite(value) else float("nan")
