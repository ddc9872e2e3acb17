"""Which audio channel is whose: by how much one is louder than the other while somebody speaks.

Two recordings are one person's each. Two channels of one recording are, once their level
difference varies as it does only with a microphone each; which is whose, the mouths say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cuesense.config import Voice
from cuesense.types import F64, VoiceCue

Cues = tuple[VoiceCue | None, ...]
"""One per audio channel; None where no cue is near."""

OWN_DB = (12.0, 8.0)
SHARED_DB = (0.0, 12.0)
"""Mean and SD of the level difference when the channel's own person speaks, and when both do: then
now one, now the other is louder, by the syllable."""
MOST_DB = 30.0
"""A greater difference says no more."""
SILENT_DB = -100.0
"""Re full scale; stands for the level of digital silence, which has none."""
SEPARATE_SD_DB = 5.0
SEPARATE_AFTER_S = 2.0
"""Channels are one per person once their level difference in speech varies so much."""


class Levels:
    """What the channels' levels tell, and which channel to read each person's voice from.

    Parameters
    ----------
    voice
        whether channels are separate: "auto" finds out.
    channels
        number of audio channels of each file, as of `Attribution`.
    rate_hz
        of the ticks.
    """

    def __init__(self, voice: Voice, channels: tuple[int, ...], rate_hz: float) -> None:
        ends = np.cumsum(channels)
        files = [range(end - n, end) for n, end in zip(channels, ends, strict=True) if n]
        self._own_files = len(files) == 2
        # The channels that each person may have to themselves.
        self._sides = files if self._own_files else [range(1), range(1, 2)]
        self._two = sum(channels) >= 2
        self._mode = voice.channels if self._two else "mix"
        self._least = SEPARATE_AFTER_S * rate_hz
        self._sums = np.zeros(3)  # ticks of speech; their level difference, summed and squared
        self._left_is_a = 0.0

    @property
    def separate(self) -> bool:
        """Whether each person is taken to have an audio channel."""
        if self._mode != "auto":
            return self._mode == "separate"
        n, total, squares = self._sums
        if n < self._least:
            return False
        return bool(np.sqrt(max(squares / n - (total / n) ** 2, 0.0)) > SEPARATE_SD_DB)

    @property
    def _swapped(self) -> bool:
        """Whether the second channel is A's, as the mouths say; files need no telling."""
        return self._left_is_a < 0 and not self._own_files

    def score(self, cues: Cues, speech: float, mouths: F64) -> F64 | None:
        """Return the log likelihood (3,) of the levels if A, B or both speak, and learn from them.

        Parameters
        ----------
        cues
            of the tick.
        speech
            probability.
        mouths
            (2,) log likelihood ratio of each mouth's motion when speaking and when not.

        Returns
        -------
        None where the levels say nothing: no speech, or channels that are not one per person.
        """
        if not self._two or not speech > 0.5:
            return None
        left, right = (cues[loudest(cues, side)] for side in self._sides)
        if left is None or right is None:
            return None
        first, second = np.nan_to_num([left.loudness_db, right.loudness_db], nan=SILENT_DB)
        difference = min(max(float(first - second), -MOST_DB), MOST_DB)
        self._sums += [1.0, difference, difference**2]
        self._left_is_a += float(np.sign(difference) * (mouths[0] - mouths[1]))
        if not self.separate:
            return None
        if self._swapped:
            difference = -difference
        own, spread = OWN_DB
        shared, width = SHARED_DB
        return np.array(
            [
                -0.5 * ((min(difference, own) - own) / spread) ** 2 - np.log(spread),
                -0.5 * ((max(difference, -own) + own) / spread) ** 2 - np.log(spread),
                -0.5 * ((difference - shared) / width) ** 2 - np.log(width),
            ]
        )

    def channels(self, cues: Cues) -> tuple[int, int]:
        """Return the channel to read A's and B's voice from now."""
        if not self.separate:
            channel = loudest(cues, range(len(cues)))
            return channel, channel
        left, right = (loudest(cues, side) for side in self._sides)
        return (right, left) if self._swapped else (left, right)


def loudest(cues: Cues, channels: Sequence[int]) -> int:
    """Return which of some channels is the loudest now, the first if nothing is heard."""

    def level(channel: int) -> float:
        cue = cues[channel] if channel < len(cues) else None
        return -np.inf if cue is None or not np.isfinite(cue.loudness_db) else cue.loudness_db

    return max(channels, key=level, default=0)
