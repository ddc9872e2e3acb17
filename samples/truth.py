"""The sample's truth: what was scripted, as JSON facts and a 10 Hz table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import acting
import script as play
import voice
from warp import Array

RATE_HZ = 10
# Columns of the table, once per person with the prefix "a_" or "b_", after "t".
COLUMNS = (
    "arousal", "valence", "smile", "frown", "brow_lower", "brow_inner", "mouth", "head_pitch_rad",
    "head_yaw_rad", "head_roll_rad", "gaze_yaw_rad", "gaze_pitch_rad", "on_partner", "speaking",
    "f0_hz", "loudness_db", "syllable_rate",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Performance:
    """A script acted out.

    Attributes
    ----------
    script : Script
        The play.
    samples : (n,) float32
        Both voices and the room, `rate` per second.
    rate : int
        Of the samples, Hz.
    fps : int
        Of the video.
    coefficients : dict
        Per person the puppet's coefficients, one value per video frame.
    mouth : dict
        Per person the mouth opening at 100 Hz.
    """

    script: play.Script
    samples: Array
    rate: int
    fps: int
    coefficients: dict[str, dict[str, play.Array]]
    mouth: dict[str, play.Array]


def rows(show: Performance, duration_s: float) -> Iterator[dict[str, str]]:
    """Yield the truth table at 10 Hz; a silent person's voice columns are empty."""
    script = show.script
    times = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    columns: dict[str, play.Array] = {"t": times}
    for name, person in script.people.items():
        clock = np.arange(person.arousal.size) / play.RATE
        arousal = np.interp(times, clock, person.arousal)
        f0_hz = np.full_like(times, np.nan)
        for phrase in script.spoken_by(name, "speech"):
            inside = (times >= phrase.start) & (times < phrase.end)
            bend = 2.0 ** (acting.intonation(phrase, times[inside]) / 12.0)
            f0_hz[inside] = acting.pitch_hz(name, arousal[inside]) * bend
        speaking = np.isfinite(f0_hz)
        away = np.zeros(times.shape, bool)
        for glance in person.glances:
            away |= (times >= glance.start) & (times < glance.end)
        values = acting.act(script, name, times, show.mouth[name])
        values |= {
            "arousal": arousal,
            "valence": np.interp(times, clock, person.valence),
            "on_partner": 1.0 - away,
            "speaking": speaking.astype(float),
            "f0_hz": f0_hz,
            "loudness_db": np.where(speaking, acting.level_db(name, arousal), np.nan),
            "syllable_rate": np.where(speaking, acting.pace(arousal), np.nan),
        }
        columns |= {f"{name.lower()}_{column}": values[column] for column in COLUMNS}
    for k in range(times.size):
        yield {c: "" if np.isnan(v[k]) else f"{v[k]:.6g}" for c, v in columns.items()}


def write(stem: Path, show: Performance, duration_s: float, *, audio: bool = True) -> None:
    """Write ``<stem>.truth.json`` and ``<stem>.truth.csv``."""
    script = show.script
    facts = {
        "seed": script.seed,
        "duration_s": script.duration_s,
        "roles": {play.PARTNER: "partner", play.LISTENER: "listener"},
        "listener_lag_s": play.LAG_S,
        "segments": [vars(segment) for segment in script.segments],
        "turns": [vars(phrase) for phrase in script.phrases],
        "people": {
            name: {
                "side": person.side,
                "nods": person.nods,
                "blinks": person.blinks,
                "look_aways": [vars(glance) for glance in person.glances],
            }
            for name, person in script.people.items()
        },
        "rendered_s": duration_s,
        "video": {"width": 1280, "height": 720, "fps": show.fps, "file": f"{stem.name}.mp4"},
        "audio": {"rate_hz": show.rate, "channels": 1, "loudness_0_db_dbfs": voice.REFERENCE_DBFS}
        if audio
        else None,
        "table": {"rate_hz": RATE_HZ, "file": f"{stem.name}.truth.csv"},
    }
    stem.with_name(f"{stem.name}.truth.json").write_text(
        json.dumps(facts, indent=1) + "\n", encoding="utf-8"
    )
    lines = list(rows(show, duration_s))
    with stem.with_name(f"{stem.name}.truth.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(lines[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(lines)
