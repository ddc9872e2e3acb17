"""Two people at each tick: their columns, reasons, roles and events."""

from __future__ import annotations

import numpy as np

from cuesense.config import Config
from cuesense.cues.dynamics import FaceFeatures
from cuesense.cues.prosody import syllable_rate
from cuesense.schema import VALUE_INDEX, VALUES
from cuesense.state.affect import SPEAKS, PersonAffect
from cuesense.state.attribution import Voiced
from cuesense.state.roles import Roles
from cuesense.types import F64, PEOPLE, Event, PersonState, Reason

_VOICE = ("f0_hz", "voicing", "loudness_db", "spectral_tilt_db")


class People:
    """Stage: `Voiced` ticks -> both `PersonState` and what happened.

    Parameters
    ----------
    config
        the whole tree.
    video
        whether there is a picture.
    audio
        whether there is sound.
    seats
        whether each seat can be taken at all (audio of one channel has one).
    """

    def __init__(
        self, config: Config, *, video: bool, audio: bool, seats: tuple[bool, bool] = (True, True)
    ) -> None:
        rate = config.grid.rate_hz
        self._video, self._audio, self._seats = video, audio, seats
        self._affect = (PersonAffect(config), PersonAffect(config))
        self._tick_s, self._pace_window_s = 1.0 / rate, config.voice.pace_window_s
        self._spoken: list[F64 | None] = [None, None]  # state of each person's syllable rate
        base = config.baseline
        self.roles = Roles(config.people.listener, base.start_s + base.duration_s, rate)

    @property
    def calibrated(self) -> bool:
        """Whether both people's states can be computed and it is known who listens."""
        return self.roles.listener is not None and all(a.calibrated for a in self._affect)

    @property
    def uncalibrated(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Columns of each person whose baseline is not complete."""
        return self._affect[0].missing, self._affect[1].missing

    def push(self, tick: Voiced) -> tuple[tuple[PersonState, PersonState], list[Event]]:
        """Take the next tick."""
        t = tick.raw.t
        rows, reasons = zip(*(self._row(tick, seat) for seat in (0, 1)), strict=True)
        self.roles.push(t, tick.speaking)
        events: list[Event] = []
        states = []
        for seat, person in enumerate(PEOPLE):
            affect = self._affect[seat]
            why = affect.push(t, rows[seat], reasons[seat]["face_reason"])
            reasons[seat]["state_reason"], reasons[seat]["face_state_reason"] = why
            on_partner = float(rows[seat][VALUE_INDEX["gaze_on_partner"]])
            events += affect.look_away(t, person, on_partner)
            role = self.roles.role(person)
            states.append(PersonState(t, person, role, rows[seat], reasons[seat]))
        return (states[0], states[1]), events

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
