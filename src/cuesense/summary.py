"""What only a whole session can tell: shares and their null, settling, synchrony, turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cuesense import schema
from cuesense.config import Config
from cuesense.dyad.features import COLUMN, Features, from_evidence
from cuesense.dyad.modes import stances
from cuesense.dyad.null import wrong_partner
from cuesense.dyad.settling import settling
from cuesense.dyad.synchrony import SessionSynchrony, session_synchrony
from cuesense.dyad.turns import summarise
from cuesense.timeline import Table
from cuesense.types import F64, Event, Role

if TYPE_CHECKING:
    import pyarrow as pa

SEED = 20_231
"""Of the resampling, so that a report can be made again to the digit."""


def summary(
    timeline: Table,
    state: Table,
    events: Table,
    duration_s: float,
    config: Config,
) -> dict[str, Any]:
    """Return the summary of a session: results by name, None where there can be none.

    Parameters
    ----------
    timeline
        Of the session; likewise `state` and `events`.
    duration_s
        s.
    config
        Settings.
    """
    rows = state.to_arrow()
    labels = np.array(rows.column("label").to_pylist(), dtype=object)
    codes = np.array([schema.LABELS.index(label) for label in labels], dtype=np.intp)
    p = np.stack([rows.column(f"p_{mode}").to_numpy() for mode in schema.MODES], axis=1)
    happened = [Event(**row) for row in events.to_arrow().to_pylist()]
    return {
        "labels": {name: float(np.mean(labels == name)) for name in schema.LABELS if len(labels)},
        "null": wrong_partner(features_of(rows), seen(timeline, rows, config), config.dyad),
        "settling": settling(
            rows.column("partner_arousal").to_numpy(),
            stances(codes, p, config.dyad),
            config.dyad,
            np.random.default_rng(SEED),
        ),
        "synchrony": _smile_synchrony(timeline, config),
        "turns": summarise(happened, duration_s) if duration_s > 0 else None,
    }


def features_of(state: pa.Table) -> Features:
    """Return what the labels of a state table rest on."""
    numbers = [c.name for c in schema.EVIDENCE]
    columns = {name: state.column(name).to_numpy() for name in ("t", *numbers)}
    return from_evidence(columns.pop("t"), columns)


def seen(timeline: Table, state: pa.Table, config: Config) -> F64:
    """Return what the dyad's estimator saw of both people: (n, fields of `DyadSample`)."""
    every = round(config.grid.rate_hz / config.dyad.rate_hz)
    roles = timeline.of("A", ["role"])["role"]
    listener, partner = "AB" if len(roles) and roles[0] == Role.LISTENER else "BA"
    evidence = {"events": "responses", "gaze_on_partner": "looks"}
    columns = {
        "t": state.column("t").to_numpy(),
        "calibrated": state.column("calibrated").to_numpy(),
        **{f"listener_{ours}": state.column(c).to_numpy() for ours, c in evidence.items()},
    }
    affect = ["arousal", "valence", "arousal_sd", "valence_sd"]
    for who, person in (("listener", listener), ("partner", partner)):
        x = timeline.of(person, [*affect, "speaking"])
        columns |= {f"{who}_{name}": x[name][::every] for name in affect}
        columns[f"{who}_speaking_prob"] = x["speaking"][::every]
        columns[f"{who}_ok"] = np.isfinite(columns[f"{who}_arousal"]).astype(np.float64)
    return np.stack([columns[name] for name in COLUMN], axis=1)


def _smile_synchrony(timeline: Table, config: Config) -> SessionSynchrony:
    """Return the synchrony of both people's smiles, averaged onto the dyad's grid.

    Facial mimicry is established for smiles only (Riehle et al. 2017).
    """
    every = round(config.grid.rate_hz / config.dyad.rate_hz)

    def smile(person: str) -> F64:
        x = timeline.of(person, ["smile"])["smile"]
        rows = x[: len(x) // every * every].reshape(-1, every)
        seen = np.isfinite(rows)
        total = np.where(seen, rows, 0.0).sum(axis=1)
        return np.where(seen.any(axis=1), total / np.maximum(seen.sum(axis=1), 1), np.nan)

    return session_synchrony(
        smile("A"),
        smile("B"),
        rate_hz=config.dyad.rate_hz,
        band_s=config.synchrony.band_face_s,
        settings=config.synchrony,
        rng=np.random.default_rng(SEED),
    )
