"""What only a whole session can tell, each result with its null or interval.

Shares of the labels, settling, synchrony of smiles, voices from turn to turn, turns, space given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cuesense import schema
from cuesense.config import Config
from cuesense.dyad.entrainment import FEATURES, Following, entrainment
from cuesense.dyad.features import COLUMN, Features, from_evidence
from cuesense.dyad.floor import Space, space, summarise
from cuesense.dyad.modes import stances
from cuesense.dyad.null import wrong_partner
from cuesense.dyad.settling import settling
from cuesense.dyad.synchrony import SessionSynchrony, session_synchrony
from cuesense.timeline import Table
from cuesense.types import F64, PEOPLE, Event, Person, Role

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
        "entrainment": _entrainment(timeline, happened, config),
        "turns": summarise(happened, duration_s, np.random.default_rng(SEED))
        if duration_s > 0
        else None,
        "space": _space(timeline, rows, happened, config),
    }


def features_of(state: pa.Table) -> Features:
    """Return what the labels of a state table rest on."""
    numbers = [c.name for c in schema.EVIDENCE]
    columns = {name: state.column(name).to_numpy() for name in ("t", *numbers)}
    return from_evidence(columns.pop("t"), columns)


def listener_of(timeline: Table) -> Person | None:
    """Return who listens; None if nobody is known to."""
    first = timeline.to_arrow(["person", "role"]).slice(0, len(PEOPLE)).to_pylist()
    return next((row["person"] for row in first if row["role"] == Role.LISTENER), None)


def seen(timeline: Table, state: pa.Table, config: Config) -> F64:
    """Return what the dyad's estimator saw of both people: (n, fields of `DyadSample`)."""
    every = round(config.grid.rate_hz / config.dyad.rate_hz)
    listener, partner = "AB" if listener_of(timeline) == "A" else "BA"
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


def _entrainment(timeline: Table, events: list[Event], config: Config) -> dict[Person, Following]:
    """Return whether each voice follows the other's."""
    columns = ["t", *FEATURES.values()]
    of = {p: timeline.of(p, columns) for p in PEOPLE}
    rng = np.random.default_rng(SEED)
    return entrainment(of["A"]["t"], of, events, config.entrainment, rng)


def _space(timeline: Table, state: pa.Table, events: list[Event], config: Config) -> Space | None:
    """Return whether the listener gave space; None if nobody is known to listen."""
    listener = listener_of(timeline)
    if listener is None:
        return None
    t, arousal, valence = (
        state.column(c).to_numpy() for c in ("t", "partner_arousal", "partner_valence")
    )
    rng = np.random.default_rng(SEED)
    return space(events, listener, t, arousal, valence, config.turns, rng)
