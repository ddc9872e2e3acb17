"""Ratings at rest: written at once, whole or not at all, and nowhere but in their folder."""

from __future__ import annotations

import csv
import json
import os
import stat
from pathlib import Path

import pytest

import rated
from cuesense import Session
from cuesense.errors import OutputError, ParameterError
from cuesense.folder import replacing
from cuesense.rating import store
from cuesense.rating.questions import RESPONDS, STANCE
from cuesense.rating.store import Code, Ratings


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return rated.folder(tmp_path / "talk.cuesense")


@pytest.fixture
def ratings(session: Session) -> Ratings:
    return Ratings(session)


@pytest.mark.parametrize(
    "name",
    [
        "../anna",
        "..",
        ".",
        "",
        "a/b",
        "a\\b",
        "/etc/passwd",
        "a\x00b",
        "a b",
        "a.csv",
        "x" * 41,
        "tool",
        "Tool",
        "CON",
        "nul",
        "com1",
        "LPT9",
        "\N{FULLWIDTH FULL STOP}x",
        ".anna",
        "a\n",
    ],
)
def test_a_name_that_could_be_a_path_is_refused(ratings: Ratings, name: str) -> None:
    plan = ratings.plan()
    before = sorted(p for p in ratings.session.path.parent.rglob("*"))
    with pytest.raises(ParameterError, match="letters, digits"):
        ratings.check(name)
    with pytest.raises(ParameterError, match="letters, digits"):
        ratings.save(name, plan, 0, Code(("mirroring", "")))
    assert sorted(ratings.session.path.parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["anna", "Żaneta", "rater-2", "a_b", "comet"])
def test_ordinary_names_are_fine(ratings: Ratings, name: str) -> None:
    ratings.save(ratings.check(name), ratings.plan(), 0, Code(("mirroring", "")))
    assert ratings.names() == [name]


def test_names_that_some_file_systems_take_for_one_are_refused(ratings: Ratings) -> None:
    ratings.save("Anna", ratings.plan(), 0, Code(("mirroring", "")))
    with pytest.raises(ParameterError, match="'Anna' but for its case"):
        ratings.check("anna")
    assert ratings.check("Anna") == "Anna"


def test_what_was_said_comes_back_and_the_table_can_be_read_by_others(ratings: Ratings) -> None:
    plan = ratings.plan()
    words = 'She said "yes", twice;\nthen à bientôt, 好'
    ratings.save("anna", plan, 3, Code(("disengaged", "no"), 2, words))
    ratings.save("anna", plan, 0, Code(("cannot tell", "")))
    ratings.save("anna", plan, 3, Code(("regulating", "yes"), None, words))
    again = Ratings(Session(ratings.session.path))
    codes = again.codes("anna", again.plan())
    assert {i: (c.answers, c.complete, c.sure, c.words) for i, c in codes.items()} == {
        0: (("cannot tell", ""), False, None, ""),
        3: (("regulating", "yes"), True, None, words),
    }
    with (ratings.folder / "anna.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["unit"] for row in rows] == ["1", "4"]
    assert [(row["stance"], row["responds"]) for row in rows] == [
        ("cannot tell", ""),
        ("regulating", "yes"),
    ]
    assert float(rows[1]["start_s"]) == pytest.approx(plan.units[3].start, abs=0.001)
    assert {p.name for p in ratings.folder.iterdir()} == {"units.json", "anna.csv"}


def test_every_rater_has_the_same_units_drawn_once(ratings: Ratings) -> None:
    plan = ratings.plan(count=5)
    assert ratings.plan() == plan == ratings.plan(count=5)
    with pytest.raises(ParameterError, match="was begun with 5"):
        ratings.plan(count=6)
    with pytest.raises(ParameterError, match="was begun with 12"):
        ratings.plan(unit_s=10.0)


@pytest.mark.parametrize(
    ("count", "unit_s", "rule"), [(0, None, "1 to 1000"), (None, 2.0, "5 to 60")]
)
def test_odd_wishes_are_refused(
    ratings: Ratings, count: int | None, unit_s: float | None, rule: str
) -> None:
    with pytest.raises(ParameterError, match=rule):
        ratings.plan(count, unit_s)
    assert not ratings.folder.exists()


def test_a_session_without_calibrated_time_has_nothing_to_code(tmp_path: Path) -> None:
    short = Ratings(rated.folder(tmp_path / "short", duration_s=50.0))
    with pytest.raises(ParameterError, match="nothing to code"):
        short.plan()
    assert not short.folder.exists()


def test_a_failed_write_leaves_what_was_there(
    ratings: Ratings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = ratings.plan()
    ratings.save("anna", plan, 0, Code(("mirroring", "")))
    before = (ratings.folder / "anna.csv").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left"):
            ratings.save("anna", plan, 1, Code(("regulating", "no")))
    assert (ratings.folder / "anna.csv").read_bytes() == before
    assert {p.name for p in ratings.folder.iterdir()} == {"units.json", "anna.csv"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_that_may_not_be_written_is_named(ratings: Ratings) -> None:
    ratings.session.path.chmod(stat.S_IREAD | stat.S_IEXEC)
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            ratings.plan()
    finally:
        ratings.session.path.chmod(0o755)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("1,1.0,2.0,mirroring,yes,,,", "not in units.json"),
        ("99,{start},{end},mirroring,yes,,,", "not in units.json"),
        ("1,{start},{end},angry,yes,,,", "stance='angry'"),
        ("1,{start},{end},mirroring,perhaps,,,", "responds='perhaps'"),
        ("1,{start},{end},mirroring,yes,7,,", "sure=7"),
        ("one,{start},{end},mirroring,yes,,,", "invalid literal"),
        ("1,{start}", "line 2"),
    ],
)
def test_a_table_that_was_tampered_with_is_named(ratings: Ratings, line: str, what: str) -> None:
    plan = ratings.plan()
    start, end = plan.units[0]
    row = line.format(start=f"{start:.3f}", end=f"{end:.3f}")
    path = ratings.folder / "anna.csv"
    path.write_text(",".join(store.COLUMNS) + f"\n{row}\n", encoding="utf-8")
    with pytest.raises(OutputError, match=r"anna\.csv") as caught:
        ratings.codes("anna", plan)
    assert what in str(caught.value)


def test_a_table_that_is_no_raters_is_named(ratings: Ratings) -> None:
    ratings.save("anna", ratings.plan(), 0, Code(("mirroring", "")))
    (ratings.folder / "my notes.csv").touch()
    with pytest.raises(OutputError, match=r"my notes\.csv.*move it away"):
        ratings.names()


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "units": []}']
)
def test_damaged_units_are_named(ratings: Ratings, content: str) -> None:
    ratings.folder.mkdir()
    (ratings.folder / "units.json").write_text(content, encoding="utf-8")
    with pytest.raises(OutputError, match=r"units\.json"):
        ratings.plan()


def test_ratings_of_the_other_listener_are_not_compared(session: Session) -> None:
    Ratings(session).plan()
    meta = json.loads((session.path / "session.json").read_text(encoding="utf-8"))
    people = meta["people"]
    people["A"]["role"], people["B"]["role"] = people["B"]["role"], people["A"]["role"]
    (session.path / "session.json").write_text(json.dumps(meta), encoding="utf-8")
    with pytest.raises(ParameterError, match="--listener B"):
        Ratings(Session(session.path)).plan()


def test_another_analysis_never_replaces_ratings(ratings: Ratings) -> None:
    ratings.save("anna", ratings.plan(), 0, Code(("mirroring", "")))
    hashes = ratings.session.meta["source"]["sha256"]
    with (
        pytest.raises(OutputError, match="ratings"),
        replacing(ratings.session.path, hashes, True),
    ):
        pass
    assert ratings.names() == ["anna"]


def test_answers_become_numbers_with_gaps() -> None:
    codes = {0: Code(("mirroring", "")), 2: Code(("cannot tell", "no"))}
    assert store.as_numbers(codes, STANCE, 4).tolist() == [0, -1, 3, -1]
    assert store.as_numbers(codes, RESPONDS, 4).tolist() == [-1, -1, 1, -1]
