"""Several session folders in, one sentence out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import cuesense
from cuesense import cli, schema
from cuesense.dyad.settling import pooled
from cuesense.errors import OutputError, ParameterError
from cuesense.pooling import settling_pooled


def folder(at: Path, name: str, settling: dict[str, Any] | None, sha: str = "") -> Path:
    """Write as much of a session as pooling reads."""
    path = at / name
    path.mkdir()
    meta = {
        "schema": schema.VERSION,
        "source": {"sha256": [sha or name]},
        "summary": {"settling": settling},
    }
    (path / "session.json").write_text(json.dumps(meta), encoding="utf-8")
    return path


@pytest.fixture
def sessions(tmp_path: Path) -> list[Path]:
    return [
        folder(tmp_path, "one", {"difference": -0.4, "error": 0.1}),
        folder(tmp_path, "two", {"difference": -0.5, "error": 0.15}),
        folder(tmp_path, "earlier", {"difference": -0.3, "low": -0.496, "high": -0.104}),
        folder(tmp_path, "short", {"difference": None, "error": None}),
        folder(tmp_path, "alone", None),
    ]


def test_sessions_are_pooled_as_their_numbers_are(sessions: list[Path]) -> None:
    found = cuesense.settling_pooled(*sessions)
    assert (found.sessions, found.left_out) == (3, 2)
    by_hand = pooled([(-0.4, 0.1), (-0.5, 0.15), (-0.3, 0.1)])
    assert found.difference.value == pytest.approx(by_hand.difference.value)
    assert found.difference.high == pytest.approx(by_hand.difference.high)
    opened = [cuesense.Session(path) for path in sessions]
    assert settling_pooled(*opened) == found


def test_verb_says_it_in_a_sentence(
    sessions: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["pool", *map(str, sessions)])
    said = capsys.readouterr().out
    assert said.startswith("Over 3 sessions (2 more had too few bouts), the partner settled more")
    assert "a further one is expected between" in said
    with pytest.raises(SystemExit, match="0"):
        cli.main(["pool", str(sessions[0]), str(sessions[3])])
    assert "pooling needs 2 or more" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("differences", "says"),
    [
        ([0.4, 0.5, 0.45], "settled less after regulating"),
        ([-0.4, 0.5], "no difference between regulating and mirroring could be shown"),
    ],
)
def test_what_is_said_follows_the_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], differences: list[float], says: str
) -> None:
    paths = [
        folder(tmp_path, str(i), {"difference": d, "error": 0.1}) for i, d in enumerate(differences)
    ]
    with pytest.raises(SystemExit, match="0"):
        cli.main(["pool", *map(str, paths)])
    assert says in capsys.readouterr().out


def test_what_cannot_be_pooled_is_refused(
    tmp_path: Path, sessions: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ParameterError, match="1 session given"):
        settling_pooled(sessions[0])
    again = folder(tmp_path, "again", {"difference": -0.4, "error": 0.1}, sha="one")
    with pytest.raises(ParameterError, match="of a recording that is given already"):
        settling_pooled(sessions[0], again)
    with pytest.raises(OutputError, match="holds no session"):
        settling_pooled(sessions[0], tmp_path / "nowhere")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["pool", str(sessions[0])])
    assert "pooling needs 2 or more" in capsys.readouterr().err
