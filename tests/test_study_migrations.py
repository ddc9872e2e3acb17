"""Sessions and studies of older table layouts: what they knew stays, nothing is made up."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import study_sessions
from cuesense import Session, Study, schema
from cuesense.errors import OutputError
from cuesense.study import migrate, migrations, store
from cuesense.study.columns import TABLES


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of layout 1."""
    return study_sessions.write_layout_1(tmp_path_factory.mktemp("old") / "old", 1, 40.0)


def test_there_is_a_step_from_every_version_to_the_next() -> None:
    versions = [str(k) for k in range(1, int(schema.VERSION) + 1)]
    assert list(migrations.STEPS) == versions[:-1]
    assert [migrations.STEPS[v].to for v in versions[:-1]] == versions[1:]


def check(study: Study, old: Path) -> None:
    """Check that a study holds the session of layout 1 as honestly as can be."""
    timeline = pq.read_table(old / "timeline.parquet", columns=["person", "arousal"])
    mine = timeline.filter(pc.equal(timeline["person"], "B"))["arousal"].to_numpy()
    found = study.query("select arousal from timeline where person = 'B'")["arousal"]
    np.testing.assert_array_equal(found.to_numpy(), mine)

    was, now = pq.read_table(old / "state.parquet"), study.query("select * from state")
    np.testing.assert_array_equal(now["partner_slope"].to_numpy(), was["partner_slope"].to_numpy())
    assert set(now["label"].to_pylist()) == {""}
    for gone in ("contingency", "p_mirroring", "link_need_to_nods", "responses"):
        assert now[gone].null_count == now.num_rows
    for label, why, told in zip(
        was["label"].to_pylist(), was["reason"].to_pylist(), now["reason"].to_pylist(), strict=True
    ):
        assert told == f"layout 1 said {label}" + (f": {why}" if why else "")

    kinds = study.query("select kind, count(*) n from events group by kind").to_pylist()
    stored = pq.read_table(old / "events.parquet")["kind"].to_pylist()
    assert {r["kind"]: r["n"] for r in kinds} == {
        k: stored.count(k) for k in set(stored) - {"label"}
    }
    (row,) = study.sessions.to_pylist()
    for column in TABLES["sessions"]:
        if column.reason in ("labels_reason", "null_reason", "settling_reason"):
            assert row[column.name] is None
            assert "layout 1" in row[column.reason]
    assert row["synchrony_z"] == 0.1
    assert row["silence_share"] == 0.2
    assert "layout 1" in row["migrated"]
    shares = study.query("select share_regulating, labels_reason from windows").to_pylist()
    assert all(r["share_regulating"] is None and "layout 1" in r["labels_reason"] for r in shares)
    for person in study.people.to_pylist():
        assert person["talk_share"] is not None


def test_a_session_of_layout_1_comes_in_without_its_labels(old: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="schema '1'"):
        Session(old)
    study = Study(tmp_path / "study")
    assert [o.what for o in study.add(old)] == ["added"]
    check(study, old)


def test_an_early_session_of_layout_1_is_refused(old: Path, tmp_path: Path) -> None:
    early = shutil.copytree(old, tmp_path / "early")
    rows = pq.read_table(early / "timeline.parquet")
    pq.write_table(rows.drop_columns(["face_state_reason"]), early / "timeline.parquet")
    (outcome,) = Study(tmp_path / "study").add(early)
    assert outcome.what == "failed"
    assert "face_state_reason" in outcome.reason
    assert "analyse the recording again" in outcome.reason


@pytest.fixture
def old_study(old: Path, tmp_path: Path) -> Path:
    """A study of schema 1, as today's program lays one out: there never was a program for it."""
    place = tmp_path / "study"
    Study(place).add(old)
    (record,) = store.read_records(place).values()
    record["meta"] = json.loads((old / "session.json").read_text(encoding="utf-8"))
    store.record_path(place, "old").write_text(json.dumps(record), encoding="utf-8")
    for table in ("timeline", "state", "events"):
        shutil.copy(old / f"{table}.parquet", store.part(place, table, record))
    (place / "study.json").write_text(json.dumps({"study": 1, "schema": "1"}))
    (place / "notes.txt").write_text("mine")
    return place


def test_a_study_of_an_older_version_names_the_command_that_brings_it_up(
    old_study: Path, old: Path
) -> None:
    with pytest.raises(OutputError, match="cuesense study migrate") as caught:
        Study(old_study)
    assert "\n" not in str(caught.value)
    assert migrate(old_study) == 1
    check(Study(old_study), old)
    assert (old_study / "notes.txt").read_text() == "mine"
    assert migrate(old_study) == 0
    assert [o.what for o in Study(old_study).add(old)] == ["unchanged"]
    assert [p.name for p in old_study.parent.iterdir()] == ["study"]


def test_a_migration_that_fails_leaves_the_study_as_it_was(old_study: Path) -> None:
    (record,) = store.read_records(old_study).values()
    part = store.part(old_study, "state", record)
    rows = pq.read_table(part, partitioning=None)
    pq.write_table(rows.drop_columns(["calibrated"]), part)
    before = {p: p.read_bytes() for p in old_study.rglob("*") if p.is_file() and p.name[0] != "."}
    with pytest.raises(OutputError, match="calibrated"):
        migrate(old_study)
    after = {p: p.read_bytes() for p in old_study.rglob("*") if p.is_file() and p.name[0] != "."}
    assert after == before
    assert [p.name for p in old_study.parent.iterdir()] == ["study"]


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"study": 1, "schema": "99"}, "schema='99' is none that this version reads"),
        ({"study": 2, "schema": schema.VERSION}, "layout 2"),
        ({"something": "else"}, "layout None"),
    ],
)
def test_a_study_of_a_newer_version_is_one_line(
    tmp_path: Path, about: dict[str, object], words: str
) -> None:
    (tmp_path / "study.json").write_text(json.dumps(about))
    for open_it in (Study, migrate):
        with pytest.raises(OutputError, match=words) as caught:
            open_it(tmp_path)
        assert "\n" not in str(caught.value)


def test_rows_of_no_older_version_pass_unchanged() -> None:
    rows = pa.table({c.name: pa.array([], pa.string() if c.kind == "text" else pa.float64())
                     for c in schema.STATE})  # fmt: skip
    assert migrations.upgraded("state", rows, []).column_names == rows.column_names
