"""What the scripted bouts of the sample are labelled, and what a wrong partner would have given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cuesense import open_source, run, schema
from cuesense.config import Config, Dyad
from cuesense.dyad.features import Features, from_evidence
from cuesense.dyad.modes import judge, stances
from cuesense.dyad.null import roll_partner, select

ROLLS = 40
LEAST_SHIFT_S = 15.0


def scripted(truth: Path, t: npt.NDArray[np.float64]) -> npt.NDArray[np.object_]:
    """Return the scripted mode at each time, "" outside the bouts."""
    mode = np.full(len(t), "", dtype=object)
    for segment in json.loads(truth.read_text(encoding="utf-8"))["segments"]:
        if segment["mode"] in schema.MODES:
            mode[(t >= segment["start"]) & (t < segment["end"])] = segment["mode"]
    return mode


def score(label: npt.NDArray[np.object_], mode: npt.NDArray[np.object_]) -> dict[str, float]:
    """Compare stances with the script: what the listener does, whoever it is shown to be about.

    Returns
    -------
    dict
        ``given``: share of the bouts' time with a clear stance; ``right``: share of that time with
        the scripted one (NaN without any); ``given_<mode>`` and ``right_<mode>`` for each.
    """
    given = np.isin(label, schema.MODES)
    result = {}
    for name, here in (("", mode != ""), *((f"_{m}", mode == m) for m in schema.MODES)):
        labelled = here & given
        result[f"given{name}"] = float(given[here].mean()) if here.any() else np.nan
        right = (label == mode)[labelled]
        result[f"right{name}"] = float(right.mean()) if labelled.any() else np.nan
    return result


def stance(features: Features, config: Dyad) -> npt.NDArray[np.object_]:
    """Return what the listener clearly does at each sample, whoever it is about; "" if unclear."""
    found = judge(features, np.zeros(len(features.t)), config)
    names = np.array([*schema.MODES, ""], dtype=object)
    return np.asarray(names[stances(found.label, found.p, config)])


def bouts(
    recording: Path, truth: Path
) -> tuple[dict[str, float], dict[str, tuple[float, float, float]]]:
    """Analyse the sample; return its score and that of wrong partners (median, 5 %, 95 %).

    A wrong partner is the partner of other times: the whole session rolled against the listener,
    so that every label is judged with what somebody else was doing then.
    """
    config = Config()
    with open_source(recording) as source:
        states = [m.dyad for m in run(source, config) if m.dyad is not None]
    columns = {c.name: np.array([s.evidence[c.name] for s in states]) for c in schema.EVIDENCE}
    features = from_evidence(np.array([s.t for s in states]), columns)
    calibrated = np.flatnonzero(features.calibrated)
    features = select(features, slice(int(calibrated[0]), int(calibrated[-1]) + 1))
    mode = scripted(truth, features.t)

    def judged(some: Features) -> dict[str, float]:
        return score(stance(some, config.dyad), mode)

    least = round(LEAST_SHIFT_S * config.dyad.rate_hz)
    shifts = np.linspace(least, len(mode) - least, ROLLS).round().astype(int)
    true, wrong = judged(features), [judged(roll_partner(features, int(k))) for k in shifts]
    null = {}
    for key in true:
        low, median, high = np.nanquantile([w[key] for w in wrong], [0.05, 0.5, 0.95])
        null[key] = (float(median), float(low), float(high))
    return true, null
