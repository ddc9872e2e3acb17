"""Bouts cut out of recordings of any kind; what cannot be shown says so and breaks nothing."""

from __future__ import annotations

import io
import json
import os
import platform
import signal
import sys
import tempfile
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import rated
from cuesense import Session
from cuesense.capture import SourceInfo
from cuesense.capture.file import open_files
from cuesense.errors import MediaError, ParameterError
from cuesense.rating import media
from cuesense.rating.clips import Clips, webm
from cuesense.recording import Recorder
from cuesense.terminal import interruptible
from cuesense.types import AudioBlock, VideoFrame
from media import Audio, Video, quadrants, write_media


def grey(image: np.ndarray) -> float:
    """Return the time that a picture of `quadrants` tells, s."""
    high, wide = image.shape[:2]
    return float(image[3 * high // 4, 3 * wide // 4].mean()) / 100


def fade(t: float, size: tuple[int, int]) -> np.ndarray:
    """`quadrants`, slower: full at 25 s."""
    return quadrants(t / 10, size)


def chirp(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    """A tone of 200 Hz in every even second, 800 Hz in every odd one; channels opposite."""
    t = np.arange(round(seconds * rate)) / rate
    low, high = np.sin(2 * np.pi * 200 * t), np.sin(2 * np.pi * 800 * t)
    odd = np.floor(t) % 2 == 1
    both = [np.where(odd, high, low), np.where(odd, low, high)]
    return 0.5 * np.stack(both[:channels], axis=1).astype(np.float32)


def decoded(clip: bytes) -> tuple[list[tuple[float, np.ndarray]], np.ndarray]:
    """Return the pictures of a clip with their times, and its sound (n, channels) at 48 kHz."""
    with av.open(io.BytesIO(clip), "r") as container:
        assert container.format.name == "matroska,webm"
        assert {s.codec_context.name for s in container.streams} <= {
            "vp8",
            "libvpx",
            "opus",
            "libopus",
        }
        pictures = [
            (frame.time, frame.to_ndarray(format="rgb24"))
            for stream in container.streams.video[:1]
            for frame in container.decode(stream)
        ]
    sound = np.zeros((0, 1), np.float32)
    with av.open(io.BytesIO(clip), "r") as container:
        if container.streams.audio:
            frames: list[Any] = list(container.decode(audio=0))
            sound = np.concatenate([f.to_ndarray().T for f in frames])
    return pictures, sound


def loudest_hz(sound: np.ndarray, at_s: float) -> float:
    """Return the frequency of a channel's loudest tone in half a second around `at_s`."""
    piece = sound[round((at_s - 0.25) * 48_000) : round((at_s + 0.25) * 48_000)]
    power = np.abs(np.fft.rfft(piece * np.hanning(len(piece))))
    return float(np.argmax(power) * 48_000 / len(piece))


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 s whose picture and sound tell their time."""
    video = Video(codec="libx264", size=(192, 128), seconds=20.0, picture=fade, gop=60)
    sound = Audio(rate=44_100, samples=chirp(20.0, 44_100))
    return write_media(tmp_path_factory.mktemp("talk") / "talk.mp4", video, sound)


def cut(path: Path, start: float, end: float) -> bytes:
    source = open_files((path,), None, 960, 0.02)
    return webm(source.excerpt(start, end), source.info, start, end)


def test_a_clip_shows_and_plays_its_own_stretch(talk: Path) -> None:
    pictures, sound = decoded(cut(talk, 9.0, 14.0))
    times = np.array([t for t, _ in pictures])
    told = np.array([grey(image) * 10 for _, image in pictures])
    assert np.all(np.diff(times) > 0)
    assert times[0] == 0.0
    assert times[-1] == pytest.approx(5.0, abs=0.1)
    assert told[1:] == pytest.approx(times[1:] + 9.0, abs=0.45)
    assert len(sound) / 48_000 == pytest.approx(5.0, abs=0.05)
    # Second 9 of the recording is odd: 800 Hz first.
    tones = [loudest_hz(sound[:, 0], at) for at in (0.5, 1.5, 2.5)]
    assert tones == pytest.approx([800, 200, 800], abs=5)


def test_an_excerpt_is_what_reading_it_all_gives(talk: Path) -> None:
    source = open_files((talk,), None, 960, 0.02)
    whole = [p for p in source.packets() if 9.0 <= p.t < 11.0]
    part = list(source.excerpt(9.0, 11.0))
    seen = [[p for p in some if isinstance(p, VideoFrame)] for some in (whole, part)]
    assert [p.t for p in seen[0]] == pytest.approx([p.t for p in seen[1]])
    assert all(np.array_equal(a.image, b.image) for a, b in zip(*seen, strict=True))
    heard = [
        np.concatenate([p.samples for p in some if isinstance(p, AudioBlock)])
        for some in (whole, part)
    ]
    n = 44_100 - 4410
    best = max(
        float(np.corrcoef(heard[0][2000 : 2000 + n, 0], heard[1][k : k + n, 0])[0, 1])
        for k in range(1000, 3600)
    )
    assert best > 0.999
    assert source.problems == ()


def test_two_recordings_are_side_by_side_each_in_its_ear(tmp_path: Path, talk: Path) -> None:
    small = Video(codec="mpeg4", size=(96, 160), seconds=20.0, picture=fade)
    sound = Audio(rate=16_000, codec="pcm_s16le", samples=chirp(20.0, 16_000, 2)[:, 1:])
    other = write_media(tmp_path / "his.mkv", small, sound)
    source = open_files((talk, other), 2.0, 640, 0.02)
    clip = webm(source.excerpt(8.0, 12.0), source.info, 8.0, 12.0)
    pictures, heard = decoded(clip)
    image = pictures[50][1]
    assert image.shape == (160, 192 + 96, 3)
    assert image[40, 40].argmax() == 0, "red above left, of the first"
    assert image[20, 192 + 20].argmax() == 0, "and of the second"
    assert image[4, 40].max() < 40, "the lower picture has bars"
    # The second starts 2 s later and has the opposite tones: both are in time with themselves.
    assert loudest_hz(heard[:, 0], 0.5) == pytest.approx(200, abs=5)
    assert loudest_hz(heard[:, 1], 0.5) == pytest.approx(800, abs=5)


def test_sound_alone_has_no_picture_and_keeps_its_sides(tmp_path: Path) -> None:
    path = write_media(
        tmp_path / "call.flac",
        None,
        Audio(codec="flac", rate=16_000, layout="stereo", samples=chirp(9.0, 16_000, 2)),
    )
    pictures, heard = decoded(cut(path, 4.0, 8.0))
    assert pictures == []
    assert heard.shape[1] == 2
    assert loudest_hz(heard[:, 0], 0.5) == pytest.approx(200, abs=5)
    assert loudest_hz(heard[:, 1], 0.5) == pytest.approx(800, abs=5)


def test_picture_alone_plays(tmp_path: Path) -> None:
    path = write_media(tmp_path / "silent.mp4", Video(codec="libx264", seconds=6.0), None)
    pictures, heard = decoded(cut(path, 2.0, 5.0))
    assert len(pictures) > 60
    assert len(heard) == 0


def test_a_cut_off_recording_plays_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_media(
        tmp_path / "talk.mkv",
        Video(codec="mpeg4", seconds=12.0, picture=fade),
        Audio(codec="flac", samples=chirp(12.0, 48_000)),
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(2000))
    assert len(decoded(cut(path, 1.0, 4.0))[0]) > 60
    with pytest.raises(MediaError, match="damaged or empty there"):
        cut(path, 10.0, 11.5)


def test_noise_in_the_middle_does_not_crash(tmp_path: Path, talk: Path) -> None:
    data = bytearray(talk.read_bytes())
    rng = np.random.default_rng(0)
    for at in rng.integers(len(data) // 3, 2 * len(data) // 3, 400):
        data[at] = rng.integers(256)
    path = tmp_path / "noisy.mp4"
    path.write_bytes(data)
    for start in range(0, 18, 3):
        try:
            pictures, _ = decoded(cut(path, start, start + 3))
        except MediaError:
            continue
        assert pictures


def test_the_same_stretch_gives_the_same_bytes(talk: Path) -> None:
    assert cut(talk, 3.0, 5.0) == cut(talk, 3.0, 5.0)


def test_clips_are_made_ahead_and_old_ones_go(talk: Path) -> None:
    source = open_files((talk,), None, 960, 0.02)
    with Clips(source, [(float(i), i + 1.0) for i in range(12)]) as clips:
        first = clips.get(0)
        assert len(first.result(30)) > 1000
        assert clips.get(0) is first
        ahead = clips.get(1)
        assert clips.get(1) is ahead
        for i in range(4, 10):
            clips.get(i)
        assert clips.get(0) is not first, "it was dropped, and is made again"
        assert len(clips.get(11).result(30)) > 1000
    with pytest.raises(MediaError, match="ending"):
        clips.get(5)


def test_whoever_waits_for_a_clip_is_let_go_at_the_end(talk: Path) -> None:
    source = open_files((talk,), None, 960, 0.02)
    with Clips(source, [(0.0, 18.0), (0.0, 18.0)]) as clips:
        waiting = [clips.get(0), clips.get(1)]
        clips.end()
        for clip in waiting:
            with pytest.raises((CancelledError, MediaError)):
                clip.result(30)


# ---- the recording of a session -----------------------------------------------------------------


def never() -> str:
    raise AssertionError("asked for a passphrase")


def test_the_recording_is_found_beside_the_session_by_its_hash(tmp_path: Path, talk: Path) -> None:
    session = rated.folder(tmp_path / "talk.cuesense", talk)
    with (
        pytest.raises(MediaError, match="name it with --media"),
        media.opened(session, [], never),
    ):
        pass
    beside = tmp_path / "talk.mp4"
    beside.write_bytes(talk.read_bytes())
    with media.opened(session, [], never) as source:
        assert source.info.paths == (beside,)


def test_another_recording_is_refused(tmp_path: Path, talk: Path, sample: Path) -> None:
    session = rated.folder(tmp_path / "talk.cuesense", talk)
    with (
        pytest.raises(MediaError, match=r"dyad\.mp4.*is not the recording.*give the 'talk\.mp4'"),
        media.opened(session, [sample], never),
    ):
        pass
    with (
        pytest.raises(MediaError, match=r"none\.mp4.*No such file"),
        media.opened(session, [tmp_path / "none.mp4"], never),
    ):
        pass
    with (
        pytest.raises(MediaError, match="2 recordings given"),
        media.opened(session, [talk] * 2, never),
    ):
        pass


def test_two_recordings_may_be_named_in_any_order(tmp_path: Path, talk: Path, clip: Path) -> None:
    session = rated.folder(tmp_path / "s", talk, clip, offset_s=1.5)
    with media.opened(session, [clip, talk], never) as source:
        assert source.info.paths == (talk, clip)
        assert source.info.offset_s == 1.5
        assert source.info.views == 2


def record(folder: Path, passphrase: str | None) -> None:
    """Keep 3 s of picture and sound as a live session does."""
    info = SourceInfo((), np.nan, 1, ((96, 64),), (25.0,), (16_000,), (1,))
    with Recorder(folder, info, picture=True, sound=True, passphrase=passphrase) as recorder:
        for i in range(75):
            recorder.push(VideoFrame(i / 25, quadrants(i / 25, (96, 64)), i))
            recorder.push(AudioBlock(i / 25, np.full((640, 1), 0.1, np.float32), 16_000))


def live(path: Path) -> Session:
    return rated.folder(path, paths=[], sha256=[])


def test_what_a_live_session_kept_is_played(tmp_path: Path) -> None:
    session = live(tmp_path / "live")
    with pytest.raises(MediaError, match="kept no recording"), media.opened(session, [], never):
        pass
    record(session.path, None)
    with media.opened(session, [], never) as source:
        pictures, heard = decoded(webm(source.excerpt(1.0, 2.5), source.info, 1.0, 2.5))
    assert grey(pictures[20][1]) == pytest.approx(1.0 + pictures[20][0], abs=0.1)
    assert np.abs(heard).max() > 0.05


def test_an_encrypted_one_is_decrypted_for_as_long_as_it_is_open(tmp_path: Path) -> None:
    session = live(tmp_path / "live")
    record(session.path, "horse battery")
    with (
        pytest.raises(ParameterError, match="passphrase does not open"),
        media.opened(session, [], lambda: "wrong"),
    ):
        pass
    with media.opened(session, [], lambda: "horse battery") as source:
        (path,) = source.info.paths
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0
        assert decoded(webm(source.excerpt(1.0, 2.0), source.info, 1.0, 2.0))[0]
    assert not path.parent.exists()
    assert {p.name for p in session.path.glob("recording*")} == {"recording.mkv.enc"}


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_terminal_that_is_closed_leaves_nothing_decrypted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if not hasattr(signal, name) or sys.platform == "win32":
        pytest.skip("no such signal here")
    session = live(tmp_path / "live")
    record(session.path, "horse battery")
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    while_open: list[Path] = []

    def close() -> None:
        with interruptible(), media.opened(session, [], lambda: "horse battery") as source:
            while_open.extend(source.info.paths)
            os.kill(os.getpid(), getattr(signal, name))

    with pytest.raises(KeyboardInterrupt):
        close()
    assert [path.is_relative_to(private) for path in while_open] == [True]
    assert list(private.iterdir()) == []


def test_what_a_killed_run_left_decrypted_is_removed(tmp_path: Path) -> None:
    (tmp_path / "cuesense-rate-old").mkdir()
    gone = json.dumps({"host": platform.node(), "pid": 2**22})  # above any process's number
    (tmp_path / "cuesense-rate-old" / "owner.json").write_text(gone, encoding="utf-8")
    (tmp_path / "cuesense-rate-other").mkdir()
    media._sweep(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"cuesense-rate-other"}
