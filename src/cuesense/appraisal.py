"""From what was sensed to what it may mean: states, roles, turns, the mode, one sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cuesense.config import Config
from cuesense.dyad.modes import DyadSample, Labels, Modes
from cuesense.dyad.turns import Turns
from cuesense.feedback import Feedback, load_rules
from cuesense.schema import VALUE_INDEX
from cuesense.state.affect import PersonAffect
from cuesense.state.profile import Profile
from cuesense.state.roles import Roles
from cuesense.types import (
    PEOPLE,
    Event,
    Moment,
    PersonState,
    Role,
    Sensed,
)

Profiles = tuple[Profile | None, Profile | None]
"""What is known of A's and of B's usual before the session."""


class Appraisal:
    """Stage: `Sensed` ticks in, moments out, in order and without delay.

    Parameters
    ----------
    config
        settings.
    profiles
        what is known of both people's usual; the baseline gives what is not.
    roles
        who listens, if that was found before; None: to be found in the baseline.
    """

    def __init__(
        self, config: Config, profiles: Profiles = (None, None), roles: Roles | None = None
    ) -> None:
        self._config, base = config, config.baseline
        rate = config.grid.rate_hz
        self._affect = (PersonAffect(config, profiles[0]), PersonAffect(config, profiles[1]))
        until_s = base.start_s + base.duration_s
        self.roles = roles or Roles(config.people.listener, until_s, rate)
        self._turns = Turns(config.turns)
        self._modes = Modes(config.dyad)
        self._every = round(rate / config.dyad.rate_hz)
        self._ticks = 0
        self._responses = [0, 0]  # nods and backchannels of each person since the last dyad tick
        self._on_partner: list[list[float]] = []  # gaze of both since the last dyad tick
        self._pending: list[Event] = []  # known, but not over by the tick's time
        self._labels = Labels()
        self._feedback = Feedback(config.feedback, load_rules(config.feedback.rules))

    @property
    def calibrated(self) -> bool:
        """Whether both people's states can be computed and it is known who listens."""
        return self.roles.listener is not None and all(a.calibrated for a in self._affect)

    @property
    def uncalibrated(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Columns of each person whose baseline is not complete."""
        return self._affect[0].missing, self._affect[1].missing

    @property
    def profiles(self) -> tuple[Profile, Profile]:
        """What is known of both people's usual by now."""
        return self._affect[0].profile, self._affect[1].profile

    def push(self, sensed: Sensed) -> Moment:
        """Take the next tick."""
        t = sensed.t
        first, second = sensed.speaking
        self.roles.push(t, (first, second))
        people = self._people(sensed)
        self._pending += [*sensed.events, *self._turns.push(t, first, second)]
        happened = self._completed(t)
        dyad = None
        self._on_partner.append([p["gaze_on_partner"] for p in people])
        if self._ticks % self._every == 0:
            dyad = self._modes.push(self._sample(people))
            happened += self._labels.push(dyad.t, dyad.label)
        self._ticks += 1
        moment = Moment(t, people, dyad, None, tuple(happened))
        advice = self._feedback.push(moment)
        if advice is not None:
            said = Event(advice.t, advice.until, advice.to, "advice", detail=advice.text)
            self._pending.append(said)
            moment = replace(moment, advice=advice)
        return self._last(moment, sensed.end) if sensed.last else moment

    def _last(self, moment: Moment, end: float) -> Moment:
        """Return the last moment with all that was still under way."""
        self.roles.flush()
        self._pending += [*self._turns.flush(), *self._labels.flush()]
        # A sentence may still have stood when the recording ended.
        rest = (replace(e, t_end=min(e.t_end, end)) for e in self._completed(np.inf))
        return replace(moment, events=(*moment.events, *rest))

    def _people(self, sensed: Sensed) -> tuple[PersonState, PersonState]:
        """Add both people's states to what was sensed."""
        rows = [values.copy() for values in sensed.values]
        states = []
        for seat, person in enumerate(PEOPLE):
            affect, why = self._affect[seat], sensed.reasons[seat]
            state, face_state = affect.push(sensed.t, rows[seat], why["face_reason"])
            reasons = {**why, "state_reason": state, "face_state_reason": face_state}
            on_partner = float(rows[seat][VALUE_INDEX["gaze_on_partner"]])
            self._pending += affect.look_away(sensed.t, person, on_partner)
            role = self.roles.role(person)
            states.append(PersonState(sensed.t, person, role, rows[seat], reasons))
        return states[0], states[1]

    def _completed(self, t: float) -> list[Event]:
        """Take out the events that are over by `t` (s), in order."""
        done = [e for e in self._pending if e.t_end <= t]
        done.sort(key=lambda e: (e.t_end, e.t, e.kind, e.person))
        self._pending = [e for e in self._pending if e.t_end > t]
        for event in done:
            if event.kind in ("nod", "backchannel"):
                self._responses[PEOPLE.index(event.person)] += 1
        return done

    def _sample(self, people: tuple[PersonState, PersonState]) -> DyadSample:
        """Return what the dyad's estimator takes of both people."""
        listener, partner = people if people[0].role is Role.LISTENER else people[::-1]
        # Until it is known who listens, nods, backchannels and gaze are nobody's: missing, not
        # the other's. (There are no states yet.) So once the listener is found these two channels
        # start afresh, and say nothing until `min_coverage` of their window is there.
        known = listener.role is Role.LISTENER
        seat = PEOPLE.index(listener.person)
        responses = self._responses[seat] if known else np.nan
        looks = np.array([row[seat] if known else np.nan for row in self._on_partner])
        looks = looks[np.isfinite(looks)]
        self._responses, self._on_partner = [0, 0], []
        return DyadSample(
            t=listener.t,
            partner_arousal=partner["arousal"],
            partner_valence=partner["valence"],
            partner_arousal_sd=partner["arousal_sd"],
            partner_valence_sd=partner["valence_sd"],
            partner_speaking_prob=partner["speaking"],
            partner_ok=bool(np.isfinite(partner["arousal"])),
            listener_arousal=listener["arousal"],
            listener_valence=listener["valence"],
            listener_arousal_sd=listener["arousal_sd"],
            listener_valence_sd=listener["valence_sd"],
            listener_speaking_prob=listener["speaking"],
            listener_ok=bool(np.isfinite(listener["arousal"])),
            listener_events=float(responses),
            listener_gaze_on_partner=float(looks.mean()) if len(looks) else np.nan,
            calibrated=self.calibrated,
        )
