"""Each person's valence and arousal, as deviations from their own baseline.

Arousal is the weighted mean of the z-scores of voice (F0 in semitones, level, spectral tilt, how
clear it is) and motion (face, head, body). Valence is read from
the face (`state.expression`). Cues are smoothed first and standardised afterwards, both in
the baseline and later: the slow part of a cue carries the state, and its own slow spread is the
measure that a state has to stand out from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cuesense.config import Config
from cuesense.kernels import alpha, robust_location
from cuesense.schema import MEASURES, VALUE_INDEX
from cuesense.state.baseline import Baseline, Zero, mean_of, standardise
from cuesense.state.expression import CLASSES, Expression
from cuesense.state.profile import Profile, Scale
from cuesense.types import F64, Event, Person, Reason

SMOOTHING_S = 1.5
"""s, EMA of each cue before it is standardised."""
HOLD_S = {"voice": 2.0, "face": 0.5, "body": 0.5}
"""s for which a smoothed cue stands after its last value; after that it is missing."""
ERROR_CORRELATION = 0.3
"""Correlation taken between the cues' baseline errors."""
LEAST_CUES = 2
"""Arousal needs so many cues: never level alone, which automatic gain control may set."""
LEAST_SPREAD = 0.25
"""Smallest SD of a mean of z-scores: a steadier baseline than this would blow up noise."""
LEAST_MEAN_S = 3.0
"""s of such a mean before its zero is fixed."""
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
    """One cue of a state.

    Attributes
    ----------
    column
        of `schema.VALUES`.
    family
        "voice", "face" or "body".
    weight
        its sign is the direction, its size how much the cue counts.
    floor
        smallest SD: what the cue varies by, smoothed, in a still and steady person.
    transform
        of the column, before smoothing.
    """

    column: str
    family: str
    weight: float
    floor: float
    transform: Callable[[float], float] = _same


AROUSAL: tuple[Cue, ...] = (
    Cue("f0_hz", "voice", 1.0, 1.5, _semitones),
    Cue("loudness_db", "voice", 0.75, 2.5),
    Cue("spectral_tilt_db", "voice", -1.0, 2.0),
    Cue("hnr_db", "voice", -1.0, 1.5),
    Cue("face_motion", "face", 1.0, 0.15, _log),
    Cue("head_speed", "face", 1.0, 0.15, _log),
    Cue("motion_energy", "body", 1.0, 0.25, _log),
)
"""Cues of arousal. Level counts less: distance and gain control change it too. An activated voice
is less harmonic: rough, and gliding within a frame. No weight is fitted."""

_TILT = VALUE_INDEX["spectral_tilt_db"]
GAZE = ("gaze_yaw_rad", "gaze_pitch_rad")

_AROUSAL, _VALENCE = (
    [VALUE_INDEX[state], VALUE_INDEX[f"{state}_sd"]] for state in ("arousal", "valence")
)
_EXPRESSION = [VALUE_INDEX[f"expression_{name}"] for name in CLASSES]
_ON = [VALUE_INDEX["gaze_on_partner"], VALUE_INDEX["gaze_on_camera"]]
_POSE = [VALUE_INDEX[f"head_{turn}_rad"] for turn in ("pitch", "yaw", "roll")]
SHAPE = [VALUE_INDEX[f"shape_{name}"] for name in MEASURES]
_FACES = [*SHAPE, *(VALUE_INDEX[c] for c in ("face_motion", "head_speed", *GAZE))]


def usable(values: F64, face_reason: Reason) -> F64:
    """Return a tick's row (n columns,) without what no state may rest on; not the row itself."""
    row = values.copy()
    if face_reason not in (Reason.OK, Reason.OUT_OF_FRAME) or (
        values[VALUE_INDEX["face_quality"]] < LEAST_QUALITY
    ):
        row[_FACES] = np.nan
    if not np.isfinite(values[VALUE_INDEX["f0_hz"]]):
        # Tilt tells of effort in voiced sound; a fricative's is its own.
        row[_TILT] = np.nan
    return row


class Smoothed:
    """The cues of one person, transformed and smoothed; NaN once a cue is out of date."""

    def __init__(self, cues: Sequence[Cue], rate_hz: float) -> None:
        self._transforms = [c.transform for c in cues]
        self._columns = [VALUE_INDEX[c.column] for c in cues]
        self._alpha = alpha(1.0 / rate_hz, SMOOTHING_S)
        self._step = 1.0 / rate_hz
        self._hold = np.array([HOLD_S[c.family] for c in cues])
        self._last = np.full(len(cues), np.nan)
        self._weight = np.zeros(len(cues))  # of the values so far, 1 in the long run
        self._age = np.full(len(cues), np.inf)

    def push(self, values: F64) -> F64:
        """Take a tick's row (n columns,); return the smoothed cues (n cues,)."""
        raw = values[self._columns]
        seen = np.isfinite(raw)
        x = np.array(
            [
                transform(float(v)) if there else np.nan
                for transform, v, there in zip(self._transforms, raw, seen, strict=True)
            ]
        )
        self._age = np.where(seen, 0.0, self._age + self._step)
        # A cue that was away for long starts afresh: its old value says nothing any more. It
        # starts as the plain mean of the first values, not with the first of them.
        new = ~np.isfinite(self._last)
        last, weight = np.where(new, x, self._last), np.where(new, 0.0, self._weight)
        self._weight = np.where(seen, weight + self._alpha * (1.0 - weight), weight)
        step = self._alpha / np.maximum(self._weight, self._alpha)
        self._last = np.where(seen, last + step * (x - last), self._last)
        self._last = np.where(self._age > self._hold, np.nan, self._last)
        return self._last


class Score:
    """One state of one person: a weighted mean of z-scored cues, standardised once more.

    The mean of several cues varies less than one cue does, by how much depends on how they go
    together in this person. So the mean, too, is expressed as a deviation from its own median in
    its own SD over the baseline: 0 and 1 then mean the same for every person and cue set.
    """

    def __init__(
        self, cues: Sequence[Cue], config: Config, least: int, known: Scale | None = None
    ) -> None:
        base, self._rate = config.baseline, config.grid.rate_hz
        self._cues, self._least, self._limit = cues, least, config.affect.z_limit
        self._weights = np.array([c.weight for c in cues])
        self._end = base.start_s + base.duration_s
        self._start = base.start_s
        self._zeros = [
            Baseline(
                start_s=base.start_s,
                duration_s=base.duration_s,
                least_s=base.min_voice_s if c.family == "voice" else base.min_face_s,
                floor=c.floor,
                correlation_s=2 * SMOOTHING_S,
                rate_hz=self._rate,
            )
            for c in cues
        ]
        # The smoothed cues of the baseline, or of as long a time up to now if it was not enough.
        self._rows: deque[F64] = deque(maxlen=max(1, round(base.duration_s * self._rate)))
        self._least_rows = round(min(LEAST_MEAN_S, base.duration_s) * self._rate)
        self._tries = 0
        known = known or Scale()
        self._zero = known.mean
        for cue, zero in zip(cues, self._zeros, strict=True):
            zero.zero = known.cues.get(cue.column)

    @property
    def calibrated(self) -> bool:
        """Whether the state can be computed."""
        return self._zero is not None

    @property
    def missing(self) -> list[str]:
        """Columns whose zero is not fixed (yet)."""
        pairs = zip(self._cues, self._zeros, strict=True)
        return [c.column for c, b in pairs if b.zero is None]

    @property
    def scale(self) -> Scale:
        """The zeros that are fixed so far."""
        pairs = zip(self._cues, self._zeros, strict=True)
        return Scale({c.column: b.zero for c, b in pairs if b.zero is not None}, self._zero)

    def push(self, t: float, smooth: F64) -> tuple[float, float]:
        """Take the smoothed cues (n,) of a tick; return the state and its standard error."""
        for baseline, value in zip(self._zeros, smooth, strict=True):
            baseline.push(t, float(value))
        if self._zero is None:
            self._collect(t, smooth)
            if self._zero is None:
                return np.nan, np.nan
        mean, error = self._mean(smooth)
        return (
            standardise(mean, self._zero, self._limit),
            error / self._zero.sd,
        )

    def _collect(self, t: float, smooth: F64) -> None:
        if t < self._start:
            return
        self._rows.append(smooth)
        self._tries += 1
        # Once a second is enough for somebody who comes, or speaks, only after the baseline.
        if t >= self._end and self._tries % round(self._rate) == 0:
            self._fix_mean()

    def close(self) -> None:
        """Fix the zeros of which there is enough: no more is to come, or needs to."""
        for baseline in self._zeros:
            baseline.close()
        if self._zero is None:
            self._fix_mean()

    def _fix_mean(self) -> None:
        if sum(b.zero is not None for b in self._zeros) < self._least:
            return
        median, sd, n = robust_location(np.array([self._mean(row)[0] for row in self._rows]))
        if n >= self._least_rows:
            self._zero = Zero(median, max(sd, LEAST_SPREAD), 0.0)
            self._rows.clear()

    def _mean(self, smooth: F64) -> tuple[float, float]:
        z, error = np.full(len(smooth), np.nan), np.zeros(len(smooth))
        for i, baseline in enumerate(self._zeros):
            if baseline.zero is not None and np.isfinite(smooth[i]):
                z[i] = standardise(float(smooth[i]), baseline.zero, self._limit)
                error[i] = baseline.zero.error_sd
        if np.isfinite(z).sum() < self._least:
            return np.nan, np.nan
        return mean_of(z, self._weights, error, ERROR_CORRELATION)


class PersonAffect:
    """Stage of one person: the row of a tick -> valence, arousal, gaze on the partner.

    Parameters
    ----------
    config
        the whole tree.
    profile
        what is known already of this person's usual; the baseline gives the rest.
    """

    def __init__(self, config: Config, profile: Profile | None = None) -> None:
        base, known = config.baseline, profile or Profile()
        self._smoothed = Smoothed(AROUSAL, config.grid.rate_hz)
        self._arousal = Score(AROUSAL, config, LEAST_CUES, known.arousal)
        self._expression = Expression(config, known.expression)
        self._radius = config.people.gaze_radius_rad
        self._gaze = [
            Baseline(
                start_s=base.start_s,
                duration_s=base.duration_s,
                least_s=base.min_face_s,
                floor=0.01,
                correlation_s=2 * SMOOTHING_S,
                rate_hz=config.grid.rate_hz,
            )
            for _ in GAZE
        ]
        for column, baseline in zip(GAZE, self._gaze, strict=True):
            baseline.zero = known.gaze.get(column)
        self._away_since = np.nan

    @property
    def calibrated(self) -> bool:
        """Whether the person's arousal can be computed."""
        return self._arousal.calibrated

    @property
    def complete(self) -> bool:
        """Whether nothing more is to be learned of the person."""
        gaze = all(b.zero is not None for b in self._gaze)
        return self.calibrated and not self.missing and gaze

    @property
    def profile(self) -> Profile:
        """What is known of the person's usual so far."""
        pairs = zip(GAZE, self._gaze, strict=True)
        gaze = {column: b.zero for column, b in pairs if b.zero is not None}
        return Profile(self._arousal.scale, self._expression.rest, gaze)

    @property
    def missing(self) -> tuple[str, ...]:
        """Columns whose zero is not fixed (yet)."""
        return (*self._arousal.missing, *(() if self._expression.calibrated else ("valence",)))

    def close(self) -> None:
        """Fix what there is enough of: no more is to come, or needs to."""
        self._arousal.close()
        self._expression.close()
        for baseline in self._gaze:
            baseline.close()

    def push(self, t: float, values: F64, face_reason: Reason) -> tuple[Reason, Reason]:
        """Fill the state columns of a tick's row (n columns,).

        Returns
        -------
        state_reason, face_state_reason
            Why arousal is missing, and why valence or the gaze's target is.
        """
        row = usable(values, face_reason)
        smooth = self._smoothed.push(row)
        values[_AROUSAL] = self._arousal.push(t, smooth)
        valence, error, values[_EXPRESSION] = self._expression.push(
            t, row[SHAPE], row[_POSE], float(row[VALUE_INDEX["face_quality"]])
        )
        values[_VALENCE] = valence, error
        values[_ON] = self._target(t, row)
        cues, face = bool(np.isfinite(smooth).any()), self._expression
        return (
            _why(values[_AROUSAL], cues, self._arousal.calibrated, face_reason or Reason.SILENT),
            _why(values[_VALENCE], face.seen, face.calibrated, face_reason or Reason.BLURRED),
        )

    def _target(self, t: float, row: F64) -> tuple[float, float]:
        """Return whether the gaze rests on the partner, and on the camera (1, 0, NaN: not known).

        The partner is where this person usually looked in the baseline, the camera is at angle 0.
        Of two targets that are both within reach it is the nearer one; neither is "away".
        """
        gaze = [float(row[VALUE_INDEX[column]]) for column in GAZE]
        for baseline, angle in zip(self._gaze, gaze, strict=True):
            baseline.push(t, angle)
        yaw, pitch = (b.zero for b in self._gaze)
        if yaw is None or pitch is None or not np.isfinite(gaze[0]):
            return np.nan, np.nan
        partner = np.hypot(gaze[0] - yaw.median, gaze[1] - pitch.median)
        camera = np.hypot(gaze[0], gaze[1])
        return float(partner <= self._radius), float(camera <= self._radius and camera < partner)

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


def _why(state: F64, seen: bool, calibrated: bool, otherwise: Reason) -> Reason:
    """Return why a state (value and error) is missing."""
    if np.isfinite(state[0]):
        return Reason.OK
    return Reason.UNCALIBRATED if seen and not calibrated else otherwise
