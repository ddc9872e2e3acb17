"""Made-up sessions for the tests of studies: each of a recording of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import export_sessions

LABELS_1 = ("mirroring", "regulating", "disengaged", "no demand", "insufficient")
STATE_1 = """t label reason variant p_mirroring p_regulating p_disengaged partner_arousal
    partner_valence listener_arousal listener_valence partner_arousal_sd partner_valence_sd
    listener_arousal_sd listener_valence_sd event_rate gaze_on_partner ev_arousal ev_valence
    ev_events ev_gaze partner_slope coverage_partner coverage_listener calibrated""".split()
"""The columns of the states in table layout 1, in their order."""


def write(folder: Path, seed: int, seconds: float = 8.0, **meta: Any) -> Path:
    """Write a session; `meta` goes over what its session.json says. Its recording is the seed."""
    export_sessions.write(folder, seconds, seed)
    source = {"sha256": [f"{seed:064x}"]} | meta.pop("source", {})
    change(folder, **meta, source=source)
    return folder


def change(folder: Path, **meta: Any) -> None:
    """Change what a session.json says; its source is added to."""
    path = folder / "session.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    source = said["source"] | meta.pop("source", {})
    path.write_text(json.dumps(said | meta | {"source": source}), encoding="utf-8")


def write_layout_1(folder: Path, seed: int, seconds: float = 8.0) -> Path:
    """Write a session as the program wrote it when the tables' layout was 1."""
    write(folder, seed, seconds)
    now = pq.read_table(folder / "state.parquet")
    rng, n = np.random.default_rng(seed), now.num_rows
    label = rng.choice(np.array(LABELS_1, dtype=object), n)
    reason = np.where(label == "insufficient", "uncalibrated", "").astype(object)
    columns: dict[str, pa.Array] = {"label": pa.array(label), "reason": pa.array(reason)}
    for name in STATE_1:
        if name not in columns:
            known = name in now.column_names
            columns[name] = now.column(name) if known else pa.array(rng.normal(size=n))
    pq.write_table(pa.table({name: columns[name] for name in STATE_1}), folder / "state.parquet")
    summary = {
        "labels": {one: float(np.mean(label == one)) for one in LABELS_1},
        "null": {"of_total": {}, "rolls": 39, "reason": ""},
        "settling": {"difference": -0.2, "low": -0.5, "high": 0.1, "reason": ""},
        "synchrony": {"z": 0.1, "p": 0.4, "low": -0.2, "high": 0.2, "windows": 7, "reason": ""},
        "turns": {"talk_share": {"A": 0.6, "B": 0.4}, "silence_share": 0.2},
    }
    change(folder, schema="1", summary=summary)
    return folder
