"""Checks of camera and microphone: a plain sentence for each trouble, none when all is well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from cuesense.capture import Health
from cuesense.live.checks import Checks, as_messages
from cuesense.types import FaceCue, Reason, VoiceCue

WORKS = (Health("camera 1", "webcam", "ok"), Health("microphone 1", "built-in", "ok"))
BRIGHT, DIM = 120.0, 12.0
"""Mean grey levels of a lit room and of a dark one."""
FPS, HOP_S = 30.0, 0.016


def face(t: float, seat: int, width: float = 0.15, others: int = 0) -> FaceCue:
    """A face that is seen, as wide as that share of the picture."""
    cue = FaceCue.missing(t, seat, Reason.OK, others)
    return replace(cue, box=np.array([0.1 + 0.4 * seat, 0.2, width, 1.3 * width]))


def nobody(t: float, seat: int) -> FaceCue:
    return FaceCue.missing(t, seat, Reason.NO_FACE)


def voice(t: float, db: float = -25.0, speech: float = 0.9) -> VoiceCue:
    return VoiceCue(t, 0, speech, 120.0, 0.9, db, 5.0, False)


Faces = Callable[[float], list[FaceCue]]


def both(t: float) -> list[FaceCue]:
    return [face(t, 0), face(t, 1)]


def neither(t: float) -> list[FaceCue]:
    return [nobody(t, 0), nobody(t, 1)]


def sized(width: float) -> Faces:
    return lambda t: [face(t, 0, width), face(t, 1)]


def only_one(t: float) -> list[FaceCue]:
    return [face(t, 0), nobody(t, 1)]


def in_shadow(t: float) -> list[FaceCue]:
    return [replace(cue, reason=Reason.LOW_LIGHT) for cue in both(t)]


def with_a_third(t: float) -> list[FaceCue]:
    return [face(t, 0, others=1), face(t, 1, others=1)]


def seconds(
    checks: Checks,
    faces: Faces | None = both,
    *,
    start: float = 0.0,
    lasting: float = 5.0,
    grey: float = BRIGHT,
    db: float | None = -25.0,
    speech: float = 0.9,
) -> Checks:
    """Let time pass, in which faces are seen and sound is heard."""

    def cues(faces: Faces | None) -> Iterator[FaceCue | VoiceCue]:
        if faces is not None:
            for i in range(round(lasting * FPS)):
                yield from faces(start + i / FPS)
        if db is not None:
            for i in range(round(lasting / HOP_S)):
                yield voice(start + i * HOP_S, db, speech)

    if faces is not None:
        checks.see_picture(0, grey)
    for cue in sorted(cues(faces), key=lambda c: c.t):
        checks.see(cue)
    return checks


def told(checks: Checks, health: tuple[Health, ...] = WORKS) -> dict[str, tuple[str, str]]:
    """What the set-up says, by what it is about."""
    items = checks.setup(health)
    assert len({item.what for item in items}) == len(items), "each is one line"
    return {item.what: (item.state, item.sentence) for item in items}


def test_all_fine_is_said_of_everything_in_the_set_up() -> None:
    assert told(seconds(Checks())) == {
        "camera": ("ok", "Camera 1 works."),
        "microphone": ("ok", "Microphone 1 works."),
        "faces": ("ok", "Both faces are found."),
        "light": ("ok", "The light is good."),
        "distance": ("ok", "The distance is good."),
        "sound": ("ok", "Your voices are heard well."),
    }


@pytest.mark.parametrize(
    ("faces", "grey", "what", "state", "sentence"),
    [
        (neither, DIM, "faces", "bad", "It is too dark to see a face: switch on a light."),
        (neither, DIM, "light", "bad", "Your faces are dark: switch on a lamp in front of you."),
        (neither, BRIGHT, "faces", "bad", "Nobody is in the picture: sit down before the camera."),
        (neither, BRIGHT, "light", "ok", "The light is good."),
        (
            *(neither, BRIGHT, "distance", "warn"),
            "The distance is checked once a face is found.",
        ),
        (
            *(only_one, BRIGHT, "faces", "warn"),
            "One face is missing: sit so that the camera sees you both.",
        ),
        (
            *(in_shadow, BRIGHT, "light", "bad"),
            "Your faces are dark: switch on a lamp in front of you.",
        ),
        (sized(0.04), BRIGHT, "distance", "warn", "Come a little closer to the camera."),
        (
            *(sized(0.5), BRIGHT, "distance", "warn"),
            "Move back a little, so that you can lean and turn.",
        ),
        # A dark wall behind lit faces is no trouble.
        (both, DIM, "light", "ok", "The light is good."),
    ],
)
def test_what_is_seen_has_its_sentence(
    faces: Faces, grey: float, what: str, state: str, sentence: str
) -> None:
    assert told(seconds(Checks(), faces, grey=grey))[what] == (state, sentence)


@pytest.mark.parametrize(
    ("db", "speech", "state", "sentence"),
    [
        (-60.0, 0.9, "warn", "Your voices are soft: move the microphone closer."),
        (-3.0, 0.9, "warn", "The sound is too loud: turn the microphone down."),
        (-40.0, 0.1, "warn", "Say a few words, to try the microphone."),
        (-30.0, 0.9, "ok", "Your voices are heard well."),
    ],
)
def test_what_is_heard_has_its_sentence(
    db: float, speech: float, state: str, sentence: str
) -> None:
    assert told(seconds(Checks(), db=db, speech=speech))["sound"] == (state, sentence)


def test_what_is_mended_is_not_held_against_anyone() -> None:
    checks = seconds(Checks(), neither, grey=DIM, db=-60.0)
    seconds(checks, both, start=5.0, lasting=6.0)
    assert {state for state, _ in told(checks).values()} == {"ok"}


def test_without_a_camera_nothing_is_asked_of_faces() -> None:
    sound_only = (Health("microphone 1", "built-in", "ok"),)
    assert told(seconds(Checks(), None), sound_only).keys() == {"microphone", "sound"}


def test_without_a_microphone_nothing_is_asked_of_voices() -> None:
    picture_only = (Health("camera 1", "webcam", "ok"),)
    found = told(seconds(Checks(), db=None), picture_only)
    assert found.keys() == {"camera", "faces", "light", "distance"}


UNPLUGGED = Health("camera 1", "webcam", "lost", "No picture comes: check its cable.")


def test_device_trouble_is_told_in_its_own_words() -> None:
    health = (UNPLUGGED, WORKS[1])
    expected = ("bad", "No picture comes: check its cable.")
    assert told(seconds(Checks()), health)["camera"] == expected


@pytest.mark.parametrize(
    ("then", "grey", "db", "health", "expected"),
    [
        (both, BRIGHT, -25.0, WORKS, []),
        # Not now: in a session people may lean in, and be silent or soft, as they like.
        (sized(0.04), BRIGHT, -60.0, WORKS, []),
        (both, BRIGHT, None, WORKS, []),
        (
            *(only_one, BRIGHT, -25.0, WORKS),
            [("faces", "One face is missing: sit so that the camera sees you both.")],
        ),
        (
            *(neither, BRIGHT, -25.0, WORKS),
            [("faces", "Nobody is in the picture: sit down before the camera.")],
        ),
        (
            *(with_a_third, BRIGHT, -25.0, WORKS),
            [("faces", "Somebody else is in the picture: only two are followed.")],
        ),
        (
            *(neither, DIM, -25.0, WORKS),
            [
                ("faces", "It is too dark to see a face: switch on a light."),
                ("light", "Your faces are dark: switch on a lamp in front of you."),
            ],
        ),
        (
            *(both, BRIGHT, -25.0, (UNPLUGGED, WORKS[1])),
            [("camera", "No picture comes: check its cable.")],
        ),
    ],
)
def test_in_the_session_only_what_needs_a_hand_is_told(
    then: Faces,
    grey: float,
    db: float | None,
    health: tuple[Health, ...],
    expected: list[tuple[str, str]],
) -> None:
    checks = seconds(Checks(), both, lasting=5.0)
    assert checks.session(WORKS) == []
    seconds(checks, then, start=5.0, lasting=5.0, grey=grey, db=db)
    assert [(item.what, item.sentence) for item in checks.session(health)] == expected


def test_a_look_away_is_not_told() -> None:
    checks = seconds(Checks())
    seconds(checks, only_one, start=5.0, lasting=2.0)
    assert checks.session(WORKS) == []
    seconds(checks, only_one, start=7.0, lasting=2.0)
    assert [item.what for item in checks.session(WORKS)] == ["faces"]


def test_somebody_passing_by_is_not_told() -> None:
    checks = seconds(Checks())
    seconds(checks, with_a_third, start=5.0, lasting=2.0)
    assert checks.session(WORKS) == []


def test_messages_hold_the_same() -> None:
    checks = seconds(Checks(), neither)
    assert as_messages(checks.session(WORKS)) == [
        {
            "what": "faces",
            "state": "bad",
            "sentence": "Nobody is in the picture: sit down before the camera.",
        }
    ]
