"""The grid takes the nearest cue, never waits for a stalled stream, and forgets nothing due."""

from __future__ import annotations

import numpy as np
import pytest

from cuesense.config import Grid as GridConfig
from cuesense.cues.body import Motion
from cuesense.cues.dynamics import FaceFeatures
from cuesense.schema import VALUES
from cuesense.state.grid import Grid, RawTick
from cuesense.types import Reason, VoiceCue

CONFIG = GridConfig()


def face(t: float, seat: int = 0) -> FaceFeatures:
    return FaceFeatures(t, seat, np.full(len(VALUES), t), Reason.OK)


def voice(t: float, nucleus: bool = False) -> VoiceCue:
    return VoiceCue(t, 0, 0.9, 120.0, 0.9, -20.0, 10.0, nucleus)


def play(frames: list[float], hops: list[float], end: float) -> list[RawTick]:
    grid = Grid(CONFIG, 1)
    ticks = []
    for t, kind in sorted([(t, "face") for t in frames] + [(t, "voice") for t in hops]):
        if kind == "face":
            grid.push_face(face(t))
            grid.push_motion(Motion(t, 0, 0.1, Reason.OK))
        else:
            grid.push_voice(voice(t, nucleus=round(t / 0.016) % 10 == 0))
        ticks += grid.advance(t)
    return ticks + grid.flush(end)


@pytest.mark.parametrize("fps", [15.0, 25.0, 29.97, 60.0])
def test_each_tick_takes_the_nearest_picture(fps: float) -> None:
    frames = np.arange(0, 4, 1 / fps).tolist()
    ticks = play(frames, [], 3.9)
    assert [t.t for t in ticks] == pytest.approx(np.arange(0, 3.9, 0.04).tolist())
    for tick in ticks:
        assert tick.faces[0] is not None
        assert abs(tick.faces[0].t - tick.t) == pytest.approx(
            min(abs(f - tick.t) for f in frames), abs=1e-9
        )


def test_irregular_pictures_are_taken_by_their_time() -> None:
    frames = [0.0, 0.03, 0.2, 0.21, 0.5]
    ticks = play(frames, [], 0.6)
    taken = {round(t.t, 2): (None if t.faces[0] is None else t.faces[0].t) for t in ticks}
    assert taken[0.0] == 0.0
    assert taken[0.04] == 0.03
    assert taken[0.2] == 0.2
    assert taken[0.36] is None  # 0.15 s from 0.21 and 0.14 s from 0.5: both too far
    assert taken[0.48] == 0.5


def test_a_stalled_stream_gives_gaps_and_does_not_stop_the_grid() -> None:
    frames = np.arange(0, 1, 0.04).tolist()
    hops = np.arange(0, 3, 0.016).tolist()
    grid = Grid(CONFIG, 1)
    emitted = []
    for t, kind in sorted([(t, "face") for t in frames] + [(t, "voice") for t in hops]):
        if kind == "face":
            grid.push_face(face(t))
        else:
            grid.push_voice(voice(t))
        emitted += grid.advance(t)
    assert emitted[-1].t == pytest.approx(hops[-1] - CONFIG.lateness_s, abs=0.04)
    assert all(t.faces[0] is None for t in emitted if t.t > 1.1)
    assert all(t.voices[0] is not None for t in emitted)


def test_every_nucleus_is_counted_once() -> None:
    hops = np.arange(0, 3, 0.016).tolist()
    ticks = play([], hops, 3.0)
    assert sum(t.nuclei[0] for t in ticks) == sum(round(h / 0.016) % 10 == 0 for h in hops)
