"""Raters compared: with each other, with the tool, over several sessions; as it is printed."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import rated
from cuesense import Session, cli
from cuesense.errors import ParameterError
from cuesense.rating import results, study, words
from cuesense.rating.questions import RESPONDS, STANCE, Question
from cuesense.rating.results import Pair, Study
from cuesense.rating.store import Ratings

SPELL = [label for label in ("mirroring", "regulating") for _ in range(120)]
"""24 s of each: the tool's answers are these two and no other, but for cells it changes in."""
ALONG = [p for p in (0.95, 0.5, 0.8) for _ in range(120)]
"""24 s each: the tool claims a response, does not, and does again."""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return rated.folder(
        tmp_path / "talk.cuesense", duration_s=600.0, stances=SPELL, contingency=ALONG
    )


def tool(session: Session, question: Question = STANCE) -> list[str]:
    said = results.said_by_tool(question, session, Ratings(session).plan())
    return [question.answers[i] for i in said]


def pair(found: Study, first: str, second: str, question: Question = STANCE) -> Pair:
    (one,) = (
        p
        for part in found.parts
        if part.question is question
        for p in part.pairs
        if (p.first, p.second) == (first, second)
    )
    return one


def test_a_rater_who_says_what_the_tool_says_agrees_with_it_wholly(session: Session) -> None:
    stances, responds = tool(session), tool(session, RESPONDS)
    assert {"mirroring", "regulating"} <= set(stances)
    assert {"yes", "no"} <= set(responds)
    rated.code(session, "anna", stances, responds)
    found = study([session])
    for question in (STANCE, RESPONDS):
        one = pair(found, "anna", "tool", question)
        assert one.coded == 40
        assert one.kappa == one.kappa_all == 1.0
        assert np.isnan([one.low, one.high]).all()
        assert "agreed on all" in one.sentence


def test_the_two_questions_are_compared_apart(session: Session) -> None:
    other = {"yes": "no", "no": "yes", "cannot tell": "cannot tell"}
    wrong = [other[answer] for answer in tool(session, RESPONDS)]
    rated.code(session, "anna", tool(session), wrong)
    found = study([session])
    assert pair(found, "anna", "tool").kappa == 1.0
    assert pair(found, "anna", "tool", RESPONDS).agreed == 0.0
    assert pair(found, "anna", "tool", RESPONDS).kappa < -0.5


def test_the_sessions_own_bounds_decide_what_the_tool_says(session: Session) -> None:
    Ratings(session).plan()
    assert "mirroring" in tool(session)
    assert "yes" in tool(session, RESPONDS)
    session.meta["config"]["dyad"] = {"min_p": 0.95, "min_contingency": 0.96}
    assert set(tool(session)) == {"cannot tell"}  # the stances have .9, the contingency .95
    assert set(tool(session, RESPONDS)) == {"no"}


def test_a_rater_who_guesses_agrees_with_it_by_chance(session: Session) -> None:
    rng = np.random.default_rng(0)
    rated.code(session, "anna", [("mirroring", "regulating")[i] for i in rng.integers(2, size=40)])
    one = pair(study([session]), "anna", "tool")
    assert one.low < 0 < one.high
    assert abs(one.kappa) < 0.35
    assert "say little" in one.sentence


def test_cannot_tell_is_no_answer_for_kappa_but_is_counted(session: Session) -> None:
    said = tool(session)
    rated.code(session, "anna", said[:30], ["yes"] * 20)
    rated.code(session, "ben", ["cannot tell"] * 5 + said[5:], ["no"] * 40)
    found = study([session])
    assert found.coded == {"anna": 20, "ben": 40}
    one = pair(found, "anna", "ben")
    undecided = sum(a == "cannot tell" for a in said[5:30])
    assert (one.coded, one.decided) == (30, 25 - undecided)
    assert one.kappa == 1.0
    assert one.kappa_all < 1.0
    assert one.table[:, -1].sum() == 5 + undecided
    assert pair(found, "anna", "ben", RESPONDS).coded == 20


def test_three_raters_have_alpha_and_two_have_none(session: Session) -> None:
    said = tool(session)
    for name in ("anna", "ben"):
        rated.code(session, name, said)
    assert np.isnan([part.alpha for part in study([session]).parts]).all()
    rated.code(session, "eve", said[:20] + ["disengaged"] * 20)
    found = study([session])
    assert 0.2 < found.parts[0].alpha < 0.9
    assert len(found.parts[0].pairs) == 6


def test_five_sessions_are_resampled_whole(tmp_path: Path) -> None:
    sessions = [
        rated.folder(tmp_path / f"s{i}", duration_s=300.0, stances=SPELL, sha256=[str(i)])
        for i in range(5)
    ]
    for i, session in enumerate(sessions):
        said = tool(session)
        other = ["regulating" if a == "mirroring" else "mirroring" for a in said]
        rated.code(session, "anna", other if i == 0 else said)
    one = pair(study(sessions), "anna", "tool")
    assert (one.sessions, one.over) == (5, "sessions")
    as_units = pair(study(sessions[:4]), "anna", "tool")
    assert as_units.over == "units"
    assert one.high - one.low > as_units.high - as_units.low
    with pytest.raises(ParameterError, match="given twice"):
        study([sessions[0], Session(tmp_path / "s1" / ".." / "s0")])


def test_pools_only_sessions_that_both_coded(tmp_path: Path) -> None:
    sessions = [rated.folder(tmp_path / f"s{i}", stances=SPELL) for i in range(2)]
    rated.code(sessions[0], "anna", tool(sessions[0]))
    rated.code(sessions[1], "ben", tool(sessions[1]))
    one = pair(study(sessions), "anna", "ben")
    assert (one.coded, one.sessions) == (0, 0)
    assert one.sentence.startswith("Insufficient data: both decided no bouts")


def test_the_same_ratings_give_the_same_interval(session: Session) -> None:
    rated.code(session, "anna", tool(session)[:30] + ["disengaged"] * 10)
    first, again = (pair(study([session]), "anna", "tool") for _ in range(2))
    assert (first.low, first.high) == (again.low, again.high)
    assert first.low < first.kappa < first.high


def alone(a: list[int], b: list[int]) -> Pair:
    return results.compare("a", "b", [{"a": np.array(a), "b": np.array(b)}], STANCE)


@pytest.mark.parametrize("n", [0, 1, 9])
def test_under_ten_bouts_there_is_no_kappa(n: int) -> None:
    one = alone([0, 1] * 20, ([0, 1] * 20)[:n] + [3] * (40 - n))
    assert one.decided == n
    assert np.isnan([one.kappa, one.low, one.high]).all()
    assert "Insufficient data" in one.sentence
    assert "10 or more" in one.sentence


def test_a_perfect_pair_of_few_units_is_told_as_such() -> None:
    one = alone([0, 1] * 6, [0, 1] * 6)
    assert one.kappa == 1.0
    assert "25%" in one.sentence


def test_one_and_the_same_answer_has_no_kappa() -> None:
    one = alone([1] * 12, [1] * 12)
    assert np.isnan(one.kappa)
    assert "not defined" in one.sentence


@pytest.mark.parametrize("width", [80, 100, 140])
def test_what_is_printed_fits_a_terminal_and_says_how_little_it_is(
    session: Session, width: int
) -> None:
    rated.code(session, "anna", tool(session)[:30] + ["disengaged"] * 10, ["yes"] * 5)
    rated.code(session, "ben", tool(session), tool(session, RESPONDS))
    out = io.StringIO()
    words.show(study([session]), Console(file=out, width=width))
    text = " ".join(out.getvalue().split())
    for wanted in (
        "What does the listener do?",
        "Is it a response to this partner?",
        "anna and ben",
        "ben and the tool",
        "Insufficient data: both decided 5 bouts",
        "say little",
        "rather too narrow",
        "not shown",
    ):
        assert wanted in text
    assert max(map(len, out.getvalue().splitlines())) <= width


def test_json_holds_no_nan(session: Session) -> None:
    rated.code(session, "anna", ["mirroring"])
    made = json.loads(json.dumps(words.as_json(study([session])), allow_nan=False))
    (one,) = made["questions"]["stance"]["pairs"]
    assert one["kappa"] is None
    assert made["questions"]["stance"]["alpha"] is None
    assert one["coded_by_both"] == 1
    assert sum(itertools.chain.from_iterable(one["table"])) == 1
    assert made["questions"]["responds"]["pairs"][0]["coded_by_both"] == 0


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as left:
        cli.main([str(a) for a in arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_the_command_prints_json(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    rated.code(session, "anna", tool(session), tool(session, RESPONDS))
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
