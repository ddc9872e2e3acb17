"""A simulated conversation as a session folder: what was simulated, judged as recordings are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cuesense import Session, schema, simulate
from cuesense.config import Config
from cuesense.dyad.features import COLUMN
from cuesense.dyad.modes import Modes
from cuesense.dyad.simulator import Conversation
from cuesense.errors import OutputError
from cuesense.simulated import session_of


@pytest.fixture(scope="module")
def talk() -> Conversation:
    return simulate(np.random.default_rng(7), minutes=3, dropout=0.2)


@pytest.fixture(scope="module")
def session(talk: Conversation, tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("simulated") / "talk"
    about = {"dyad": "D", "x_arm": 1}
    return session_of(talk, folder, attributes=about, started="2026-03-01T10:00:00+00:00")


def test_the_timeline_has_what_was_seen(session: Session, talk: Conversation) -> None:
    for person, who in (("A", "partner"), ("B", "listener")):
        found = session.timeline.of(person, ["t", "arousal", "speaking", "state_reason", "role"])
        np.testing.assert_array_equal(found["t"], talk.t)
        np.testing.assert_array_equal(found["arousal"], talk.seen[:, COLUMN[f"{who}_arousal"]])
        np.testing.assert_array_equal(
            found["speaking"], talk.seen[:, COLUMN[f"{who}_speaking_prob"]]
        )
        np.testing.assert_array_equal(found["state_reason"] == "", np.isfinite(found["arousal"]))
        assert set(found["role"]) == {who}


def test_the_states_are_those_of_the_estimator(session: Session, talk: Conversation) -> None:
    states = Modes(Config().dyad).extend(talk.samples)
    rows = session.state.to_arrow()
    assert rows["label"].to_pylist() == [s.label for s in states]
    np.testing.assert_array_equal(
        rows["contingency"].to_numpy(), [s.evidence["contingency"] for s in states]
    )
    share = np.mean([s.label == schema.NO_DEMAND for s in states])
    assert session.meta["summary"]["labels"][schema.NO_DEMAND] == pytest.approx(share)


def test_nods_and_turns_are_events(session: Session, talk: Conversation) -> None:
    kinds = session.events.to_arrow()["kind"].to_pylist()
    assert kinds.count("nod") == np.nansum(talk.seen[:, COLUMN["listener_events"]])
    assert {"turn", "label"} <= set(kinds)
    shares = session.meta["summary"]["turns"]["talk_share"]
    assert shares["A"] > shares["B"]


def test_it_says_what_it_is_and_is_a_session_like_any_other(
    session: Session, talk: Conversation
) -> None:
    assert session.meta["attributes"] == {"dyad": "D", "x_arm": 1}
    assert "nobody was recorded" in session.meta["notes"][0]
    assert session.started is not None
    assert session.report.exists()
    with pytest.raises(OutputError, match="another recording"):
        session_of(simulate(np.random.default_rng(8), minutes=1), session.path)
    assert Path(session.path, "session.json").exists()
