"""A study folder: what is added is there as it was, once, whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import study_sessions
from cuesense import Session, Study, schema
from cuesense.errors import OutputError, ParameterError
from cuesense.study import read_list, store
from cuesense.study.columns import PARTS, TABLES, WINDOW_S

ODD = "长名字 [1]*100% 'é'=?."
"""Not ASCII, and all that means something in a path, a pattern, SQL or a hive partition."""


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sessions: two of one dyad, in the reverse order of their names, one of another."""
    folder = tmp_path_factory.mktemp("sessions")
    for seed, (name, dyad, day, dose) in enumerate(
        (("one", "D1", 2, "3"), ("two", "D1", 1, "4.5"), (ODD, "D 2/ü", 3, None))
    ):
        about = {"dyad": dyad, "x_dose": dose, "x_arm": "a" if dyad == "D1" else "b"}
        study_sessions.write(
            folder / name / "out.cuesense" if name == "two" else folder / f"{name}.cuesense",
            seed,
            70.0 if name == "one" else 8.0,
            attributes={"id": "two", **about} if name == "two" else about,
            source={"started": f"2026-05-0{day}T10:00:00+00:00"},
        )
    return folder


@pytest.fixture(scope="module")
def study(sessions: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study of these sessions; a folder above it looks like a partition."""
    made = Study(tmp_path_factory.mktemp("lab=ä") / "a study")
    outcomes = made.add(sessions)
    assert {o.session: o.what for o in outcomes} == dict.fromkeys(("one", "two", ODD), "added")
    return made


@pytest.mark.parametrize("table", ["timeline", "state", "events"])
def test_a_session_comes_back_as_it_was(study: Study, sessions: Path, table: str) -> None:
    stored = pq.read_table(sessions / "one.cuesense" / f"{table}.parquet")
    if table == "timeline":  # its people one after the other
        stored = pa.concat_tables(
            stored.filter(pc.equal(stored["person"], person)) for person in "AB"
        )
    found = study.query(f"select * from {table} where session = 'one'")
    assert found.column_names == ["dyad", "session", *stored.column_names]
    assert set(found["dyad"].to_pylist()) == {"D1"}
    for name in stored.column_names:
        was, now = stored[name], found[name]
        assert now.type == was.type
        if pa.types.is_floating(was.type):  # missing is null, not NaN: queries leave nulls out
            assert now.null_count == int(np.isnan(was.to_numpy()).sum())
            np.testing.assert_array_equal(now.to_numpy(), was.to_numpy())
        else:
            assert now.to_pylist() == was.to_pylist()


def test_other_readers_find_the_same_partitions(study: Study) -> None:
    keys = [("dyad", pa.string()), ("session", pa.string())]
    rows = ds.dataset(
        study.path / "state", partitioning=ds.partitioning(pa.schema(keys), flavor="hive")
    ).to_table(columns=["dyad", "session"])
    assert set(zip(rows["dyad"].to_pylist(), rows["session"].to_pylist(), strict=True)) == {
        ("D1", "one"),
        ("D1", "two"),
        ("D 2/ü", ODD),
    }


def test_fields_say_their_unit_and_meaning(study: Study) -> None:
    for path, name in (
        (study.path / "sessions.parquet", "settling"),
        (next((study.path / "timeline").rglob("*.parquet")), "arousal"),
    ):
        about = pq.read_schema(path).field(name).metadata
        assert about[b"unit"] == b"SD"
        assert about[b"meaning"]


@pytest.mark.parametrize("table", TABLES)
def test_what_is_missing_is_null_and_has_a_reason(study: Study, table: str) -> None:
    rows = study.query(f"select * from {table}").to_pylist()
    assert rows
    gaps = 0
    for column in TABLES[table]:
        if column.reason:
            for row in rows:
                assert row[column.reason] is not None
                if row[column.name] is None:
                    gaps += 1
                    assert row[column.reason], (row["dyad"], column.name)
    assert gaps or table == "windows"


def test_a_row_holds_what_the_session_says(study: Study, sessions: Path) -> None:
    said = Session(sessions / "one.cuesense").meta
    row = study.query("select * from sessions where session = 'one'").to_pylist()[0]
    assert row["share_no_demand"] == said["summary"]["labels"]["no demand"]
    assert row["silence_share_p"] == said["summary"]["turns"]["silence"]["p"]
    assert row["space_s_low"] == said["summary"]["space"]["difference_s"]["low"]
    assert row["listener"] == "B"
    assert row["recording_sha256"] == said["source"]["sha256"][0]
    assert row["contingency"] is None  # its null is null
    b = study.query("select * from people where session = 'one' and person = 'B'").to_pylist()[0]
    assert b["role"] == "listener"
    assert b["talk_share"] == said["summary"]["turns"]["talk_share"]["B"]
    assert b["level_synchrony_p"] == 0.004
    assert b["coverage_face"] == said["coverage"]["B"]["face"]


def test_sessions_of_a_dyad_are_numbered_as_they_started(study: Study) -> None:
    rows = study.query("select session, dyad, dyad_from, ordinal from sessions order by all")
    assert [tuple(row.values()) for row in rows.to_pylist()] == [
        ("one", "D1", "recording", 2.0),
        ("two", "D1", "recording", 1.0),
        (ODD, "D 2/ü", "recording", 1.0),
    ]


def test_covariates_are_columns_and_of_a_dyad_where_its_sessions_agree(study: Study) -> None:
    rows = study.query("select x_dose, x_arm from sessions order by session").to_pylist()
    assert rows == [
        {"x_dose": 3.0, "x_arm": "a"},
        {"x_dose": 4.5, "x_arm": "a"},
        {"x_dose": None, "x_arm": "b"},
    ]
    rows = study.query("select sessions, x_dose, x_arm, varies from dyads order by dyad desc")
    assert rows.to_pylist()[0] == {
        "sessions": 2.0,
        "x_dose": None,
        "x_arm": "a",
        "varies": "x_dose",
    }


def test_every_column_can_be_asked_for_without_quotes(study: Study) -> None:
    for table, columns in {**TABLES, **PARTS}.items():
        study.query(f"select {', '.join(c.name for c in columns)} from {table} limit 1")


def test_windows_are_means_and_centred_within_the_session(study: Study, sessions: Path) -> None:
    table = Session(sessions / "one.cuesense").timeline
    for person, other in ("AB", "BA"):
        x = table.of(person, ["t", "arousal"])
        means = [
            np.nanmean(x["arousal"][(x["t"] >= k * WINDOW_S) & (x["t"] < (k + 1) * WINDOW_S)])
            for k in range(2)  # of 70 s
        ]
        rows = study.query(
            "select * from windows where session = 'one' and person = ? order by number", [person]
        )
        np.testing.assert_allclose(rows["arousal"].to_numpy(), means)
        np.testing.assert_allclose(rows["arousal_centred"].to_numpy(), means - np.mean(means))
        theirs = study.query(
            "select valence, valence_centred from windows where session = 'one' and person = ? "
            "order by number",
            [other],
        )
        assert rows["other_valence"].to_pylist() == theirs["valence"].to_pylist()
        assert rows["other_valence_centred"].to_pylist() == theirs["valence_centred"].to_pylist()
        shares = [name for name in rows.column_names if name.startswith("share_")]
        assert len(shares) == len(schema.LABELS)
        np.testing.assert_allclose(np.sum([rows[s].to_numpy() for s in shares], axis=0), 1.0)


def test_adding_again_changes_nothing_unless_the_session_did(tmp_path: Path) -> None:
    session = study_sessions.write(tmp_path / "s.cuesense", 1)
    study = Study(tmp_path / "study")
    study.add(session)
    part = next((study.path / "state").rglob("*.parquet"))
    assert [o.what for o in study.add(session, session)] == ["unchanged"]
    assert [o.what for o in study.add(session, overwrite=True)] == ["replaced"]
    assert part.exists()
    study_sessions.change(session, created="2027-01-01T00:00:00+00:00")
    assert [o.what for o in study.add(session)] == ["replaced"]
    assert len(study) == 1
    assert len(list((study.path / "state").rglob("*.parquet"))) == 1
    assert not part.exists()


def test_a_recording_is_never_there_twice(tmp_path: Path) -> None:
    first = study_sessions.write(tmp_path / "first", 1)
    again = study_sessions.write(tmp_path / "again", 1)
    study = Study(tmp_path / "study")
    study.add(first)
    (failed,) = study.add(again)
    assert failed.what == "failed"
    assert "recording of session 'first'" in failed.reason
    study.add(again, overwrite=True)
    assert study.sessions["session"].to_pylist() == ["again"]


def test_another_recording_of_that_name_is_not_replaced(tmp_path: Path) -> None:
    study = Study(tmp_path / "study")
    study.add(study_sessions.write(tmp_path / "a" / "talk", 1))
    other = study_sessions.write(tmp_path / "b" / "talk", 2)
    (failed,) = study.add(other)
    assert "another recording" in failed.reason
    (cased,) = study.add(study_sessions.write(tmp_path / "b" / "TALK", 3))
    assert "one name on some systems" in cased.reason
    assert study.add(other, overwrite=True)[0].what == "replaced"
    assert study.sessions["recording_sha256"].to_pylist() == [f"{2:064x}"]


def test_a_live_session_is_told_by_its_timeline(tmp_path: Path) -> None:
    study = Study(tmp_path / "study")
    one, two = (study_sessions.write(tmp_path / str(k), k, source={"sha256": []}) for k in (1, 2))
    assert [o.what for o in study.add(one, two)] == ["added", "added"]
    assert study.sessions["recording_sha256"].to_pylist() == ["", ""]


def test_what_was_given_is_kept_until_it_is_given_anew(tmp_path: Path) -> None:
    session = study_sessions.write(tmp_path / "s", 1, attributes={"dyad": "own", "x_age": 30})
    study = Study(tmp_path / "study")

    def row() -> dict[str, object]:
        columns = ["dyad", "dyad_from", "x_age", "x_arm"]
        return {
            n: study.sessions[n][0].as_py() for n in columns if n in study.sessions.column_names
        }

    study.add(session, dyad="said")
    assert row() == {"dyad": "said", "dyad_from": "option", "x_age": 30.0}
    study.add(session, given={"s": {"dyad": "listed", "x_arm": "b", "x_age": "31"}})
    assert row() == {"dyad": "listed", "dyad_from": "list", "x_age": 31.0, "x_arm": "b"}
    study_sessions.change(session, created="2027")
    assert study.add(session)[0].what == "replaced"
    assert row() == {"dyad": "listed", "dyad_from": "list", "x_age": 31.0, "x_arm": "b"}
    assert not [p for p in (study.path / "timeline").iterdir() if p.name != "dyad=listed"]


def test_a_session_of_which_no_dyad_is_known_is_one_of_its_own(tmp_path: Path) -> None:
    study = Study(tmp_path / "study")
    study.add(study_sessions.write(tmp_path / "s", 1))
    assert study.dyads["dyad"].to_pylist() == ["s"]
    assert study.sessions["dyad_from"].to_pylist() == ["none"]


def test_ordinals_are_missing_where_a_start_is(tmp_path: Path) -> None:
    study = Study(tmp_path / "study")
    study.add(*(study_sessions.write(tmp_path / str(k), k) for k in (1, 2)), dyad="D")
    assert study.sessions["ordinal"].to_pylist() == [None, None]
    assert all("started" in why for why in study.sessions["ordinal_reason"].to_pylist())


def test_broken_sessions_do_not_stop_the_rest(tmp_path: Path) -> None:
    good = study_sessions.write(tmp_path / "good", 1)
    damaged = study_sessions.write(tmp_path / "damaged", 2)
    data = bytearray((damaged / "timeline.parquet").read_bytes())
    data[5000:60000] = bytes(55000)
    (damaged / "timeline.parquet").write_bytes(data)
    lacking = study_sessions.write(tmp_path / "lacking", 3)
    (lacking / "state.parquet").unlink()
    narrow = study_sessions.write(tmp_path / "narrow", 4)
    pq.write_table(
        pq.read_table(narrow / "timeline.parquet").drop_columns(["arousal"]),
        narrow / "timeline.parquet",
    )
    garbled = study_sessions.write(tmp_path / "garbled", 5)
    (garbled / "session.json").write_text("{")
    headless = study_sessions.write(tmp_path / "headless", 6, summary=None, people=7)
    study_sessions.change(headless, source={"sha256": 3})
    newer = study_sessions.write(tmp_path / "newer", 7, schema="99")
    hasty = study_sessions.write(tmp_path / "hasty", 9, source={"started": "yesterday"})
    wordy = study_sessions.write(tmp_path / "wordy", 10, source={"duration_s": "long"})
    listed = study_sessions.write(tmp_path / "listed", 11, attributes=["dyad"])
    long = study_sessions.write(tmp_path / "long", 8, attributes={"id": "长" * 100})
    study = Study(tmp_path / "study")
    broken = (damaged, lacking, narrow, garbled, headless, newer, hasty, wordy, listed, long)
    paths = (*broken, tmp_path / "no", good)
    found = {o.path.name: o for o in study.add(*paths)}
    assert [o.what for o in found.values()] == ["failed"] * 11 + ["added"]
    for name, words in {
        "damaged": "analyse the recording again",
        "lacking": "state.parquet",
        "narrow": "arousal",
        "garbled": "cannot be read",
        "newer": "'99'",
        "hasty": "yesterday",
        "wordy": "long",
        "long": "240 bytes",
        "no": "holds no session.json",
    }.items():
        assert words in found[name].reason
    assert all(o.reason and "\n" not in o.reason for o in list(found.values())[:-1])
    assert study.query("select distinct session from timeline").to_pylist() == [{"session": "good"}]
    assert not [p for p in study.path.rglob("*") if "damaged" in str(p) and p.is_file()]


KILLED = """
import os, signal, sys
from cuesense.study import Study, store
commit, done = store.commit, []
def killed(*arguments):
    if done:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(1)
    commit(*arguments)
store.commit = killed
Study(sys.argv[1]).add(*sys.argv[2:])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_add_leaves_a_study_that_can_be_read_and_gone_on_with(tmp_path: Path) -> None:
    folders = [study_sessions.write(tmp_path / str(k), k) for k in (1, 2, 3)]
    place = tmp_path / "study"
    done = subprocess.run([sys.executable, "-c", KILLED, place, *folders], check=False)
    assert done.returncode == -signal.SIGKILL
    study = Study(place)
    assert study.sessions["session"].to_pylist() == ["1"]
    assert study.query("select distinct session from state").to_pylist() == [{"session": "1"}]
    half = next((place / "timeline").rglob("session=2/*.parquet"))
    assert [o.what for o in study.add(folders[0])] == ["unchanged"]
    assert not half.exists()
    assert [o.what for o in study.add(*folders)] == ["unchanged", "added", "added"]
    assert len(list(place.glob("windows/*/*/*.parquet"))) == 3


def test_an_add_that_is_stopped_keeps_what_it_added(tmp_path: Path) -> None:
    folders = [study_sessions.write(tmp_path / str(k), k) for k in (1, 2)]
    study = Study(tmp_path / "study")

    def stop(done: int, total: int, name: str) -> None:
        assert (total, name) == (2, folders[done].name)
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.add(*folders, progress=stop)
    assert study.sessions["session"].to_pylist() == ["1"]
    assert [o.what for o in study.add(*folders)] == ["unchanged", "added"]


def test_a_session_without_a_single_tick_can_be_added(tmp_path: Path) -> None:
    study = Study(tmp_path / "study")
    session = study_sessions.write(tmp_path / "empty", 1, 0.5)
    for table in ("timeline", "state", "events"):
        path = session / f"{table}.parquet"
        pq.write_table(pq.read_table(path).slice(0, 0), path)
    assert [o.what for o in study.add(session)] == ["added"]
    assert study.query("select * from timeline").num_rows == 0
    assert study.query("select * from windows").num_rows == 0


def test_two_cannot_write_at_once_and_one_that_waits_is_told_who(tmp_path: Path) -> None:
    session = study_sessions.write(tmp_path / "s", 1)
    study = Study(tmp_path / "study")
    with (
        store.locked(study.path),
        pytest.raises(OutputError, match=f'being written by another process.*"pid": {os.getpid()}'),
    ):
        study.add(session)
    assert study.add(session)[0].what == "added"


def test_many_at_once_leave_each_session_there_once(tmp_path: Path) -> None:
    folders = [study_sessions.write(tmp_path / str(k), k) for k in range(4)]
    place = tmp_path / "study"
    command = [sys.executable, "-m", "cuesense", "study", "add", "-q", str(place)]
    started = [
        subprocess.Popen(
            [*command, *map(str, some)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for some in (folders[:2], folders[2:], folders)
    ]
    ends = [(p.communicate()[1].decode(), p.returncode) for p in started]
    assert all(code == 0 or (code == 2 and "being written" in err) for err, code in ends)
    study = Study(place)
    study.add(*folders)
    assert study.sessions["session"].to_pylist() == ["0", "1", "2", "3"]
    assert len(list(place.glob("state/*/*/*.parquet"))) == 4


def test_removing_takes_a_session_out_and_nothing_else(tmp_path: Path) -> None:
    folders = [study_sessions.write(tmp_path / f"s{k}", k) for k in (1, 2)]
    study = Study(tmp_path / "study")
    study.add(*folders)
    with pytest.raises(ParameterError, match="'s22' is not in this study; did you mean s2"):
        study.remove("s1", "s22")
    assert len(study) == 2
    study.remove("s1")
    assert study.query("select session from sessions").to_pylist() == [{"session": "s2"}]
    assert not list(study.path.rglob("*s1*"))
    assert Session(folders[0]).path.exists()
    study.remove("s2")
    assert study.query("select count(*) as n from windows").to_pylist() == [{"n": 0}]


def test_a_folder_that_is_no_study_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("mine")
    with pytest.raises(OutputError, match="holds something else"):
        Study(tmp_path)
    with pytest.raises(OutputError, match="holds something else"):
        Study(tmp_path / "thesis.odt")
    with pytest.raises(OutputError, match="is not there; make it: cuesense study add"):
        Study(tmp_path / "new").query("select 1")


def test_a_study_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    session = study_sessions.write(tmp_path / "s", 1)
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "study", tmp_path / ("x" * 300)):
        with pytest.raises(OutputError, match=r"^study=.* cannot be"):
            Study(place).add(session)


def test_a_list_says_whose_sessions_are(tmp_path: Path) -> None:
    path = tmp_path / "who.csv"
    path.write_text("\ufeffsession,dyad,x_arm\na.cuesense,D1,drug\nb,, \n", encoding="utf-8")
    assert read_list(path) == {
        "a": {"dyad": "D1", "x_arm": "drug"},
        "b": {"dyad": "", "x_arm": ""},
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("session,dyad\na,1\na.cuesense,2\n", "'a' twice"),
        ("dyad,x_arm\n1,b\n", "must have a column session"),
        ("session,condition\na,b\n", "call it x_condition"),
        ("", "must have a column session"),
    ],
)
def test_a_list_that_breaks_a_rule_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "who.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParameterError, match=words) as caught:
        read_list(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ParameterError, match="cannot be read"):
        read_list(tmp_path / "no.csv")


def test_tables_that_are_gone_are_made_of_the_records(tmp_path: Path) -> None:
    study = Study(tmp_path / "study")
    study.add(study_sessions.write(tmp_path / "s", 1))
    before = study.people
    (study.path / "people.parquet").unlink()
    (study.path / "sessions.parquet").write_bytes(b"PAR1")
    assert study.people.equals(before)
    assert study.query("select session from sessions").num_rows == 1


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    study = Study(tmp_path / "study")
    study.add(study_sessions.write(tmp_path / "s", 1))
    (study.path / "records" / "s.json").write_text(json.dumps({"no": 1}))
    with pytest.raises(OutputError, match="delete it and add that session again"):
        study.add(tmp_path / "s")
