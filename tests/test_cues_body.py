"""Motion energy against pictures with a known share of changed pixels; nods against sines."""

from __future__ import annotations

import numpy as np
import pytest

from cuesense.config import Body as BodyConfig
from cuesense.cues.body import Body, Oscillation, Swings, region, swings
from cuesense.types import F64, FaceCue, Reason, VideoFrame

CONFIG = BodyConfig()


def face(
    t: float, seat: int, box: tuple[float, ...], pose: tuple[float, ...] = (0, 0, 0)
) -> FaceCue:
    return FaceCue(
        t,
        seat,
        np.array(box, float),
        np.zeros((478, 3), np.float32),
        np.zeros(52, np.float32),
        np.array(pose, float),
        np.zeros(2),
        1.0,
    )


LEFT, RIGHT = (0.2, 0.3, 0.1, 0.2), (0.7, 0.3, 0.1, 0.2)


def picture(changed: slice | None) -> np.ndarray:
    image = np.full((180, 320, 3), 100, np.uint8)
    if changed is not None:
        image[90:, changed] = 200
    return image


def test_motion_is_the_share_of_changed_pixels_of_the_person_who_moves() -> None:
    body = Body(CONFIG, views=1)
    body.push_frame(VideoFrame(0.0, picture(None), 0))
    body.push_frame(VideoFrame(0.04, picture(slice(0, 160)), 1))
    energies = {}
    for t in (0.0, 0.04):
        for seat, box in enumerate((LEFT, RIGHT)):
            motion, _ = body.push_face(face(t, seat, box))
            energies[t, seat] = (motion.energy, motion.reason)
    assert energies[0.0, 0][1] is Reason.DROPPED  # nothing to compare the first picture with
    _, top, right, bottom = region(np.array(LEFT), np.array(RIGHT))
    assert right <= 0.5
    rows = np.arange(int(top * 180), int(np.ceil(bottom * 180)))
    assert energies[0.04, 0][0] == pytest.approx((rows >= 90).mean(), abs=0.01)
    assert energies[0.04, 1][0] == 0.0


def test_noise_below_the_threshold_is_no_motion() -> None:
    rng = np.random.default_rng(0)
    body = Body(CONFIG, views=1)
    for i in range(2):
        noise = rng.integers(-5, 6, (180, 320, 1))
        body.push_frame(VideoFrame(i * 0.04, (100 + noise).repeat(3, 2).astype(np.uint8), i))
    body.push_face(face(0.0, 0, LEFT))
    motion, _ = body.push_face(face(0.04, 0, LEFT))
    assert motion.energy == 0.0


def test_a_face_that_is_gone_keeps_its_region_for_a_while() -> None:
    body = Body(CONFIG, views=1)
    times = np.arange(0, 3.0, 0.1).tolist()
    reasons = []
    for i, t in enumerate(times):
        body.push_frame(VideoFrame(t, picture(None), i))
        cue = face(t, 0, LEFT) if i < 2 else FaceCue.missing(t, 0, Reason.NO_FACE)
        reasons.append(body.push_face(cue)[0].reason)
    gone = [t - times[1] for t in times]
    assert {r for r, g in zip(reasons, gone, strict=True) if 0 < g < 1.95} == {Reason.OK}
    assert {r for r, g in zip(reasons, gone, strict=True) if g > 2.05} == {Reason.NO_FACE}


def follow(t: F64, angle: F64) -> list[Oscillation]:
    state = Swings()
    found = [
        swings(float(a), float(b), state, least=0.035, low_hz=1.0, high_hz=6.5)
        for a, b in zip(t, angle, strict=True)
    ]
    return [f for f in found if f is not None]


@pytest.mark.parametrize("rate", [20.0, 25.0, 30.0])
@pytest.mark.parametrize("hz", [1.3, 2.5, 4.0])
def test_three_cycles_are_one_nod(rate: float, hz: float) -> None:
    t = np.arange(0, 8, 1 / rate)
    inside = (t >= 2) & (t < 2 + 3 / hz)
    angle = np.where(inside, 0.06 * np.sin(2 * np.pi * hz * (t - 2)), 0.0)
    angle += np.random.default_rng(1).normal(0, 0.003, len(t))
    (nod,) = follow(t, angle)
    assert nod.t == pytest.approx(2.0, abs=0.6 / hz)
    assert nod.t_end == pytest.approx(2 + 3 / hz, abs=0.6 / hz)
    # A picture every 1/rate s misses the turning points of a fast nod by a little.
    assert nod.size == pytest.approx(0.12, rel=0.3)


@pytest.mark.parametrize(
    ("name", "angle"),
    [
        ("still", lambda t: np.random.default_rng(2).normal(0, 0.004, len(t))),
        ("slow sway", lambda t: 0.2 * np.sin(2 * np.pi * 0.2 * t)),
        ("one turn of the head", lambda t: 0.4 / (1 + np.exp(-8 * (t - 4)))),
        ("too small", lambda t: 0.01 * np.sin(2 * np.pi * 3 * t)),
        ("missing", lambda t: np.full(len(t), np.nan)),
    ],
)
def test_what_is_no_nod(name: str, angle: object) -> None:
    t = np.arange(0, 8, 1 / 30)
    assert follow(t, angle(t)) == []  # type: ignore[operator]


def test_nods_and_shakes_come_out_as_events_of_their_person() -> None:
    body = Body(CONFIG, views=1)
    events = []
    for i, t in enumerate(np.arange(0, 4, 1 / 30)):
        body.push_frame(VideoFrame(t, picture(None), i))
        wave = 0.08 * np.sin(2 * np.pi * 2.5 * t) if 1 <= t < 2.2 else 0.0
        events += body.push_face(face(t, 0, LEFT, (wave, 0, 0)))[1]
        events += body.push_face(face(t, 1, RIGHT, (0, wave, 0)))[1]
    assert [(e.person, e.kind) for e in sorted(events, key=lambda e: e.person)] == [
        ("A", "nod"),
        ("B", "shake"),
    ]
