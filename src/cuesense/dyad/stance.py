"""What the listener does: mirroring-like, regulating-like or disengaged, whoever it is about.

If in each mode the listener's state were a linear function of what the partner gives, with normal
errors, the log likelihood of a stretch would be a weighted sum of means over it: of the listener's
state ``y`` and ``y²``, of ``x y`` and ``x²`` with the partner's state x, and of the same with the
partner's need ``n = max(0, -valence)``. So a logistic that is linear in such *moments* covers these
models without being told their gains, offsets or errors; its weights were fitted on simulated
people. Nods and looks enter with their rates, now and over the session, because both are habits.

The moments hold the partner, because what is calm depends on what there was to be calm about. That
the listener answers this partner does not follow from a stance: see `cuesense.dyad.contingency`.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from cuesense.dyad.features import COLUMN
from cuesense.dyad.memory import Memory
from cuesense.types import F64

WINDOWS_S: Final = (4.0, 12.0, 35.0)
"""s over which the moments are taken."""
RATES_S: Final = (5.0, 15.0, 40.0)
"""s over which nods and looks are taken."""
NATURE_S: Final = 150.0
"""s over which a person's own usual is taken."""
QUICK_S: Final = 1.5
"""s, smoothing before anything is multiplied."""
LAG_S: Final = 0.8
"""s by which the partner is delayed."""
LIMIT: Final = 3.0
"""SD beyond which a state is held, so that one glitch cannot rule the squares."""

_OWN: Final = ("y", "yy")
_WITH: Final = ("xy", "ny", "xx")
_OF_PARTNER: Final = ("n", "nn", "x arousal", "x valence")

MOMENTS: Final = (
    *(
        f"{c} {m}"
        for c in ("arousal", "valence")
        for m in ("usual", *(f"{p}, {s:g} s" for s in WINDOWS_S for p in (*_OWN, *_WITH)))
    ),
    *(f"{p}, {s:g} s" for s in WINDOWS_S for p in _OF_PARTNER),
    *(f"{p}, {s:g} s" for s in RATES_S for p in ("nods", "looks")),
    "nods usual",
    "looks usual",
)


class Stance:
    """Stage: what is seen of both people in, `MOMENTS` out; one conversation or many at once."""

    def __init__(self, rate_hz: float) -> None:
        self._rate = rate_hz
        self._memory = Memory(rate_hz)

    def extend(self, seen: F64) -> F64:
        """Return the moments at each tick.

        Parameters
        ----------
        seen
            (n, ..., fields of `DyadSample`), the next n ticks.

        Returns
        -------
            (n, ..., `MOMENTS`).
        """
        memory, out = self._memory, []
        memory.begin()

        def state(who: str, channel: str) -> F64:
            column = seen[..., COLUMN[f"{who}_{channel}"]]
            return np.clip(memory.present(column, QUICK_S, 0.1), -LIMIT, LIMIT)

        pair = np.stack([state("partner", "arousal"), state("partner", "valence")], axis=-1)
        partner = memory.delay(pair, LAG_S)
        need = np.maximum(0.0, -partner[..., 1])
        for i, channel in enumerate(("arousal", "valence")):
            x, y = partner[..., i], state("listener", channel)
            out.append(memory.mean(y, NATURE_S))
            products = np.stack([y, y * y, x * y, need * y, x * x], axis=-1)
            out += [memory.mean(products, s) for s in WINDOWS_S]
        alone = np.stack([need, need * need, partner[..., 0], partner[..., 1]], axis=-1)
        out += [memory.mean(alone, s) for s in WINDOWS_S]

        nods = np.minimum(np.nan_to_num(seen[..., COLUMN["listener_events"]]), 1.0)
        looks = seen[..., COLUMN["listener_gaze_on_partner"]]
        for s in RATES_S:
            # The root of a count varies alike whatever its mean.
            out.append(np.sqrt(self._rate * memory.mean(nods, s) + 0.02))
            out.append(memory.present(looks, s, 0.05))
        out.append(np.sqrt(self._rate * memory.mean(nods, NATURE_S) + 0.02))
        out.append(memory.present(looks, NATURE_S, 0.02))
        return np.concatenate([o[..., None] if o.ndim < seen.ndim else o for o in out], axis=-1)
