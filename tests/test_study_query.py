"""Asking a study: answers, one-line errors, and nothing that a query can write or reach."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

import study_sessions
from cuesense import Study
from cuesense.cli import main
from cuesense.errors import MissingExtraError, OutputError, ParameterError
from cuesense.study.columns import TABLES


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("asked")
    made = Study(folder / "st'udy [1]")
    made.add(*(study_sessions.write(folder / f"s{k}", k) for k in (1, 2)), dyad="D")
    return made


def run(*arguments: object, code: int = 0) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["study", *map(str, arguments)])
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select arousl from timeline", "column='arousl' .*did you mean arousal"),
        ("select s.durations from sessions s", "column='durations' .*did you mean duration_s"),
        ("select arousal from sessions", "it is in timeline, windows$"),
        ("select t from timelin", "table='timelin' .*did you mean timeline"),
        ("select frm timeline where", "query: .*syntax error"),
        ("select 1 + 'a'", "query: "),
        ("", "must be one select"),
    ],
)
def test_a_query_that_cannot_be_answered_is_one_line(study: Study, sql: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words) as caught:
        study.query(sql)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1) to '{inside}'",
        "copy (select 1) to '{outside}'",
        "explain analyze copy (select 1) to '{inside}'",
        "create table a as select 1; copy a to '{outside}'",
        "select 1; copy (select 1) to '{inside}'",
        "export database '{outside}'",
        "attach '{outside}' as other",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "reset allowed_directories",
        "pragma enable_profiling",
        "create view sessions as select 1",
        "drop view timeline",
        "select * from read_text('{secret}')",
        "select * from read_csv('{secret}')",
        "select * from '{secret}'",
        "select * from glob('{secret}')",
        "select * from query('copy (select 1) to ''{outside}''')",
        "select * from 'https://example.org/data.parquet'",
        "select * from secret_frame",
    ],
)
def test_a_pasted_query_can_only_read_the_study(study: Study, tmp_path: Path, sql: str) -> None:
    secret_frame = pd.DataFrame({"a": [1]})  # a variable of ours is no table
    assert len(secret_frame)
    secret, outside = tmp_path / "secret.csv", tmp_path / "outside"
    secret.write_text("a\n1\n")
    before = {p: p.stat().st_mtime_ns for p in study.path.rglob("*")}
    inside = str(study.path / "inside.csv").replace("'", "''")
    with pytest.raises(ParameterError) as caught:
        study.query(sql.format(inside=inside, outside=outside, secret=secret))
    assert "\n" not in str(caught.value)
    assert {p: p.stat().st_mtime_ns for p in study.path.rglob("*")} == before
    assert [p.name for p in tmp_path.iterdir()] == ["secret.csv"]


def test_a_query_can_list_tables_and_columns(study: Study) -> None:
    found = study.query("with a as (from people) select person, count(*) n from a group by all")
    assert {row["person"]: row["n"] for row in found.to_pylist()} == {"A": 2, "B": 2}
    tables = study.query("show tables")["name"].to_pylist()
    assert set(tables) == {*TABLES, "timeline", "state", "events"}
    assert study.query("describe windows").num_rows == len(TABLES["windows"])


@pytest.mark.parametrize("broken", [False, True])
def test_a_part_that_is_gone_or_damaged_is_told(tmp_path: Path, broken: bool) -> None:
    session = study_sessions.write(tmp_path / "s", 1)
    study = Study(tmp_path / "study")
    study.add(session)
    part = next((study.path / "state").rglob("*.parquet"))
    part.write_bytes(b"no parquet") if broken else part.unlink()
    with pytest.raises((OutputError, ParameterError), match=r"state/.*parquet|magic") as caught:
        study.query("select label from state")
    assert "\n" not in str(caught.value)
    study.add(session, overwrite=True)
    assert study.query("select label from state").num_rows == 40


def test_without_duckdb_the_remedy_is_named(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cuesense\[study\]'"):
        study.query("select 1")


SQL = "select session, duration_s, contingency from sessions order by session"


def test_answers_are_printed_and_written(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("query", study.path, SQL)
    shown = capsys.readouterr().out
    assert "duration_s" in shown
    assert "s2" in shown
    run("query", study.path, SQL, "--format", "csv")
    frame = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert frame["duration_s"].tolist() == [8.0, 8.0]
    run("query", study.path, SQL, "--format", "json")
    assert json.loads(capsys.readouterr().out)[1] == {
        "session": "s2",
        "duration_s": 8.0,
        "contingency": None,
    }
    for ending, read in (
        ("csv", pd.read_csv),
        ("json", pd.read_json),
        ("parquet", pd.read_parquet),
    ):
        out = tmp_path / f"answer.{ending}"
        run("query", study.path, SQL, "-o", out)
        assert list(read(out)["session"]) == ["s1", "s2"]
    assert pq.read_table(tmp_path / "answer.parquet")["contingency"].null_count == 2
    run("query", study.path, "select t from timeline", "--format", "table")
    assert "760 rows more" in capsys.readouterr().out


def test_a_query_may_come_from_the_standard_input(study: Study) -> None:
    command = [sys.executable, "-m", "cuesense", "study", "query", str(study.path), "-"]
    done = subprocess.run(
        [*command, "--format", "csv"], input=SQL, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1].startswith("s1,8.0")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--format", "parquet"], "needs a file"),
        (["-o", "there.csv"], "is there already"),
        (["-o", "no/such/folder.csv"], "cannot be written"),
        (["-o", "x" * 300], "cannot be written"),
    ],
)
def test_an_answer_that_cannot_be_written_is_one_line(
    study: Study,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").write_text("mine")
    run("query", study.path, SQL, *more, code=2)
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert (tmp_path / "there.csv").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["there.csv"]


def test_the_verbs_add_list_and_remove(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for k in (1, 2):
        study_sessions.write(tmp_path / "in" / f"s{k}.cuesense", k, attributes={"dyad": "[b]"})
    (tmp_path / "in" / "s3").mkdir()
    (tmp_path / "in" / "s3" / "session.json").write_text("[]")
    (tmp_path / "who.csv").write_text("session,dyad,x_arm\ns1,D1,drug\ns9,D9,drug\n")
    place = tmp_path / "study"
    run("add", place, tmp_path / "in", "--list", tmp_path / "who.csv", code=1)
    told = capsys.readouterr().out
    assert "2 added, 1 failed" in told
    assert "not given here: s9" in told
    assert "schema=None" in told
    run("add", place, tmp_path / "in" / "s1.cuesense", "-q")
    assert "1 unchanged" in capsys.readouterr().out
    run("list", place)
    told = capsys.readouterr().out
    assert "D1" in told
    assert "[b]" in told
    run("remove", place, "s1")
    run("remove", place, "s1", code=2)
    assert "'s1' is not in this study" in capsys.readouterr().err
    run("add", place, tmp_path / "in", "--dyad", " ", code=2)
    run("list", tmp_path / "in", code=2)
    assert "holds something else" in capsys.readouterr().err
    run("migrate", place)
    assert "up to date" in capsys.readouterr().out


def test_the_schema_of_a_study_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["schema", "--study", "--json"])
    told = json.loads(capsys.readouterr().out)["columns"]
    assert {c["table"] for c in told} == set(TABLES)
    assert all(c["meaning"] for c in told)
    assert all(c["unit"] for c in told if c["kind"] == "float")
    assert not [c for c in told if "NaN" in c["missing"]]
