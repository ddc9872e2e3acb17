"""What the listener does: mirroring-like, regulating-like or disengaged, whoever it is about.

A listener is taken to show, each second, with the partner's state h as it was heard and the need
``n = max(0, -h_valence)``::

    arousal = level + own + | gain h     mirroring
    valence                 | gain h -+ answer n     regulating: arousal falls, valence rises
    looks                   | - withdrawn     disengaged (looks and arousal)

``own`` wanders (Ornstein-Uhlenbeck); level, gains, answer and withdrawn are this person's and
constant. Nods are Poisson, at a rate of those who are engaged (more after the partner's pauses)
and one of those who are not; both are this person's, gamma distributed over people.

In a given mode all this is linear and normal, so a Kalman filter follows wandering and person at
once: who is met with the numbers of `People` becomes known in the course of the session. The modes
switch at random, and one filter per mode, mixed at each step, follows them (interacting multiple
models; Blom & Bar-Shalom 1988). How reliable the cues are is not known either: each of
`People.reliability` has its own filters, weighed by how well they foretold the session so far.

That the listener answers this partner does not follow: see `cuesense.dyad.contingency`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cuesense import schema
from cuesense.dyad.features import COLUMN
from cuesense.dyad.memory import Memory
from cuesense.types import F64

STEP_S: Final = 1.0
"""s that are averaged before they count once: a cue's errors are alike within them."""
HEARD_S: Final = 3.2
"""s, time constant of hearing the partner; with `LAG_S` it spans the lags that people have."""
LAG_S: Final = 0.4
"""s by which the partner is delayed besides."""
PAUSES_PER_S: Final = 0.25
"""Usual number of the partner's pauses."""
LIMIT: Final = 4.0
"""SD beyond which a state is held, so that one glitch cannot rule."""
LEAST: Final = 1e-4
"""Probability below which no mode falls, so that it can come back."""

MODES: Final = len(schema.MODES)
MIRRORING, REGULATING, DISENGAGED = range(MODES)
CHANNELS: Final = ("arousal", "valence", "looks")
PERSON: Final = ("level", "gain mirroring", "gain regulating", "answer", "withdrawn")
OWN, LEVEL, GAIN_M, GAIN_R, ANSWER, WITHDRAWN = range(1 + len(PERSON))


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Listeners before one is met (SD of own baseline, share of looks, s), and how cues err.

    Attributes
    ----------
    mean
        (`CHANNELS`, `PERSON`) of people's numbers; `sd` alike, 0 where people do not differ.
    own_sd
        (`CHANNELS`,) SD of the wandering, `own_s` its time constant.
    reliability
        (levels,) correlations of a cue with the truth that are reckoned with.
    slow
        (`CHANNELS`,) SD of a cue's error that wanders alike, in units of √(1/reliability² - 1);
        looks have the unit 1.
    quick
        the same of an error that is new each step.
    nods_per_s
        (2,) seen of those who are engaged, and of those who are not; `nods_shape` of the gamma.
    answers
        share of the nods of those who are engaged that follow the partner's pauses.
    stays_s
        mean time between changes of mode; `away` the share of time disengaged.
    temper
        power of the likelihood: what was left out of the model counts evidence twice.
    """

    mean: F64
    sd: F64
    own_sd: F64
    own_s: F64
    reliability: F64
    slow: F64
    quick: F64
    nods_per_s: F64
    nods_shape: F64
    answers: float
    stays_s: float
    away: float
    temper: float

    @property
    def share(self) -> F64:
        """(modes,) of the time."""
        engaged = 0.5 * (1.0 - self.away)
        return np.array([engaged, engaged, self.away])


class Stance:
    """Stage: what is seen of both people in, a posterior out; one conversation or many at once."""

    def __init__(self, rate_hz: float, people: People) -> None:
        self._rate = rate_hz
        self._ticks = max(1, round(STEP_S * rate_hz))
        self._dt = self._ticks / rate_hz
        self._people = people
        self._memory = Memory(rate_hz)
        self._rest: F64 | None = None
        self._filter: _Filter | None = None

    def extend(self, seen: F64) -> F64:
        """Return the probability of each mode at each tick.

        Parameters
        ----------
        seen
            (n, ..., fields of `DyadSample`), the next n ticks.

        Returns
        -------
            (n, ..., modes); between steps it stands still.
        """
        rows = self._rows(seen.reshape(len(seen), -1, seen.shape[-1]))
        if self._filter is None or self._rest is None:
            self._filter = _Filter(self._people, self._dt, rows.shape[1])
            self._rest = rows[:0]
        before = len(self._rest)
        rows = np.concatenate((self._rest, rows))
        steps = len(rows) // self._ticks
        self._rest = rows[steps * self._ticks :]
        found = [self._filter.posterior]
        for step in rows[: steps * self._ticks].reshape(steps, self._ticks, *rows.shape[1:]):
            there = np.isfinite(step)
            count = there.sum(axis=0)
            mean = np.where(there, step, 0.0).sum(axis=0) / np.maximum(count, 1)
            heard = step[-1, :, :2]
            found.append(self._filter.step(heard, mean[:, 2:], count[:, 2:] / self._ticks))
        at = (before + 1 + np.arange(len(seen))) // self._ticks
        p: F64 = np.stack(found)[at].reshape(*seen.shape[:-1], MODES)
        return p

    def _rows(self, seen: F64) -> F64:
        """Return (n, people, 7): heard arousal, valence; `CHANNELS`; nods, answer to pauses."""
        memory = self._memory
        memory.begin()
        states = np.clip(seen[..., _STATES], -LIMIT, LIMIT)
        partner, listener = states[..., :2], states[..., 2:]
        known = memory.mean(np.isfinite(partner).astype(np.float64), HEARD_S) >= 0.05
        heard = np.where(known, memory.present(partner, HEARD_S, 0.05), np.nan)
        heard = memory.delay(heard, LAG_S)

        _, due = memory.pauses(seen[..., COLUMN["partner_speaking_prob"]])

        # Who talks is not asked for nods.
        free = np.nan_to_num(seen[..., COLUMN["listener_speaking_prob"]]) < 0.5
        free &= seen[..., COLUMN["listener_ok"]] > 0
        nods = np.minimum(seen[..., COLUMN["listener_events"]], 1.0) * self._rate
        nods = np.where(free, nods, np.nan)
        looks = seen[..., COLUMN["listener_gaze_on_partner"]]
        return np.concatenate(
            (heard, listener, np.stack((looks, nods, due * self._rate), axis=-1)), axis=-1
        )


_STATES: Final = [
    COLUMN[f"{who}_{c}"] for who in ("partner", "listener") for c in ("arousal", "valence")
]


class _Filter:
    """One Kalman filter per conversation, reliability, mode and channel: the axes of all arrays."""

    def __init__(self, people: People, dt: float, conversations: int) -> None:
        p = people
        self._people, self._dt = p, dt
        unit = np.ones((len(p.reliability), len(CHANNELS)))
        unit[:, :2] = (p.reliability**-2.0 - 1.0)[:, None]
        own = p.own_sd**2 + p.slow**2 * unit
        self._quick = (p.quick**2 * unit)[:, None, :]
        size = 1 + len(PERSON)
        self._keep = np.ones((len(CHANNELS), size))
        self._keep[:, OWN] = np.exp(-dt / p.own_s)
        self._renew = (own * (1.0 - np.exp(-2.0 * dt / p.own_s)))[:, None, :]

        axes = (conversations, len(p.reliability), MODES)
        start = np.concatenate((np.zeros((len(CHANNELS), 1)), p.mean), axis=1)
        self._mean = np.broadcast_to(start, (*axes, *start.shape)).copy()
        spread = np.zeros((len(p.reliability), 1, len(CHANNELS), size, size))
        spread[..., OWN, OWN] = own[:, None, :]
        person = np.arange(1, size)
        spread[..., person, person] = p.sd**2
        self._cov = np.broadcast_to(spread, (*axes, *spread.shape[2:])).copy()

        change = np.tile(p.share, (MODES, 1))
        np.fill_diagonal(change, 0.0)
        change *= dt / p.stays_s / change.sum(axis=1, keepdims=True)
        self._change = change + np.diag(1.0 - change.sum(axis=1))
        self._mode = np.broadcast_to(p.share, axes).copy()
        self._level = np.full(axes[:2], 1.0 / axes[1])
        self._shape = np.broadcast_to(p.nods_shape, (conversations, 2)).copy()
        self._time = self._shape / p.nods_per_s

    @property
    def posterior(self) -> F64:
        """(conversations, modes) over all reliabilities."""
        p: F64 = (self._level[..., None] * self._mode).sum(axis=1)
        return p

    def step(self, heard: F64, found: F64, share: F64) -> F64:
        """Go on by one step and return the posterior.

        Parameters
        ----------
        heard
            (conversations, 2) of the partner, NaN where unknown.
        found
            (conversations, 5) means of `CHANNELS`, nods per s and answer to pauses.
        share
            of the step for which each of these was there.
        """
        prior = self._mix()
        design = self._design(np.nan_to_num(heard))
        there = share[:, :3] > 0
        # Arousal while regulating depends on both of the partner's states.
        there[:, :2] &= np.stack((np.isfinite(heard).all(-1), np.isfinite(heard[:, 1])), axis=-1)
        there = there[:, None, None]
        quick = self._quick / np.maximum(share[:, None, None, :3], 1e-9)
        along = (self._cov @ design[..., None])[..., 0]
        variance = (along * design).sum(axis=-1) + quick
        error = np.where(there, found[:, None, None, :3] - (self._mean * design).sum(axis=-1), 0.0)
        gain = np.where(there, 1.0 / variance, 0.0)[..., None] * along
        self._mean += gain * error[..., None]
        self._cov -= gain[..., :, None] * along[..., None, :]
        nats = np.where(there, -0.5 * (error**2 / variance + np.log(variance)), 0.0).sum(axis=-1)

        time = self._dt * share[:, 3:4] * np.ones(2)
        answers = self._people.answers
        time[:, 0] *= 1.0 - answers + answers * found[:, 4] / PAUSES_PER_S
        nods = self._dt * (found * share)[:, 3:4]
        of_nods = _negative_binomial(nods, time, self._shape, self._time)
        nats = self._people.temper * nats + of_nods[:, None, [0, 0, 1]]

        self._weigh(prior, nats)
        p = self.posterior
        engaged = np.stack((1.0 - p[:, DISENGAGED], p[:, DISENGAGED]), axis=-1)
        self._shape += engaged * nods
        self._time += engaged * time
        return p

    def _mix(self) -> F64:
        """Let the modes change and `own` wander; return the modes' prior."""
        prior: F64 = self._mode @ self._change
        weight = np.swapaxes(self._mode[..., :, None] * self._change / prior[..., None, :], -1, -2)
        square = self._cov + self._mean[..., :, None] * self._mean[..., None, :]
        flat = (*prior.shape, -1)
        mean = (weight @ self._mean.reshape(flat)).reshape(self._mean.shape)
        square = (weight @ square.reshape(flat)).reshape(square.shape)
        cov = square - mean[..., :, None] * mean[..., None, :]
        self._mean = mean * self._keep
        self._cov = cov * (self._keep[:, :, None] * self._keep[:, None, :])
        self._cov[..., OWN, OWN] += self._renew
        return prior

    def _design(self, heard: F64) -> F64:
        """Return what each number of the person adds, given what was heard."""
        x = heard[:, None] * self._people.reliability[:, None]  # regression to the mean
        need = np.maximum(0.0, -x[..., 1])
        design = np.zeros((*x.shape[:2], MODES, len(CHANNELS), 1 + len(PERSON)))
        design[..., (OWN, LEVEL)] = 1.0
        design[:, :, MIRRORING, :2, GAIN_M] = x
        design[:, :, REGULATING, :2, GAIN_R] = x
        design[:, :, REGULATING, :2, ANSWER] = np.stack((-need, need), axis=-1)
        design[:, :, DISENGAGED, :, WITHDRAWN] = -1.0
        return design

    def _weigh(self, prior: F64, nats: F64) -> None:
        log = np.log(prior) + nats
        top = log.max(axis=-1, keepdims=True)
        odds = np.exp(log - top)
        total = odds.sum(axis=-1, keepdims=True)
        self._mode = (odds / total + LEAST) / (1.0 + MODES * LEAST)
        level = np.log(self._level) + (top + np.log(total))[..., 0]
        level = np.exp(level - level.max(axis=-1, keepdims=True))
        level = np.maximum(level / level.sum(axis=-1, keepdims=True), LEAST)
        self._level = level / level.sum(axis=-1, keepdims=True)


def _negative_binomial(count: F64, time: F64, shape: F64, scale: F64) -> F64:
    """Return the log probability of a Poisson count in `time`, its rate gamma distributed.

    ``count! `` is left out; `shape` and `scale` (1/s) are those of the gamma.
    """
    from scipy.special import gammaln

    some = np.where(count > 0, count * np.log(np.maximum(time, 1e-9) / (scale + time)), 0.0)
    nats: F64 = gammaln(shape + count) - gammaln(shape) - shape * np.log1p(time / scale) + some
    return nats
