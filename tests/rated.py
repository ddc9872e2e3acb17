"""Session folders for the rating's tests, and raters in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import report_sessions
from cuesense import Session, schema
from cuesense.rating.store import Code, Ratings
from cuesense.rating.units import ANSWERS
from media import Audio, Video, write_media

BASELINE_S = 45.0


def folder(
    path: Path,
    *media: Path,
    duration_s: float = 130.0,
    labels: Sequence[str] | None = None,
    **source: Any,
) -> Session:
    """Make a session folder as an analysis of `media` leaves it.

    `labels` are those of the state table after the baseline, over and over; None: a mixture.
    """
    made = report_sessions.session(duration_s)
    path.mkdir(parents=True)
    pq.write_table(made.timeline, path / "timeline.parquet")
    pq.write_table(made.events, path / "events.parquet")
    t = made.state.column("t").to_numpy()
    state = _with(made.state, "calibrated", pa.array((t >= BASELINE_S).astype(float)))
    given = labels or [label for label in schema.LABELS for _ in range(60)]
    column = np.resize(np.array(given, dtype=object), len(t))
    column[t < BASELINE_S] = schema.INSUFFICIENT
    state = _with(state, "label", pa.array(column, pa.string()))
    pq.write_table(state, path / "state.parquet")
    about = {
        **made.meta["source"],
        "paths": [p.name for p in media],
        "sha256": [hashlib.sha256(p.read_bytes()).hexdigest() for p in media],
        **source,
    }
    meta = json.dumps({**made.meta, "source": about})
    (path / "session.json").write_text(meta, encoding="utf-8")
    return Session(path)


def small(path: Path) -> Path:
    """Write a recording of 130 s that is cut and encoded in a moment."""
    video = Video(codec="libx264", size=(96, 64), fps=10, seconds=130.0, gop=20)
    return write_media(path, video, Audio(codec="aac", rate=16_000, seconds=130.0))


def code(session: Session, name: str, answers: Mapping[int, str] | Sequence[str]) -> None:
    """Let a rater have coded units, counted from 0 in order of time."""
    ratings = Ratings(session)
    plan = ratings.plan()
    given = answers if isinstance(answers, Mapping) else dict(enumerate(answers))
    for unit, answer in given.items():
        assert answer in ANSWERS
        ratings.save(name, plan, unit, Code(answer))


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    index = table.schema.get_field_index(name)
    return table.set_column(index, table.schema.field(index), column)
