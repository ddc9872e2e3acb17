"""The session folder: what is in it, and that nothing is ever lost or half-written."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cuesense
from cuesense import Session, analyze, schema
from cuesense.errors import OutputError
from cuesense.folder import FILES
from cuesense.session import write_report
from media import Audio, Video, write_media


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_media(tmp_path / "small.mp4", Video(seconds=1.0), Audio(seconds=1.0))


def listing(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_the_folder_holds_what_was_promised(sample_session: Session) -> None:
    assert {p.name for p in sample_session.path.iterdir()} == set(FILES)
    timeline = sample_session.timeline.to_pandas()
    assert list(timeline.columns) == [c.name for c in schema.TIMELINE]
    assert list(sample_session.state.to_pandas().columns) == [c.name for c in schema.STATE]
    assert list(sample_session.events.to_pandas().columns) == [c.name for c in schema.EVENTS_TABLE]
    assert set(timeline["person"]) == {"A", "B"}
    assert set(timeline["role"]) == {"partner", "listener"}
    per_person = timeline[timeline["person"] == "A"]["t"].to_numpy()
    np.testing.assert_allclose(np.diff(per_person), 0.04, atol=1e-9)
    assert set(sample_session.state.to_pandas()["label"]) <= set(schema.LABELS)


def test_csv_twins_equal_the_tables(sample_session: Session) -> None:
    layouts = {
        "timeline": schema.TIMELINE,
        "state": schema.STATE,
        "events": schema.EVENTS_TABLE,
    }
    for name, columns in layouts.items():
        table = getattr(sample_session, name).to_pandas()
        text = {c.name: str for c in columns if c.kind == "text"}
        twin = pd.read_csv(
            sample_session.path / f"{name}.csv",
            dtype=text,
            keep_default_na=False,
            na_values=["nan"],
        )
        assert list(twin.columns) == list(table.columns)
        for c in columns:
            if c.kind == "text":
                assert twin[c.name].tolist() == table[c.name].tolist()
            else:
                np.testing.assert_allclose(twin[c.name], table[c.name], rtol=1e-6)


def test_provenance(sample_session: Session, sample: Path) -> None:
    meta = sample_session.meta
    assert meta["cuesense"] == version("cuesense")
    assert meta["source"]["sha256"] == [hashlib.sha256(sample.read_bytes()).hexdigest()]
    assert meta["config_hash"] == cuesense.Config().hash
    assert cuesense.Config.from_dict(meta["config"]) == cuesense.Config()
    assert len(meta["models"]["face_landmarker"]) == 64
    for person in "AB":
        coverage = meta["coverage"][person]
        assert 0.9 <= coverage["face"] <= 1
        assert sum(coverage["face_reasons"].values()) + coverage["face"] == pytest.approx(
            1, abs=0.1
        )
    assert sum(meta["summary"]["labels"].values()) == pytest.approx(1)
    text = (sample_session.path / "session.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert json.loads(text) == meta


def test_a_session_can_be_opened_again(sample_session: Session) -> None:
    again = Session(sample_session.path)
    assert again.meta == sample_session.meta
    assert len(again.timeline) == len(sample_session.timeline)


def test_no_session_and_another_version(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"holds no session\.json"):
        Session(tmp_path)
    (tmp_path / "session.json").write_text('{"schema": "0"}', encoding="utf-8")
    with pytest.raises(OutputError, match="schema '0'"):
        Session(tmp_path)
    (tmp_path / "session.json").write_text("{", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be read"):
        Session(tmp_path)


def test_the_same_recording_again_replaces_the_session(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = analyze(small, out=out)
    again = analyze(small, out=out, csv=True)
    assert len(again.timeline) == len(first.timeline)
    assert (out / "timeline.csv").is_file()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_an_interrupted_run_leaves_the_earlier_result(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    analyze(small, out=out)
    before = listing(out)

    def stop(done: float, total: float) -> None:
        raise KeyboardInterrupt

    long = write_media(tmp_path / "small.mp4", Video(seconds=3.0), Audio(seconds=3.0))
    with pytest.raises(KeyboardInterrupt):
        analyze(long, out=out, overwrite=True, progress=stop)
    assert listing(out) == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_another_recordings_session_is_kept_unless_told(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    analyze(small, out=out)
    before = listing(out)
    other = write_media(tmp_path / "other.mp4", Video(seconds=1.2), None)
    with pytest.raises(OutputError, match=r"another recording.*--overwrite"):
        analyze(other, out=out)
    assert listing(out) == before
    assert analyze(other, out=out, overwrite=True).meta["source"]["paths"] == ["other.mp4"]


def test_the_default_folder_is_named_after_the_recording(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert analyze(small).path == Path("small.cuesense")
    assert (tmp_path / "small.cuesense" / "report.html").is_file()


def test_a_damaged_session_is_a_clear_error(small: Path, tmp_path: Path) -> None:
    session = analyze(small, out=tmp_path / "out")
    (session.path / "state.parquet").unlink()
    with pytest.raises(OutputError, match="damaged"):
        write_report(session)
    (session.path / "session.json").write_text("[]", encoding="utf-8")
    with pytest.raises(OutputError, match="schema None"):
        Session(session.path)


def test_every_missing_value_of_a_session_has_a_reason(sample_session: Session) -> None:
    timeline = sample_session.timeline.to_pandas()
    # Speeds need an earlier picture, pace needs a second of speech.
    loose = {"syllable_rate", "mouth_motion", "face_motion", "head_speed"}
    for column in schema.VALUE_COLUMNS:
        if column.name not in loose:
            missing = timeline[timeline[column.name].isna()]
            assert (missing[column.reason] != "").all(), column.name


def test_a_named_listener(clip: Path, tmp_path: Path) -> None:
    session = analyze(clip, out=tmp_path / "out", listener="left")
    roles = session.timeline.to_pandas(["person", "role"]).drop_duplicates()
    assert dict(roles.to_numpy()) == {"A": "listener", "B": "partner"}
    assert "named" in session.meta["role_reason"]
