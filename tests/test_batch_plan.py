"""What many recordings are taken to be: folders, patterns, lists; every mistake before it runs."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from cuesense import Config
from cuesense.batch import Recording, planned
from cuesense.batch.plan import LONGEST_ID
from cuesense.batch.recordings import COLUMNS, default_out, means_many
from cuesense.errors import CuesenseError, MediaError, ParameterError
from cuesense.profiles import FOLDER_VARIABLE


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    """A folder as it is found in a study: what is planned is not opened."""
    folder = tmp_path / "talks"
    (folder / "second").mkdir(parents=True)
    for name in ("b.mp4", "a.MKV", "notes.txt", ".hidden.mp4", "second/a.mkv", "second/c.wav"):
        (folder / name).touch()
    return folder


def plan(what: Any, out: Path) -> dict[str, tuple[str, ...]]:
    """Return the ids, and the recordings' names."""
    jobs = planned(what, out)
    assert all(job.out == str(out / f"{job.id}.cuesense") for job in jobs)
    return {job.id: tuple(Path(p).name for p in job.paths) for job in jobs}


def test_a_folder_means_the_media_files_in_it(talks: Path, tmp_path: Path) -> None:
    assert plan(talks, tmp_path / "out") == {"a": ("a.MKV",), "b": ("b.mp4",)}


def test_a_pattern_means_what_it_matches(talks: Path, tmp_path: Path) -> None:
    found = plan(str(talks / "**" / "*.[mw]*"), tmp_path / "out")
    assert found == {"b": ("b.mp4",), "a": ("a.mkv",), "c": ("c.wav",)}


def test_what_means_many(talks: Path, tmp_path: Path) -> None:
    odd = tmp_path / "talk [1].mp4"
    odd.touch()
    many = {str(talks), str(talks / "*.mp4"), "list.csv", "s3://bucket/talks"}
    assert all(map(means_many, many))
    one = [str(odd), str(talks / "b.mp4"), "none.mp4", "x" * 5000, ""]
    assert not any(map(means_many, one))


def test_where_sessions_go_unless_told(talks: Path) -> None:
    for what in (str(talks), f"{talks}/", str(talks / "*.mp4"), str(talks / "**" / "*.mp4")):
        assert default_out(what) == "talks.sessions"
    assert default_out(str(talks / "pilot.csv")) == "pilot.sessions"
    with pytest.raises(ParameterError, match="-o"):
        default_out("s3://bucket/talks")


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["x/a.mp4", "x/b.mp4"], ["a", "b"]),
        (["x/a.mp4", "x/a.mkv"], ["a.mp4", "a.mkv"]),
        (["x/A.mp4", "y/a.mp4"], ["x-A", "y-a"]),
        (["p/x/a.mp4", "q/x/a.mp4"], ["p-x-a", "q-x-a"]),
        (["x/a.mp4", "x/a.mkv", "x/a.mp4.mov"], ["x-a", "a.mkv", "a.mp4"]),
        (["x/äpfel 长.mp4"], ["äpfel 长"]),
        (["x/ä.mp4", "x/ä.mkv"], ["ä.mp4", "ä.mkv"]),
        (["x/what? *.mp4", "x/...mp4"], ["what_ _", "recording"]),
    ],
)
def test_no_two_ids_are_alike(names: list[str], ids: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(plan([tmp_path / name for name in names], tmp_path / "out")) == ids


def test_very_long_names_are_cut_and_stay_apart(tmp_path: Path) -> None:
    names = ["长" * 80 + end for end in ("1.mp4", "2.mp4")]
    for name in names:
        (tmp_path / name).touch()
    ids = list(plan(tmp_path, tmp_path / "out"))
    assert len(ids) == 2
    assert all(len(i.encode()) <= LONGEST_ID and i.startswith("长长") for i in ids)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are valid text")
def test_a_name_that_is_not_valid_text(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.mp4")).touch()
    assert list(plan(folder, tmp_path / "out")) == ["caf\ufffd"]


FULL = """recording,recording_b,id,listener,offset,baseline,profile_left,dyad,x_age,x_site
b.mp4,,one,left,,auto,,7,31,"Köln, left bank"
second/a.mkv,second/c.wav,two,,-1.5,60:110,anna,8,,
"""


def profile(folder: Path) -> None:
    zero = {"median": 0.0, "sd": 1.0, "error_sd": 0.1}
    usual = {"arousal": {"cues": {"f0_hz": zero}, "mean": zero}, "expression": None, "gaze": {}}
    content = {"version": 1, "made": "2026-11-23T10:00:00", "learned_s": 45.0, "usual": usual}
    text = json.dumps({**content, "voice": None})
    (folder / "profile-anna.json").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("form", ["plain", "excel", "windows"])
def test_a_list_says_what_is_special_about_each(
    talks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    profile(tmp_path)
    text = FULL
    if form == "excel":
        text = "\ufeff" + FULL.replace('"Köln, left bank"', "Köln; left bank")
        text = text.replace(",", ";").replace("Köln; left bank", '"Köln, left bank"')
        text = text.replace("-1.5", "-1,5").replace("x_site\n", "x_site;;\n")
    path = talks / "list.csv"
    path.write_bytes(text.replace("\n", "\n" if form == "plain" else "\r\n").encode())
    one, two = planned(path, tmp_path / "out", listener="right")
    assert (one.id, one.paths) == ("one", (str(talks / "b.mp4"),))
    assert one.config["people"]["listener"] == "left"
    assert one.baseline == "auto"
    expected = {"id": "one", "dyad": "7", "x_age": "31", "x_site": "Köln, left bank"}
    assert one.attributes == expected
    assert two.paths == (str(talks / "second" / "a.mkv"), str(talks / "second" / "c.wav"))
    assert two.config["people"]["listener"] == "right"
    assert (two.offset_s, two.baseline) == (-1.5, "60:110")
    ((person, name, content),) = two.profiles
    assert (person, name) == ("A", "anna")
    assert json.loads(content)["learned_s"] == 45.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("recording,listner\nb.mp4,left\n", ("column 'listner'", "did you mean listener?", "x_")),
        ("recording,Age\nb.mp4,3\n", ("column 'Age'", "x_")),
        ("recording,x_\nb.mp4,3\n", ("column 'x_'",)),
        ("recording,id,id\nb.mp4,1,2\n", ("'id' comes twice",)),
        ("id,dyad\n1,2\n", ("column 'recording' is missing",)),
        ("recording\n", ("no recordings",)),
        ("", ("column 'recording' is missing",)),
        ("recording,,id\nb.mp4,,1\n", ("column ''",)),
        ("recording,id\nb.mp4,1\n\nsecond/c.wav,1\n", ("line 4", "id='1'", "line 2")),
        ("recording,id\nb.mp4,ONE\na.MKV,one\n", ("line 3", "id='one'", "line 2")),
        ("recording\nb.mp4\nb.mp4\n", ("line 3", "given twice")),
        ("recording,id\nb.mp4,../up\n", ("line 2", "id='../up'", "'/'")),
        ("recording,id\nb.mp4,.x\n", ("line 2", "id='.x'", "dots")),
        (f"recording,id\nb.mp4,{'x' * 201}\n", ("line 2", "200 bytes")),
        ("recording\nnone.mp4\n", ("line 2", "none.mp4", "is not there")),
        ("recording\nsecond\n", ("line 2", "second", "is a folder")),
        ("recording,recording_b\nb.mp4,none.wav\n", ("line 2", "none.wav", "is not there")),
        ("recording,dyad\n,3\n", ("line 2", "recording is missing")),
        ("recording,listener\nb.mp4,me\n", ("line 2", "'me'", "left")),
        ("recording,offset\nb.mp4,1\n", ("line 2", "offset=1", "recording_b")),
        (
            "recording,recording_b,offset\nb.mp4,a.MKV,soon\n",
            ("line 2", "offset='soon'", "number of seconds"),
        ),
        (
            "recording,recording_b,offset\nb.mp4,a.MKV,nan\n",
            ("line 2", "offset='nan'", "number of seconds"),
        ),
        ("recording,baseline\nb.mp4,best\n", ("line 2", "baseline='best'", "START:END")),
        ("recording,profile_left\nb.mp4,nobody\n", ("line 2", "profile='nobody'")),
        ("recording,id\nb.mp4,1,2\n", ("line 2", "3 values for 2 columns")),
        ('recording,id\n"b.mp4,1\n', ("quotes",)),
        (b"recording,x_n\nb.mp4,caf\xe9\n", ("not in UTF-8", "CSV UTF-8")),
    ],
)
def test_a_mistake_in_a_list_is_named_with_its_line(
    talks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str | bytes,
    words: tuple[str, ...],
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "none"))
    path = talks / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CuesenseError) as caught:
        planned(path, tmp_path / "out")
    assert "\n" not in str(caught.value)
    for word in ("list.csv" if "line" in "".join(words) else "", *words):
        assert word in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_nothing_to_do_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for what in (tmp_path / "empty", tmp_path / "*.mp4", "s3x://bucket/*.mp4"):
        with pytest.raises(CuesenseError):
            planned(what, tmp_path / "out")
    with pytest.raises(MediaError, match="has no recordings"):
        planned(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(ParameterError, match="is not there"):
        planned(tmp_path / "none.csv", tmp_path / "out")
    with pytest.raises(ParameterError, match="no recordings"):
        planned([], tmp_path / "out")
    with pytest.raises(ParameterError, match="3 recordings"):
        planned([Recording(("a", "b", "c"))], tmp_path / "out")


def test_a_recipe_holds_what_changes_a_session_and_nothing_else(
    talks: Path, tmp_path: Path
) -> None:
    def made(offset_s: float | None = None, **options: Any) -> str:
        path = str(talks / "b.mp4")
        (job,) = planned([Recording((path, path), offset_s=offset_s)], tmp_path / "out", **options)
        return job.recipe

    same: list[dict[str, Any]] = [
        {},
        {"csv": True},
        {"overwrite": True},
        {"config": Config.from_dict({"faces": {"workers": 0}})},
    ]
    other: list[dict[str, Any]] = [
        {"listener": "left"},
        {"baseline": "auto"},
        {"baseline": "60:110"},
        {"offset_s": 1.0},
        {"config": Config.from_dict({"grid": {"lateness_s": 1.0}})},
    ]
    assert len({made(**options) for options in same}) == 1
    assert len({made(**options) for options in same + other}) == 1 + len(other)


def test_the_documentation_names_every_column() -> None:
    page = Path(__file__).resolve().parents[1] / "docs" / "many.md"
    text = page.read_text(encoding="utf-8")
    assert tuple(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE)) == COLUMNS
