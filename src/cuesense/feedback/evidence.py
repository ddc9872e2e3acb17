"""The last minutes of whatever the rules name, and what is usual for both people.

One row per dyad tick: the mean of each column over the ticks since the last one. Values are
averages of such rows. A voice is heard only now and then, so a fifth of a stretch is enough of it;
of anything else most must be there. What is not known is NaN, and no condition holds for NaN.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import takewhile

import numpy as np

from cuesense import config
from cuesense.feedback.rules import CUES, LONGEST_S, WITNESS, Condition, Count, Level
from cuesense.kernels import robust_location
from cuesense.schema import VALUE_COLUMNS, VALUE_INDEX
from cuesense.state.affect import LEAST_MEAN_S
from cuesense.state.baseline import Zero, standardise
from cuesense.types import F64, PEOPLE, Event, Moment, Person

Key = tuple[str, str]
"""Whose ("A", "B" or "dyad") and which column."""

LIMIT = 10.0
"""SD at which a deviation from the usual is clipped."""

_SPOKEN = {c.name for c in VALUE_COLUMNS if c.source == "voice"} - {"speaking"}
_TICK = 1e-6  # s; tolerance for sums of tick lengths


class Evidence:
    """What the conditions of the rules are asked about.

    Parameters
    ----------
    settings
        stretches, shares.
    conditions
        of all rules; only what they name is kept, and only as long as they look back.
    """

    def __init__(self, settings: config.Feedback, conditions: Iterable[Condition]) -> None:
        conditions = tuple(conditions)
        levels = [c for c in conditions if isinstance(c, Level)]
        counts = [c for c in conditions if isinstance(c, Count)]
        watched = {c.column for c in levels if c.of != "dyad"}
        watched |= {WITNESS[kind] for c in counts for kind in c.kinds}
        self._columns = [VALUE_INDEX[name] for name in sorted(watched)]
        self._of_dyad = sorted({c.column for c in levels if c.of == "dyad"})
        keys: list[Key] = [(p, name) for p in PEOPLE for name in sorted(watched)]
        keys += [("dyad", name) for name in self._of_dyad]
        self._index = {key: i for i, key in enumerate(keys)}
        self._settings = settings
        self._span = LONGEST_S + settings.before_s
        self._ticks: list[F64] = []  # both people's columns since the last row
        self._rows: deque[tuple[float, F64]] = deque()
        self._kinds = {kind for c in counts for kind in c.kinds}
        self._events: deque[Event] = deque()
        self._unknown = [(p, c.column) for c in levels if c.sd for p in PEOPLE]
        self._zeros: dict[Key, Zero] = {}
        self._seen_s = np.zeros(len(keys))  # s for which each column was there, so far
        self._t = float("nan")

    def push(self, moment: Moment) -> None:
        """Take the next moment; a row ends where it has the dyad."""
        self._events += (e for e in moment.events if e.kind in self._kinds)
        self._ticks.append(np.concatenate([p.values[self._columns] for p in moment.people]))
        if moment.dyad is None:
            return
        dyad = moment.dyad
        own = [dyad.evidence.get(name, np.nan) for name in self._of_dyad]
        row = np.array([*(_mean(x, 0.0) for x in np.array(self._ticks).T), *own])
        self._ticks.clear()
        if self._rows:
            self._seen_s += np.isfinite(row) * (moment.t - self._t)
        self._t = moment.t
        self._rows.append((moment.t, row))
        while self._rows[0][0] < moment.t - self._span:
            self._rows.popleft()
        while self._events and self._events[0].t_end < moment.t - LONGEST_S:
            self._events.popleft()
        if dyad.evidence.get("calibrated") == 1.0:
            self._fix()

    def value(self, condition: Condition, listener: Person) -> float:
        """Return the number that a condition is about, NaN where it is not known."""
        partner = PEOPLE[1 - PEOPLE.index(listener)]
        who = {"listener": listener, "partner": partner, "dyad": "dyad"}[condition.of]
        if isinstance(condition, Count):
            return self._count(condition, who)
        return self._level(condition, (who, condition.column))

    def _level(self, level: Level, key: Key) -> float:
        s, name = self._settings, level.column
        scale: Callable[[float], float] | None = CUES[name].transform if level.sd else None
        over = level.over_s or s.recent_s
        # Less is asked of the minute before: a state begins only with the end of the baseline.
        least = s.min_share if name in _SPOKEN else s.min_coverage
        now = _mean(self._stretch(key, over, scale=scale), least)
        zero = self._zeros.get(key)
        if level.change:
            before = self._stretch(key, s.before_s, until=self._t - over, scale=scale)
            change = now - _mean(before, s.min_share)
            if not level.sd:
                return change
            return change / zero.sd if zero is not None else float("nan")
        return standardise(now, zero, LIMIT) if level.sd else now

    def _count(self, count: Count, who: str) -> float:
        since = self._t - count.within_s
        happened = sum(
            e.person == who
            and e.kind in count.kinds
            and e.t_end >= since
            and (not count.detail or e.detail == count.detail)
            for e in self._events
        )
        if count.least is not None:
            return float(happened)
        # That something did not happen is known only of the time in which it could be seen.
        watched = bool(self._rows) and self._rows[0][0] <= since + _TICK
        for kind in count.kinds:
            seen = self._stretch((who, WITNESS[kind]), count.within_s)
            watched &= bool(np.isfinite(_mean(seen, self._settings.min_coverage)))
        return float(happened) if watched else float("nan")

    def _stretch(
        self,
        key: Key,
        length_s: float,
        until: float | None = None,
        scale: Callable[[float], float] | None = None,
    ) -> F64:
        """Return a column's values of the `length_s` up to `until` (None: now), on its scale."""
        i, end = self._index[key], self._t if until is None else until
        start = end - length_s + _TICK
        rows = takewhile(lambda row: row[0] > start, reversed(self._rows))
        values = [row[i] for t, row in rows if t <= end + _TICK]
        return np.array([scale(v) for v in values] if scale is not None else values, np.float64)

    def _fix(self) -> None:
        """Fix what is usual, of the averages over the baseline (or, later, of as long a time)."""
        s = self._settings
        for key in [k for k in self._unknown if self._seen_s[self._index[k]] >= LEAST_MEAN_S]:
            cue = CUES[key[1]]
            raw = self._stretch(key, self._span, scale=cue.transform)[::-1]
            step = (self._t - self._rows[0][0]) / (len(self._rows) - 1)
            width = min(len(raw), max(1, round(s.recent_s / step)))
            ends = range(width, len(raw) + 1)
            smooth = np.array([_mean(raw[i - width : i], s.min_share) for i in ends])
            median, sd, n = robust_location(smooth)
            if n:
                self._zeros[key] = Zero(median, max(sd, cue.floor), 0.0)
                self._unknown.remove(key)


def _mean(x: F64, least: float) -> float:
    """Return the mean of the finite values of `x` (n,), NaN if their share is under `least`."""
    there = x[np.isfinite(x)]
    if len(there) == 0 or len(there) < least * len(x):
        return float("nan")
    return float(there.mean())
