"""Two people at each tick: the columns of what was sensed of them, and why some are missing."""

from __future__ import annotations

import numpy as np

from cuesense.config import Config
from cuesense.cues.dynamics import FaceFeatures
from cuesense.cues.prosody import syllable_rate
from cuesense.schema import VALUE_INDEX, VALUES
from cuesense.state.affect import SPEAKS
from cuesense.state.attribution import Voiced
from cuesense.types import F64, Reason

_VOICE = ("f0_hz", "voicing", "loudness_db", "spectral_tilt_db", "hnr_db", "cpp_db")


class People:
    """Stage: `Voiced` ticks -> each person's row of values, and reasons; states are still NaN.

    Parameters
    ----------
    config
        the whole tree.
    seats
        whether each seat can be taken at all (audio of one channel has one).
    """

    def __init__(self, config: Config, *, seats: tuple[bool, bool] = (True, True)) -> None:
        self._seats = seats
        self._tick_s, self._pace_window_s = 1.0 / config.grid.rate_hz, config.voice.pace_window_s
        self._spoken: list[F64 | None] = [None, None]  # state of each person's syllable rate

    def push(
        self, tick: Voiced
    ) -> tuple[tuple[F64, F64], tuple[dict[str, Reason], dict[str, Reason]]]:
        """Take the next tick."""
        (first, why_first), (second, why_second) = (self._row(tick, seat) for seat in (0, 1))
        return (first, second), (why_first, why_second)

    def _row(self, tick: Voiced, seat: int) -> tuple[F64, dict[str, Reason]]:
        face = tick.raw.faces[seat]
        values = np.full(len(VALUES), np.nan) if face is None else face.values.copy()
        motion = tick.raw.motions[seat]
        values[VALUE_INDEX["motion_energy"]] = np.nan if motion is None else motion.energy
        absent = Reason.NO_VIDEO if self._seats[seat] else Reason.NO_PERSON
        return values, {
            "face_reason": self._face_reason(face, absent),
            "body_reason": absent if motion is None else motion.reason,
            "voice_reason": self._voice(values, tick, seat),
        }

    def _face_reason(self, face: FaceFeatures | None, absent: Reason) -> Reason:
        return absent if face is None else face.reason

    def _voice(self, values: F64, tick: Voiced, seat: int) -> Reason:
        """Fill the voice columns of one person's row; return why they are missing."""
        if not self._seats[seat]:
            return Reason.NO_PERSON
        speaking = tick.speaking[seat]
        channel = tick.channel[seat]
        voices = tick.raw.voices
        cue = voices[channel] if channel < len(voices) else None
        values[VALUE_INDEX["speaking"]] = speaking
        mine = bool(speaking > SPEAKS)
        nuclei = tick.raw.nuclei[channel] if cue is not None else 0
        pace, self._spoken[seat] = syllable_rate(
            np.array([speaking]),
            np.array([float(nuclei)]),
            tick_s=self._tick_s,
            window_s=self._pace_window_s,
            threshold=SPEAKS,
            state=self._spoken[seat],
        )
        # The pace stands while the person speaks; in their silence there is none.
        values[VALUE_INDEX["syllable_rate"]] = pace[0] if mine else np.nan
        if cue is None or not np.isfinite(speaking):
            return Reason.NO_AUDIO if cue is None or not cue.reason else cue.reason
        if not mine:
            return Reason.OTHER_VOICE if tick.other > SPEAKS else Reason.SILENT
        if tick.speaking[1 - seat] > SPEAKS and not tick.separate:
            return Reason.OVERLAP
        for name in _VOICE:
            values[VALUE_INDEX[name]] = getattr(cue, name)
        return Reason.OK if np.isfinite(cue.f0_hz) else Reason.UNVOICED
