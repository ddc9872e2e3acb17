"""Whether what the listener does is about this partner, now: evidence, and what chance would give.

Each *link* asks one question, such as whether the listener's valence follows the partner's. For
slow series chance agrees often, so both sides are band-passed first (a quick mean minus a slow one:
that takes out the error of the baseline, a calm or lively nature and most of the slowness), and the
partner is delayed. With means ``<>`` that forget over `MEMORY_S` and ``T`` s of them::

    z = <x y> / sqrt(<x²> <y²>) · sqrt(T / 2 τ_slow)

is about normal if nobody follows anybody. Nods are asked whether they come after the partner's
pauses more often than at other times at which the partner has the floor: their mean response
``r`` minus that of all such times, in standard errors. Who talks when is not asked: two people
take turns whether or not they attune.

Two people who both follow a third thing are linked as well. Then nobody leads: `lead` is the
correlation of the listener's feeling with the partner's before it, minus that with the partner's
after it. It names the competing explanation, and is no part of the probability.

A logistic over the links gives the probability. The same links are computed with partners that are
wrong by construction (this partner, some minutes late): they say what chance gives in this very
session, with these people's slowness and habits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cuesense.dyad.features import COLUMN
from cuesense.dyad.memory import Memory
from cuesense.types import F64

MEMORY_S: Final = 600.0
"""s over which evidence is forgotten."""
BANDS: Final = ((1.0, 8.0), (2.5, 25.0))
"""s, quick and slow mean of each band."""
LAG_S: Final = 1.2
"""s by which the partner is delayed; the quick mean covers the lags around it."""
LATE_S: Final = tuple(float(s) for s in np.linspace(30.0, 240.0, 12))
"""s by which the wrong partners are late."""

PAIRS: Final = (
    ("arousal", "arousal"),
    ("valence", "valence"),
    ("need", "arousal"),
    ("need", "valence"),
    ("arousal", "nods"),
    ("need", "nods"),
)
"""What of the partner's is looked for in what of the listener's."""

FELT: Final = slice(0, 2)
"""Arousal and valence, quick band, of what is held of either person."""

LINKS: Final = (
    *(f"{x} to {y}, {quick:g} s" for quick, _ in BANDS for x, y in PAIRS),
    "pauses to nods",
)


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """Evidence of n ticks.

    Attributes
    ----------
    z
        (n, ..., `LINKS`) with the true partner.
    wrong
        (n, ..., `LATE_S`, `LINKS`) with each wrong one; NaN until they are there.
    lead
        (n, ...) how much more the listener's feeling comes after the partner's than before it, -2
        to 2: a difference of two correlations, at `LAG_S` either way, in the quick band; mean of
        arousal and valence.
    """

    z: F64
    wrong: F64
    lead: F64


class Contingency:
    """Stage: what is seen of both people in, `Links` out; one conversation or many at once.

    Parameters
    ----------
    rate_hz
        of the samples.
    late_s
        s by which each wrong partner is late.
    """

    def __init__(self, rate_hz: float, late_s: Sequence[float] = LATE_S) -> None:
        self._rate = rate_hz
        self._late_s = np.array(late_s, np.float64)
        self._memory = Memory(rate_hz)
        self._ticks = 0

    def extend(self, seen: F64) -> Links:
        """Return the evidence at each tick.

        Parameters
        ----------
        seen
            (n, ..., fields of `DyadSample`), the next n ticks.
        """
        memory = self._memory
        memory.begin()
        now = self._partner_bands(seen)
        partner = self._partner(now, seen)
        listener = self._listener(seen)
        lead = self._lead(now[..., FELT], partner[..., FELT], listener[..., FELT])
        late = [memory.delay(partner, s) for s in self._late_s.tolist()]
        x = np.stack([partner, *late], axis=-2)
        t = np.arange(self._ticks + 1.0, self._ticks + len(seen) + 1.0) / self._rate
        self._ticks += len(seen)
        z = self._z(x, listener[..., None, :], t)
        wrong = z[..., 1:, :]
        # A wrong partner counts once it has been there for as long as its delay, at least a minute.
        there = t[:, None] >= 60.0 + self._late_s
        there = there.reshape(len(t), *([1] * (wrong.ndim - 3)), len(self._late_s), 1)
        return Links(z[..., 0, :], np.where(there, wrong, np.nan), lead)

    def _partner_bands(self, seen: F64) -> F64:
        """Return (n, ..., 3 per band)."""
        memory, bands = self._memory, []
        arousal, valence = (seen[..., COLUMN[f"partner_{c}"]] for c in ("arousal", "valence"))
        need = np.maximum(0.0, -memory.present(valence, 2.0, 0.15))
        for quick, slow in BANDS:
            for x in (arousal, valence):
                bands.append(self._band(x, quick, slow))
            bands.append(memory.mean(need, quick) - memory.mean(need, slow))
        return np.stack(bands, axis=-1)

    def _partner(self, now: F64, seen: F64) -> F64:
        """Return (n, ..., 3 per band, delayed, pause response, has the floor)."""
        memory = self._memory
        delayed = memory.delay(now, LAG_S)
        talks, response = memory.pauses(seen[..., COLUMN["partner_speaking_prob"]])
        floor = (memory.mean(talks, 3.0) > 0.3).astype(np.float64)
        return np.concatenate((delayed, np.stack([response, floor], axis=-1)), axis=-1)

    def _listener(self, seen: F64) -> F64:
        """Return (n, ..., 3 per band, nods, may nod)."""
        memory, bands = self._memory, []
        nods = np.minimum(seen[..., COLUMN["listener_events"]], 1.0)
        nods = np.nan_to_num(nods)
        for quick, slow in BANDS:
            for c in ("arousal", "valence"):
                bands.append(self._band(seen[..., COLUMN[f"listener_{c}"]], quick, slow))
            bands.append(memory.mean(nods, quick) - memory.mean(nods, slow))
        silent = np.nan_to_num(seen[..., COLUMN["listener_speaking_prob"]]) < 0.5
        there = seen[..., COLUMN["listener_ok"]] > 0
        free = (silent & there).astype(np.float64)
        return np.stack([*bands, nods, free], axis=-1)

    def _lead(self, partner: F64, partner_before: F64, listener: F64) -> F64:
        """Return (n, ...) from (n, ..., 2) each."""
        memory = self._memory
        listener_before = memory.delay(listener, LAG_S)
        more = memory.mean(partner_before * listener - partner * listener_before, MEMORY_S)
        xx, yy = (memory.mean(x**2, MEMORY_S) for x in (partner, listener))
        r: F64 = more / np.sqrt(np.maximum(xx * yy, 1e-12))
        return np.asarray(r.mean(axis=-1))

    def _band(self, x: F64, quick: float, slow: float) -> F64:
        memory = self._memory
        weight = memory.mean(np.isfinite(x).astype(np.float64), quick)
        low = memory.present(x, slow, 0.02)
        return weight * (memory.present(x, quick, 0.15) - low)

    def _z(self, x: F64, y: F64, t: F64) -> F64:
        memory = self._memory
        effective = MEMORY_S * -np.expm1(-t / MEMORY_S)
        effective = effective.reshape(len(t), *([1] * (x.ndim - 2)))
        px = [3 * b + ("arousal", "valence", "need").index(p) for b in (0, 1) for p, _ in PAIRS]
        py = [3 * b + ("arousal", "valence", "nods").index(q) for b in (0, 1) for _, q in PAIRS]
        xx = memory.mean(x[..., :6] ** 2, MEMORY_S)
        yy = memory.mean(y[..., :6] ** 2, MEMORY_S)
        xy = memory.mean(x[..., px] * y[..., py], MEMORY_S)
        slow = np.repeat([s for _, s in BANDS], len(PAIRS))
        scale = np.sqrt(effective[..., None] / (2.0 * slow))
        follows = scale * xy / np.sqrt(np.maximum(xx[..., px] * yy[..., py], 1e-12))

        response, nods = x[..., 6], y[..., 6]
        free = x[..., 7] * y[..., 7]
        sums = np.stack(
            [free, free * response, free * response**2, free * nods, free * nods * response],
            axis=-1,
        )
        w, wr, wrr, e, er = np.moveaxis(memory.mean(sums, MEMORY_S), -1, 0)
        w = np.maximum(w, 1e-9)
        mean = wr / w
        variance = np.maximum(wrr / w - mean**2, 1e-9)
        spread = np.sqrt(np.maximum(e, 1e-9) * variance / (effective * self._rate))
        answered = np.where(e > 0, (er - e * mean) / spread, 0.0)
        return np.concatenate((follows, answered[..., None]), axis=-1)
