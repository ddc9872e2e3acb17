"""Whose voice it is: speech x mouth motion x voice x channel level, by a hidden Markov model.

Five states: nobody, A, B, both, or another voice. At each tick the log likelihood of a state is a
weighted sum of

* ``ln p`` of speech, or ``ln (1 - p)`` for nobody, p the probability that there is speech;
* for each mouth that speaks in the state, ``ln p(motion | speaking) - ln p(motion | not)``, motion
  being log-normal in either case (`mouth_log_ratio`);
* how well the voice fits the profile of who speaks in the state (`state.voices.Fit`): 0 for another
  voice; both have the mean likelihood of A and B;
* instead of that, where each person has an audio channel, the log likelihood of the difference of
  the channels' levels (`state.levels.Levels`).

The posterior waits for `attribution_lag_s` of later evidence (fixed-lag smoothing with scaled
forward and backward variables; Rabiner 1989, doi:10.1109/5.18626, eq. 19-27 and 91-94), because
lips often start to move after the sound or before it.

Nobody is asked to enrol: a tick of speech that the mouths alone give to one person with confidence
goes into that person's profile. The voice itself has no say in that, so a profile that has caught
a wrong voice cannot go on feeding itself. For this the model runs twice side by side, as two
columns: with everything, and without the voice's fit.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from cuesense.config import People, Voice
from cuesense.schema import VALUE_INDEX
from cuesense.state.grid import RawTick
from cuesense.state.levels import Cues, Levels, loudest
from cuesense.state.voices import LEAST_S, Enrolment, Fit, VoiceProfile, usable
from cuesense.types import F64, VoiceCue

NOBODY, A, B, BOTH, OTHER = range(5)
SPEAKS = np.array([[0, 1, 0, 1, 0], [0, 0, 1, 1, 0]], dtype=float)
"""Whether seat 0 and seat 1 speak in each state."""

DWELL_S = np.array([1.0, 2.0, 2.0, 0.6, 1.0])
"""Mean time in each state, s: turns last about 2 s, overlaps are short."""
NEXT = np.array(
    [
        [0.00, 0.47, 0.47, 0.01, 0.05],
        [0.70, 0.00, 0.20, 0.09, 0.01],
        [0.70, 0.20, 0.00, 0.09, 0.01],
        [0.08, 0.45, 0.45, 0.00, 0.02],
        [0.80, 0.09, 0.09, 0.02, 0.00],
    ]
)
"""Where each state goes when it ends."""

MOUTH_MOVING = (-0.6, 0.8)
MOUTH_STILL = (-3.3, 1.2)
"""Mean and SD of log mouth motion (eye distances per second) while speaking and while not:
measured on talking and on listening faces of webcam and broadcast quality."""
MOUTH_SMILING, SMILING = (-1.0, 0.8), 0.15
"""A listener's mouth moves, too: smiles, laughter, wetting the lips; for this share of the time."""
BOTH_COST, OTHER_COST = 0.08, 0.05
"""Per tick: two voices at once on one channel, or a voice from off the picture, are rare; two
moving mouths, or two nearly still ones for a moment, are not."""
MOUTH_WEIGHT = 0.12
SPEECH_WEIGHT = 0.5
LEVEL_WEIGHT = 0.15
VOICE_WEIGHT, OTHER_WEIGHT = 0.3, 0.1
"""Neighbouring ticks say nearly the same, so each tick's log likelihood counts only in part: one
person's voice against the other's counts for more than against a voice that nobody has heard."""

ENROL_SURE = 0.9
"""Posterior of one person, by the mouths, from which a tick of speech is taken as their voice."""
RENEW = 1.2
"""Profiles are brought up to date when one has grown so many times longer: ever more seldom."""

IMPOSSIBLE = -50.0
"""Log likelihood of a state that cannot be told from others: it is never chosen."""

_MOUTH = VALUE_INDEX["mouth_motion"]


@dataclass(frozen=True, slots=True)
class Voiced:
    """A tick with the voices told apart.

    Attributes
    ----------
    raw
        what was sensed.
    speaking
        probability that seat 0 and seat 1 speak, NaN where there is no sound.
    other
        probability of a voice that is neither person's.
    channel
        the audio channel to read each seat's voice from.
    separate
        whether each person has a channel.
    """

    raw: RawTick
    speaking: tuple[float, float]
    other: float
    channel: tuple[int, int]
    separate: bool


def mouth_log_ratio(motion: float) -> float:
    """Return log p(motion | speaking) - log p(motion | not), 0 where the mouth is not seen."""
    if not math.isfinite(motion):
        return 0.0
    # Neither distribution's far tail means anything: nobody speaks the more for lying still
    # more deeply, or the less for moving wildly.
    x = min(max(math.log(max(motion, 1e-6)), MOUTH_STILL[0]), MOUTH_MOVING[0])
    still = (1 - SMILING) * _normal(x, MOUTH_STILL) + SMILING * _normal(x, MOUTH_SMILING)
    return math.log(_normal(x, MOUTH_MOVING) / still)


def _normal(x: float, law: tuple[float, float]) -> float:
    mean, sd = law
    return math.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))


def transition(rate_hz: float) -> F64:
    """Return the (5, 5) transition matrix for one tick, rows summing to 1."""
    leave = 1.0 - np.exp(-1.0 / (DWELL_S * rate_hz))
    matrix = NEXT * leave[:, None]
    matrix[np.diag_indices(5)] = 1.0 - leave
    return matrix


class Attribution:
    """Stage: `RawTick` -> `Voiced`, `attribution_lag_s` later.

    Parameters
    ----------
    people
        lag.
    voice
        whether channels are separate.
    rate_hz
        of the ticks.
    channels
        number of audio channels of each file: (2,) for one stereo recording, (1, 1) for one
        recording per person. In the second case each file's channels are its person's.
    faces
        whether there is a picture. Without one, and without a channel each, all speech is taken as
        one person's; where one person's profile is known, the rest as another voice.
    profiles
        of seat 0 and 1, from an earlier session or enrolled by hand; they go on growing.
    """

    def __init__(
        self,
        people: People,
        voice: Voice,
        rate_hz: float,
        channels: tuple[int, ...],
        *,
        faces: bool,
        profiles: tuple[VoiceProfile | None, VoiceProfile | None] = (None, None),
    ) -> None:
        self._lag = max(1, round(people.attribution_lag_s * rate_hz))
        self._rate = rate_hz
        self._transition = transition(rate_hz)
        self._waiting: deque[tuple[RawTick, F64, F64]] = deque()
        self._forward = np.full((5, 2), 0.2)
        self._voice = voice
        self._enrolments = (Enrolment(profiles[0]), Enrolment(profiles[1]))
        self._learn()
        self._levels = Levels(voice, channels, rate_hz)
        self._faces = faces

    @property
    def separate(self) -> bool:
        """Whether each person is taken to have an audio channel."""
        return self._levels.separate

    @property
    def _alone(self) -> bool:
        """Whether there is nothing to tell two voices apart by."""
        return self._blind and not any(self._fit.known)

    @property
    def _blind(self) -> bool:
        """Whether voices are told apart by how they sound alone."""
        return not self._faces and not self.separate

    @property
    def profiles(self) -> tuple[VoiceProfile, VoiceProfile]:
        """What is known of each person's voice so far."""
        return self._enrolments[0].profile(), self._enrolments[1].profile()

    @property
    def note(self) -> str:
        """What the user should know about how the voices were told apart."""
        if self._alone:
            return (
                "no picture, and no audio channel for each person: all speech is taken as one "
                "person's (A); give one channel per person to tell two voices apart"
            )
        if self._blind and not all(self._fit.known):
            known = "AB"[self._fit.known.index(True)]
            return f"no picture, and {known}'s voice alone is known: all others are another voice"
        if self.separate:
            return "each person has an audio channel: voices are told apart by channel"
        return ""

    def push(self, tick: RawTick) -> list[Voiced]:
        """Take the next tick; return the one that is decided now, if any."""
        score = self._score(tick)
        likelihood = np.exp(score - score.max(axis=0))
        forward = likelihood * (self._transition.T @ self._forward)
        scale = forward.sum(axis=0)  # keeps the forward and the backward pass in range
        self._forward = forward / scale
        self._waiting.append((tick, self._forward, likelihood / scale))
        return [self._decide()] if len(self._waiting) > self._lag else []

    def flush(self) -> list[Voiced]:
        """Return the ticks that still wait."""
        return [self._decide() for _ in range(len(self._waiting))]

    def _decide(self) -> Voiced:
        backward = np.ones((5, 2))
        for _, _, likelihood in reversed(list(self._waiting)[1:]):
            backward = self._transition.dot(likelihood * backward)  # cheaper than @ when small
        tick, forward, _ = self._waiting.popleft()
        p, seen = (forward * backward).T
        if not self.separate:
            self._enrol(tick.voices, seen)
        heard = any(v is not None and np.isfinite(v.speech) for v in tick.voices)
        speaks = SPEAKS @ p if heard else np.full(2, np.nan)
        return Voiced(
            tick,
            (float(speaks[0]), float(speaks[1])),
            float(p[OTHER]) if heard else np.nan,
            self._levels.channels(tick.voices),
            self.separate,
        )

    def _score(self, tick: RawTick) -> F64:
        """Return the log likelihood of what was sensed at a tick in each state, (5, 2).

        The first column is of everything, the second without the voice's fit to the profiles.
        """
        seen = self._seen(tick)
        if self._alone:
            seen[[B, BOTH, OTHER]] = IMPOSSIBLE
            return np.stack([seen, seen], axis=1)
        if self._blind:
            # Nothing would tell an unknown person from any other voice.
            for state, known in zip((A, B), self._fit.known, strict=True):
                if not known:
                    seen[[state, BOTH]] = IMPOSSIBLE
        return np.stack([seen + self._voice_score(tick.voices), seen], axis=1)

    def _seen(self, tick: RawTick) -> F64:
        score = np.zeros(5)
        speech = _speech(tick.voices)
        if np.isfinite(speech):
            s = float(np.clip(speech, 0.02, 0.98))
            score += SPEECH_WEIGHT * np.log(s)
            score[NOBODY] += SPEECH_WEIGHT * (np.log(1 - s) - np.log(s))
        mouths = np.array(
            [mouth_log_ratio(f.values[_MOUTH]) if f is not None else 0.0 for f in tick.faces]
        )
        levels = self._levels.score(tick.voices, speech, mouths)
        if levels is not None:
            score[[A, B, BOTH]] += LEVEL_WEIGHT * levels
            # Nobody and other say nothing about the levels: give them the mean of the rest.
            score[[NOBODY, OTHER]] += LEVEL_WEIGHT * levels.mean()
        score += MOUTH_WEIGHT * (mouths @ SPEAKS)
        score[[BOTH, OTHER]] -= 0.0 if self.separate else BOTH_COST, OTHER_COST
        return score

    def _voice_score(self, voices: Cues) -> F64:
        """Score each state by how well the voice fits the two profiles."""
        score = np.zeros(5)
        cue = _spoken(voices, self._voice)
        if cue is None or cue.cepstrum is None or not any(self._fit.known) or self.separate:
            return score
        fit = self._fit(cue.cepstrum)
        best = float(fit.max())
        score[[A, B]] = VOICE_WEIGHT * (fit - best) + OTHER_WEIGHT * best
        # Of two voices at once now one, now the other is the louder.
        score[BOTH] = np.logaddexp(score[A], score[B]) - np.log(2.0)
        # Nobody says nothing about the voice: give it the best of the rest.
        score[NOBODY] = score[1:].max()
        return score

    def _enrol(self, voices: Cues, seen: F64) -> None:
        """Add a tick to the profile of the one who speaks, if the mouths leave no doubt."""
        cue = _spoken(voices, self._voice)
        who = int(seen.argmax())
        if not self._faces or cue is None or cue.cepstrum is None:
            return
        if who in (A, B) and seen[who] >= ENROL_SURE:
            self._enrolments[who - A].push(cue.cepstrum, 1.0 / self._rate)
            if self._enrolments[who - A].seconds >= self._due_s[who - A]:
                self._learn()

    def _learn(self) -> None:
        """Bring the voices' fit up to date with what was enrolled."""
        self._fit = Fit(self.profiles)
        self._due_s = [max(LEAST_S, RENEW * e.seconds) for e in self._enrolments]


def _speech(voices: Cues) -> float:
    heard = [v.speech for v in voices if v is not None and np.isfinite(v.speech)]
    return max(heard) if heard else float("nan")


def _spoken(voices: Cues, settings: Voice) -> VoiceCue | None:
    """Return the loudest channel's cue if it is speech."""
    cue = voices[loudest(voices, range(len(voices)))] if voices else None
    return cue if cue is not None and usable(cue, settings) else None
