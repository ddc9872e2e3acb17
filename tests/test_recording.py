"""Recording: what a source gave comes out of the file again, whatever happens while it is made."""

from __future__ import annotations

import errno
import itertools
import math
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from conftest import ROOT
from cuesense import recording
from cuesense.capture import SourceInfo, open_source
from cuesense.config import Faces as FacesConfig
from cuesense.config import Voice as VoiceConfig
from cuesense.cues.faces import Faces
from cuesense.cues.voice import Voice
from cuesense.errors import OutputError, ParameterError
from cuesense.recording import Recorder, unlock
from cuesense.types import F32, AudioBlock, FaceCue, Lull, Packet, VideoFrame, VoiceCue
from media import quadrants

SIZE = (96, 64)
WORDS = "correct horse battery staple"


def source_info(
    size: Sequence[tuple[int, int]] = (SIZE,),
    rate: Sequence[int] = (16_000,),
    channels: Sequence[int] = (1,),
) -> SourceInfo:
    fps = (30.0,) * len(size)
    return SourceInfo((), math.nan, len(size), tuple(size), fps, tuple(rate), tuple(channels))


def frames(
    times: Iterable[float], size: tuple[int, int] = SIZE, view: int = 0
) -> Iterator[VideoFrame]:
    """Pictures at the times (s) that tell their time."""
    for index, t in enumerate(times):
        yield VideoFrame(t, quadrants(max(t, 0.0), size), index, view)


def noise(seconds: float, rate: int = 16_000, channels: int = 1, seed: int = 0) -> F32:
    """Every 16-bit sample is as likely."""
    rng = np.random.default_rng(seed)
    whole = rng.integers(-32768, 32768, (round(seconds * rate), channels))
    return (whole / 32768).astype(np.float32)


def blocks(
    samples: F32, t: float = 0.0, rate: int = 16_000, view: int = 0, seconds: float = 0.02
) -> Iterator[AudioBlock]:
    n = round(seconds * rate)
    for i in range(0, len(samples), n):
        yield AudioBlock(t + i / rate, samples[i : i + n], rate, view)


def record(
    folder: Path,
    packets: Iterable[Packet],
    info: SourceInfo | None = None,
    *,
    picture: bool = True,
    sound: bool = True,
    passphrase: str | None = None,
) -> Recorder:
    """Record all packets, so few that nothing is left out."""
    info = info or source_info()
    with Recorder(folder, info, picture=picture, sound=sound, passphrase=passphrase) as recorder:
        for packet in sorted(packets, key=lambda p: p.end):
            recorder.push(packet)
    assert recorder.problem == ""
    assert recorder.left_out == 0
    return recorder


def read(*paths: Path) -> tuple[list[VideoFrame], list[AudioBlock], SourceInfo]:
    with open_source(*paths, offset_s=0.0 if len(paths) == 2 else None) as source:
        packets = list(source.packets())
        assert source.problems == ()
    pictures = [p for p in packets if isinstance(p, VideoFrame)]
    return pictures, [p for p in packets if isinstance(p, AudioBlock)], source.info


def samples(found: Sequence[AudioBlock]) -> F32:
    return np.concatenate([b.samples for b in found])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal to noise of two pictures, dB."""
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


# What comes out


@pytest.mark.parametrize("passphrase", [None, WORDS])
def test_a_real_recording_comes_out_as_it_was(
    tmp_path: Path, clip: Path, passphrase: str | None
) -> None:
    with open_source(clip) as source:
        packets = [p for p in source.packets() if p.end < 1.0]
        recorder = record(tmp_path, packets, source.info, passphrase=passphrase)
    (path,) = recorder.paths
    assert os.listdir(tmp_path) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 or sys.platform == "win32"
    if passphrase:
        assert path.name == "recording.mkv.enc"
        stored = path.read_bytes()
        assert b"matroska" not in stored
        assert b"FLAC" not in stored
        target = tmp_path / "unlocked.mkv"
        assert unlock(path, target, passphrase) == ""
        path = target
    with av.open(str(path)) as container:
        tags = [container.metadata, *(s.metadata for s in container.streams)]
        told = {value for some in tags for value in some.values()}
        assert {value.split(".")[0] for value in told} <= {"Lavf", "00:00:00", "00:00:01"}
    found_pictures, found_blocks, info = read(path)
    was = source.info
    assert (info.size, info.rate, info.channels) == (was.size, was.rate, was.channels)
    assert info.fps == pytest.approx(was.fps, rel=0.001)
    pictures = [p for p in packets if isinstance(p, VideoFrame)]
    assert len(found_pictures) == len(pictures) == 30
    assert [p.t for p in found_pictures] == pytest.approx([p.t for p in pictures], abs=0.0006)
    likeness = [psnr(a.image, b.image) for a, b in zip(pictures, found_pictures, strict=True)]
    assert min(likeness) > 40
    given = [p for p in packets if isinstance(p, AudioBlock)]
    assert [b.t for b in found_blocks] == pytest.approx([b.t for b in given], abs=0.0006)
    np.testing.assert_allclose(samples(found_blocks), samples(given), atol=0.51 / 32768)


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2), (48_000, 3), (96_000, 8)])
@pytest.mark.parametrize("seconds", [0.02, 0.0113])
def test_sound_of_16_bit_is_kept_bit_by_bit(
    tmp_path: Path, rate: int, channels: int, seconds: float
) -> None:
    put = noise(0.7, rate, channels)
    info = source_info((), (rate,), (channels,))
    recorder = record(tmp_path, blocks(put, rate=rate, seconds=seconds), info)
    _, found, info = read(*recorder.paths)
    assert (info.rate, info.channels, found[0].t) == ((rate,), (channels,), 0.0)
    np.testing.assert_array_equal(samples(found), put)


def test_what_cannot_be_stored_is_silent_or_clipped(tmp_path: Path) -> None:
    put = np.array([np.nan, 1.0, -1.0, 5.0, -np.inf, 0.25] * 100, np.float32)[:, np.newaxis]
    _, found, _ = read(*record(tmp_path, blocks(put)).paths)
    top = 32767 / 32768
    assert samples(found)[:6, 0].tolist() == [0, top, -1, top, -1, 0.25]


@pytest.mark.parametrize("size", [SIZE, (97, 65), (640, 361)])
def test_pictures_at_any_time_and_of_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    times = [0, 0.04, 0.1, 0.13, 0.1317, 0.5, 0.9, 2.4, 125.0, 125.033]
    recorder = record(tmp_path, frames(times, size), source_info((size,), (0,), (0,)))
    found, _, info = read(*recorder.paths)
    assert [f.t for f in found] == pytest.approx(times, abs=0.0006)
    assert info.size == (size,)
    assert (
        min(psnr(f.image, quadrants(f.t, size)) for f in found) > 25
    )  # odd sizes lose at the edges


def test_pictures_without_a_time_of_their_own_are_not_kept(tmp_path: Path) -> None:
    times = [-0.02, 0.0, 0.0002, 0.04, 0.02, 0.08]
    with Recorder(tmp_path, source_info(), picture=True, sound=True) as recorder:
        for packet in frames(times):
            recorder.push(packet)
    assert recorder.problem == ""
    assert [f.t for f in read(*recorder.paths)[0]] == [0.0, 0.04, 0.08]


def test_gaps_in_the_sound_stay_gaps(tmp_path: Path) -> None:
    put = noise(3.0)
    # A block is lost, then half a second, then minutes.
    pieces = [(0.0, put[:16_000]), (1.02, put[16_320:24_000]), (2.0, put[32_000:40_003])]
    pieces += [(1000.0, put[40_003:])]
    recorder = record(tmp_path, [b for t, piece in pieces for b in blocks(piece, t)])
    _, found, _ = read(*recorder.paths)
    runs: list[list[AudioBlock]] = [[found[0]]]
    for a, b in itertools.pairwise(found):
        if b.t > a.end + 0.002:
            runs.append([])
        runs[-1].append(b)
    assert [run[0].t for run in runs] == pytest.approx([0, 2.0, 1000.0], abs=0.001)
    first = put[:24_000].copy()
    first[16_000:16_320] = 0
    for run, expected in zip(runs, (first, put[32_000:40_003], put[40_003:]), strict=True):
        np.testing.assert_array_equal(samples(run)[: len(expected)], expected)
        assert len(samples(run)) - len(expected) < 16


def test_sound_that_comes_twice_is_kept_once(tmp_path: Path) -> None:
    put = noise(1.0)
    twice = [*blocks(put[:8000], -0.05), *blocks(put[6400:], 0.35)]
    _, found, _ = read(*record(tmp_path, twice).paths)
    np.testing.assert_array_equal(samples(found), put[800:])


def test_a_drifting_microphone_keeps_its_times(tmp_path: Path) -> None:
    put, drift = noise(20.0), 1.0005
    given = [AudioBlock(b.t * drift, b.samples, b.rate) for b in blocks(put)]
    _, found, _ = read(*record(tmp_path, given).paths)
    np.testing.assert_array_equal(samples(found), put)
    late = [b.t - a.t for a, b in zip(given, found, strict=True)]
    assert max(np.abs(late)) < 0.005


# One clock


@pytest.mark.parametrize("sound_s", [0.0, 0.013, 0.09, 0.4, 3.0, None])
@pytest.mark.parametrize("picture_s", [0.0, 0.031, 1.7, None])
def test_the_files_begin_with_the_session(
    tmp_path: Path, picture_s: float | None, sound_s: float | None
) -> None:
    if picture_s is None and sound_s is None:
        return
    info = source_info(
        () if picture_s is None else (SIZE,),
        (0,) if sound_s is None else (16_000,),
        (0,) if sound_s is None else (1,),
    )
    put = noise(0.5)
    times = [] if picture_s is None else [picture_s + i / 30 for i in range(40)]
    given = [] if sound_s is None else list(blocks(put, sound_s))
    found_pictures, found_blocks, _ = read(*record(tmp_path, [*frames(times), *given], info).paths)
    shown = [f for f in found_pictures if f.image.any()]
    assert [f.t for f in shown] == pytest.approx(times, abs=0.0006)
    assert len(found_pictures) - len(shown) == (sound_s is None and picture_s != 0)
    if given:
        heard = [b for b in found_blocks if b.samples.any()]
        loud = np.flatnonzero(heard[0].samples.any(axis=1))[0]
        assert heard[0].t + loud / 16_000 == pytest.approx(sound_s, abs=0.0011)
        together = samples(heard)[loud:]
        np.testing.assert_array_equal(together[: len(put)], put)


def test_two_cameras_make_two_files_on_one_clock(tmp_path: Path) -> None:
    a, b = [0.031 + i / 30 for i in range(30)], [0.55 + i / 25 for i in range(30)]
    put = [noise(1.5, 16_000), noise(1.3, 48_000, 2)]
    recorder = record(
        tmp_path,
        [
            *frames(a),
            *frames(b, (64, 96), view=1),
            *blocks(put[0], 0.004),
            *blocks(put[1], 0.25, 48_000, view=1),
            Lull(2.0),
        ],
        source_info((SIZE, (64, 96)), (16_000, 48_000), (1, 2)),
    )
    assert [p.name for p in recorder.paths] == ["recording-A.mkv", "recording-B.mkv"]
    pictures, sounds, info = read(*recorder.paths)
    assert (info.views, info.size, info.rate, info.channels) == (
        2,
        (SIZE, (64, 96)),
        (16_000, 48_000),
        (1, 2),
    )
    for view, times in enumerate((a, b)):
        assert [f.t for f in pictures if f.view == view] == pytest.approx(times, abs=0.0006)
    for view, start in enumerate((0.004, 0.25)):
        mine = [s for s in sounds if s.view == view and s.samples.any()]
        loud = np.flatnonzero(mine[0].samples.any(axis=1))[0]
        assert mine[0].t + loud / mine[0].rate == pytest.approx(start, abs=0.0011)
        np.testing.assert_array_equal(samples(mine)[loud:][: len(put[view])], put[view])


@pytest.mark.parametrize(
    ("info", "picture", "sound", "expected"),
    [
        (source_info(), True, False, {"recording.mkv": (1, 0)}),
        (source_info(), False, True, {"recording.mkv": (0, 1)}),
        (
            source_info((SIZE,), (16_000, 16_000), (1, 1)),
            True,
            True,
            {"recording-A.mkv": (1, 1), "recording-B.mkv": (0, 1)},
        ),
        (
            source_info((SIZE, SIZE), (16_000, 0), (1, 0)),
            True,
            True,
            {"recording-A.mkv": (1, 1), "recording-B.mkv": (1, 0)},
        ),
        (source_info((SIZE, SIZE), (16_000, 0), (1, 0)), False, True, {"recording.mkv": (0, 1)}),
    ],
)
def test_only_what_was_chosen_is_kept(
    tmp_path: Path, info: SourceInfo, picture: bool, sound: bool, expected: dict[str, object]
) -> None:
    packets: list[Packet] = [p for v in (0, 1) for p in frames([0.0, 0.1, 0.2], view=v)]
    packets += [b for v in (0, 1) for b in blocks(noise(0.3), view=v)]
    recorder = record(tmp_path, packets, info, picture=picture, sound=sound)
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in recorder.paths}
    found = {}
    for path in recorder.paths:
        with av.open(str(path)) as container:
            found[path.name] = (len(container.streams.video), len(container.streams.audio))
    assert found == expected


# The same numbers


def faces_of(packets: Sequence[Packet], size: tuple[int, int], model: Path) -> list[FaceCue]:
    with Faces(FacesConfig(), model, sizes=[size]) as faces:
        cues = [c for p in packets if isinstance(p, VideoFrame) for c in faces.push(p)]
        return cues + faces.flush()


def voices_of(packets: Sequence[Packet], rate: int) -> list[VoiceCue]:
    voice = Voice(VoiceConfig(), rate, 1)
    cues = [c for p in packets if isinstance(p, AudioBlock) for c in voice.push(p)]
    return cues + voice.flush()


def test_the_recording_gives_the_same_cues(tmp_path: Path, clip: Path, face_model: Path) -> None:
    with open_source(clip, max_side=640) as source:
        given = [p for p in source.packets() if p.end <= 4.0]
        path = record(tmp_path, given, source.info).paths[0]
    with open_source(path) as again:
        kept = list(again.packets())
    (size,), (rate,) = source.info.size, source.info.rate
    faces = list(
        zip(faces_of(given, size, face_model), faces_of(kept, size, face_model), strict=True)
    )
    assert all(a.present and b.present and a.seat == b.seat for a, b in faces)
    off = [np.abs(a.landmarks - b.landmarks)[:, :2].mean() / a.box[2] for a, b in faces]
    assert np.median(off) < 0.003  # of the face's width
    assert np.median([np.abs(a.blendshapes - b.blendshapes).mean() for a, b in faces]) < 0.01
    assert np.median([np.abs(a.pose - b.pose).max() for a, b in faces]) < math.radians(0.5)
    voices = list(zip(voices_of(given, rate), voices_of(kept, rate), strict=True))
    both = [(a, b) for a, b in voices if a.f0_hz == a.f0_hz and b.f0_hz == b.f0_hz]
    assert len(both) > 0.98 * sum(a.f0_hz == a.f0_hz for a, _ in voices)
    assert np.median([abs(a.f0_hz / b.f0_hz - 1) for a, b in both]) < 1e-4
    loud = [(a, b) for a, b in voices if a.loudness_db > -60]
    assert np.median([abs(a.loudness_db - b.loudness_db) for a, b in loud]) < 0.01


# What goes wrong

CHILD = """
import sys, time
from pathlib import Path
from cuesense.recording import Recorder
import test_recording as t

folder, sound, passphrase = Path(sys.argv[1]), sys.argv[2] == "sound", sys.argv[3] or None
packets = [*t.frames([i / 30 for i in range(120)], (640, 360))]
packets += t.blocks(t.noise(4.0)) if sound else []
with Recorder(folder, t.source_info(((640, 360),)), picture=True, sound=True,
              passphrase=passphrase) as recorder:
    start = time.monotonic()
    for packet in sorted(packets, key=lambda p: p.end):
        time.sleep(max(0.0, start + packet.end - time.monotonic()))  # as a camera would
        recorder.push(packet)
        print(packet.end, recorder.problem, flush=True)
"""


def child(*arguments: object) -> subprocess.Popen[str]:
    where = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": where},
    )


@pytest.mark.parametrize(
    ("sound", "passphrase", "lost_s"),
    [("sound", "", 0.8), ("sound", WORDS, 0.8), ("mute", "", 1.2)],
    ids=["plain", "encrypted", "without the sound that was to come"],
)
def test_a_killed_recording_can_be_played(
    tmp_path: Path, sound: str, passphrase: str, lost_s: float
) -> None:
    end = 0.0
    with child(tmp_path, sound, passphrase) as process:
        assert process.stdout is not None
        while end < 2.6:
            end = float(process.stdout.readline().split()[0])
        process.kill()
    (path,) = tmp_path.iterdir()
    if passphrase:
        assert "broken off" in unlock(path, tmp_path / "plain.mkv", passphrase)
        path = tmp_path / "plain.mkv"
    pictures, sounds, _ = read(path)
    assert pictures[-1].t > end - lost_s
    assert [f.t for f in pictures] == pytest.approx(
        [i / 30 for i in range(len(pictures))], abs=0.0006
    )
    if sound == "sound":
        assert sounds[-1].end > end - lost_s
        found = samples(sounds)
        np.testing.assert_array_equal(found, noise(4.0)[: len(found)])


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on a file's size")
@pytest.mark.parametrize("passphrase", ["", WORDS])
def test_a_full_disk_ends_the_recording_alone(tmp_path: Path, passphrase: str) -> None:
    import resource

    limit = 60_000
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    with child(tmp_path, "sound", passphrase) as process:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, hard))
        told = process.communicate(timeout=60)[0].splitlines()
    assert process.returncode == 0
    assert float(told[-1].split()[0]) == pytest.approx(4.0)  # the session went on
    problem = told[-1].partition(" ")[2]
    assert problem.startswith("The recording ended at 0:0")
    assert problem.endswith(" (the disk is full); the session goes on.")
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size <= limit
    if passphrase:
        assert "broken off" in unlock(path, tmp_path / "plain.mkv", passphrase)
        path = tmp_path / "plain.mkv"
    found = samples(read(path)[1])
    assert len(found) > 4_000
    np.testing.assert_array_equal(found, noise(4.0)[: len(found)])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk takes root on Linux")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_small_disk_is_really_full(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "RESERVE_BYTES", 0)
    info = source_info((), (48_000,), (2,))
    with Recorder(small_disk, info, picture=True, sound=True) as recorder:
        for block in blocks(noise(20.0, 48_000, 2), rate=48_000):
            recorder.push(block)
    assert recorder.problem.endswith(" (the disk is full); the session goes on.")
    assert len(samples(read(*recorder.paths)[1])) > 48_000 * 10


def test_the_last_of_the_disk_is_left_to_the_session(small_disk: Path) -> None:
    with Recorder(small_disk, source_info(), picture=True, sound=True) as recorder:
        for packet in blocks(noise(1.0)):
            recorder.push(packet)
    assert recorder.problem == (
        "The recording ended at 0:00 (the disk is nearly full); the session goes on."
    )
    recorder.push(next(frames([1.0])))  # and nothing is raised
    assert sum(p.stat().st_size for p in small_disk.iterdir()) < 10_000


def test_pictures_are_left_out_and_sound_is_not_when_encoding_is_too_slow(
    tmp_path: Path,
) -> None:
    size = (1920, 1080)
    image = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    put = noise(4.0)
    pictures = [VideoFrame(i / 30, image, i) for i in range(120)]
    packets: list[Packet] = [*pictures, *blocks(put)]
    with Recorder(tmp_path, source_info((size,)), picture=True, sound=True) as recorder:
        begun = time.monotonic()
        for packet in sorted(packets, key=lambda p: p.end):
            recorder.push(packet)
        pushed = time.monotonic() - begun
    took = time.monotonic() - begun
    assert recorder.problem == ""
    assert pushed < took / 3
    found, heard, _ = read(*recorder.paths)
    assert recorder.left_out > 0
    assert len(found) == 120 - recorder.left_out
    assert {round(f.t, 2) for f in found} <= {round(p.t, 2) for p in pictures}
    np.testing.assert_array_equal(samples(heard), put)


def test_files_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "recording-B.mkv").write_text("mine")
    recorder = Recorder(
        tmp_path, source_info((SIZE, SIZE), (0, 0), (0, 0)), picture=True, sound=True
    )
    with pytest.raises(OutputError, match=os.strerror(errno.EEXIST)), recorder:
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["recording-B.mkv"]
    assert (tmp_path / "recording-B.mkv").read_text() == "mine"


def test_a_folder_must_be_there(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "none", source_info(), picture=True, sound=True)
    with pytest.raises(OutputError, match="choose another folder"), recorder:
        pass


def test_what_cannot_be_recorded_is_said_at_once(tmp_path: Path) -> None:
    for picture, sound in ((False, False), (True, False)):
        with pytest.raises(ParameterError, match="nothing to record"):
            Recorder(tmp_path, source_info(()), picture=picture, sound=sound)
    with pytest.raises(ParameterError, match="9 channels"):
        Recorder(tmp_path, source_info(channels=(9,)), picture=True, sound=True)
    with (
        pytest.raises(ParameterError, match="must not be empty"),
        Recorder(tmp_path, source_info(), picture=True, sound=True, passphrase=""),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
