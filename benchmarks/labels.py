"""What the scripted bouts of the sample are labelled, and what a wrong partner would have given."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cuesense import analyze, schema
from cuesense.config import Config, Dyad
from cuesense.dyad.features import Features
from cuesense.dyad.modes import judge, stances
from cuesense.dyad.null import roll_partner, rolled, select
from cuesense.summary import features_of, seen
from cuesense.types import F64

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


def stance(features: Features, p: F64, config: Dyad) -> npt.NDArray[np.object_]:
    """Return what the listener clearly does at each sample, whoever it is about; "" if unclear.

    Parameters
    ----------
    features
        of n samples.
    p
        (n, 3) probabilities.
    config
        constants.
    """
    found = judge(features, p, np.zeros(len(p)), config)
    names = np.array([*schema.MODES, ""], dtype=object)
    return np.asarray(names[stances(found.label, found.p, config)])


def against(
    features: Features, seen: F64, mode: npt.NDArray[np.object_], config: Dyad, rolls: int
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Return the score of a session, and those with wrong partners.

    A wrong partner is the partner of other times: the whole session rolled against the listener,
    so that everything is judged with what somebody else was doing then.
    """
    calibrated = np.flatnonzero(features.calibrated)
    start, stop = int(calibrated[0]), int(calibrated[-1]) + 1
    features, mode = select(features, slice(start, stop)), mode[start:stop]
    least = round(LEAST_SHIFT_S * config.rate_hz)
    shifts = np.linspace(least, len(mode) - least, rolls).round().astype(np.intp)
    p, _ = rolled(seen[:stop], start, np.concatenate(([0], shifts)), config)
    true, *wrong = (
        score(stance(roll_partner(features, int(k)), p[:, i], config), mode)
        for i, k in enumerate((0, *shifts))
    )
    return true, wrong


def bouts(
    recording: Path, truth: Path
) -> tuple[dict[str, float], dict[str, tuple[float, float, float]]]:
    """Analyse the sample; return its score and that of wrong partners (median, 5 %, 95 %)."""
    with tempfile.TemporaryDirectory() as folder:
        session = analyze(recording, out=Path(folder) / "session")
        state, config = session.state.to_arrow(), Config()
        features, x = features_of(state), seen(session.timeline, state, config)
    mode = scripted(truth, features.t)
    true, wrong = against(features, x, mode, config.dyad, ROLLS)
    null = {}
    for key in true:
        low, median, high = np.nanquantile([w[key] for w in wrong], [0.05, 0.5, 0.95])
        null[key] = (float(median), float(low), float(high))
    return true, null
