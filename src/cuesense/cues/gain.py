"""Whether a microphone sets its level by itself (automatic gain control), from what it sends.

Such a microphone makes a loud voice and a soft one come out alike, so that level says little about
the speaker. Three traces give it away, phrase by phrase:

* *the floor moves*: what is heard in the pauses is the room times the gain. A steady room whose
  noise drops after loud phrases and comes up after soft ones is being turned down and up;
* *the floor is set back*: from the pause before a phrase to the one after it the floor falls the
  more, the louder the phrase came out, with which the room's own noise has nothing to do;
* *the level is deaf*: people who put more effort into their voice raise its pitch and flatten its
  spectrum (Traunmüller & Eriksson 2000, doi:10.1121/1.429414), and grow louder by about 1 dB per
  semitone. A level that does not follow has been evened out, by the microphone or afterwards.

Each speaker is compared with themselves alone: a man and a woman at one microphone differ in pitch
and not in level without any gain control.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final, NamedTuple

import numpy as np

from cuesense.kernels import robust_location
from cuesense.types import F64, VoiceCue

SPEECH: Final = 0.5
"""Speech probability from which a hop is speech."""
QUIET: Final = 0.2
"""Speech probability below which a hop is a pause."""
PHRASE_S: Final = 0.24
"""s of voice that a phrase needs."""
PAUSE_S: Final = 0.28
"""s of quiet that a pause needs."""
EDGE_S: Final = 0.08
"""s at either edge of a pause that still or already hold some voice."""
PHRASES: Final = 60
"""Last phrases that are looked at: a few minutes."""
LEAST_PHRASES: Final = 8
"""Phrases before anything is said."""
SILENCE_DB: Final = -100.0
"""A floor below this is a gate's or a file's zeros: it tells nothing."""
TILT_SEMITONES: Final = 0.5
"""Semitones of effort per dB by which the spectrum flattens."""
EFFORT_SPREAD: Final = 2.5
"""Semitones (SD) by which effort must vary before a deaf level can be told."""
DEAF_SLOPE: Final = 0.4
"""dB per semitone of effort; a level that follows less is deaf (unprocessed: .8 to 1.4)."""
FLOOR_SPREAD_DB: Final = 1.0
"""dB (1.4826 MAD) by which the floor must vary before it counts as moving."""
FLOOR_SLOPE: Final = -0.15
"""dB of floor per dB of voice above the floor: an ideal gain control has -1, none 0."""
FLOOR_DOUBT: Final = 1.3
"""Standard errors by which floor and effort must go against each other (one in ten by chance)."""
CHANGE_DOUBT: Final = 2.0
"""The same for the floor's change and the level, on which nothing else has a say (one in 40)."""


class Evidence(NamedTuple):
    """What the phrases of a channel show; NaN where it cannot be told.

    Attributes
    ----------
    phrases
        number of phrases.
    level_slope
        dB of level per semitone of effort.
    effort_spread
        SD of effort, semitones.
    floor_spread_db
        1.4826 MAD of the level in the pauses, dB.
    floor_slope
        dB of floor per dB by which the phrase before stood above it.
    floor_effort
        correlation of the floor with the effort of the phrase before.
    change_db
        1.4826 MAD of the floor's change from before a phrase to after it, dB.
    change_level
        correlation of that change with the phrase's level.
    """

    phrases: int
    level_slope: float
    effort_spread: float
    floor_spread_db: float
    floor_slope: float
    floor_effort: float
    change_db: float
    change_level: float

    @property
    def deaf(self) -> bool:
        """Whether the level does not follow effort."""
        return (
            self.phrases >= LEAST_PHRASES
            and self.effort_spread >= EFFORT_SPREAD
            and self.level_slope <= DEAF_SLOPE
        )

    @property
    def floor_moves(self) -> bool:
        """Whether the floor drops after effort, or is set back by loud phrases."""
        if self.phrases < LEAST_PHRASES:
            return False
        doubt = 1 / math.sqrt(self.phrases)
        drops = (
            self.floor_spread_db >= FLOOR_SPREAD_DB
            and self.floor_slope <= FLOOR_SLOPE
            and self.floor_effort <= -FLOOR_DOUBT * doubt
        )
        set_back = self.change_db >= FLOOR_SPREAD_DB and self.change_level <= -CHANGE_DOUBT * doubt
        return drops or set_back


class _Phrase(NamedTuple):
    speaker: int
    level_db: float
    semitones: float
    tilt_db: float
    floor_db: float
    change_db: float  # of the floor since the pause before; NaN if there was none


class GainWatch:
    """Stage: the cues of one audio channel in order -> whether its gain is set automatically.

    Parameters
    ----------
    step_s
        s between the cues.
    """

    def __init__(self, step_s: float) -> None:
        self._least_voiced = round(PHRASE_S / step_s)
        self._edge = max(1, round(EDGE_S / step_s))
        self._least_pause = max(round(PAUSE_S / step_s), 2 * self._edge + 1)
        self._voiced: dict[int, list[tuple[float, float, float]]] = {}  # level, semitones, tilt
        self._pause: list[float] = []
        self._floor_db = math.nan  # in the last pause
        self._phrases: deque[_Phrase] = deque(maxlen=PHRASES)

    def push(self, cue: VoiceCue, speaker: int | None = 0) -> None:
        """Take the next cue and who speaks, if it is known to be one person alone."""
        if not math.isfinite(cue.loudness_db):
            return
        if cue.speech >= SPEECH:
            self._end_pause()
            if speaker is not None and math.isfinite(cue.f0_hz):
                heard = (cue.loudness_db, 12 * math.log2(cue.f0_hz), cue.spectral_tilt_db)
                self._voiced.setdefault(speaker, []).append(heard)
        elif cue.speech < QUIET:
            self._pause.append(cue.loudness_db)

    def _end_pause(self) -> None:
        """Close a phrase if a pause came after it that is long enough to tell the floor."""
        pause, self._pause = self._pause, []
        if len(pause) < self._least_pause:
            return
        heard, self._voiced = self._voiced, {}
        floor = float(np.median(pause[self._edge : -self._edge]))
        if floor <= SILENCE_DB:
            floor = math.nan
        change, self._floor_db = floor - self._floor_db, floor
        if not heard or math.isnan(floor):
            return
        speaker, voiced = max(heard.items(), key=lambda item: len(item[1]))
        if len(voiced) >= self._least_voiced:
            level, semitones, tilt = np.array(voiced, np.float64).T
            mean = 10 * math.log10(float(np.mean(10 ** (level / 10))))
            middle = float(np.median(semitones)), float(np.median(tilt))
            self._phrases.append(_Phrase(speaker, mean, *middle, floor, change))

    @property
    def evidence(self) -> Evidence:
        """What the last phrases show."""
        n, nan = len(self._phrases), math.nan
        if n < LEAST_PHRASES:
            return Evidence(n, nan, nan, nan, nan, nan, nan, nan)
        speaker, level, semitones, tilt, floor, change = np.array(self._phrases, np.float64).T
        known = np.isfinite(change)
        change_db = change_level = nan
        if known.sum() >= LEAST_PHRASES:
            change_db = robust_location(change)[1]
            change_level = _correlation(level[known], change[known])
        effort = semitones - TILT_SEMITONES * tilt
        spread_db = robust_location(floor)[1]
        voice = level - floor
        for who in np.unique(speaker):
            own = speaker == who
            for values in (level, effort, voice):
                values[own] -= values[own].mean()
        return Evidence(
            phrases=n,
            level_slope=_slope(effort, level),
            effort_spread=float(effort.std()),
            floor_spread_db=spread_db,
            floor_slope=_slope(voice, floor),
            floor_effort=_correlation(effort, floor),
            change_db=change_db,
            change_level=change_level,
        )

    @property
    def suspected(self) -> bool:
        """Whether automatic gain control is suspected."""
        evidence = self.evidence
        return evidence.deaf or evidence.floor_moves

    @property
    def note(self) -> str:
        """One sentence for the user; empty without suspicion."""
        evidence = self.evidence
        if evidence.floor_moves:
            moves = max(evidence.floor_spread_db, evidence.change_db)
            why = f"the noise in pauses moves by {moves:.0f} dB against the voice"
        elif evidence.deaf:
            why = f"louder effort adds {evidence.level_slope:.1f} dB per semitone, usually 1"
        else:
            return ""
        return (
            f"automatic gain control suspected ({why}): read loudness with care, or switch it off"
        )


def _slope(x: F64, y: F64) -> float:
    """Return the slope of y on x; 0 where x does not vary."""
    away = x - x.mean()
    square = float(away @ away)
    return float(away @ (y - y.mean())) / square if square > 1e-12 else 0.0


def _correlation(x: F64, y: F64) -> float:
    """Return Pearson's r; 0 where either does not vary."""
    moves = float(y.std())
    return _slope(x, y) * float(x.std()) / moves if moves > 0 else 0.0
