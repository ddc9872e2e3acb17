"""Made-up sessions that fill every column of the schema, for the exporters' tests and benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import report_sessions
from cuesense import Config, Session, schema
from cuesense.timeline import arrow_schema

RATE_HZ, STATE_HZ = 25, 5
DETAILS = ("", "interruption", 'she said "äh"', "tab\there", "<b>&amp;", "长名字")


def write(
    folder: Path, duration_s: float = 60.0, seed: int = 1, names: tuple[str, ...] = ()
) -> Session:
    """Write a session: each value is drawn from its range, and missing where its reason says so."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    people = [_person(rng, t, p, role) for p, role in (("A", "partner"), ("B", "listener"))]
    order = np.arange(2 * len(t)).reshape(2, -1).T.ravel()
    timeline = pa.concat_tables(people).take(pa.array(order))
    pq.write_table(timeline, folder / "timeline.parquet", row_group_size=6000, compression="zstd")
    state = _state(rng, t[:: RATE_HZ // STATE_HZ])
    pq.write_table(state, folder / "state.parquet", compression="zstd")
    pq.write_table(_events(rng, duration_s), folder / "events.parquet")
    meta = report_sessions.meta(duration_s, state)
    meta["config"] = Config().to_dict()
    meta["source"]["paths"] = list(names or ("talk.mp4",))
    (folder / "session.json").write_text(json.dumps(meta), encoding="utf-8")
    return Session(folder)


def _runs(rng: np.random.Generator, n: int, words: tuple[str, ...], share: float) -> np.ndarray:
    """Return words that last some ticks each; `share` of them are empty."""
    picks = np.array(("", *words), dtype=object)
    p = [share, *[(1 - share) / len(words)] * len(words)]
    return np.repeat(rng.choice(picks, n // 10 + 1, p=p), 10)[:n]


def _numbers(rng: np.random.Generator, n: int, c: schema.Column) -> np.ndarray:
    low = -5.0 if c.low is None else c.low
    high = low + 10.0 if c.high is None else c.high
    return rng.uniform(low, high, n)


def _person(rng: np.random.Generator, t: np.ndarray, person: str, role: str) -> pa.Table:
    n = len(t)
    words = {r: _runs(rng, n, tuple(schema.MISSING), 0.7) for r in schema.REASONS}
    data: dict[str, np.ndarray] = {"t": t, "person": np.full(n, person), "role": np.full(n, role)}
    data |= words
    for c in schema.VALUE_COLUMNS:
        data[c.name] = np.where(words[c.reason] == "", _numbers(rng, n, c), np.nan)
    return _table(schema.TIMELINE, data)


def _state(rng: np.random.Generator, t: np.ndarray) -> pa.Table:
    n = len(t)
    data: dict[str, np.ndarray] = {"t": t}
    for c in schema.STATE[1:]:
        if c.kind == "text":
            known = schema.LABELS if c.name == "label" else ("under 10 s", "escalating")
            data[c.name] = _runs(rng, n, known, 0.0 if c.name == "label" else 0.5)
        else:
            data[c.name] = np.where(rng.random(n) < 0.2, np.nan, _numbers(rng, n, c))
    return _table(schema.STATE, data)


def _events(rng: np.random.Generator, duration_s: float) -> pa.Table:
    rows = []
    for kind in schema.EVENTS:
        for start in np.sort(rng.uniform(0, duration_s, max(3, round(duration_s / 4)))):
            lasts = 0.0 if kind in ("mark", "identity_doubt") else rng.uniform(0.1, 6)
            value = np.nan if rng.random() < 0.5 else float(np.float32(rng.normal()))
            person = "" if kind in ("overlap", "gap", "mark", "label") else "AB"[rng.integers(2)]
            end = min(start + lasts, duration_s)
            rows.append((start, end, person, kind, value, DETAILS[rng.integers(len(DETAILS))]))
    rows.sort()
    data = {
        c.name: np.array([row[i] for row in rows], dtype=object)
        for i, c in enumerate(schema.EVENTS_TABLE)
    }
    return _table(schema.EVENTS_TABLE, data)


def _table(columns: tuple[schema.Column, ...], data: dict[str, np.ndarray]) -> pa.Table:
    layout = arrow_schema(columns)
    return pa.table([pa.array(data[f.name], f.type) for f in layout], schema=layout)
