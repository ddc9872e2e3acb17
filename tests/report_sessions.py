"""Seeded sessions for the report's tests: made up, but shaped as the pipeline shapes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from cuesense import schema
from cuesense.report import ReportInput

RATE_HZ, STATE_HZ, BASELINE_S = 25.0, 5.0, 45.0


def session(duration_s: float = 300.0, seed: int = 1, *, name: str = "talk.mp4") -> ReportInput:
    """Two people who take turns; B listens. Faces are missing now and then, with reasons."""
    rng = np.random.default_rng(seed)
    t = np.arange(0, duration_s, 1 / RATE_HZ)
    calm = t < BASELINE_S
    need = 1.8 * np.clip(np.sin(2 * np.pi * t / 90 - 1.2), 0, None)
    half = np.floor(t / 12) % 2 == 0
    speaks = {"A": half & (t % 12 < 11), "B": ~half & (t % 12 > 0.6) & (t % 12 < 9)}
    arousal = {"A": need + _slow(rng, len(t)), "B": 0.6 * need + _slow(rng, len(t))}
    valence = {"A": -0.8 * need + _slow(rng, len(t)), "B": 0.3 + _slow(rng, len(t))}
    people = {}
    for person in "AB":
        face = np.full(len(t), "", dtype=object)
        for start, length, reason in (
            (0.31, 0.03, "no_face"),
            (0.62, 0.02, "out_of_frame"),
            (0.8, 0.012, "reassociated"),
        ):
            shift = 0.0 if person == "A" else 0.07
            at = (start + shift) * duration_s
            face[(t >= at) & (t < at + length * duration_s)] = reason
        lost = face == "no_face"
        state = np.where(calm, "uncalibrated", np.where(lost, "no_face", ""))
        voice = np.where(speaks[person], "", "silent")
        absent = state != ""
        voiced = speaks[person] & (np.sin(2 * np.pi * 2.1 * t) > -0.4)
        base = {"A": 195.0, "B": 118.0}[person]
        people[person] = {
            "face_reason": face,
            "voice_reason": voice,
            "state_reason": state,
            "face_quality": np.where(lost, 0.0, 0.9),
            "gaze_on_partner": np.where(lost, np.nan, _gaze(rng, len(t), 0.45 + 0.3 * ~half)),
            "speaking": np.where(speaks[person], 0.95, 0.03),
            "f0_hz": np.where(
                voiced, base * 2 ** (arousal[person] / 8 + 0.05 * rng.normal(size=len(t))), np.nan
            ),
            "loudness_db": np.where(speaks[person], -27 + 2.5 * arousal[person], np.nan),
            "syllable_rate": np.where(speaks[person], 4.2 + 0.4 * arousal[person], np.nan),
            "valence": np.where(absent, np.nan, valence[person]),
            "valence_sd": np.where(absent, np.nan, 0.25),
            "arousal": np.where(absent, np.nan, arousal[person]),
            "arousal_sd": np.where(absent, np.nan, np.where(speaks[person], 0.2, 0.35)),
        }
    timeline = _timeline(t, people)
    state = _state(t, people, rng)
    events = _events(duration_s, rng)
    return ReportInput(timeline, state, events, meta(duration_s, state, name=name))


def without(session: ReportInput, person: str, columns: tuple[str, ...]) -> ReportInput:
    """Return the session with these columns of this person all missing."""
    timeline = session.timeline
    mine = timeline.column("person").to_numpy(zero_copy_only=False) == person
    for column in columns:
        values = timeline.column(column).to_numpy(zero_copy_only=False).copy()
        values[mine] = "no_person" if column.endswith("_reason") else np.nan
        index = timeline.schema.get_field_index(column)
        timeline = timeline.set_column(index, timeline.schema.field(index), pa.array(values))
    return ReportInput(timeline, session.state, session.events, session.meta)


def alone(duration_s: float = 120.0) -> ReportInput:
    """Only A is there."""
    pair = session(duration_s)
    columns = tuple(c for c in pair.timeline.column_names if c not in ("t", "person", "role"))
    one = without(pair, "B", columns)
    n = pair.state.num_rows
    state = _table(
        schema.STATE,
        {
            "t": pair.state.column("t").to_numpy(),
            "label": np.full(n, schema.INSUFFICIENT, dtype=object),
            "reason": np.full(n, "coverage of the listener under 60 %", dtype=object),
        },
        n,
    )
    mine = [row for row in pair.events.to_pylist() if row["person"] == "A"]
    meta = dict(pair.meta) | {
        "notes": ["Only one person was found, so this is about them alone."],
        "summary": {"labels": {}, "null": None, "settling": None, "synchrony": None, "turns": None},
    }
    return ReportInput(one.timeline, state, _events_table(mine), meta)


def sound_only(duration_s: float = 120.0) -> ReportInput:
    """No picture: no face columns, no valence, no gaze, no nods."""
    heard = session(duration_s, name="call.wav")
    for person in "AB":
        heard = without(
            heard,
            person,
            ("face_quality", "gaze_on_partner", "valence", "valence_sd", "face_reason"),
        )
    kept = [r for r in heard.events.to_pylist() if r["kind"] in ("turn", "backchannel", "overlap")]
    meta = dict(heard.meta) | {"source": heard.meta["source"] | {"views": 0, "fps": []}}
    return ReportInput(heard.timeline, heard.state, _events_table(kept), meta)


def nothing(duration_s: float = 60.0) -> ReportInput:
    """Nobody was found: every number of both people is missing."""
    empty = session(duration_s)
    columns = tuple(c for c in empty.timeline.column_names if c not in ("t", "person", "role"))
    for person in "AB":
        empty = without(empty, person, columns)
    n = empty.state.num_rows
    t = empty.state.column("t").to_numpy()
    state = _table(schema.STATE, {"t": t, "label": np.full(n, "insufficient", dtype=object)}, n)
    meta = dict(empty.meta) | {"coverage": {}, "baseline": {}, "summary": {}}
    return ReportInput(empty.timeline, state, _events_table([]), meta)


def meta(duration_s: float, state: pa.Table, *, name: str = "talk.mp4") -> dict[str, Any]:
    """Return what session.json would say."""
    labels = state.column("label").to_pylist()
    shares = {k: labels.count(k) / max(1, len(labels)) for k in schema.LABELS}
    return {
        "cuesense": "0.1.0",
        "schema": schema.VERSION,
        "created": "2026-11-23T02:20:16+00:00",
        "source": {
            "paths": [name],
            "sha256": ["5d41402abc4b2a76b9719d911017c592" * 2],
            "duration_s": duration_s,
            "views": 1,
            "size": [[1280, 720]],
            "fps": [30.0],
            "rate": [48000],
            "channels": [1],
            "offset_s": 0.0,
            "notes": ["The picture was rotated by 90 degrees."],
            "problems": [],
        },
        "config": {"dyad": {"min_p": 0.8}},
        "config_hash": "c0ffee" * 10 + "abcd",
        "models": {"face_landmarker": "64184e22" * 8},
        "people": {
            "A": {"role": "partner", "side": "left"},
            "B": {"role": "listener", "side": "right"},
        },
        "role_reason": "A spoke 71 % of the baseline, so B listens",
        "notes": [],
        "coverage": {
            p: {
                "face": 0.96,
                "voice": 1.0,
                "state": 0.8,
                "speaking_s": 100.0,
                "face_reasons": {"no_face": 0.03, "out_of_frame": 0.02},
                "voice_reasons": {"silent": 0.5},
                "state_reasons": {"uncalibrated": 0.15, "no_face": 0.03},
            }
            for p in "AB"
        },
        "baseline": {
            p: {"start_s": 0.0, "end_s": 45.0, "complete": True, "missing": []} for p in "AB"
        },
        "summary": {
            "labels": shares,
            "null": None,
            "settling": None,
            "synchrony": None,
            "entrainment": {
                "B": {
                    "exchanges": {"pitch": 18, "level": 20, "pace": 17},
                    "measures": {
                        feature: {
                            "proximity": _chance(0.2, -0.5, 0.5, 0.41),
                            "convergence": _chance(-0.11, -0.43, 0.44, 0.62),
                            "synchrony": _chance(0.63, -0.42, 0.41, 0.004),
                        }
                        for feature in ("pitch", "level", "pace")
                    },
                    "found": [["level", "synchrony"]],
                    "reason": "",
                },
            },
            "turns": {
                "talk_share": {"A": 0.57, "B": 0.43},
                "turns": {"A": 13, "B": 12},
                "median_offset_s": {"A": 0.31, "B": 0.62},
                "offset_s": {
                    "A": {"value": 0.31, "low": -0.1, "high": 0.5},
                    "B": {"value": 0.62, "low": 0.4, "high": 0.9},
                },
                "interruptions": {"A": 1, "B": 3},
                "interrupting": {
                    "A": {"value": 0.08, "low": 0.01, "high": 0.33},
                    "B": {"value": 0.25, "low": 0.09, "high": 0.53},
                },
                "backchannels_per_min": {"A": 0.4, "B": 4.2},
                "overlaps": {"interruption": 4, "backchannel": 2, "attempt": 0, "passing": 1},
                "silence_share": 0.12,
                "silence": _chance(0.12, 0.2, 0.28, 0.01),
                "overlap_share": 0.03,
            },
            "space": {
                "after_s": 1.1,
                "otherwise_s": 0.5,
                "difference_s": {"value": 0.6, "low": 0.1, "high": 1.2},
                "chance": _chance(0.6, -0.4, 0.4, 0.03),
                "after": 7,
                "otherwise": 8,
                "longest": [
                    [0.11 * duration_s, 0.12 * duration_s],
                    [0.5 * duration_s, 0.52 * duration_s],
                ],
                "reason": "",
            },
        },
    }


def _chance(value: float, low: float, high: float, p: float) -> dict[str, float]:
    return {"value": value, "median": (low + high) / 2, "low": low, "high": high, "p": p}


def _slow(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return smooth noise of about 0.3 SD with a memory of some seconds."""
    steps = rng.normal(size=n // 50 + 3)
    return 0.35 * np.interp(np.arange(n) / 50, np.arange(len(steps)), steps)


def _gaze(rng: np.random.Generator, n: int, share: np.ndarray) -> np.ndarray:
    draws = np.repeat(rng.random(n // 30 + 1), 30)[:n]
    return (draws < share).astype(float)


def _table(columns: tuple[schema.Column, ...], data: dict[str, Any], n: int) -> pa.Table:
    def filled(column: schema.Column) -> pa.Array:
        if column.kind == "text":
            return pa.array(data.get(column.name, [""] * n), pa.string())
        return pa.array(data.get(column.name, np.full(n, np.nan)), pa.float64())

    return pa.table({c.name: filled(c) for c in columns})


def _timeline(t: np.ndarray, people: dict[str, dict[str, Any]]) -> pa.Table:
    """Return the rows of both people, tick by tick as the pipeline writes them."""
    data: dict[str, Any] = {
        key: np.stack([people["A"][key], people["B"][key]], axis=1).ravel() for key in people["A"]
    }
    data["t"] = np.repeat(t, 2)
    data["person"] = np.tile(np.array(["A", "B"], dtype=object), len(t))
    data["role"] = np.tile(np.array(["partner", "listener"], dtype=object), len(t))
    return _table(schema.TIMELINE, data, 2 * len(t))


def _state(t: np.ndarray, people: dict[str, dict[str, Any]], rng: np.random.Generator) -> pa.Table:
    every = round(RATE_HZ / STATE_HZ)
    t = t[::every]
    a, b = people["A"]["arousal"][::every], people["B"]["arousal"][::every]
    score = np.nan_to_num(b - 0.5 * a)
    odds = np.exp(np.stack([4 * score, -4 * score, np.full(len(t), -2.5)], axis=1))
    p = odds / odds.sum(axis=1, keepdims=True)
    best = np.array(schema.MODES, dtype=object)[p.argmax(axis=1)]
    missing = ~np.isfinite(a + b)
    quiet = ~missing & (np.abs(a) < 0.75)
    unclear = ~missing & ~quiet & (p.max(axis=1) < 0.8)
    label = np.select([missing | unclear, quiet], [schema.INSUFFICIENT, schema.NO_DEMAND], best)
    answered = np.clip(t / 90.0, 0.0, 1.0)  # shown from 72 s on
    alone = (answered < 0.8) & ~missing
    manners = {"mirroring": schema.MOVED, "regulating": schema.CALM}
    for mode, manner in manners.items():
        label[alone & (label == mode)] = manner
    by_chance = np.isin(label, list(manners.values()))
    reason = np.select(
        [t < 10, t < BASELINE_S, missing, quiet, unclear, by_chance],
        [
            "under 10 s",
            "uncalibrated",
            "coverage of the partner under 60 %",
            "partner within 0.75 SD of baseline",
            "no mode above 80 %",
            "contingency under 80 %",
        ],
        "",
    )
    p[missing] = np.nan
    escalating = np.isin(label, ["mirroring", schema.MOVED]) & (np.nan_to_num(a) > 1.6)
    data = {
        "t": t,
        "label": label.astype(object),
        "reason": reason.astype(object),
        "variant": np.where(escalating, "escalating", "").astype(object),
        **{f"p_{mode}": p[:, i] for i, mode in enumerate(schema.MODES)},
        "contingency": np.where(missing, np.nan, answered),
    }
    return _table(schema.STATE, data, len(t))


def _events(duration_s: float, rng: np.random.Generator) -> pa.Table:
    rows: list[dict[str, Any]] = []

    def add(t: float, t_end: float, person: str, kind: str, value: float, detail: str = "") -> None:
        rows.append(dict(t=t, t_end=t_end, person=person, kind=kind, value=value, detail=detail))

    for i, start in enumerate(np.arange(0, duration_s, 12.0)):
        person = "AB"[i % 2]
        offset = float("nan") if i == 0 else (0.4 if person == "A" else 0.6)
        cuts_in = i % 8 == 3
        add(
            start + (0.6 if person == "B" else 0),
            min(start + 10.5, duration_s),
            person,
            "turn",
            -0.5 if cuts_in else offset,
            "interruption" if cuts_in else "",
        )
        if cuts_in:
            add(start, start + 0.9, "", "overlap", 0.9)
    for t in np.sort(rng.uniform(5, duration_s, round(duration_s / 8))):
        add(t, t + 0.8, "B" if rng.random() < 0.7 else "A", "nod", 0.1)
    for t in np.sort(rng.uniform(5, duration_s, round(duration_s / 14))):
        add(t, t + 0.5, "B", "backchannel", 0.5)
    for t in np.sort(rng.uniform(5, duration_s, round(duration_s / 25))):
        add(t, t + rng.uniform(1, 7), "B", "look_away", float("nan"))
    return _events_table([r for r in rows if r["t_end"] <= duration_s])


def _events_table(rows: list[dict[str, Any]]) -> pa.Table:
    data = {c.name: [row[c.name] for row in rows] for c in schema.EVENTS_TABLE}
    return _table(schema.EVENTS_TABLE, data, len(rows))
