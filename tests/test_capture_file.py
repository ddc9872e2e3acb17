"""Reading recordings: what was put into a file comes out, at its time; bad files say why."""

from __future__ import annotations

import itertools
import os
import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cuesense.capture import Source, open_source
from cuesense.capture.decode import place
from cuesense.capture.pictures import upright
from cuesense.capture.sound import Reblock, to_float
from cuesense.errors import MediaError, ParameterError
from cuesense.types import F32, AudioBlock, Packet, VideoFrame
from media import Audio, Video, cover_art_tag, quadrants, tone, wav_bytes, write_media

H264 = Video("libx264")
RED, GREEN, BLUE = (220, 30, 30), (30, 220, 30), (30, 30, 220)


def read(*paths: Path, **options: float) -> tuple[list[VideoFrame], list[AudioBlock], Source]:
    """Read everything, checking what every source promises about order."""
    with open_source(*paths, **options) as source:  # type: ignore[arg-type]
        packets = list(source.packets())
    check_order(packets)
    frames = [p for p in packets if isinstance(p, VideoFrame)]
    blocks = [p for p in packets if isinstance(p, AudioBlock)]
    return frames, blocks, source


def check_order(packets: list[Packet]) -> None:
    ends = [p.end for p in packets]
    assert ends == sorted(ends)
    for view in (0, 1):
        times = [p.t for p in packets if isinstance(p, VideoFrame) and p.view == view]
        assert all(a < b for a, b in itertools.pairwise(times))
        blocks = [p for p in packets if isinstance(p, AudioBlock) and p.view == view]
        assert all(b.t > a.t for a, b in itertools.pairwise(blocks))
        assert all(b.t > a.end - 0.002 for a, b in itertools.pairwise(blocks))


def loud_from(blocks: list[AudioBlock], level: float = 0.1) -> float:
    """Return the time of the first loud sample."""
    for block in blocks:
        loud = np.flatnonzero(np.abs(block.samples[:, 0]) > level)
        if len(loud):
            return float(block.t + loud[0] / block.rate)
    raise AssertionError("no sound")


def pitch(blocks: list[AudioBlock]) -> float:
    """Return the strongest frequency in Hz."""
    x = np.concatenate([b.samples[:, 0] for b in blocks])
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x))))
    return float(np.argmax(spectrum) * blocks[0].rate / len(x))


def corners(frame: VideoFrame) -> list[tuple[int, ...]]:
    """Return the colours of the corners: top left, top right, below left, below right."""
    high, wide = frame.image.shape[:2]
    at = [(y, x) for y in (high // 6, high - high // 6) for x in (wide // 6, wide - wide // 6)]
    return [tuple(int(v) for v in frame.image[y, x]) for y, x in at]


def same_colour(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) < 40


# Containers, codecs, layouts


@pytest.mark.parametrize(
    ("name", "video", "audio"),
    [
        ("a.mp4", Video("libx264"), Audio("aac")),
        ("a.mov", Video("libx264"), Audio("pcm_s16le")),
        ("a.mkv", Video("libx264"), Audio("flac")),
        ("a.webm", Video("libvpx"), Audio("libopus")),
        ("a.avi", Video("mpeg4"), Audio("libmp3lame")),
        ("bframes.avi", Video("mpeg4", options={"bf": "2"}), Audio("libmp3lame")),
        ("a.mpg", Video("mpeg2video"), Audio("mp2")),
        ("bframes.mpg", Video("mpeg2video", options={"bf": "2"}), Audio("mp2")),
        ("a.ts", Video("libx264"), Audio("aac")),
    ],
)
def test_containers(tmp_path: Path, name: str, video: Video, audio: Audio) -> None:
    path = write_media(tmp_path / name, video, audio)
    frames, blocks, source = read(path)
    assert source.problems == ()
    assert len(frames) == 25
    assert [f.index for f in frames] == list(range(25))
    # AVI has no start times: what the encoder delays is late by a frame or two.
    slack = 0.09 if name.endswith("avi") else 0.002
    first = frames[0].t
    expected = [t + first for t in video.stamps]
    assert [f.t for f in frames] == pytest.approx(expected, abs=slack)
    assert pitch(blocks) == pytest.approx(440, abs=2)
    assert sum(len(b.samples) for b in blocks) == pytest.approx(48_000, abs=3_000)
    info = source.info
    assert (info.views, info.size, info.rate, info.channels) == (1, ((96, 64),), (48_000,), (1,))
    assert info.fps == pytest.approx((25,), rel=0.05)
    assert info.duration_s == pytest.approx(1, abs=0.1)
    assert min(frames[0].t, blocks[0].t) == 0
    assert frames[0].image.dtype == np.uint8
    assert not frames[0].image.flags.writeable
    assert not blocks[0].samples.flags.writeable
    # A picture's grey tells its time.
    for frame in frames:
        assert corners(frame)[3][0] == pytest.approx((frame.t - first) * 100, abs=6 + 100 * slack)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.wav", "pcm_s16le"),
        ("a.flac", "flac"),
        ("a.mp3", "libmp3lame"),
        ("a.m4a", "aac"),
        ("a.ogg", "flac"),
        ("a.opus", "libopus"),
    ],
)
def test_sound_alone(tmp_path: Path, name: str, codec: str) -> None:
    path = write_media(tmp_path / name, None, Audio(codec, seconds=1.5))
    frames, blocks, source = read(path)
    assert frames == []
    assert source.info.views == 0
    assert source.info.size == ()
    assert source.info.fps == ()
    assert source.stills(4) == []
    assert blocks[0].t == 0
    assert {len(b.samples) for b in blocks[:-1]} == {960}
    assert blocks[-1].end == pytest.approx(1.5, abs=0.03)
    assert pitch(blocks) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("codec", "step"),
    [
        ("pcm_u8", 2**-7),
        ("pcm_s16le", 2**-15),
        ("pcm_s24le", 2**-23),
        ("pcm_s32le", 2**-23),
        ("pcm_f32le", 1e-7),
        ("pcm_f64le", 1e-7),
    ],
)
@pytest.mark.parametrize(("layout", "channels"), [("mono", 1), ("stereo", 2), ("5.1", 6)])
@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100])
def test_samples_are_scaled_and_in_place(
    tmp_path: Path, codec: str, step: float, layout: str, channels: int, rate: int
) -> None:
    rng = np.random.default_rng(1)
    put = rng.uniform(-0.9, 0.9, (rate // 4, channels)).astype(np.float32)
    path = write_media(tmp_path / "a.wav", None, Audio(codec, rate, layout, samples=put))
    _, blocks, _ = read(path)
    got = np.concatenate([b.samples for b in blocks])
    assert got.shape == put.shape
    np.testing.assert_allclose(got, put, atol=1.01 * step)
    assert {b.rate for b in blocks} == {rate}
    assert max(len(b.samples) for b in blocks) == int(rate * 0.02)


def test_missing_samples_stay_missing(tmp_path: Path) -> None:
    samples = tone(np.arange(8000) / 8000)[:, np.newaxis]
    samples[100:200] = np.nan
    samples[300:310] = np.inf
    samples[400:410] = 1e30
    path = tmp_path / "nan.wav"
    path.write_bytes(wav_bytes(samples, 8000))
    _, blocks, _ = read(path)
    got = np.concatenate([b.samples for b in blocks])[:, 0]
    lost = np.zeros(8000, bool)
    lost[100:200] = lost[300:310] = lost[400:410] = True
    np.testing.assert_array_equal(np.isnan(got), lost)
    np.testing.assert_array_equal(got[~lost], samples[~lost, 0])


def test_to_float_of_planar_and_packed_agree() -> None:
    packed = np.array([[0, 1, 2, 3, -32768, 32767]], np.int16)
    planar = packed.reshape(3, 2).T
    np.testing.assert_array_equal(to_float(packed, 2, False), to_float(planar, 2, True))
    assert to_float(packed, 2, False).min() == -1
    assert to_float(np.array([[0, 128, 255]], np.uint8), 1, False)[:2, 0].tolist() == [-1, 0]
    assert np.isnan(to_float(np.array([[1e300, np.nan, -np.inf]]), 1, False)).all()


# Time


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(("video_s", "audio_s"), [(0.0, 0.4), (0.4, 0.0)])
def test_start_offsets_survive(tmp_path: Path, suffix: str, video_s: float, audio_s: float) -> None:
    path = write_media(
        tmp_path / f"a.{suffix}", Video("libx264", start_s=video_s), Audio(start_s=audio_s)
    )
    frames, blocks, source = read(path)
    assert frames[0].t == pytest.approx(video_s, abs=0.002)
    assert loud_from(blocks) == pytest.approx(audio_s, abs=0.005)
    assert min(frames[0].t, blocks[0].t) == 0
    assert "sound starts" in " ".join(source.info.notes)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_variable_frame_rate_survives(tmp_path: Path, suffix: str) -> None:
    times = [0, 0.04, 0.1, 0.13, 0.5, 0.51, 0.9, 2.4]
    codec = "libvpx" if suffix == "webm" else "libx264"
    path = write_media(tmp_path / f"vfr.{suffix}", Video(codec, times=times), None)
    frames, _, _ = read(path)
    assert [f.t for f in frames] == pytest.approx(times, abs=0.0011)


def test_a_gap_in_the_sound_starts_a_block_at_its_true_time(tmp_path: Path) -> None:
    sound = Audio("pcm_s16le", seconds=2, gaps=[(0.51, 0.8)])
    _, blocks, _ = read(write_media(tmp_path / "gap.mkv", None, sound))
    before = [b for b in blocks if b.t < 0.6]
    after = [b for b in blocks if b.t >= 0.6]
    assert before[-1].end == pytest.approx(0.51, abs=0.0011)
    assert after[0].t == pytest.approx(0.8, abs=0.0011)
    assert {len(b.samples) for b in before[:-1] + after[:-1]} == {960}
    assert len(before[-1].samples) == 480


def test_badly_interleaved_tracks_come_in_order(tmp_path: Path) -> None:
    sound = Audio("flac", seconds=4)
    video = Video("libx264", seconds=4)
    apart = write_media(tmp_path / "apart.mkv", video, sound, interleaved=False)
    with av.open(str(apart)) as container:
        kinds = [p.stream.type for p in container.demux() if p.size]
    assert set(kinds[:90]) == {"video"}  # the file is as bad as the test means it to be
    with open_source(apart) as source:
        packets = list(source.packets())
    check_order(packets)
    early = packets[: len(packets) // 10]
    assert {type(p) for p in early} == {VideoFrame, AudioBlock}


@pytest.mark.parametrize(
    ("pts", "dts", "following", "last", "expected"),
    [
        (0.0, 0.0, 0.04, -np.inf, 0.0),
        (0.08, 0.04, 0.12, 0.04, 0.08),
        (np.nan, 0.08, 0.12, 0.04, 0.08),  # no presentation time
        (0.03, 0.08, 0.12, 0.04, 0.08),  # out of order
        (99.0, 0.08, 0.12, 0.04, 0.08),  # glitch
        (99.0, 99.0, 0.12, 0.04, np.nan),  # glitch of both
        (99.0, 99.0, 99.5, 0.04, 99.0),  # a pause, not a glitch
        (9e9, 9e9, 9.1e9, 0.04, np.nan),  # longer than any pause
        (0.02, 0.02, 0.12, 0.04, 0.02),  # repeats what was there: the caller's matter
        (np.nan, np.nan, 0.12, 0.04, np.nan),
    ],
)
def test_place(pts: float, dts: float, following: float, last: float, expected: float) -> None:
    np.testing.assert_equal(place(pts, dts, following, last), expected)


# Blocks


def blocks_of(pieces: list[tuple[float, F32]], rate: int = 8000) -> list[AudioBlock]:
    reblock = Reblock(rate, 0.02, start=pieces[0][0])
    blocks = [b for t, piece in pieces for b in reblock.push(piece, t)]
    return [*blocks, *reblock.flush()]


def cut(samples: F32, at: list[int], rate: int = 8000) -> list[tuple[float, F32]]:
    edges = [0, *at, len(samples)]
    return [(a / rate, samples[a:b]) for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize("seed", range(5))
def test_blocks_do_not_depend_on_the_codecs_frames(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.normal(size=(5000, 2)).astype(np.float32)
    whole = blocks_of(cut(samples, []))
    pieces = blocks_of(cut(samples, sorted(rng.integers(1, 5000, 30).tolist())))
    assert [b.t for b in pieces] == [b.t for b in whole]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(pieces, whole, strict=True))
    assert [b.t for b in whole] == pytest.approx([i * 0.02 for i in range(32)], abs=1e-12)


def test_rounded_and_jittering_stamps_are_smoothed() -> None:
    rng = np.random.default_rng(0)
    exact = cut(np.zeros((80_000, 1), np.float32), list(range(170, 80_000, 170)))
    for spread_s, allowed_s in ((0.001, 1e-9), (0.03, 0.004)):
        jittered = [(t + rng.uniform(-spread_s, spread_s) * (t > 0), x) for t, x in exact]
        blocks = blocks_of(jittered)
        assert {len(b.samples) for b in blocks} == {160}
        assert [b.t for b in blocks] == pytest.approx([i * 0.02 for i in range(500)], abs=allowed_s)


def test_a_drifting_clock_is_followed() -> None:
    pieces = cut(np.zeros((8000 * 300, 1), np.float32), list(range(800, 8000 * 300, 800)))
    blocks = blocks_of([(t * 1.001, x) for t, x in pieces])
    assert {len(b.samples) for b in blocks} == {160}
    assert blocks[-1].end == pytest.approx(300.3, abs=0.01)


def test_repeated_sound_is_cut_off() -> None:
    ramp = np.arange(8000, dtype=np.float32)[:, np.newaxis]
    blocks = blocks_of([(0.0, ramp[:4000]), (0.3, ramp[2400:])])
    np.testing.assert_array_equal(np.concatenate([b.samples for b in blocks]), ramp)


def test_sound_without_stamps_is_counted() -> None:
    samples = np.zeros((1600, 1), np.float32)
    blocks = blocks_of([(1.0, samples), (np.nan, samples)])
    assert blocks[-1].end == pytest.approx(1.4)


# Geometry


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_pictures_are_upright(tmp_path: Path, suffix: str, degrees: int, mirrored: bool) -> None:
    def stored(t: float, size: tuple[int, int]) -> np.ndarray:
        # A player turns by `degrees` counter-clockwise, then swaps left and right.
        shown = quadrants(t, size if degrees % 180 == 0 else size[::-1])
        return np.ascontiguousarray(np.rot90(shown[:, ::-1] if mirrored else shown, -degrees // 90))

    video = Video("libx264", rotation=degrees, mirrored=mirrored, seconds=0.2, picture=stored)
    path = write_media(tmp_path / f"turned.{suffix}", video, None)
    frames, _, source = read(path)
    high, wide = frames[0].image.shape[:2]
    assert source.info.size == ((wide, high),)
    assert (wide, high) == ((96, 64) if degrees % 180 == 0 else (64, 96))
    for got, put in zip(corners(frames[0]), (RED, GREEN, BLUE), strict=False):
        assert same_colour(got, put)
    assert source.stills(1)[0].image.shape == frames[0].image.shape


def test_upright_without_a_matrix_or_with_an_empty_one_changes_nothing() -> None:
    image = quadrants(0, (8, 6))
    assert upright(image, ()) is image
    assert upright(image, (0,) * 9) is image


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(2), (192, 64)), (Fraction(1, 2), (96, 128))]
)
def test_pixels_become_square(tmp_path: Path, aspect: Fraction, size: tuple[int, int]) -> None:
    path = write_media(tmp_path / "a.mp4", Video("libx264", aspect=aspect, seconds=0.1), None)
    frames, _, source = read(path)
    assert frames[0].image.shape == (size[1], size[0], 3)
    assert source.info.size == (size,)


def test_wide_pictures_are_reduced(tmp_path: Path) -> None:
    video = Video("ffv1", size=(10_000, 64), seconds=0.08)
    path = write_media(tmp_path / "wide.mkv", video, None)
    frames, _, source = read(path)
    assert frames[0].image.shape == (12, 1920, 3)
    assert same_colour(corners(frames[0])[0], RED)
    assert "10000x64" in " ".join(source.info.notes)
    frames, _, _ = read(path, max_side=500)
    assert frames[0].image.shape == (3, 500, 3)


@pytest.mark.parametrize(
    "pix_fmt", ["yuv422p", "yuv420p10le", "yuv422p10le", "yuv444p", "gray", "gray10le", "bgr0"]
)
def test_pixel_formats_and_odd_sizes(tmp_path: Path, pix_fmt: str) -> None:
    video = Video("ffv1", size=(97, 65), seconds=0.08, pix_fmt=pix_fmt)
    frames, _, _ = read(write_media(tmp_path / "a.mkv", video, None))
    assert frames[0].image.shape == (65, 97, 3)
    red = corners(frames[0])[0]
    if pix_fmt.startswith("gray"):
        assert max(red) - min(red) <= 2
    else:
        assert same_colour(red, RED)


def test_interlaced(tmp_path: Path) -> None:
    video = Video("mpeg2video", options={"flags": "+ilme+ildct"})
    frames, _, source = read(write_media(tmp_path / "a.mpg", video, Audio("mp2")))
    assert len(frames) == 25
    assert source.problems == ()


# Which streams


def test_one_picture_is_a_video(tmp_path: Path) -> None:
    path = write_media(tmp_path / "one.mp4", Video(seconds=0.04), None)
    frames, blocks, source = read(path)
    assert [f.t for f in frames] == [0]
    assert blocks == []
    assert source.info.channels == source.info.rate == (0,)
    assert len(source.stills(3)) == 1


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    picture = write_media(
        tmp_path / "cover.avi", Video("mjpeg", seconds=0.04, pix_fmt="yuvj420p"), None
    )
    with av.open(str(picture)) as container:
        jpeg = bytes(next(container.demux(video=0)))
    song = write_media(tmp_path / "song.mp3", None, Audio("libmp3lame"))
    song.write_bytes(cover_art_tag(jpeg) + song.read_bytes())
    with av.open(str(song)) as container:
        assert len(container.streams.video) == 1
    frames, blocks, source = read(song)
    assert frames == []
    assert source.info.views == 0
    assert pitch(blocks) == pytest.approx(440, abs=2)


def test_several_streams_are_noted_and_one_is_used(tmp_path: Path) -> None:
    more: list[Video | Audio] = [Audio(layout="stereo"), Video("libx264", size=(32, 32))]
    path = write_media(tmp_path / "many.mkv", H264, Audio(), more=more)
    frames, blocks, source = read(path)
    assert frames[0].image.shape == (64, 96, 3)
    assert blocks[0].samples.shape[1] == 1
    assert sum("has 2" in note for note in source.info.notes) == 2


def test_sound_below_the_voice_band_is_ignored_with_a_note(tmp_path: Path) -> None:
    path = write_media(tmp_path / "low.mkv", H264, Audio("pcm_s16le", rate=4000))
    frames, blocks, source = read(path)
    assert len(frames) == 25
    assert blocks == []
    assert "low.mkv: sound at 4000 Hz is below 8000 Hz and is ignored" in source.info.notes


# Reading twice, stills


def test_packets_can_be_read_again(tmp_path: Path) -> None:
    with open_source(write_media(tmp_path / "a.mkv", H264)) as source:
        first, second = list(source.packets()), list(source.packets())
    assert [(p.t, p.end) for p in first] == [(p.t, p.end) for p in second]


@pytest.mark.parametrize("seconds", [2, 30])  # decoded through, and sought in
def test_stills_are_spread_and_disturb_nothing(tmp_path: Path, seconds: int) -> None:
    video = Video("libx264", seconds=seconds, gop=25, options={"preset": "ultrafast"})
    path = write_media(tmp_path / "a.mp4", video, Audio(seconds=seconds))
    alone = [(p.t, p.end) for p in open_source(path).packets()]
    with open_source(path) as source:
        reading = source.packets()
        begun = list(itertools.islice(reading, 10))
        stills = source.stills(8)
        rest = list(reading)
    assert [(p.t, p.end) for p in begun + rest] == alone
    assert [s.t for s in stills] == pytest.approx([seconds * i / 8 for i in range(8)], abs=1.0)
    assert [s.index for s in stills] == list(range(8))
    assert all(a.t < b.t for a, b in itertools.pairwise(stills))
    assert same_colour(corners(stills[0])[0], RED)


# Two recordings


def talk(seconds: float, rate: int, seed: int) -> F32:
    rng = np.random.default_rng(seed)
    loud = np.repeat(rng.gamma(0.5, 0.1, round(seconds * 10)), rate // 10)
    return (rng.normal(size=len(loud)) * loud).astype(np.float32)[:, np.newaxis]


@pytest.mark.parametrize("offset_s", [0.5, -0.5, 0.0])
def test_two_recordings_share_one_time(tmp_path: Path, offset_s: float) -> None:
    first = write_media(tmp_path / "a.mkv", H264, Audio("flac"))
    second = write_media(
        tmp_path / "b.mp4", Video("libx264", size=(64, 48)), Audio(rate=16_000, layout="stereo")
    )
    frames, blocks, source = read(first, second, offset_s=offset_s)
    packets: list[VideoFrame | AudioBlock] = [*frames, *blocks]
    starts = [min(p.t for p in packets if p.view == view) for view in (0, 1)]
    assert starts == pytest.approx([max(0, -offset_s), max(0, offset_s)])
    info = source.info
    assert info.paths == (first, second)
    assert info.views == 2
    assert info.size == ((96, 64), (64, 48))
    assert info.rate == (48_000, 16_000)
    assert info.channels == (1, 2)
    assert info.offset_s == offset_s
    assert info.duration_s == pytest.approx(1 + abs(offset_s), abs=0.03)
    assert {s.view for s in source.stills(2)} == {0, 1}


def test_of_two_recordings_one_may_have_no_picture(tmp_path: Path) -> None:
    first = write_media(tmp_path / "a.wav", None, Audio("pcm_s16le"))
    second = write_media(tmp_path / "b.mp4", H264)
    frames, blocks, source = read(first, second, offset_s=0.0)
    assert (source.info.views, source.info.size) == (1, ((96, 64),))
    assert {f.view for f in frames} == {0}
    assert {b.view for b in blocks} == {0, 1}


def test_two_recordings_are_aligned_by_their_sound(tmp_path: Path) -> None:
    said = talk(20, 16_000, seed=1)
    late = round(3.37 * 16_000)
    first = write_media(tmp_path / "a.wav", None, Audio("pcm_s16le", 16_000, samples=said))
    second = write_media(
        tmp_path / "b.mp4",
        Video("libx264", seconds=2),
        Audio("aac", 16_000, start_s=1.0, samples=0.3 * said[late:]),
    )
    with open_source(first, second) as source:
        # The second file's sound starts 1 s into it.
        assert source.info.offset_s == pytest.approx(2.37, abs=0.010)


def test_recordings_that_cannot_be_aligned_need_the_offset(tmp_path: Path) -> None:
    one, other = (
        write_media(tmp_path / f"{i}.wav", None, Audio("pcm_s16le", 16_000, samples=x))
        for i, x in enumerate([talk(20, 16_000, seed=2), talk(20, 16_000, seed=3)])
    )
    silent = write_media(tmp_path / "silent.mp4", Video(), None)
    for pair in ((one, other), (one, silent), (silent, one)):
        with pytest.raises(ParameterError, match=r"give --offset SECONDS") as caught:
            open_source(*pair)
        assert "\n" not in str(caught.value)


def test_arguments_out_of_range(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", Video(seconds=0.2), None)
    for paths, options in (
        ((), {}),
        ((path,) * 3, {}),
        ((path,), {"offset_s": 1.0}),
        ((path, path), {"offset_s": float("nan")}),
        ((path,), {"max_side": 3}),
        ((path,), {"block_s": 0.0}),
    ):
        with pytest.raises(ParameterError):
            open_source(*paths, **options)


# Bad input


def bad(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refused(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        open_source(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    assert ": " in message  # what is wrong: what to do
    return message


def test_missing_folder_empty_and_text(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "missing.mp4")
    assert "is a folder" in refused(tmp_path)
    assert "0 bytes" in refused(bad(tmp_path / "empty.mp4", b""))
    assert "no recording" in refused(bad(tmp_path / "text.mp4", b"Dear diary,\n" * 400))
    assert "no recording" in refused(bad(tmp_path / "zeros.mp4", bytes(5000)))
    assert "cannot be opened" in refused(Path("a\0b.mp4"))


def test_useless_sound(tmp_path: Path) -> None:
    samples = np.zeros((9000, 1), np.float32)
    assert "sound at 1 Hz is below 8000 Hz" in refused(
        bad(tmp_path / "slow.wav", wav_bytes(samples[:9], 1))
    )
    assert "cannot be decoded" in refused(
        bad(tmp_path / "none.wav", wav_bytes(samples, 8000, channels=0))
    )
    assert "nothing that can be analysed" in refused(
        bad(tmp_path / "header.wav", wav_bytes(samples[:0], 8000))
    )


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="this system has no user ids")
def test_permission_denied(tmp_path: Path) -> None:
    path = write_media(tmp_path / "secret.mp4", Video(seconds=0.2), None)
    path.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:  # the superuser may read anything
            os.seteuid(65534)
        with pytest.raises(MediaError, match=r"Permission denied.*may read"):
            open_source(path)
    finally:
        os.seteuid(user)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "not a regular file" in refused(tmp_path / "pipe.mp4")


def test_a_file_cannot_make_another_one_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_media(tmp_path / "other.mp4", Video(seconds=0.2), None)
    write_media(tmp_path / "part.ts", Video(seconds=0.2), None)
    playlists = {
        "concat.mp4": "ffconcat version 1.0\nfile other.mp4\n",
        "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\npart.ts\n#EXT-X-ENDLIST\n",
        "session.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
        "dash.mp4": "<?xml version='1.0'?><MPD type='static'><Period/></MPD>",
    }
    for name, text in playlists.items():
        refused(bad(tmp_path / name, text.encode()))
    monkeypatch.chdir(tmp_path)
    for name in ("concat:other.mp4", "http://127.0.0.1:9/a.mp4", "image%03d.png", "file:other.mp4"):
        refused(Path(name))
    # A name that looks like a protocol is a name.
    if os.name == "posix":
        other.rename(tmp_path / "concat:x.mp4")
        assert len(read(Path("concat:x.mp4"))[0]) == 5


@pytest.mark.parametrize(
    ("name", "video", "audio", "options"),
    [
        ("a.mp4", H264, Audio(), {"movflags": "+faststart"}),
        ("a.mkv", H264, Audio("libopus"), {}),
        ("a.avi", Video(), Audio("libmp3lame"), {}),
    ],
)
def test_a_cut_off_end_is_read_up_to_there_and_told(
    tmp_path: Path, name: str, video: Video, audio: Audio, options: dict[str, str]
) -> None:
    path = write_media(
        tmp_path / name,
        replace(video, seconds=8),
        replace(audio, seconds=8),
        options=options,
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    frames, blocks, source = read(path)
    assert 2 < blocks[-1].end < 6
    assert 2 < frames[-1].t < 6
    assert any("decoding stopped at" in p and "cut off" in p for p in source.problems)


def test_an_unfinished_mp4_is_refused(tmp_path: Path) -> None:
    path = write_media(tmp_path / "unfinished.mp4", H264)
    whole = path.read_bytes()  # the table of contents comes last
    for kept in (len(whole) // 2, len(whole) - 500, 60):
        assert "cut off" in refused(bad(path, whole[:kept]))


def test_damage_in_the_middle_is_passed_and_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_media(tmp_path / "a.mp4", Video("libx264", seconds=4), Audio(seconds=4))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    path.write_bytes(content)
    frames, blocks, source = read(path)
    assert frames[-1].t == pytest.approx(3.96, abs=0.002)
    assert blocks[-1].end == pytest.approx(4, abs=0.03)
    assert any("could not be decoded" in p or "damaged" in p for p in source.problems)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.mpg"])
def test_random_damage_never_crashes_hangs_or_disorders(tmp_path: Path, name: str) -> None:
    video, audio = {
        "mp4": (H264, Audio()),
        "mkv": (H264, Audio("libopus")),
        "avi": (Video(), Audio("libmp3lame")),
        "mpg": (Video("mpeg2video"), Audio("mp2")),
    }[name[-3:]]
    path = write_media(tmp_path / name, video, audio)
    whole = path.read_bytes()
    outcomes = set()
    for seed in range(20):
        chance = random.Random(seed)
        content = bytearray(whole)
        for _ in range(chance.choice([1, 10, 100, 1000])):
            content[chance.randrange(len(content))] = chance.randrange(256)
        if seed % 3 == 0:
            del content[chance.randrange(1, len(content)) :]
        path.write_bytes(content)
        try:
            _, _, source = read(path)
            source.stills(3)
            outcomes.add("read")
        except MediaError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either outcome is right
            outcomes.add("refused")
    assert outcomes == {"read", "refused"} or name == "a.mpg"


def test_pictures_above_the_limit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_media(tmp_path / "a.mp4", H264, None)
    assert len(read(path)[0]) == 25
    monkeypatch.setattr("cuesense.capture.decode.MAX_PIXELS", 1000)  # 96 x 64 is 6144
    assert "cannot be decoded" in refused(path)


@pytest.mark.real_data
def test_real_recordings(real_data: Path) -> None:
    files = sorted(f for f in (real_data / "two_person").rglob("*") if f.is_file())
    assert files
    for path in files:
        with open_source(path) as source:
            count = 0
            last = -1.0
            end = -1.0
            for packet in source.packets():
                assert packet.end >= end
                end = packet.end
                if isinstance(packet, VideoFrame):
                    assert packet.t > last
                    last = packet.t
                    count += 1
            assert source.problems == ()
            assert count == pytest.approx(source.info.duration_s * source.info.fps[0], abs=3)
