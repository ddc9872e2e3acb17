"""A conversation of two people of which everything is known: who felt what, and who answered whom.

A partner goes through bouts of distress, sadness, excitement and calm, talks and pauses. A listener
mirrors, regulates or is disengaged, in stretches, and brings a nature, habits and moods of their
own. What is observed is what a camera and a microphone would give: late, noisy, with gaps. So an
estimator can be asked what nobody can tell of a recording: was that a response, and to this one?

The wrong partner is the partner of another conversation of the same family, put in by
`Conversation.with_partner`. Nothing but being wrong gives them away: both are drawn from the same
distributions, a cue's error does not depend on the other person, and a listener's state does not
depend on who talks. (Who talks when does: two people take turns. No estimator should count that.)

A simulation can show that an estimator fails; that it works on real couples it cannot show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from cuesense import schema
from cuesense.dyad.families import FAMILIES, Draw, Family
from cuesense.dyad.features import DyadSample
from cuesense.errors import ParameterError
from cuesense.types import F64

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]
Case = Literal["ordinary", "calm by nature", "third thing", "talks over", "smiles only"]

MIRRORING, REGULATING, DISENGAGED = range(len(schema.MODES))

SILENT: Final = 1.5
"""Factor of arousal's error while a person is silent: the voice is missing then."""
TALKING: Final = 0.6
"""Share of the time for which a partner talks, in the mean."""
TURNING_S: Final = 1.5
"""s, time constant with which a listener changes from one mode to the next."""
MISHEARD: Final = 0.01
"""Share of the ticks at which speech is taken for silence or the reverse."""
MISREAD: Final = 0.08
"""Share of looks that are read wrongly."""


@dataclass(frozen=True, slots=True, eq=False)
class Conversation:
    """What was simulated: the truth, and what is seen of it, on a grid of n ticks.

    Attributes
    ----------
    t
        (n,) s.
    partner
        (n, 2) true arousal and valence, SD of the own baseline; `listener` alike.
    mode
        (n,) what the listener does, index into `schema.MODES`. Who does not answer anybody
        is disengaged, however calm or lively.
    answers
        (n,) whether the listener answers this partner at this time.
    lag_s
        (2,) by which the listener's arousal and valence follow.
    seen
        (n, fields of `DyadSample`) what an estimator gets; `samples` as records.
    """

    t: F64
    partner: F64
    listener: F64
    mode: Codes
    answers: Bools
    lag_s: F64
    seen: F64

    @property
    def samples(self) -> list[DyadSample]:
        """What is seen, tick by tick, as the live estimator takes it."""
        kinds = [bool if f.type == "bool" else float for f in fields(DyadSample)]
        return [
            DyadSample(**{n: k(v) for n, k, v in zip(_NAMES, kinds, row, strict=True)})  # type: ignore[arg-type]
            for row in self.seen
        ]

    def with_partner(self, other: Conversation) -> F64:
        """Return what would be seen with the partner of another conversation of equal length.

        Returns
        -------
            (n, fields of `DyadSample`): the listener of this one, the partner of the other.

        Raises
        ------
        ParameterError
            if the lengths differ.
        """
        if self.seen.shape != other.seen.shape:
            raise ParameterError(
                f"other has {len(other.t)} ticks, must have {len(self.t)}: simulate it as long"
            )
        seen = self.seen.copy()
        seen[:, _PARTNER] = other.seen[:, _PARTNER]
        return seen


_NAMES: Final = [f.name for f in fields(DyadSample)]
_PARTNER: Final = [i for i, name in enumerate(_NAMES) if name.startswith("partner_")]


def simulate(
    rng: np.random.Generator,
    *,
    minutes: float = 15.0,
    family: str = "first",
    case: Case = "ordinary",
    reliability: float = 0.9,
    baseline_sd: float = 0.3,
    dropout: float = 0.1,
    rate_hz: float = 5.0,
) -> Conversation:
    """Simulate a conversation.

    With the partner's state ``x``, heard ``h`` = x delayed by the lag and smoothed, need
    ``n = max(0, -h_valence)``, and mode-dependent g, c, w, d that change within `TURNING_S`::

        y_arousal = nature + expressive (g h_arousal - c n - d) + own + bursts
        y_valence = nature + expressive (g h_valence + w n)     + own + bursts
        cue       = state + baseline error + noise,  SD(noise) = spread sqrt(1 / reliability² - 1)

    Parameters
    ----------
    rng
        the only source of chance: the same seed gives the same conversation.
    minutes
        length.
    family
        key of `families.FAMILIES`.
    case
        "ordinary": a listener who mirrors, regulates and is disengaged in turn. Else one who never
        answers: "calm by nature" (calm, friendly, looking), "third thing" (both follow something
        that is not the other), "talks over" (lively, mostly talking); or "smiles only" (goes along
        with pleasure and with nothing else).
    reliability
        correlation of a partner's cue with the truth, apart from the baseline's error, in (0, 1].
    baseline_sd
        SD of the error of each person's baseline, per channel; told to the estimator.
    dropout
        share of time for which a person is not seen.
    rate_hz
        ticks per s.

    Raises
    ------
    ParameterError
        for values that are not possible.
    """
    _check(minutes, family, case, reliability, baseline_sd, dropout, rate_hz)
    people = _Session(rng, FAMILIES[family], round(60.0 * minutes * rate_hz), 1.0 / rate_hz)
    return people.converse(case, reliability, baseline_sd, dropout)


def _check(
    minutes: float,
    family: str,
    case: str,
    reliability: float,
    baseline_sd: float,
    dropout: float,
    rate_hz: float,
) -> None:
    for holds, rule in (
        (minutes * rate_hz * 60.0 >= 2, f"minutes={minutes:g} must hold two ticks"),
        (family in FAMILIES, f"family={family!r} must be one of {', '.join(FAMILIES)}"),
        (case in get_args(Case), f"case={case!r} must be one of {', '.join(get_args(Case))}"),
        (0.0 < reliability <= 1.0, f"reliability={reliability:g} must be in (0, 1]"),
        (baseline_sd >= 0.0, f"baseline_sd={baseline_sd:g} must be >= 0"),
        (0.0 <= dropout < 1.0, f"dropout={dropout:g} must be in [0, 1)"),
    ):
        if not holds:
            raise ParameterError(rule)


@dataclass(frozen=True, slots=True, eq=False)
class _Talk:
    """Who talks: (n,) each, and the ticks at which the partner pauses."""

    partner: Bools
    listener: Bools
    pauses: Codes


@dataclass(frozen=True, slots=True)
class _Session:
    """The draws of one session: everything below is a step of `simulate`."""

    rng: np.random.Generator
    family: Family
    n: int
    dt: float

    def converse(
        self, case: Case, reliability: float, baseline_sd: float, dropout: float
    ) -> Conversation:
        rng, family = self.rng, self.family
        partner, onsets = self.feel()
        lag_s = np.array([family.lag_s(rng), family.lag_s(rng)])
        response_s = family.response_s(rng)
        heard = self.hear(partner, lag_s, response_s)
        talk = self.talk(over=case == "talks over")
        if case == "third thing":
            # Both follow it with lags of the same kind, so neither follows the other.
            film = partner
            own = self.hear(film, np.array([family.lag_s(rng), family.lag_s(rng)]), response_s)
            partner = own + 0.5 * family.restless_sd(rng) * self.wander(family.restless_s(rng))
        mode = self.modes(case)
        listener = self.respond(heard, mode, case)
        answers = mode != DISENGAGED
        events = self.nod(answers, heard, talk, onsets)
        looks = self.look(answers | (case == "calm by nature"), talk.listener)

        noise_sd = np.multiply(family.spread, np.sqrt(1.0 / reliability**2 - 1.0))
        there = np.stack([~self.gaps(dropout), ~self.gaps(dropout)], axis=1)
        seen = {
            "t": self.dt * np.arange(self.n),
            "calibrated": np.ones(self.n),
            "listener_events": np.where(there[:, 1], events, 0.0),
            "listener_gaze_on_partner": np.where(there[:, 1], looks, np.nan),
        }
        for i, (who, state, talks) in enumerate(
            (("partner", partner, talk.partner), ("listener", listener, talk.listener))
        ):
            cues = state + baseline_sd * rng.normal(size=2) + self.error(noise_sd, talks)
            cues[~there[:, i]] = np.nan
            wrong = rng.random(self.n) < MISHEARD
            seen |= {
                f"{who}_arousal": cues[:, 0],
                f"{who}_valence": cues[:, 1],
                f"{who}_arousal_sd": np.full(self.n, baseline_sd),
                f"{who}_valence_sd": np.full(self.n, baseline_sd),
                f"{who}_speaking_prob": np.where(talks ^ wrong, 0.95, 0.05),
                f"{who}_ok": there[:, i].astype(np.float64),
            }
        return Conversation(
            t=seen["t"],
            partner=partner,
            listener=listener,
            mode=mode,
            answers=answers & (case not in ("calm by nature", "third thing", "talks over")),
            lag_s=lag_s,
            seen=np.stack([seen[name] for name in _NAMES], axis=1),
        )

    def feel(self) -> tuple[F64, Codes]:
        """Return a partner's (n, 2) state, and the ticks at which bouts of feeling begin."""
        rng, family = self.rng, self.family
        level, onsets = np.zeros((self.n, 2)), []
        for start, stop in self.stretches(family.bout_s):
            kind = int(rng.choice(len(family.kinds), p=family.kinds))
            level[start:stop] = family.arousal[kind](rng), family.valence[kind](rng)
            if kind:
                onsets.append(start)
        state = self.follow(level, family.rise_s(rng))
        restless = family.restless_sd(rng) * self.wander(family.restless_s(rng))
        return state + restless, np.array(onsets, np.intp)

    def hear(self, state: F64, lag_s: F64, response_s: float) -> F64:
        """Return a state (n, 2), each channel delayed by its lag, then smoothed."""
        t = self.dt * np.arange(self.n)
        late = [np.interp(t - lag_s[c], t, state[:, c]) for c in range(2)]
        return self.follow(np.stack(late, axis=1), response_s)

    def talk(self, *, over: bool) -> _Talk:
        """Return who talks. The floor passes between the two, or the listener takes no notice."""
        rng, family = self.rng, self.family
        said = np.zeros((self.n, 2), bool)
        pauses, start, holder = [], 0, 0
        while start < self.n:
            length = (family.floor_s if holder == 0 else family.reply_s)(rng)
            stop = start + max(1, round(length / self.dt))
            for a, b in self.utterances(start, min(stop, self.n)):
                said[a:b, holder] = True
                if holder == 0:
                    pauses.append(b)
            start, holder = stop, 1 - holder
        if over:
            said[:, 1] = False
            for a, b in self.utterances(0, self.n):
                said[a:b, 1] = True
        return _Talk(said[:, 0], said[:, 1], np.array(pauses, np.intp))

    def utterances(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield stretches of speech in [start, stop), with pauses between."""
        while start < stop:
            end = min(stop, start + max(1, round(self.family.utterance_s(self.rng) / self.dt)))
            yield start, end
            start = end + max(1, round(self.family.pause_s(self.rng) / self.dt))

    def modes(self, case: Case) -> Codes:
        """Return the listener's (n,) mode."""
        if case != "ordinary":
            return np.full(self.n, MIRRORING if case == "smiles only" else DISENGAGED, np.intp)
        rng, family = self.rng, self.family
        away, calm = family.disengaged(rng), family.regulating(rng)
        shares = np.array([(1.0 - away) * (1.0 - calm), (1.0 - away) * calm, away])
        mode, last = np.empty(self.n, np.intp), -1
        for start, stop in self.stretches(family.mode_s):
            odds = np.where(np.arange(3) == last, 0.0, shares)
            last = int(rng.choice(3, p=odds / odds.sum()))
            mode[start:stop] = last
        return mode

    def respond(self, heard: F64, mode: Codes, case: Case) -> F64:
        """Return the listener's (n, 2) state."""
        rng, family = self.rng, self.family
        gain = np.array(
            [
                [family.gain(rng), family.gain(rng)],
                [family.damped(rng), family.damped(rng)],
                [0.0, 0.0],
            ]
        )
        # Columns: calming and warming per need, and what arousal falls by.
        answer = np.array(
            [
                [0.0, 0.0, 0.0],
                [family.calming(rng), family.warming(rng), 0.0],
                [0.0, 0.0, family.withdrawn(rng)],
            ]
        )
        now = self.follow(np.concatenate((gain, answer), axis=1)[mode], TURNING_S)
        need = np.maximum(0.0, -heard[:, 1])
        shown = np.stack(
            [
                now[:, 0] * heard[:, 0] - now[:, 2] * need - now[:, 4],
                now[:, 1] * heard[:, 1] + now[:, 3] * need,
            ],
            axis=1,
        )
        nature = np.array([family.nature_arousal(rng), family.nature_valence(rng)])
        expressive, own_sd, own_s = family.expressive(rng), family.own_sd(rng), family.own_s(rng)
        bursts = self.bursts(family.bursts_per_min(rng))
        if case == "calm by nature":
            shown, bursts = np.zeros_like(shown), 0.5 * bursts
            nature = np.array([-0.6, 0.35]) + 0.15 * rng.normal(size=2)
            own_sd *= 0.7
        elif case == "smiles only":
            smile = gain[0, 1] * np.maximum(0.0, heard[:, 1])
            shown = np.stack([np.zeros(self.n), smile], axis=1)
        elif case == "third thing":
            shown = gain[0] * heard
        elif case == "talks over":
            shown = np.zeros_like(shown)
            bursts += self.bursts(2.0)
            nature = np.array([0.5, 0.1]) + 0.2 * rng.normal(size=2)
        return nature + expressive * shown + own_sd * self.wander(own_s) + bursts

    def bursts(self, per_min: float) -> F64:
        """Return the listener's (n, 2) own bouts, which nobody gave occasion for."""
        rng, level = self.rng, np.zeros((self.n, 2))
        for _ in range(rng.poisson(per_min * self.n * self.dt / 60.0)):
            start = int(rng.integers(self.n))
            stop = start + round(rng.uniform(5.0, 20.0) / self.dt)
            level[start:stop, 0] += self.family.burst_sd(rng) * rng.choice([-0.5, 1.0])
            level[start:stop, 1] += self.family.burst_sd(rng) * rng.choice([-1.0, 1.0])
        return self.follow(level, 1.5)

    def nod(self, answers: Bools, heard: F64, talk: _Talk, onsets: Codes) -> F64:
        """Return the (n,) nods and backchannels that were seen to end at each tick."""
        rng, family = self.rng, self.family
        rate, share, idle = family.events_per_min(rng), family.answers(rng), family.idle(rng)
        missed, imagined = family.missed(rng), family.imagined_per_min(rng)
        minutes = self.n * self.dt / 60.0
        occasions = np.concatenate((talk.pauses, onsets))
        occasions = occasions[occasions < self.n]
        occasions = occasions[answers[occasions] & ~talk.listener[occasions]]
        engaged = max(float(answers.mean()) * minutes, 1e-9)
        p = share * rate * engaged / max(1, len(occasions))
        p = p * (1.0 + 0.4 * np.clip(-heard[occasions, 1], 0.0, 1.5))
        begun = self.dt * occasions[rng.random(len(occasions)) < np.minimum(p, 0.9)]
        begun = begun + np.array([family.latency_s(rng) for _ in begun])

        habit = np.where(answers, (1.0 - share) * rate, idle * rate if answers.any() else rate)
        habit = np.where(talk.listener, 0.3, 1.0) * habit * self.dt / 60.0
        alone = self.dt * np.flatnonzero(rng.random(self.n) < habit)
        begun = np.concatenate((begun, alone))
        begun = begun[rng.random(len(begun)) >= missed]
        ended = begun + np.array([family.event_s(rng) for _ in begun])
        false = rng.uniform(0.0, 60.0 * minutes, rng.poisson(imagined * minutes))
        ticks = np.ceil(np.concatenate((ended, false)) / self.dt).astype(np.intp)
        return np.bincount(ticks[ticks < self.n], minlength=self.n).astype(np.float64)

    def look(self, engaged: Bools, talks: Bools) -> F64:
        """Return (n,) 1 where the listener is seen to look at the partner, else 0."""
        rng, family = self.rng, self.family
        share, mean_s = family.looks(rng), family.glance_s(rng)
        away, talking = family.looks_away(rng), family.looks_talking(rng)
        looks, start = np.empty(self.n), 0
        while start < self.n:
            p = share * (1.0 if engaged[start] else away) * (talking if talks[start] else 1.0)
            stop = start + max(1, round(rng.exponential(mean_s) / self.dt))
            looks[start:stop] = (rng.random() < p) ^ (rng.random() < MISREAD)
            start = stop
        return looks

    def error(self, sd: F64, talks: Bools) -> F64:
        """Return the (n, 2) error of one person's cues, of SD `sd` (2,); silence adds to it."""
        rng, family = self.rng, self.family
        drift = family.drift(rng)
        quick, slow = self.wander(family.noise_s(rng)), self.wander(family.drift_s(rng))
        error: F64 = sd * (np.sqrt(1.0 - drift) * quick + np.sqrt(drift) * slow)
        mean = np.sqrt(TALKING + SILENT**2 * (1.0 - TALKING))
        error[:, 0] *= np.where(talks, 1.0, SILENT) / mean
        return error

    def gaps(self, share: float) -> Bools:
        """Return (n,) True where nothing is seen, a `share` of the time in the mean."""
        rng, away = self.rng, np.zeros(self.n, bool)
        if share == 0.0:
            return away
        start = 0
        while start < self.n:
            length = self.family.gap_s(rng)
            # The mean time between gaps follows from their share and the length of this one.
            start += round(rng.exponential(length * (1.0 - share) / share) / self.dt)
            stop = start + max(1, round(length / self.dt))
            away[start:stop] = True
            start = stop
        return away

    def stretches(self, length: Draw) -> Iterator[tuple[int, int]]:
        """Yield (start, stop) of stretches that fill the session, none in phase with another's."""
        start = -round(self.rng.uniform(0.0, 1.0) * length(self.rng) / self.dt)
        while start < self.n:
            stop = start + max(1, round(length(self.rng) / self.dt))
            if stop > 0:
                yield max(0, start), min(stop, self.n)
            start = stop

    def follow(self, x: F64, tau_s: float) -> F64:
        """Return `x` (n, m) through a first-order lag of `tau_s`."""
        from scipy.signal import lfilter

        keep = float(np.exp(-self.dt / tau_s))
        y: F64 = lfilter([1.0 - keep], [1.0, -keep], x, axis=0, zi=keep * x[:1])[0]
        return y

    def wander(self, tau_s: float) -> F64:
        """Return (n, 2) independent Ornstein-Uhlenbeck series of SD 1."""
        from scipy.signal import lfilter

        keep = float(np.exp(-self.dt / tau_s))
        steps = self.rng.normal(size=(self.n, 2)) * np.sqrt(1.0 - keep * keep)
        start = keep * self.rng.normal(size=(1, 2))
        y: F64 = lfilter([1.0], [1.0, -keep], steps, axis=0, zi=start)[0]
        return y
