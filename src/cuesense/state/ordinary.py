"""The most ordinary stretch of a recording: where both people's usual is best learned.

A baseline should show both people as they mostly are in this recording, in their usual variety: not
laughing or in tears, and not frozen either. What that is, is told from the recording itself: see
`distances`. Where they are excited most of the time, that is ordinary in it; a far calmer stretch
is then named, for the user to choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cuesense.config import Baseline
from cuesense.kernels import MAD_TO_SD
from cuesense.state.affect import AROUSAL, SHAPE, Smoothed, usable
from cuesense.state.expression import shipped
from cuesense.types import F64, Sensed

_VOICED: Final = sum(c.family == "voice" for c in AROUSAL)
FAMILIES: Final = (
    slice(0, _VOICED),
    slice(_VOICED, len(AROUSAL)),
    slice(len(AROUSAL), len(AROUSAL) + len(SHAPE)),
)
"""Where the cues of the voice, of motion and of the face's shape are among `Seconds.cues`."""
FLOORS: Final = np.array([*(c.floor for c in AROUSAL), *np.sqrt(np.diag(shipped().always))])
"""(k,) smallest spread of each cue: what measurement alone makes."""
_UPWARD: Final = np.sign([c.weight for c in AROUSAL])
"""Direction of activation of the cues of voice and motion."""
FAR: Final = 6.0
"""Largest deviation of one cue that counts: one glitch cannot rule."""
FAR_CALMER: Final = 1.5
"""Mean deviation of a person's cues of activation between two stretches that is worth a word: 45 s
of ordinary talk differ by some tenths."""


@dataclass(frozen=True, slots=True, eq=False)
class Seconds:
    """What was seen and heard of both people in each of n whole seconds.

    Attributes
    ----------
    cues
        (2, n, k) medians of the cues of arousal, smoothed, and of the measures of the face.
    face
        (2, n) s with a usable face in each.
    voice
        (2, n) s with the person's own pitch in each, or a moment ago: what a baseline counts.
    """

    cues: F64
    face: F64
    voice: F64

    def lacks(self, start_s: float, end_s: float, least: Baseline) -> list[str]:
        """Return what a stretch holds too little of for a baseline, as "A's face (4 s)"."""
        here = slice(int(start_s), int(np.ceil(end_s)))
        return [
            f"{person}'s {name} ({held[seat, here].sum():.0f} s)"
            for seat, person in enumerate("AB")
            for name, held, needed in (
                ("face", self.face, least.min_face_s),
                ("voice", self.voice, least.min_voice_s),
            )
            if held[seat, here].sum() < needed
        ]


class Survey:
    """Stage: `Sensed` ticks -> `Seconds`, in a few hundred bytes per second of recording.

    Parameters
    ----------
    rate_hz
        ticks per second.
    """

    def __init__(self, rate_hz: float) -> None:
        self._per_second = round(rate_hz)
        self._smoothed = (Smoothed(AROUSAL, rate_hz), Smoothed(AROUSAL, rate_hz))
        self._ticks: list[F64] = []  # of the second under way, (2, k) each
        self._cues: list[F64] = []
        self._face: list[F64] = []
        self._voice: list[F64] = []

    def push(self, sensed: Sensed) -> None:
        """Take the next tick."""
        both = []
        for seat, values in enumerate(sensed.values):
            row = usable(values, sensed.reasons[seat]["face_reason"])
            both.append(np.concatenate([self._smoothed[seat].push(row), row[SHAPE]]))
        self._ticks.append(np.array(both))
        if len(self._ticks) == self._per_second:
            ticks = np.stack(self._ticks, axis=1)
            there = np.isfinite(ticks)
            self._cues.append(np.array([_medians(person.T) for person in ticks]))
            self._face.append(there[:, :, FAMILIES[2]].all(axis=2).mean(axis=1))
            self._voice.append(there[:, :, 0].mean(axis=1))
            self._ticks = []

    @property
    def seconds(self) -> Seconds:
        """What was taken so far, without the second under way."""
        n, k = len(self._cues), len(FLOORS)
        cues = np.array(self._cues).reshape(n, 2, k).swapaxes(0, 1)
        face, voice = (np.array(x).reshape(n, 2).T for x in (self._face, self._voice))
        return Seconds(cues, face, voice)


@dataclass(frozen=True, slots=True)
class Ordinary:
    """Where the most ordinary stretch starts, and a far calmer one if there is any, s."""

    start_s: float
    calmer_s: float | None = None


def ordinary(seconds: Seconds, base: Baseline) -> Ordinary | None:
    """Return the most ordinary stretch of `base.duration_s`.

    It is the one of least distance (see `distances`; the first of equals) among those that hold
    enough of both people for a baseline: `base.min_face_s` of face and `base.min_voice_s` of
    voice. What a person does not have that much of in all of the recording is not asked for.

    Another one of these in which both people together are calmest is named as well, if it is
    calmer by `FAR_CALMER` for one of them.

    Returns
    -------
        None if there is no such stretch.
    """
    width = int(np.ceil(base.duration_s))
    if seconds.face.shape[1] < width:
        return None
    enough = np.ones(seconds.face.shape[1] - width + 1, bool)
    asked = False
    for held, needed in ((seconds.face, base.min_face_s), (seconds.voice, base.min_voice_s)):
        for person in held:
            if person.sum() >= needed:
                asked = True
                enough &= sliding_window_view(person, width).sum(axis=1) >= needed - 1e-9
    far = np.where(enough, distances(seconds.cues, width), np.inf)
    start = int(np.argmin(np.nan_to_num(far, nan=np.inf)))
    if not asked or not np.isfinite(far[start]):
        return None
    change = activation(seconds.cues, width)
    change = np.where(enough, change - change[:, [start]], np.nan)
    both = np.nan_to_num(_means(change), nan=np.inf)
    calmest = int(np.argmin(both))
    far_calmer = (change[:, calmest] <= -FAR_CALMER).any()
    return Ordinary(float(start), float(calmest) if far_calmer else None)


def distances(cues: F64, width: int) -> F64:
    """Return how far each stretch of `width` seconds is from what is usual in the recording.

    For a cue of one person with median M and spread ``s = 1.4826 MAD`` over the recording, and
    median m and mean absolute deviation r from that (which, unlike the MAD, a short outburst does
    not escape) in a stretch::

        d = (m - M) / s        is it where this person usually is?
        e = ln(r / R)          R: median of r over all stretches; does it vary as it usually does?

        D = mean over both people of
              mean over voice, motion, face of
                mean over the family's cues of  d² + e²

    a Mahalanobis distance with a diagonal, robust covariance (all that so short a stretch can
    bear), in which both people, and within each the three families, weigh the same. Spreads are
    not below the cue's floor, d is within ± 6. A cue that a stretch lacks, and a family or a
    person of which it has nothing, is left out of its mean.

    Parameters
    ----------
    cues
        (2, n, k), as of `Seconds`.
    width
        seconds.

    Returns
    -------
        (n - width + 1,), NaN where a stretch has no cue at all.
    """
    height, varies = _stretches(cues, width)
    usually = np.array([_medians(person) for person in varies])[:, :, None]
    terms = np.clip(height, -FAR, FAR) ** 2 + np.log(varies / usually) ** 2
    return _means(np.array([_weighed(person, FAMILIES) for person in terms]))


def activation(cues: F64, width: int) -> F64:
    """Return how activated both people are in each stretch, (2, n - width + 1).

    ``mean over voice and motion of the mean over their cues of ± d``, see `distances`; the sign is
    the direction of activation.
    """
    height, _ = _stretches(cues[:, :, : len(AROUSAL)], width)
    return np.array([_weighed(_UPWARD[:, None] * person, FAMILIES[:2]) for person in height])


def _stretches(cues: F64, width: int) -> tuple[F64, F64]:
    """Return d and r / s of the cues (2, n, k) in each stretch, (2, k, n - width + 1) each."""
    found = [
        [_stretches_of(x, floor, width) for x, floor in zip(person.T, FLOORS, strict=False)]
        for person in cues
    ]
    height, varies = np.moveaxis(np.array(found), 2, 0)
    return height, varies


def _stretches_of(x: F64, floor: float, width: int) -> tuple[F64, F64]:
    """Return d and r / s of one cue (n,)."""
    usual = _medians(x[None])[0]
    spread = max(floor, MAD_TO_SD * _medians(np.abs(x - usual)[None])[0])
    stretches = sliding_window_view(x, width)
    middle = _medians(stretches)
    varies = np.maximum(floor, _means(np.abs(stretches - middle[:, None]).T))
    return (middle - usual) / spread, varies / spread


def _weighed(x: F64, families: Sequence[slice]) -> F64:
    """Return the means (n,) over families of their means over cues (k, n)."""
    return _means(np.array([_means(x[family]) for family in families]))


def _medians(x: F64) -> F64:
    """Return the median of each row's finite values, NaN where it has none."""
    count = np.isfinite(x).sum(axis=1)
    ordered, rows = np.sort(x, axis=1), np.arange(len(x))  # NaN comes last
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, x.shape[1] - 1)
    medians: F64 = (ordered[rows, low] + ordered[rows, high]) / 2
    return medians


def _means(x: F64) -> F64:
    """Return the mean of each column's finite values, NaN where it has none."""
    there = np.isfinite(x)
    count = there.sum(axis=0)
    return np.where(count > 0, np.where(there, x, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
