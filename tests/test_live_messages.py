"""What watchers of a live session are told: plain JSON that says no more than is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import cut
from cuesense import Moment, open_source, run, schema
from cuesense.live import messages
from cuesense.types import Advice, DyadState, Event, FaceCue, Reason, Role, VoiceCue
from cuesense.web import wire


@pytest.fixture(scope="module")
def sensed(
    sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Moment], list[FaceCue]]:
    """The moments of a recording's first seconds, and its faces as they came."""
    seen: list[FaceCue] = []

    def watch(cue: FaceCue | VoiceCue) -> None:
        if isinstance(cue, FaceCue):
            seen.append(cue)

    start = cut(sample, 3.0, tmp_path_factory.mktemp("start") / "start.mp4")
    with open_source(start) as source:
        return list(run(source, watch=watch)), seen


def strict(message: dict[str, Any]) -> Any:
    """Return a message as it arrives; it must need no mending on its way."""
    return json.loads(json.dumps(message, allow_nan=False))


def labelled(moment: Moment, label: str, p: tuple[float, float, float]) -> Moment:
    return replace(moment, dyad=DyadState(moment.t, label, "", "", p))


def spoken(moment: Moment, a: float, b: float) -> Moment:
    """Return the moment with other probabilities of speaking, A the partner and B listening."""
    people = []
    for person, value, role in zip(
        moment.people, (a, b), (Role.PARTNER, Role.LISTENER), strict=True
    ):
        values = person.values.copy()
        values[schema.VALUE_INDEX["speaking"]] = value
        people.append(replace(person, values=values, role=role))
    return replace(moment, people=(people[0], people[1]), events=())


def test_a_state_before_anything_is_known_holds_null_and_reasons(
    sensed: tuple[list[Moment], list[FaceCue]],
) -> None:
    moment = next(m for m in sensed[0] if m.dyad is not None)
    state = strict(messages.state(moment, messages.Tally(), dropped=3))
    assert (state["label"], state["reason"]) == ("insufficient", moment.dyad.reason)  # type: ignore[union-attr]
    assert (state["p"], state["needle"], state["turn_share"]) == (None, None, None)
    assert (state["nods"], state["backchannels"], state["dropped"]) == (0, 0, 3)
    for person in moment.people:
        shown = state["people"][person.person]
        assert shown["arousal"] is None
        assert shown["state_reason"] == person.reasons["state_reason"] != ""


def test_a_state_holds_both_people_as_they_were_sensed(
    sensed: tuple[list[Moment], list[FaceCue]],
) -> None:
    moment = [m for m in sensed[0] if m.dyad is not None][10]
    state = strict(messages.state(moment, messages.Tally()))
    for person in moment.people:
        shown = state["people"][person.person]
        for column in messages.PERSON_COLUMNS:
            value = person[column]
            if math.isnan(value):
                assert shown[column] is None, column
            else:
                assert shown[column] == pytest.approx(value, abs=5e-4), column
        assert shown["quality"] == pytest.approx(person["face_quality"], abs=5e-4)


@pytest.mark.parametrize(
    ("label", "p", "needle"),
    [
        ("mirroring", (0.9, 0.05, 0.05), -0.85),
        ("regulating", (0.1, 0.85, 0.05), 0.75),
        ("disengaged", (0.05, 0.05, 0.9), 0.0),
        (schema.CALM, (0.05, 0.85, 0.1), 0.8),
        (schema.MOVED, (0.85, 0.05, 0.1), -0.8),
        (schema.RESPONDING, (0.5, 0.4, 0.1), -0.1),
        ("no demand", (0.3, 0.5, 0.2), None),
        ("insufficient", (0.45, 0.5, 0.05), None),
        ("insufficient", (math.nan,) * 3, None),
    ],
)
def test_the_needle_points_only_where_there_is_a_label(
    sensed: tuple[list[Moment], list[FaceCue]],
    label: str,
    p: tuple[float, float, float],
    needle: float | None,
) -> None:
    state = strict(messages.state(labelled(sensed[0][0], label, p), messages.Tally()))
    assert state["needle"] == (None if needle is None else pytest.approx(needle))
    assert (state["p"] is None) == math.isnan(p[0])


def test_a_state_says_what_a_contingency_rests_on_and_what_else_it_could_be(
    sensed: tuple[list[Moment], list[FaceCue]],
) -> None:
    moment = labelled(sensed[0][0], "regulating", (0.1, 0.85, 0.05))
    assert moment.dyad is not None
    nats = dict.fromkeys(schema.LINKS, 0.0)
    nats |= {"link_need_to_valence": 1.2, "link_pauses_to_nods": 2.0, "link_need_to_nods": 0.4}
    evidence = {"contingency": 0.91, "contingency_by_chance": 0.3, **nats}
    dyad = replace(moment.dyad, evidence=evidence, rival="mirroring")
    state = strict(messages.state(replace(moment, dyad=dyad), messages.Tally()))
    assert (state["contingency"], state["by_chance"], state["rival"]) == (
        0.91,
        0.3,
        schema.RIVALS["mirroring"],
    )
    assert state["rests_on"] == [
        schema.LINKS["link_pauses_to_nods"],
        schema.LINKS["link_need_to_valence"],
    ]


def test_talk_and_nods_are_the_listeners(sensed: tuple[list[Moment], list[FaceCue]]) -> None:
    moment = labelled(sensed[0][0], "no demand", (0.2, 0.6, 0.2))
    tally = messages.Tally()
    for _ in range(30):
        tally.push(spoken(moment, 0.9, 0.1))
    for _ in range(10):
        tally.push(spoken(moment, 0.1, 0.9))
    nods = tuple(Event(0.0, 0.5, person, "nod") for person in ("B", "B", "A"))
    tally.push(replace(spoken(moment, 0.0, 0.0), events=nods))
    state = strict(messages.state(spoken(moment, 0.0, 0.0), tally))
    assert state["turn_share"] == 0.25
    assert (state["nods"], state["backchannels"]) == (2, 0)
    assert {name: p["role"] for name, p in state["people"].items()} == {
        "A": "partner",
        "B": "listener",
    }


def test_outlines_go_round_the_face_they_are_of(
    sensed: tuple[list[Moment], list[FaceCue]],
) -> None:
    t = max(cue.t for cue in sensed[1] if cue.present)
    pair = [cue for cue in sensed[1] if cue.t == t]
    shown = strict(messages.faces(0, 12.5, [*pair, FaceCue.missing(t, 1, Reason.NO_FACE)]))
    assert (shown["view"], shown["t"]) == (0, 12.5)
    assert [f["seat"] for f in shown["faces"]] == [0, 1], "a face that is missing has no outline"
    for face in shown["faces"]:
        outline, (x, y, width, height) = np.array(face["outline"]), face["box"]
        assert outline.shape == (36, 2)
        middle = outline.mean(axis=0)
        assert np.all(np.abs(middle - (x + width / 2, y + height / 2)) < 0.2 * np.array([1, 1]))
        turns = np.unwrap(np.arctan2(*(outline - middle).T[::-1]))
        assert abs(turns[-1] - turns[0]) == pytest.approx(2 * np.pi * 35 / 36, abs=0.4)
        assert np.all(np.diff(turns) > 0), "one round, without crossing itself"


def test_sound_is_told_channel_by_channel() -> None:
    quiet = VoiceCue(1.0, 0, math.nan, math.nan, 0.0, math.nan, math.nan, False)
    spoke = VoiceCue(1.0, 1, 0.987, 123.456, 0.9, -31.27, 4.0, False)
    assert strict(messages.sound(7.0, {1: spoke, 0: quiet}))["channels"] == [
        {"loudness_db": None, "f0_hz": None, "speech": None},
        {"loudness_db": -31.3, "f0_hz": 123.5, "speech": 0.99},
    ]


def test_advice_brings_its_reasons() -> None:
    given = Advice(60.0, 72.0, "B", "soften", "Your voice has risen.", ("your pitch +1.4 SD",))
    assert strict(messages.advice(given)) == {
        "type": "advice",
        "t": 60.0,
        "until": 72.0,
        "kind": "soften",
        "text": "Your voice has risen.",
        "because": ["your pitch +1.4 SD"],
    }


def test_a_picture_says_which_and_when() -> None:
    sent = messages.picture(1, 123.25, b"\xff\xd8 a picture")
    assert wire.shown(sent) == (1, 123.25)
    assert sent.endswith(b"\xff\xd8 a picture")


def test_lateness_is_that_of_late() -> None:
    delay = messages.Delay(size=100)
    assert delay.p95_ms is None
    for _ in range(100):
        delay.add(9.0)
    for i in range(100):
        delay.add(i / 1000)
    assert delay.p95_ms == pytest.approx(94.0, abs=1.0)
