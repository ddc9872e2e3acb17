"""Raters compared: with each other, with the tool, over several sessions; as it is printed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import rated
from cuesense import Session, cli
from cuesense.errors import ParameterError
from cuesense.rating import as_json, results, study, units, words
from cuesense.rating.store import Ratings, label_column

SPELL = [label for label in ("mirroring", "regulating") for _ in range(120)]
"""24 s of each: the tool's answers are these two and no other, but for cells it changes in."""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return rated.folder(tmp_path / "talk.cuesense", duration_s=600.0, labels=SPELL)


def tool(session: Session) -> list[str]:
    t, labels, _ = label_column(session)
    return units.tool_answers(t, labels, Ratings(session).plan().units)


def test_a_rater_who_says_what_the_tool_says_agrees_with_it_wholly(session: Session) -> None:
    said = tool(session)
    assert {"mirroring", "regulating"} <= set(said)
    rated.code(session, "anna", said)
    (pair,) = study([session]).pairs
    assert (pair.first, pair.second) == ("anna", "tool")
    assert pair.coded == len(said) == 40
    assert pair.kappa == pair.kappa_all == 1.0
    assert "agreed on all" in pair.sentence


def test_a_rater_who_guesses_agrees_with_it_by_chance(session: Session) -> None:
    rng = np.random.default_rng(0)
    rated.code(session, "anna", [("mirroring", "regulating")[i] for i in rng.integers(2, size=40)])
    (pair,) = study([session]).pairs
    assert pair.low < 0 < pair.high
    assert abs(pair.kappa) < 0.35
    assert "say little" in pair.sentence


def test_cannot_tell_is_no_answer_for_kappa_but_is_counted(session: Session) -> None:
    said = tool(session)
    rated.code(session, "anna", {i: a for i, a in enumerate(said) if i < 30})
    rated.code(session, "ben", ["cannot tell"] * 5 + said[5:])
    found = study([session])
    assert found.coded == {"anna": 30, "ben": 40}
    pair = next(p for p in found.pairs if (p.first, p.second) == ("anna", "ben"))
    undecided = sum(a == "cannot tell" for a in said[5:30])
    assert (pair.coded, pair.decided) == (30, 25 - undecided)
    assert pair.kappa == 1.0
    assert pair.kappa_all < 1.0
    assert pair.table[:, 4].sum() == 5 + undecided


def test_what_the_tool_says_rarely_counts_less_in_the_sessions_time(tmp_path: Path) -> None:
    spells = ["regulating"] * 900 + ["mirroring"] * 180
    session = rated.folder(tmp_path / "s", duration_s=1500.0, labels=spells)
    said = tool(session)
    # Wrong wherever the tool says mirroring: a sixth of the time, more of the units.
    rated.code(session, "anna", ["disengaged" if a == "mirroring" else a for a in said])
    (pair,) = study([session]).pairs
    assert pair.agreed == pytest.approx(np.mean([a == "regulating" for a in said]), abs=0.05)
    assert pair.agreed_of_time == pytest.approx(5 / 6, abs=0.06)
    assert pair.agreed_of_time > pair.agreed + 0.1


def test_three_raters_have_alpha_and_two_have_none(session: Session) -> None:
    said = tool(session)
    for name in ("anna", "ben"):
        rated.code(session, name, said)
    assert np.isnan(study([session]).alpha)
    rated.code(session, "eve", said[:20] + ["disengaged"] * 20)
    found = study([session])
    assert 0.2 < found.alpha < 0.9
    assert len(found.pairs) == 6


def test_five_sessions_are_resampled_whole(tmp_path: Path) -> None:
    sessions = [
        rated.folder(tmp_path / f"s{i}", duration_s=300.0, labels=SPELL, sha256=[str(i)])
        for i in range(5)
    ]
    for i, session in enumerate(sessions):
        said = tool(session)
        other = ["regulating" if a == "mirroring" else "mirroring" for a in said]
        rated.code(session, "anna", other if i == 0 else said)
    (pair,) = study(sessions).pairs
    assert (pair.sessions, pair.over) == (5, "sessions")
    (as_units,) = study(sessions[:4]).pairs
    assert as_units.over == "units"
    assert pair.high - pair.low > as_units.high - as_units.low
    with pytest.raises(ParameterError, match="given twice"):
        study([sessions[0], Session(tmp_path / "s1" / ".." / "s0")])


def test_pools_only_sessions_that_both_coded(tmp_path: Path) -> None:
    sessions = [rated.folder(tmp_path / f"s{i}", labels=SPELL) for i in range(2)]
    rated.code(sessions[0], "anna", tool(sessions[0]))
    rated.code(sessions[1], "ben", tool(sessions[1]))
    pair = study(sessions).pairs[0]
    assert (pair.first, pair.second, pair.coded, pair.sessions) == ("anna", "ben", 0, 0)
    assert "nothing can be said" in pair.sentence


def test_the_same_ratings_give_the_same_interval(session: Session) -> None:
    rated.code(session, "anna", tool(session)[:30] + ["disengaged"] * 10)
    first, again = (study([session]).pairs[0] for _ in range(2))
    assert (first.low, first.high) == (again.low, again.high)
    assert first.low < first.kappa < first.high


def test_what_is_printed_fits_a_terminal_and_says_how_little_it_is(session: Session) -> None:
    rated.code(session, "anna", tool(session)[:30] + ["disengaged"] * 10)
    rated.code(session, "ben", tool(session))
    out = io.StringIO()
    words.show(study([session]), Console(file=out, width=100))
    text = out.getvalue()
    assert "anna and ben" in text
    assert "ben and the tool" in text
    assert "is only a number" in text or "known to about" in text or "say little" in text
    assert "rather too narrow" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 100


def test_json_holds_no_nan(session: Session) -> None:
    rated.code(session, "anna", ["mirroring"])
    made = json.loads(json.dumps(as_json(study([session])), allow_nan=False))
    assert made["pairs"][0]["kappa"] is None
    assert made["alpha"] is None
    assert made["pairs"][0]["coded_by_both"] == 1
    assert sum(map(sum, made["pairs"][0]["table"])) == 1


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as left:
        cli.main([str(a) for a in arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_the_command_prints_json(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    rated.code(session, "anna", tool(session))
    assert run("rate", session.path, "--agreement", "--json") == 0
    assert json.loads(capsys.readouterr().out)["coded"] == {"anna": 40}
    assert run("rate", session.path, "--agreement") == 0
    assert "anna and the tool" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--agreement"], ["nobody has coded", "--as NAME"]),
        (["--as", "../anna"], ["'../anna'", "letters, digits", "--as"]),
        (["--as", "anna", "--units", "0"], ["call.mp4", "--media"]),
        ([], ["required"]),
        (["--as", "anna", "--agreement"], ["not allowed"]),
    ],
)
def test_errors_of_use_are_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    made = rated.folder(tmp_path / "s", paths=["call.mp4"], sha256=["ab" * 32])
    assert run("rate", made.path, *arguments) == 2
    told = capsys.readouterr().err
    for word in words:
        assert word in told
    assert not (made.path / "ratings").exists()


def test_several_sessions_are_not_coded_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [rated.folder(tmp_path / name).path for name in "ab"]
    assert run("rate", *made, "--as", "anna") == 2
    assert "one at a time" in capsys.readouterr().err


def test_a_perfect_pair_of_few_units_is_told_as_such() -> None:
    sheets = [results.Sheet({"a": np.array([0, 1, 0]), "b": np.array([0, 1, 0])}, np.ones(3))]
    pair = results.compare("a", "b", sheets)
    assert "100%" in pair.sentence.replace("\N{NO-BREAK SPACE}", "")
