"""What may be said of a listener: a stance and a contingency, two claims that are kept apart.

A stance is what the listener does, a contingency whether it is about this partner. "mirroring" and
"regulating" are said only where both hold. Who is calm without being shown to answer is "calm; not
shown to be responding yet", who answers without a clear stance is "responding".

The weights are in ``models/response/response.json``; the recipe is ``benchmarks/dyad_fit.py``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final

import numpy as np

from cuesense import schema
from cuesense.config import Dyad
from cuesense.dyad.contingency import LATE_S, LINKS, MEMORY_S, Contingency
from cuesense.dyad.features import DyadSample, to_array
from cuesense.dyad.stance import People, Stance
from cuesense.errors import ParameterError
from cuesense.resources import resource
from cuesense.types import F64

CLAIMS: Final = (*schema.MODES, schema.RESPONDING, schema.CALM, schema.MOVED, "unclear")
"""What may be said."""
MIRRORING, REGULATING, DISENGAGED, RESPONDING, CALM, MOVED, UNCLEAR = range(len(CLAIMS))

CLEAR: Final = Dyad().min_p
"""Probability from which a stance holds, unless the settings say otherwise."""
ABOUT: Final = Dyad().min_contingency
"""Probability from which a contingency holds, likewise."""

COMMON: Final = 0.2
"""Share of wrong partners that fit as well, from which that is the competing explanation."""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The fitted numbers.

    Attributes
    ----------
    links
        (`LINKS`,) of the links, times the root of the time in units of 300 s; with `bias` and
        `per_min` (of the evidence's effective minutes) the log odds of a contingency.
    people
        what is known of listeners before one is met, for their stance.
    """

    links: F64
    per_min: float
    bias: float
    people: People


@cache
def weights() -> Weights:
    """Return the weights that come with the package.

    Raises
    ------
    ParameterError
        if the file is of another version of the links or of people.
    """
    path = resource("models/response/response.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    people: dict[str, Any] = {
        k: np.array(v) if isinstance(v, list) else v for k, v in found["people"].items()
    }
    if found["names"] != list(LINKS) or set(people) != {f.name for f in fields(People)}:
        raise ParameterError(
            f"{path.name} is of other links or people than this version's: install both together"
        )
    return Weights(
        links=np.array(found["links"]),
        per_min=float(found["per_min"]),
        bias=float(found["bias"]),
        people=People(**people),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What follows for n ticks, of one conversation or of many (the dots).

    Attributes
    ----------
    stance
        (n, ..., 3) probabilities of `schema.MODES`, whoever it is about.
    contingency
        (n, ...) probability that the listener answers this partner.
    chance
        (n, ..., `LATE_S`) the same with each wrong partner; NaN until they are there.
    evidence
        (n, ..., `LINKS`) what each link adds to the log odds of `contingency`.
    lead
        (n, ...) how much more the listener comes after the partner than before; see `Links`.
    claim
        (n, ...) index into `CLAIMS`.
    """

    stance: F64
    contingency: F64
    chance: F64
    evidence: F64
    lead: F64
    claim: np.ndarray[Any, np.dtype[np.intp]]


def claims(
    stance: F64, contingency: F64, clear_from: float = CLEAR, about_from: float = ABOUT
) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Return what may be said: (n, ...) indices into `CLAIMS`.

    Parameters
    ----------
    stance
        (n, ..., 3) probabilities.
    contingency
        (n, ...) probabilities.
    clear_from
        probability from which a stance holds; `about_from` likewise a contingency.
    """
    top, clear = stance.argmax(axis=-1), stance.max(axis=-1) >= clear_from
    about = contingency >= about_from
    said: np.ndarray[Any, np.dtype[np.intp]] = np.select(
        [
            clear & (top == DISENGAGED),
            clear & about,
            about,
            clear & (top == REGULATING),
            clear & (top == MIRRORING),
        ],
        [DISENGAGED, top, RESPONDING, CALM, MOVED],
        default=UNCLEAR,
    )
    return said


def answers(z: F64, elapsed_s: F64, fitted: Weights) -> tuple[F64, F64]:
    """Return the probability of a contingency (n, ...), and what each link adds (n, ..., `LINKS`).

    Parameters
    ----------
    z
        (n, ..., `LINKS`) from `Contingency`.
    elapsed_s
        (n,) s since the conversation began.
    fitted
        weights.
    """
    minutes = MEMORY_S * -np.expm1(-elapsed_s / MEMORY_S) / 60.0
    minutes = minutes.reshape(len(z), *([1] * (z.ndim - 2)))
    evidence = z * fitted.links * np.sqrt(minutes / 5.0)[..., None]
    return _probability(evidence.sum(axis=-1) + fitted.bias + fitted.per_min * minutes), evidence


class Response:
    """Stage: samples of both people on the dyad's grid in, verdicts out."""

    def __init__(self, rate_hz: float, fitted: Weights | None = None) -> None:
        self._weights = fitted or weights()
        self._rate = rate_hz
        self._contingency = Contingency(rate_hz)
        self._stance = Stance(rate_hz, self._weights.people)
        self._ticks = 0

    def push(self, sample: DyadSample) -> Verdict:
        """Return the verdict on one sample (n = 1)."""
        return self.extend(to_array([sample]))

    def samples(self, samples: Sequence[DyadSample]) -> Verdict:
        """Return the verdicts on some samples: the same as pushing them one by one."""
        return self.extend(to_array(samples))

    def extend(self, seen: F64) -> Verdict:
        """Return the verdicts on (n, ..., fields of `DyadSample`), the next n ticks."""
        w = self._weights
        links = self._contingency.extend(seen)
        t = np.arange(self._ticks + 1.0, self._ticks + len(seen) + 1.0) / self._rate
        self._ticks += len(seen)
        contingency, evidence = answers(links.z, t, w)
        chance, _ = answers(links.wrong, t, w)
        stance = self._stance.extend(seen)
        return Verdict(
            stance, contingency, chance, evidence, links.lead, claims(stance, contingency)
        )


def _probability(log_odds: F64) -> F64:
    p: F64 = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -30.0, 30.0)))
    return p


def rival(
    stance: F64, contingency: float, chance: F64, lead: float, about_from: float = ABOUT
) -> str:
    """Return the strongest competing explanation at one tick, of `schema.RIVALS`.

    Parameters
    ----------
    stance
        (3,) probabilities.
    contingency
        probability.
    chance
        (`LATE_S`,) the same with wrong partners, NaN until they are there.
    lead
        how much more the listener comes after the partner than before.
    about_from
        probability from which a contingency holds.
    """
    if contingency < about_from:
        there = chance[np.isfinite(chance)]
        by_chance = len(there) > 0 and float(np.mean(there >= contingency)) >= COMMON
        return "own manner" if by_chance else "too little yet"
    if lead < 0:
        return "something else"
    return schema.MODES[int(np.argsort(stance)[-2])]


__all__ = [
    "CLAIMS",
    "LATE_S",
    "LINKS",
    "Response",
    "Verdict",
    "Weights",
    "claims",
    "rival",
    "weights",
]
