"""Exporting: the data dictionary, what is refused, and that nothing is lost or half-written."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pympi
import pytest

import export_sessions
from cuesense import Config, Session, cli, schema
from cuesense.errors import MissingExtraError, OutputError, ParameterError
from cuesense.export import FORMATS, export
from cuesense.export.tiers import Stretch, lanes, runs
from cuesense.lsl import Outlets


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return export_sessions.write(tmp_path_factory.mktemp("made") / "talk.cuesense", 12.0)


def listing(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, list[str]]:
    """Run the command line; its exit code, standard output and lines of standard error."""
    with pytest.raises(SystemExit) as left:
        cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, out, err.splitlines()


def test_the_dictionary_is_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    columns = (*schema.TIMELINE, *schema.STATE, *schema.EVENTS_TABLE)
    code, out, _ = run(capsys, "schema", "--csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [r["name"] for r in rows] == [c.name for c in columns]
    assert [r["unit"] for r in rows] == [c.unit for c in columns]
    assert [float(r["low"]) if r["low"] else None for r in rows] == [c.low for c in columns]
    content = json.loads(run(capsys, "schema", "--json")[1])
    assert [c["meaning"] for c in content["columns"]] == [c.meaning for c in columns]
    assert content["labels"] == list(schema.LABELS)
    assert content["reasons"] == schema.MISSING
    table = run(capsys, "schema")[1]
    for c in columns:
        assert c.name in table
    pitch = next(c for c in content["columns"] if c["name"] == "f0_hz")
    assert pitch["missing"] == "NaN; why: voice_reason"


def test_help_names_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "export", "--help")[1]
    named = text.split("Formats: ")[1].split(".")[0]
    assert [n.strip() for n in named.split(",")] == list(FORMATS)


def test_all_formats_by_the_command_line(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [word for name in FORMATS for word in ("--format", name)]
    code, out, err = run(capsys, "export", session.path, *asked, "-o", tmp_path / "out")
    assert code == 0
    assert err == [f"writing {name} …" for name in FORMATS]
    assert [line.split(": ")[0] for line in out.splitlines()] == list(FORMATS)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(FORMATS)


def test_what_is_there_is_kept(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session.to_rttm(tmp_path)
    (tmp_path / "rttm" / "talk.rttm").write_text("mine", encoding="utf-8")
    before = listing(tmp_path)
    asked = ("export", session.path, "--format", "csv", "--format", "rttm", "-o", tmp_path)
    code, _, err = run(capsys, *asked, "-q")
    assert code == 2
    assert len(err) == 1
    assert "rttm' is there already" in err[0]
    assert "--overwrite" in err[0]
    assert listing(tmp_path) == before
    code, _, _ = run(capsys, *asked, "-q", "--overwrite")
    assert code == 0
    assert "SPEAKER" in (tmp_path / "rttm" / "talk.rttm").read_text(encoding="utf-8")
    assert (tmp_path / "csv" / "timeline.csv").is_file()


def test_overwrite_replaces_nothing_but_exports(session: Session, tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(OutputError, match=r"not an export's \(thesis.txt"):
        session.to_csv(tmp_path, overwrite=True)
    assert list(listing(tmp_path)) == ["csv/thesis.txt"]


def test_a_format_that_fails_takes_the_others_back(tmp_path: Path) -> None:
    made = export_sessions.write(tmp_path / "talk.cuesense", 12.0)
    frame = made.state.to_pandas()
    frame.loc[30:, "t"] += 7.0  # no even spacing: BIDS cannot say when a row was
    frame.to_parquet(made.state.path)
    out = tmp_path / "out"
    with pytest.raises(OutputError, match="not evenly spaced"):
        export(made, ["csv", "bids"], out)
    assert not out.exists()
    export(made, ["csv"], out)
    assert (out / "csv" / "state.csv").is_file()


def test_unknown_names(session: Session, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="format='edf' must be one of csv, "):
        session.export("edf", out=tmp_path / "out")
    with pytest.raises(ParameterError, match="format is missing"):
        session.export(out=tmp_path / "out")
    with pytest.raises(ParameterError, match=r"column='arousl' .* did you mean arousal"):
        session.to_csv(tmp_path / "out", columns=["arousl"])
    assert not (tmp_path / "out").exists()


def test_a_target_that_cannot_be_written(session: Session, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        session.to_csv(tmp_path / "out")
    # /proc takes no folders, whoever asks, even an administrator
    with pytest.raises(OutputError, match="cannot be written"):
        session.to_csv("/proc/out")
    with pytest.raises(OutputError, match="File name too long"):
        session.to_csv(tmp_path / ("x" * 300))


def test_sessions_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = export_sessions.write(tmp_path / "talk.cuesense", 12.0)
    meta = json.loads((made.path / "session.json").read_text(encoding="utf-8"))
    (made.path / "events.parquet").write_bytes(b"not parquet")
    out = tmp_path / "out"
    code, _, err = run(capsys, "export", made.path, "--format", "elan", "-o", out, "-q")
    assert code == 2
    assert len(err) == 1
    assert "is damaged" in err[0]
    meta["schema"] = "0"
    (made.path / "session.json").write_text(json.dumps(meta), encoding="utf-8")
    code, _, err = run(capsys, "export", made.path, "--format", "csv", "-o", out)
    assert code == 2
    assert len(err) == 1
    assert "has schema '0'" in err[0]
    assert not out.exists()


def test_chosen_columns(session: Session, tmp_path: Path) -> None:
    folder = session.to_csv(tmp_path, columns=["f0_hz", "label"])
    assert list(pd.read_csv(folder / "timeline.csv").columns) == ["t", "person", "f0_hz"]
    assert list(pd.read_csv(folder / "state.csv").columns) == ["t", "label"]
    for name in FORMATS:
        export(session, [name], tmp_path / "all", columns=["f0_hz", "arousal"])


def test_long_and_foreign_names(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / ("ü長" * 40 + " & <b>.cuesense")
    shutil.copytree(session.path, folder)
    for name in FORMATS:
        export(Session(folder), [name], tmp_path / "out")
    (path,) = (tmp_path / "out" / "rttm").glob("*.rttm")
    assert path.name == "ü長" * 40 + " & <b>.rttm"
    assert (tmp_path / "out" / "bids" / "sub-b" / "beh").is_dir()


def test_nothing_happened(tmp_path: Path) -> None:
    made = export_sessions.write(tmp_path / "talk.cuesense", 12.0)
    for name in ("timeline", "state", "events"):
        table = getattr(made, name)
        table.to_pandas().iloc[:0].to_parquet(table.path)
    for name in FORMATS:
        export(made, [name], tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out" / "csv" / "timeline.csv")) == 0
    assert (tmp_path / "out" / "rttm" / "talk.rttm").read_text(encoding="utf-8") == ""


@pytest.mark.parametrize(
    ("offset", "linked"), [(0.0, ["a.mp4", "b.mkv"]), (2.5, ["a.mp4"]), (-2.5, ["b.mkv"])]
)
def test_elan_links_what_starts_with_the_session(
    tmp_path: Path, offset: float, linked: list[str]
) -> None:
    made = export_sessions.write(tmp_path / "talk.cuesense", 12.0, names=("a.mp4", "b.mkv"))
    made.meta["source"]["offset_s"] = offset
    (path,) = made.to_elan(tmp_path / "out").glob("*.eaf")
    media = pympi.Eaf(path).media_descriptors
    assert [m["MEDIA_URL"] for m in media] == [f"./{name}" for name in linked]


def test_packages_that_are_not_installed(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cuesense\[polars\]'"):
        session.state.to_polars()
    monkeypatch.setitem(sys.modules, "pylsl", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cuesense\[lsl\]'"):
        Outlets(Config(), "none")


def test_the_same_session_gives_the_same_files(session: Session, tmp_path: Path) -> None:
    export(session, list(FORMATS), tmp_path / "one")
    export(session, list(FORMATS), tmp_path / "two")
    assert listing(tmp_path / "one") == listing(tmp_path / "two")


def test_runs_and_lanes() -> None:
    t = np.arange(6) / 5
    words = np.array(["", "a", "a", "b", "", "b"], dtype=object)
    assert runs(t, words, 1.5) == [
        Stretch(0.2, 0.6, "a"),
        Stretch(0.6, 0.8, "b"),
        Stretch(1.0, 1.5, "b"),
    ]
    a, b, c, d = Stretch(0, 2, "a"), Stretch(1, 3, "b"), Stretch(2, 4, "c"), Stretch(3, 3, "d")
    e = Stretch(3, 5, "e")
    assert lanes([e, b, a, d, c]) == [[a, c], [b, d], [e]]
