from __future__ import annotations

import runpy
from pathlib import Path

from cuesense import schema
from cuesense.types import N_BLENDSHAPES, Event, Reason

ROOT = Path(__file__).resolve().parents[1]

PROMISED = """t person role face_quality face_reason box_x box_y box_w box_h head_pitch_rad
    head_yaw_rad head_roll_rad gaze_yaw_rad gaze_pitch_rad speaking f0_hz loudness_db syllable_rate
    motion_energy valence arousal""".split()


def test_column_names_are_unique_and_the_promised_ones_are_there() -> None:
    for columns in (schema.TIMELINE, schema.STATE, schema.EVENTS_TABLE):
        names = [c.name for c in columns]
        assert len(set(names)) == len(names)
    assert set(PROMISED) <= {c.name for c in schema.TIMELINE}
    assert len(schema.BLENDSHAPES) == N_BLENDSHAPES
    assert set(schema.BLENDSHAPES) <= {c.name for c in schema.TIMELINE}


def test_every_column_says_what_it_is() -> None:
    for c in (*schema.TIMELINE, *schema.STATE, *schema.EVENTS_TABLE):
        assert c.meaning
        assert c.kind == "text" or c.unit or c.name == "value"
        if c.low is not None and c.high is not None:
            assert c.low < c.high
        if c.reason and c not in schema.STATE:
            assert c.reason in schema.REASONS


def test_the_events_table_is_the_event_record() -> None:
    assert [c.name for c in schema.EVENTS_TABLE] == list(Event.__dataclass_fields__)


def test_reasons_are_words_and_ok_is_empty() -> None:
    assert str(Reason.OK) == ""
    assert not Reason.OK
    assert all(str(r).replace("_", "").isalpha() for r in Reason if r)
    assert list(schema.MISSING) == [str(r) for r in Reason if r]


def test_the_data_dictionary_is_up_to_date() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_columns.py"))["markdown"]()
    assert made == (ROOT / "docs" / "columns.md").read_text(encoding="utf-8"), (
        "run: python docs/make_columns.py"
    )
