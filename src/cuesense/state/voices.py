"""Voice profiles: how each person's voice sounds, and how well a sound fits it.

A profile is a sample of one person's frames of speech (`VoiceCue.cepstrum`). How likely a frame is
for a person is read from its neighbours among that person's frames (kernel density; Parzen 1962,
doi:10.1214/aoms/1177704472; for telling speakers apart by neighbours: Higgins et al. 1993,
doi:10.1109/ICASSP.1993.319316), in units of the spread *within* a voice, all coefficients taken
together. Vowels make many small clusters; neighbours find them with nothing to fit.

A voice that is neither person's is scored by a wider kernel around everybody's frames: it is likely
to fall between the clusters. How much likelier than that one's own voice should be depends on the
voices, the room and how much was enrolled; so the profiles themselves are asked, each stretch
scored by the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cuesense.config import Voice
from cuesense.cues.voice import HOP_S
from cuesense.cues.voiceprint import COEFFICIENTS
from cuesense.errors import ParameterError
from cuesense.types import F64, VoiceCue

MOST_FRAMES: Final = 600
"""A profile keeps at most so many frames, spread evenly over all that was taken."""
LEAST_S: Final = 3.0
"""s of speech from which a profile is used."""
LEAST_FRAMES: Final = 3 * COEFFICIENTS
"""Frames from which it is."""
OTHER_WIDTH: Final = 1.3
"""Width of another voice's kernel; one's own is 1, the spread within a voice."""
MARGIN: Final = 0.5
"""Log likelihood by which a voice may fit worse than usual, where only one person's is known."""
STRETCHES: Final = 10
"""So many parts of a profile are each scored without themselves."""
FIT_LIMIT: Final = 4.0
"""Log likelihoods over another voice's are held within this: one frame cannot rule."""
_RIDGE: Final = 0.1
"""Share of the diagonal in the spread within a voice: few frames, many coefficients."""
_FLOOR: Final = 1e-3
"""Least variance of a coefficient (they vary by 1 and more): a steady tone has none."""
_SCORED: Final = 200
"""So many of a profile's frames, at most, are scored by the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class VoiceProfile:
    """A sample of one person's voice.

    Attributes
    ----------
    cepstra
        (n, `COEFFICIENTS`), n up to `MOST_FRAMES`.
    seconds
        s of speech that it was taken from.
    """

    cepstra: F64
    seconds: float

    def __post_init__(self) -> None:
        shape = self.cepstra.shape
        if len(shape) != 2 or shape[1] != COEFFICIENTS or not np.isfinite(self.cepstra).all():
            raise ParameterError(
                f"cepstra with shape {shape} must be finite and (n, {COEFFICIENTS}): "
                "enrol the voice again"
            )
        if not 0.0 <= self.seconds < np.inf:
            raise ParameterError(f"seconds={self.seconds} must be at least 0")

    @property
    def usable(self) -> bool:
        """Whether it was taken from enough to tell anything."""
        return self.seconds >= LEAST_S and len(self.cepstra) >= LEAST_FRAMES

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"cepstra": np.round(self.cepstra, 4).tolist(), "seconds": self.seconds}

    @staticmethod
    def from_dict(content: Any) -> VoiceProfile:
        """Return what `to_dict` gave.

        Raises
        ------
        ParameterError
            If it is not that, or of another version.
        """
        try:
            cepstra = np.asarray(content["cepstra"], dtype=np.float64)
            empty = np.zeros((0, COEFFICIENTS))
            return VoiceProfile(cepstra if cepstra.size else empty, float(content["seconds"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ParameterError(
                f"the voice's profile is damaged ({error!r}): delete it and save it anew"
            ) from error


class Enrolment:
    """Collects one person's voice, in bounded memory.

    Once `MOST_FRAMES` are there, every second one is dropped, and from then on half as many are
    kept: so they stay spread over the whole time, and the same sound gives the same profile.
    """

    def __init__(self, start: VoiceProfile | None = None) -> None:
        self.seconds = 0.0 if start is None else start.seconds
        self._frames: list[F64] = [] if start is None else list(start.cepstra)
        self._every, self._skipped = 1, 0

    def push(self, cepstrum: F64, seconds: float) -> None:
        """Take a frame of speech (`COEFFICIENTS`,) that stands for so many s."""
        self.seconds += seconds
        self._skipped += 1
        if self._skipped < self._every:
            return
        self._skipped = 0
        self._frames.append(cepstrum.copy())  # a view would keep its whole chunk in memory
        if len(self._frames) > MOST_FRAMES:
            self._frames = self._frames[::2]
            self._every *= 2

    def profile(self) -> VoiceProfile:
        """Return what was collected."""
        return VoiceProfile(np.array(self._frames).reshape(-1, COEFFICIENTS), self.seconds)


def usable(cue: VoiceCue, settings: Voice) -> bool:
    """Whether a hop is speech, which says whose voice it is."""
    return (
        cue.cepstrum is not None
        and cue.speech >= settings.speech
        and bool(np.isfinite(cue.cepstrum[0]))
    )


def enrol(cues: Iterable[VoiceCue], settings: Voice) -> VoiceProfile:
    """Return the profile of the voice in hops that are one person's, of one channel."""
    collected = Enrolment()
    for cue in cues:
        if cue.cepstrum is not None and usable(cue, settings):
            collected.push(cue.cepstrum, HOP_S)
    return collected.profile()


class Fit:
    """How well frames fit each of two people's profiles.

    ``fit[p] = s_p(x) - zero_p`` with ``s_p(x) = ln p(x | p) - ln p(x | other)``; ``p(x | p)`` is a
    mean of normal kernels around the frames of p whose covariance is the spread within a voice
    (pooled), ``p(x | other)`` the same around all frames, `OTHER_WIDTH` as wide. ``zero_p`` lies
    halfway between the mean of ``s_p`` over p's own frames and over the other person's, or
    `MARGIN` below the former if p alone is known; frames are scored without their own stretch of
    the profile (cross-validation), or their neighbours in time would make it look too easy.

    Parameters
    ----------
    profiles
        of seat 0 and 1; None, or one with under `LEAST_S`, says nothing.
    """

    def __init__(self, profiles: tuple[VoiceProfile | None, VoiceProfile | None]) -> None:
        known = [p if p is not None and p.usable else None for p in profiles]
        self.known = (known[0] is not None, known[1] is not None)
        there = [p for p in known if p is not None]
        if not there:
            return
        spread = np.mean([np.cov(p.cepstra.T) for p in there], axis=0)
        spread += _RIDGE * (np.diag(np.diag(spread)) - spread) + _FLOOR * np.eye(COEFFICIENTS)
        self._whiten = np.linalg.inv(np.linalg.cholesky(spread)).T
        self._frames = [p.cepstra @ self._whiten for p in there]
        self._norms = [0.5 * np.sum(f**2, axis=1) for f in self._frames]
        self._counts: list[npt.ArrayLike] = [len(f) for f in self._frames]
        self._at = [seat for seat in (0, 1) if self.known[seat]]
        means = np.array([self._means(i) for i in range(len(there))])
        self._zero = means.mean(axis=0) if len(there) == 2 else means[0] - MARGIN

    def __call__(self, cepstrum: F64) -> F64:
        """Return the fit (2,) of a frame (`COEFFICIENTS`,): 0 for another voice and the unknown."""
        fit = np.zeros(2)
        if any(self.known):
            x = cepstrum @ self._whiten
            found = self._scores(self._halves(x[None]), self._counts)[:, 0] - self._zero
            best = float(found.max())
            fit[self._at] = np.maximum(found - best, -FIT_LIMIT)
            fit[self._at] += min(max(best, -FIT_LIMIT), FIT_LIMIT)
        return fit

    def _means(self, who: int) -> F64:
        """Return the mean of s (people,) over one person's frames."""
        frames = self._frames[who]
        stretch = np.arange(len(frames)) * STRETCHES // len(frames)
        some = np.arange(0, len(frames), -(-len(frames) // _SCORED))
        halves = self._halves(frames[some])
        own = stretch[some, None] == stretch
        halves[who][own] = np.inf
        counts = self._counts.copy()
        counts[who] = len(frames) - own.sum(axis=1)
        return np.asarray(self._scores(halves, counts).mean(axis=1))

    def _halves(self, x: F64) -> list[F64]:
        """Return half the squared distances (m, n) of m points to each person's n frames."""
        own = 0.5 * np.sum(x**2, axis=1)[:, None]
        return [own + n - x @ f.T for n, f in zip(self._norms, self._frames, strict=True)]

    def _scores(self, halves: list[F64], counts: list[npt.ArrayLike]) -> F64:
        """Return s (people, m) from half the squared distances to each one's frames, (m, n).

        `counts` is how many of these are not left out (infinite): a number for all m, or (m,).
        """
        sums = [_log_sums(h) for h in halves]
        sizes = [np.log(n) for n in counts]
        own = np.array([narrow - n for (narrow, _), n in zip(sums, sizes, strict=True)])
        wide = np.array([broad - n for (_, broad), n in zip(sums, sizes, strict=True)])
        other = np.logaddexp.reduce(wide, axis=0) - np.log(len(halves))
        return np.asarray(own - other + COEFFICIENTS * np.log(OTHER_WIDTH))


def _log_sums(halves: F64) -> tuple[F64, F64]:
    """Return ``ln sum(exp(-halves))`` of each row (m, n), and that of the wider kernel, (m,)."""
    least = halves.min(axis=1)
    away = least[:, None] - halves
    narrow = np.log(np.exp(away).sum(axis=1)) - least
    wide = np.log(np.exp(away / OTHER_WIDTH**2).sum(axis=1)) - least / OTHER_WIDTH**2
    return narrow, wide
