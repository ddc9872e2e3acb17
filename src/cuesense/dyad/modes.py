"""What may be said of the listener: a stance, and with a contingency a label.

Mirroring goes along in kind and size; regulating answers, but calmer and warmer (Butler & Randall
2013: coupling that damps); disengaged does not answer. Which of them it is, and whether it is about
this partner, is `cuesense.dyad.response`; when nothing may be said at all is decided here.

`judge` is a pure function of both and of `features.extract` (causal smoothing, state in, state
out). `Modes` calls them for one sample or many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cuesense import schema
from cuesense.config import Dyad
from cuesense.dyad.features import (
    COLUMN,
    Carry,
    DyadSample,
    Features,
    extract,
    to_array,
    to_evidence,
)
from cuesense.dyad.response import CLAIMS, LINKS, Response, Verdict, claims, rival
from cuesense.types import F64, DyadState, Event

__all__ = ["DyadSample", "Modes", "Verdicts", "judge", "stances"]

Codes = npt.NDArray[np.intp]

VARIANTS: Final = ("", "sharing", "escalating")
_FLAT: Final = 1e-9  # SD/s; a steady state's slope is 0 up to rounding
MIRRORING, REGULATING, DISENGAGED, RESPONDING, CALM, MOVED, NO_DEMAND, INSUFFICIENT = range(
    len(schema.LABELS)
)


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """What follows from `Features`: `label` indexes `schema.LABELS`.

    Attributes
    ----------
    label
        (n,) index into `schema.LABELS`.
    reason
        (n,) index into `reasons(config)`.
    variant
        (n,) index into `VARIANTS`.
    p
        (n, 3) probability of each stance; NaN while too little is known of either person.
    """

    label: Codes
    reason: Codes
    variant: Codes
    p: F64


def reasons(config: Dyad) -> tuple[str, ...]:
    """Return the words for why there is no mode, in the order in which they are checked."""
    least = f"{100 * config.min_coverage:g} %"
    return (
        "",
        f"under {config.min_time_s:g} s",
        "uncalibrated",
        f"coverage of the partner under {least}",
        f"coverage of the listener under {least}",
        f"partner within {config.demand:g} SD of baseline",
        f"no mode above {100 * config.min_p:g} %",
        f"contingency under {100 * config.min_contingency:g} %",
    )


def judge(features: Features, stance: F64, contingency: F64, config: Dyad) -> Verdicts:
    """Return labels, reasons and variants for n samples.

    Something is said only after 10 s, with both people calibrated and covered, when the partner is
    away from their baseline (else no mode could be told from another: "no demand"), and when the
    stance is clear or a contingency holds; mirroring and regulating are said where both do.
    "escalating" marks that both are activated while the partner's distress grows, "sharing" that
    both are pleased.

    Parameters
    ----------
    features
        of n samples.
    stance
        (n, 3) probabilities of the modes, whoever it is about.
    contingency
        (n,) probability that the listener answers this partner.
    config
        constants.
    """
    demand = np.fmax(np.abs(features.partner[:, 0]), np.abs(features.partner[:, 1]))
    checks = [
        features.elapsed_s < config.min_time_s,
        ~features.calibrated,
        features.coverage[:, 0] < config.min_coverage,
        features.coverage[:, 1] < config.min_coverage,
        demand < config.demand,
    ]
    lacks = np.select(checks, np.arange(1, len(checks) + 1), default=0)
    calm, unclear, by_chance = len(checks), len(checks) + 1, len(checks) + 2
    said = claims(stance, contingency, config.min_p, config.min_contingency)
    told = np.select(
        [(said == CALM) | (said == MOVED), said >= RESPONDING], [by_chance, unclear], default=0
    )
    reason = np.where(lacks > 0, lacks, told)
    known = (lacks == 0) | (lacks == calm)
    # What may be said comes in the labels' order; "unclear", the last of it, is too little.
    said = np.where(said == len(CLAIMS) - 1, INSUFFICIENT, said)
    label = np.select([lacks == 0, lacks == calm], [said, NO_DEMAND], default=INSUFFICIENT)

    rising = features.partner_slope > -_FLAT
    distress = (features.partner[:, 1] < -config.escalating) & rising
    aroused = (features.partner[:, 0] > config.escalating) & (
        features.listener[:, 0] > config.escalating
    )
    pleased = (features.partner[:, 1] > config.sharing) & (features.listener[:, 1] > config.sharing)
    with_partner = (label == MIRRORING) | (label == MOVED)
    there = (label < NO_DEMAND) & (label != DISENGAGED)
    variant = np.select(
        [with_partner & distress & aroused, there & pleased],
        [VARIANTS.index("escalating"), VARIANTS.index("sharing")],
        default=0,
    )

    return Verdicts(
        label=label,
        reason=reason,
        variant=variant,
        p=np.where(known[:, None], stance, np.nan),
    )


def stances(label: Codes, p: F64, config: Dyad) -> Codes:
    """Return the clear stance at each sample, (n,): index into `schema.MODES`, -1 without one.

    Parameters
    ----------
    label
        (n,) index into `schema.LABELS`.
    p
        (n, 3) probabilities, NaN where there are none.
    config
        constants.
    """
    sure = np.nan_to_num(p)
    clear = (label < NO_DEMAND) & (sure.max(axis=1, initial=0.0) >= config.min_p)
    return np.where(clear, sure.argmax(axis=1), -1)


class Modes:
    """Stage: samples of both people on the dyad's grid in, the listener's mode out."""

    def __init__(self, config: Dyad) -> None:
        self._config = config
        self._reasons = reasons(config)
        self._response = Response(config.rate_hz)
        self._carry: Carry | None = None

    def push(self, sample: DyadSample) -> DyadState:
        """Return the state at this sample; `sample.t` must be one grid step after the last."""
        return self.extend([sample])[0]

    def extend(self, samples: Sequence[DyadSample]) -> list[DyadState]:
        """Return the states at these samples: the same as pushing them one by one."""
        if not samples:
            return []
        seen = to_array(samples)
        features, self._carry = extract(seen, self._config, self._carry)
        response = self._response.extend(seen)
        verdicts = judge(features, response.stance, response.contingency, self._config)
        known = np.isfinite(verdicts.p[:, 0])
        evidence = (
            {
                name: np.where(known, column, np.nan)
                for name, column in contingency_columns(response).items()
            }
            | {
                "responses": seen[:, COLUMN["listener_events"]],
                "looks": seen[:, COLUMN["listener_gaze_on_partner"]],
            }
            | to_evidence(features)
        )
        return [
            DyadState(
                t=float(features.t[i]),
                label=schema.LABELS[verdicts.label[i]],
                reason=self._reasons[verdicts.reason[i]],
                variant=VARIANTS[verdicts.variant[i]],
                rival=self._rival(response, i) if known[i] else "",
                p=(float(verdicts.p[i, 0]), float(verdicts.p[i, 1]), float(verdicts.p[i, 2])),
                evidence={name: float(column[i]) for name, column in evidence.items()},
            )
            for i in range(len(samples))
        ]

    def _rival(self, response: Verdict, i: int) -> str:
        about, lead = float(response.contingency[i]), float(response.lead[i])
        least = self._config.min_contingency
        return rival(response.stance[i], about, response.chance[i], lead, least)


def contingency_columns(response: Verdict) -> dict[str, F64]:
    """Return a contingency as columns of `schema.EVIDENCE`; a link is told over all its bands.

    The weights of the bands were fitted together and share what they say.
    """
    links: dict[str, F64] = {}
    for name, nats in zip(LINKS, response.evidence.T, strict=True):
        column = "link_" + name.split(",")[0].replace(" ", "_")
        links[column] = links.get(column, 0.0) + nats
    there = np.flatnonzero(np.isfinite(response.chance).any(axis=1))
    chance = np.full(len(response.chance), np.nan)
    chance[there] = np.nanmedian(response.chance[there], axis=1)
    return {
        "contingency": response.contingency,
        "contingency_by_chance": chance,
        **links,
        "lead": response.lead,
    }


class Labels:
    """Stage: the label at each sample in, a "label" event per stretch of one label out."""

    def __init__(self) -> None:
        self._label, self._since, self._t = "", float("nan"), float("nan")

    def push(self, t: float, label: str) -> list[Event]:
        """Return the stretch that has ended at this sample, if any."""
        ended = self._ended(t) if label != self._label else []
        if label != self._label:
            self._label, self._since = label, t
        self._t = t
        return ended

    def flush(self) -> list[Event]:
        """Return the stretch under way."""
        return self._ended(self._t)

    def _ended(self, t: float) -> list[Event]:
        if not self._label:
            return []
        return [Event(self._since, t, "", "label", t - self._since, self._label)]
