"""Expression and valence: how far a face is from the person's own rest, and in which manner.

What facial actions do to the measures of a face, and which actions make an expression, is written
down in ``models/expression/expression.toml``. From that follows, in closed form, where the
measures of each expression lie: a mean and a covariance. To every covariance is added what is
always there: noise, the misreading of the head's pose, and how the measures vary in this person
in the baseline. So directions in which somebody moves while speaking count for little, and
there is no step at which speech would have to be told from expression.

The probability of an expression is that of the deviation from the person's own rest under a
Student distribution (Lange, Little & Taylor 1989, doi:10.1080/01621459.1989.10478852).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import numpy as np

from cuesense.config import Config
from cuesense.kernels import MAD_TO_SD, alpha, robust_location
from cuesense.resources import resource
from cuesense.schema import EXPRESSIONS, MEASURES
from cuesense.state.baseline import SE_OF_MEDIAN, Zero, standardise
from cuesense.state.profile import Rest
from cuesense.types import F64

CLASSES: Final = tuple(EXPRESSIONS)
"""What an expression is shown as."""
EYES_MM: Final = 63.0
"""mm between the centres of the eyes, the unit of the measures (Dodgson 2004: mean of adults)."""
SMOOTHING_S: Final = 1.5
"""s, EMA of the measures before they are read."""
HOLD_S: Final = 0.5
"""s for which they stand after the last face."""
OUTLYING: Final = 2.5
"""SD at which a deviation in the baseline is cut off: a laugh in it is not how somebody rests."""
LEAST_SPREAD: Final = 0.75
"""Smallest spread of the deviation in a baseline: a steadier one would blow up noise and speech."""
MISREAD_TURN: Final = 0.2
"""Share of a turn away from the usual pose by which the pose may be misread."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Where the measures of each of n expressions lie, as deviations from rest (k measures).

    Attributes
    ----------
    classes
        (n,) index into `CLASSES`.
    log_share
        (n,) log of the share before anything is seen.
    mean
        (n, k), eye distances.
    spread
        (n, k, k) covariance, without what is always there.
    noise
        (k,) SD of measurement noise, eye distances.
    always
        (k, k) covariance of noise, speech and pose in every expression.
    turns
        (3, k) what a misread pitch, yaw and roll of 1 rad do.
    degrees
        of freedom of the Student distributions.
    sureness
        power of the likelihoods: measures of one face hang together more than the table says.
    """

    classes: tuple[int, ...]
    log_share: F64
    mean: F64
    spread: F64
    noise: F64
    always: F64
    turns: F64
    degrees: float
    sureness: float


def head(tree: Mapping[str, Any]) -> Head:
    """Return the head that a TOML tree describes.

    With displacements ``D_u`` of action u, and its strength in an expression of mean ``m_u`` and
    second moment ``s_u``, whose factor differs between people by SD p, and each displacement by SD
    d of itself and by SD e of the most that any action does to that measure::

        mean  = sum_u m_u D_u
        cov   = sum_u (s_u (1 + p²) - m_u²) D_u D_u'
                + sum_u s_u (1 + p²) diag(d² D_u² + e² c_u² most²)

    where ``c_u``, the root mean square of ``D_u / most``, is how large an action is as a whole.
    """
    names = list(tree["actions"])
    table = (
        np.array([[a.get(m, 0.0) for m in MEASURES] for a in tree["actions"].values()]) / EYES_MM
    )
    shown = {n: tree["visible"] * row for n, row in zip(names, table, strict=True)}
    noise = np.array([tree["noise"][m] for m in MEASURES]) / EYES_MM
    always = np.diag(noise**2)
    for name, strength in tree["always"].items():
        row = table[names.index(name)]
        always += strength**2 * np.outer(row, row)
    most = np.abs([row for n, row in shown.items() if n not in _TURNS]).max(axis=0)
    people, own, spill = 1 + tree["person"] ** 2, tree["displacement"] ** 2, tree["spill"] ** 2
    means, spreads = [], []
    for expression in tree["expressions"]:
        mean, spread = np.zeros(len(MEASURES)), np.zeros(always.shape)
        for name, row in shown.items():
            if name in expression:
                low, high = expression[name]
                m, s = (low + high) / 2, (low**2 + low * high + high**2) / 3
                mean += m * row
                spread += (s * people - m**2) * np.outer(row, row)
                size = np.mean((row / most) ** 2)
                spread += s * people * np.diag(own * row**2 + spill * size * most**2)
        means.append(mean)
        spreads.append(spread)
    degrees_per_rad = 180.0 / np.pi
    return Head(
        tuple(CLASSES.index(e["class"]) for e in tree["expressions"]),
        np.log([e["share"] for e in tree["expressions"]]),
        np.array(means),
        np.array(spreads),
        noise,
        always,
        np.array([table[names.index(turn)] for turn in _TURNS]) * degrees_per_rad,
        float(tree["degrees"]),
        float(tree["sureness"]),
    )


_TURNS: Final = ("pitch", "yaw", "roll")
_SIGNS: Final = np.array([{"surprised": 0.0, "negative": -1.0}.get(name, 1.0) for name in CLASSES])
"""Of the deviation of each class: + pleasant."""
_LEAST_SHOWN: Final = 1e-9
"""SD²; less than this no expression does (rest does nothing)."""


@cache
def shipped() -> Head:
    """Return the head that comes with cuesense."""
    path = resource("models/expression/expression.toml")
    return head(tomllib.loads(path.read_text(encoding="utf-8")))


def rest(rows: F64, noise: F64) -> tuple[F64, F64]:
    """Return median (k,) and covariance (k, k) of smoothed measures (n, k), outliers cut off.

    Parameters
    ----------
    rows
        (n, k), eye distances.
    noise
        (k,) least SD by which an outlier is told.
    """
    median = np.median(rows, axis=0)
    sd = np.maximum(MAD_TO_SD * np.median(np.abs(rows - median), axis=0), noise)
    cut = np.clip(rows - median, -OUTLYING * sd, OUTLYING * sd)
    return median, cut.T @ cut / len(cut)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What one face shows.

    Attributes
    ----------
    p
        (4,) of `CLASSES`.
    deviation
        from rest, + pleasant, SD: what is to be expected of it.
    doubt
        SD of that deviation over the expressions that it may be.
    """

    p: F64
    deviation: float
    doubt: float


class Reader:
    """Reads the measures of one person, whose rest is known."""

    def __init__(self, head: Head, rest: Rest) -> None:
        self._median, spread = np.array(rest.median), np.array(rest.spread)
        self._degrees = head.degrees + len(MEASURES)
        self._student = head.degrees
        self._sureness = head.sureness
        usual = head.always + spread
        # In units of the noise, so that the matrices are well conditioned.
        unit = np.sqrt(np.diag(head.always))
        covariance = (head.spread + usual) / np.outer(unit, unit)
        lower = np.linalg.cholesky(covariance)
        self._white = np.linalg.inv(lower) / unit
        self._mean = np.einsum("nij,nj->ni", self._white, head.mean)
        volume = np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        self._constant = head.log_share - volume
        self._members = np.array([[c == k for c in head.classes] for k in range(len(CLASSES))])
        self._signs = _SIGNS[list(head.classes)]
        self._rests = self._members[CLASSES.index("neutral")]
        self._usual = np.linalg.inv(usual)
        self._gain = head.spread @ np.linalg.inv(head.spread + usual)
        self._start = head.mean - np.einsum("nij,nj->ni", self._gain, head.mean)
        smile = head.mean[head.classes.index(CLASSES.index("happy"))]
        along = self._usual @ smile
        self._along = along / np.sqrt(smile @ along)
        own = self._along @ spread @ self._along
        self._error = SE_OF_MEDIAN * float(np.sqrt(own / rest.samples))
        self._turns = MISREAD_TURN * head.turns @ self._along
        self._noise = float(np.linalg.norm(head.noise * self._along))

    def read(self, measures: F64) -> Reading:
        """Return what a face with these (smoothed) measures (k,) shows.

        The deviation d is noise, speech and pose (covariance A) and what an expression e does
        (mean m, covariance S), of which the posterior mean is ``z = m + S (S + A)^-1 (d - m)``.
        So much of d as lies along z, ``max(z'A^-1 d, 0) / sqrt(z'A^-1 z)`` in SD of what is always
        there, is the deviation if e is a smile, and minus the deviation if e is negative; at rest
        it is what lies along a smile, and surprise has none. Expected over the expressions.
        """
        d = measures - self._median
        size = ((self._white @ d - self._mean) ** 2).sum(axis=1)
        log = self._constant - 0.5 * self._degrees * np.log1p(size / self._student)
        likely = np.exp(self._sureness * (log - log.max()))
        likely /= likely.sum()
        shown = self._start + self._gain @ d
        along = shown @ self._usual
        most = np.sqrt(np.maximum((along * shown).sum(axis=1), _LEAST_SHOWN))
        each = np.where(self._rests, self._along @ d, np.maximum(along @ d / most, 0.0))
        each *= self._signs
        deviation = float(likely @ each)
        doubt = float(np.sqrt(likely @ (each - deviation) ** 2))
        return Reading(self._members @ likely, deviation, doubt)

    def error(self, turn: F64, quality: float) -> float:
        """Return the standard error of the deviation of a face of known class, SD.

        Its parts are those of the baseline's median, of a misread turn, and of the noise of a
        picture that is worse than a good one: ``noise² (1 / quality² - 1)``, since the spread of
        the baseline holds the noise of good pictures already.

        Parameters
        ----------
        turn
            (3,) pitch, yaw and roll away from the usual pose, rad.
        quality
            of the face, (0, 1].
        """
        worse = self._noise**2 * (quality**-2 - 1.0)
        return float(np.sqrt(self._error**2 + np.sum((self._turns * turn) ** 2) + worse))


class Expression:
    """Stage of one person: measures and pose at each tick -> valence and probabilities.

    Valence is the deviation, standardised by its own median and SD over the baseline. Its
    standard error joins that of the baseline, a misread turn, the noise of a bad picture, and the
    doubt about which expression it is: a picture that blur or glasses changed fits none well.
    """

    def __init__(self, config: Config, known: Rest | None = None) -> None:
        base, rate = config.baseline, config.grid.rate_hz
        self._start, self._end = base.start_s, base.start_s + base.duration_s
        self._least = round(base.min_face_s * rate)
        self._step, self._alpha = 1.0 / rate, alpha(1.0 / rate, SMOOTHING_S)
        self._limit = config.affect.z_limit
        self._smooth = np.full(len(MEASURES) + 4, np.nan)
        self._age = np.inf
        self._rows: list[F64] = []
        self.rest = known
        self._reader = None if known is None else Reader(shipped(), known)

    @property
    def calibrated(self) -> bool:
        """Whether the person's rest is known."""
        return self.rest is not None

    @property
    def seen(self) -> bool:
        """Whether there is a face now, or was a moment ago."""
        return bool(self._age <= HOLD_S)

    def push(self, t: float, measures: F64, pose: F64, quality: float) -> tuple[float, float, F64]:
        """Take a tick.

        Parameters
        ----------
        t
            s.
        measures
            (k,), NaN without a usable face.
        pose
            (3,) rad.
        quality
            of the face, (0, 1].

        Returns
        -------
        valence, its standard error, probabilities (4,) of `CLASSES`; NaN if not known.
        """
        now = np.concatenate([measures, pose, [quality]])
        there = bool(np.isfinite(now).all())
        if there:
            # A face that was away for long starts afresh: its old shape says nothing any more.
            last = self._smooth if self.seen else now
            self._smooth, self._age = last + self._alpha * (now - last), 0.0
        else:
            self._age += self._step
        if self.rest is None:
            self._collect(t, there)
        if self.rest is None or self._reader is None or not self.seen:
            return np.nan, np.nan, np.full(len(CLASSES), np.nan)
        shape, (*turn, usable) = self._smooth[: len(MEASURES)], self._smooth[len(MEASURES) :]
        reading = self._reader.read(shape)
        valence = standardise(reading.deviation, self.rest.zero, self._limit)
        error = self._reader.error(np.subtract(turn, self.rest.pose), usable)
        return valence, float(np.hypot(error, reading.doubt)) / self.rest.zero.sd, reading.p

    def _collect(self, t: float, there: bool) -> None:
        if there and t >= self._start:
            self._rows.append(self._smooth)
        if t >= self._end:
            self.close()

    def close(self) -> None:
        """Learn the rest, if there are enough faces: no more are to come, or need to."""
        if self.rest is not None or len(self._rows) < self._least:
            return
        rows = np.array(self._rows)
        shapes, pose = rows[:, : len(MEASURES)], np.median(rows[:, len(MEASURES) : -1], axis=0)
        samples = max(1.0, len(rows) * self._step / (2 * SMOOTHING_S))
        median, spread = rest(shapes, np.sqrt(np.diag(shipped().always)))
        found = Rest(median.tolist(), spread.tolist(), pose.tolist(), samples)
        self._reader = Reader(shipped(), found)
        read = np.array([self._reader.read(row).deviation for row in shapes])
        middle, sd, _ = robust_location(read)
        self.rest = replace(found, zero=Zero(middle, max(sd, LEAST_SPREAD), 0.0))
        self._rows = []
