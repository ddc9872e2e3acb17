"""The one code path: regular moments, nothing depends on how the input is cut, gaps say why."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from cuesense import open_source, run, schema
from cuesense.capture import Source, SourceInfo
from cuesense.config import Config
from cuesense.pipeline import Findings
from cuesense.types import (
    U8,
    AudioBlock,
    FaceCue,
    Lull,
    Moment,
    Packet,
    Reason,
    Role,
    VideoFrame,
    VoiceCue,
)
from media import Audio, Video, write_media
from voice import Turn, speak


class Wrapped:
    """A source like the one within."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def info(self) -> SourceInfo:
        return self._source.info

    @property
    def problems(self) -> tuple[str, ...]:
        return self._source.problems

    def stills(self, n: int) -> list[VideoFrame]:
        return self._source.stills(n)

    def packets(self) -> Iterator[Packet]:
        yield from self._source.packets()

    def __enter__(self) -> Self:
        self._source.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._source.__exit__()


class Resplit(Wrapped):
    """A source whose audio blocks are cut again at random, each at most a block long."""

    def __init__(self, source: Source, seed: int) -> None:
        super().__init__(source)
        self._rng = np.random.default_rng(seed)

    def packets(self) -> Iterator[Packet]:
        for packet in self._source.packets():
            if not isinstance(packet, AudioBlock):
                yield packet
                continue
            cuts = np.sort(self._rng.integers(0, len(packet.samples), 2))
            start = 0
            for part in np.split(packet.samples, cuts):
                if len(part):
                    yield AudioBlock(packet.t + start / packet.rate, part, packet.rate, packet.view)
                start += len(part)


class Slow(Wrapped):
    """A source so slow that each picture's faces are known before the next packet comes."""

    def packets(self) -> Iterator[Packet]:
        for packet in self._source.packets():
            yield packet
            if isinstance(packet, VideoFrame):
                time.sleep(0.06)


class Stalled(Wrapped):
    """A source of which nothing comes for a while, but the news that time goes on."""

    def __init__(self, source: Source, start: float, stop: float) -> None:
        super().__init__(source)
        self._start, self._stop = start, stop

    def packets(self) -> Iterator[Packet]:
        told = self._start
        for packet in self._source.packets():
            if self._start <= packet.end < self._stop:
                if packet.end >= told:
                    yield Lull(packet.end)
                    told = packet.end + 0.1
            else:
                yield packet


def rows(moments: list[Moment]) -> np.ndarray:
    return np.array([[p.values for p in m.people] for m in moments])


@pytest.fixture(scope="module")
def moments(clip: Path) -> list[Moment]:
    with open_source(clip) as source:
        return list(run(source))


def test_moments_are_regular_and_cover_the_recording(moments: list[Moment], clip: Path) -> None:
    t = np.array([m.t for m in moments])
    np.testing.assert_allclose(np.diff(t), 0.04, atol=1e-9)
    assert t[0] == 0.0
    with open_source(clip) as source:
        assert t[-1] == pytest.approx(source.info.duration_s, abs=0.1)
    dyads = [m.t for m in moments if m.dyad is not None]
    np.testing.assert_allclose(np.diff(dyads), 0.2, atol=1e-9)


def test_events_come_when_they_are_over(moments: list[Moment]) -> None:
    events = [(m.t, e) for m in moments[:-1] for e in m.events]
    assert "blink" in {e.kind for _, e in events}
    for t, event in events:
        assert event.t <= event.t_end <= t + 1e-9


def test_both_people_are_found_and_kept_apart(moments: list[Moment]) -> None:
    values = rows(moments)
    x = values[:, :, schema.VALUE_INDEX["box_x"]]
    assert np.isfinite(x).mean() >= 0.98
    assert (x[:, 0] < x[:, 1])[np.isfinite(x).all(axis=1)].all()


def test_a_missing_value_has_its_reason_and_a_range_is_kept(moments: list[Moment]) -> None:
    for moment in moments:
        for person in moment.people:
            for column in schema.VALUE_COLUMNS:
                value = person[column.name]
                if np.isnan(value):
                    # A reason is due unless the cue itself is not defined here (pace at the start
                    # of a turn, speeds in the first picture).
                    loose = {"syllable_rate", "mouth_motion", "face_motion", "head_speed"}
                    if column.name == "gaze_on_partner":
                        continue  # before the baseline: see state_reason
                    assert column.name in loose or person.reasons[column.reason], column.name
                else:
                    assert column.low is None or value >= column.low - 1e-9, column.name
                    assert column.high is None or value <= column.high + 1e-9, column.name


def test_before_the_baseline_nothing_is_claimed(moments: list[Moment]) -> None:
    for moment in moments:
        assert all(np.isnan(p["arousal"]) and np.isnan(p["valence"]) for p in moment.people)
        assert moment.dyad is None or moment.dyad.label == schema.INSUFFICIENT
    assert {p.role for p in moments[0].people} == {Role.UNDECIDED}


def test_what_was_done_before_the_listener_is_known_is_not_taken_for_theirs(clip: Path) -> None:
    baseline = {"start_s": 0.0, "duration_s": 5.0}
    settings = {"baseline": baseline, "dyad": {"events_s": 0.3}}  # a window that fills at once
    with open_source(clip) as source:
        moments = list(run(source, Config.from_dict(settings)))
    rate: dict[bool, list[float]] = {True: [], False: []}
    for m in moments:
        if m.dyad is not None:
            known = m.people[0].role is not Role.UNDECIDED
            rate[known].append(m.dyad.evidence["event_rate"])
    assert len(rate[False]) >= 20
    assert np.isnan(rate[False]).all()
    assert np.isfinite(rate[True][-1])


@pytest.mark.parametrize(("seed", "block_s"), [(0, 0.02), (1, 0.02), (2, 0.013)])
def test_cutting_the_packets_elsewhere_changes_nothing(
    moments: list[Moment], clip: Path, seed: int, block_s: float
) -> None:
    # Other blocks also end, and so make ticks due, at other times.
    with Resplit(open_source(clip, block_s=block_s), seed) as source:
        again = list(run(source))
    np.testing.assert_allclose(rows(again), rows(moments), rtol=1e-9, atol=1e-9)
    # As text, since NaN is not equal to itself.
    assert [str(m.events) for m in again] == [str(m.events) for m in moments]
    assert [str(m.dyad) for m in again] == [str(m.dyad) for m in moments]


def test_watching_changes_nothing_and_sees_every_cue(moments: list[Moment], clip: Path) -> None:
    seen: list[FaceCue | VoiceCue] = []
    with Slow(open_source(clip)) as slow:
        watched = list(run(slow, watch=seen.append))
    with open_source(clip) as source:
        pictures = sum(isinstance(p, VideoFrame) for p in source.packets())
    assert np.array_equal(rows(watched), rows(moments), equal_nan=True)
    assert [repr(m.events) for m in watched] == [repr(m.events) for m in moments]
    faces = [cue for cue in seen if isinstance(cue, FaceCue)]
    assert len(faces) == 2 * pictures
    for kind in (FaceCue, VoiceCue):
        t = [cue.t for cue in seen if isinstance(cue, kind)]
        assert t == sorted(t)


def test_a_stall_of_everything_is_a_gap_with_reasons(clip: Path) -> None:
    with open_source(clip) as source:
        stalled = list(run(Stalled(source, 2.0, 4.0)))
    assert [m.t for m in stalled] == [pytest.approx(i / 25) for i in range(len(stalled))]
    gap = [p for m in stalled if 2.2 <= m.t <= 3.8 for p in m.people]
    assert {p.reasons["face_reason"] for p in gap} == {Reason.NO_VIDEO}
    assert {p.reasons["voice_reason"] for p in gap} == {Reason.NO_AUDIO}
    assert all(np.isnan(p["box_x"]) and np.isnan(p["loudness_db"]) for p in gap)
    after = [p for m in stalled if m.t >= 4.2 for p in m.people]
    assert np.mean([p["box_x"] == p["box_x"] for p in after]) > 0.95


def test_worker_processes_change_nothing(moments: list[Moment], clip: Path) -> None:
    with open_source(clip) as source:
        again = list(run(source, Config.from_dict({"faces": {"workers": 0}})))
    np.testing.assert_allclose(rows(again), rows(moments), rtol=1e-9, atol=1e-9)


def half(source: Path, side: int, target: Path, start_s: float) -> Path:
    """Write one person's half of the sample's picture, with the sound, from `start_s` on."""
    import av

    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        video = out.add_stream("mpeg4", rate=30, options={"qscale": "3"})
        video.width, video.height, video.pix_fmt = 640, 720, "yuv420p"
        audio = out.add_stream("aac", rate=container.streams.audio[0].rate, layout="mono")
        for frame in container.decode(video=0, audio=0):
            assert isinstance(frame, av.VideoFrame | av.AudioFrame)
            assert frame.pts is not None
            assert frame.time_base is not None
            pts = frame.pts - round(start_s / frame.time_base)
            if pts < 0:
                continue
            if isinstance(frame, av.VideoFrame):
                picture: U8 = frame.to_ndarray(format="rgb24")[:, side * 640 : side * 640 + 640]  # type: ignore[assignment]
                cut = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                cut.pts, cut.time_base = pts, frame.time_base
                out.mux(video.encode(cut))
            else:
                frame.pts = pts
                out.mux(audio.encode(frame))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))
    return target


def test_one_recording_per_person_aligned_by_their_sound(clip: Path, tmp_path: Path) -> None:
    hers, his = half(clip, 0, tmp_path / "a.mp4", 0.0), half(clip, 1, tmp_path / "b.mp4", 0.5)
    with open_source(hers, his) as source:
        assert source.info.views == 2
        assert source.info.offset_s == pytest.approx(0.5, abs=0.03)
        moments = list(run(source))
    found = np.isfinite(rows(moments)[:, :, schema.VALUE_INDEX["box_x"]])
    early = np.array([m.t for m in moments]) < 0.35
    assert found[:, 0].mean() >= 0.95
    assert not found[early, 1].any()  # his recording has not begun
    assert found[~early, 1].mean() >= 0.95


def test_sound_without_a_picture(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", None, Audio("pcm_s16le", 16_000, seconds=2.0))
    findings = Findings()
    with open_source(path) as source:
        moments = list(run(source, findings=findings))
    assert len(moments) >= 49
    for moment in moments:
        assert {p.reasons["face_reason"] for p in moment.people} == {
            Reason.NO_VIDEO,
            Reason.NO_PERSON,
        }
        assert all(np.isnan(p["box_x"]) and np.isnan(p["jawOpen"]) for p in moment.people)
    assert any("one person's" in note for note in findings.notes)


@pytest.mark.parametrize(
    ("control", "layout", "told"), [(0.0, "mono", 0), (0.9, "mono", 1), (0.9, "stereo", 1)]
)
def test_a_microphone_that_sets_its_own_level_is_told_once(
    tmp_path: Path, control: float, layout: str, told: int
) -> None:
    rng, rate, length = np.random.default_rng(5), 16_000, 2.0
    effort = rng.normal(0.0, 4.0, 14)  # semitones, and dB, of a phrase every two seconds
    turns = [
        Turn(length * k, length * k + 1.2, 120.0 * 2 ** (e / 12), e, 4.0)
        for k, e in enumerate(effort.tolist())
    ]
    sound = speak(turns, length * len(turns), rate=rate, seed=5).samples.astype(np.float64)
    sound += 10 ** (-60 / 20) * rng.standard_normal(len(sound))  # the room
    # The gain that a phrase gets holds until the next one.
    gain_db = np.repeat(-control * effort, round(length * rate))[: len(sound)]
    mono = (0.5 * sound * 10 ** (gain_db / 20)).astype(np.float32)
    samples = np.stack([mono] * (2 if layout == "stereo" else 1), axis=1)
    audio = Audio("pcm_s16le", rate, layout, samples=samples)
    path = write_media(tmp_path / "a.wav", None, audio)
    findings = Findings()
    with open_source(path) as source:
        for _ in run(source, findings=findings):
            pass
    assert sum("gain control" in note for note in findings.notes) == told


def test_a_picture_without_sound_and_without_a_face(tmp_path: Path) -> None:
    path = write_media(tmp_path / "v.mp4", Video(size=(320, 240), seconds=2.0), None)
    findings = Findings()
    with open_source(path) as source:
        moments = list(run(source, findings=findings))
    for moment in moments:
        for person in moment.people:
            assert person.reasons["voice_reason"] is Reason.NO_AUDIO
            assert person.reasons["face_reason"] in (Reason.NO_FACE, Reason.NO_PERSON)
            assert np.isnan(person["speaking"])
    assert any("no face" in note for note in findings.notes)


def test_a_recording_of_one_picture(tmp_path: Path) -> None:
    path = write_media(tmp_path / "one.mp4", Video(times=[0.0]), None)
    with open_source(path) as source:
        assert len(list(run(source))) == 1
