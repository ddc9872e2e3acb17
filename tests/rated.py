"""Session folders for the rating's tests, and raters in them."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import report_sessions
from cuesense import Session, schema
from cuesense.rating.questions import CANNOT_TELL, QUESTIONS
from cuesense.rating.store import Code, Ratings
from media import Audio, Video, write_media

BASELINE_S = 45.0
_P = {(True, False): 0.9, (False, False): 0.05, (False, True): 0.4}
"""Probability of a stance where the tool names it, names another, and names none."""


def folder(
    path: Path,
    *media: Path,
    duration_s: float = 130.0,
    stances: Sequence[str] | None = None,
    contingency: Sequence[float] | None = None,
    **source: Any,
) -> Session:
    """Make a session folder as an analysis of `media` leaves it.

    `stances` and `contingency` are those of the state table after the baseline, over and over.
    Without either: as `report_sessions` has them.
    """
    made = report_sessions.session(duration_s)
    path.mkdir(parents=True)
    pq.write_table(made.timeline, path / "timeline.parquet")
    pq.write_table(made.events, path / "events.parquet")
    t = made.state.column("t").to_numpy()
    state = _with(made.state, "calibrated", pa.array((t >= BASELINE_S).astype(float)))
    if stances is not None:
        for mode in schema.MODES:
            p = [_P.get((said == mode, said == CANNOT_TELL), np.nan) for said in stances]
            state = _with(state, f"p_{mode}", _after(t, p))
        state = _with(state, "label", pa.array(np.resize(np.array(stances, object), len(t))))
    if contingency is not None:
        state = _with(state, "contingency", _after(t, contingency))
    pq.write_table(state, path / "state.parquet")
    about = {
        **made.meta["source"],
        "paths": [p.name for p in media],
        "sha256": [hashlib.sha256(p.read_bytes()).hexdigest() for p in media],
        **source,
    }
    bounds = {"dyad": {"min_p": 0.8, "min_contingency": 0.75}}
    meta = json.dumps({**made.meta, "source": about, "config": bounds})
    (path / "session.json").write_text(meta, encoding="utf-8")
    return Session(path)


def small(path: Path) -> Path:
    """Write a recording of 130 s that is cut and encoded in a moment."""
    video = Video(codec="libx264", size=(96, 64), fps=10, seconds=130.0, gop=20)
    return write_media(path, video, Audio(codec="aac", rate=16_000, seconds=130.0))


def code(
    session: Session,
    name: str,
    stances: Sequence[str],
    responds: Sequence[str] = (),
) -> None:
    """Let a rater have coded the first units of a session, in order of time."""
    ratings = Ratings(session)
    plan = ratings.plan()
    for unit, answers in enumerate(itertools.zip_longest(stances, responds, fillvalue="")):
        assert all(a in ("", *q.answers) for q, a in zip(QUESTIONS, answers, strict=True))
        ratings.save(name, plan, unit, Code(answers))


def _after(t: np.ndarray, values: Sequence[float]) -> pa.Array:
    """Return values over and over, missing before the baseline is complete."""
    return pa.array(np.where(t < BASELINE_S, np.nan, np.resize(np.array(values), len(t))))


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    index = table.schema.get_field_index(name)
    return table.set_column(index, table.schema.field(index), column)
