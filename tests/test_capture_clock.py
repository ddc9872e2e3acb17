"""Clocks of devices laid on ours: drift, late callbacks, bad starts, other machines' clocks."""

from __future__ import annotations

import numpy as np
import pytest

from cuesense.capture.clock import BROKEN_S, OtherClock, SampleClock
from cuesense.capture.skew import Skew
from cuesense.types import AudioBlock, Packet, VideoFrame

RATE, PIECE = 48_000, 480


def run(
    seconds: float,
    ppm: float,
    rng: np.random.Generator,
    late_s: float = 0.0,
    bad_start_s: float = 0.0,
) -> tuple[SampleClock, np.ndarray, np.ndarray]:
    """Feed a clock; return it, the true times and the times it gave, piece by piece."""
    clock = SampleClock(RATE)
    true, given = [], []
    for n in range(int(seconds * RATE / PIECE)):
        index = n * PIECE
        t = 100.0 + index / RATE * (1 + ppm * 1e-6)
        told = t + rng.normal(0, 2e-4)
        if late_s and rng.random() < 0.1:
            told += rng.uniform(0, late_s)
        if index / RATE < bad_start_s:
            told += 0.05 - index / RATE * 0.1
        clock.push(index, told)
        true.append(t)
        given.append(clock.at(index))
    return clock, np.array(true), np.array(given)


@pytest.mark.parametrize("ppm", [-300.0, -80.0, 0.0, 80.0, 300.0])
def test_a_crystal_that_is_off_is_found_and_followed(ppm: float) -> None:
    clock, true, given = run(120.0, ppm, np.random.default_rng(1))
    assert clock.drift_ppm == pytest.approx(ppm, abs=5.0)
    settled = given[len(given) // 4 :] - true[len(true) // 4 :]
    assert np.abs(settled).max() < 1e-3


def test_late_callbacks_do_not_shift_the_times() -> None:
    _, true, given = run(60.0, 80.0, np.random.default_rng(2), late_s=0.05)
    late = given[1000:] - true[1000:]
    assert np.abs(late).max() < 2e-3


def test_a_bad_start_is_forgotten() -> None:
    _, true, given = run(30.0, 50.0, np.random.default_rng(3), bad_start_s=1.5)
    late = given[1000:] - true[1000:]
    assert np.abs(late).max() < 2e-3


def test_lost_samples_are_noticed_and_jitter_is_not() -> None:
    clock, _, _ = run(10.0, 0.0, np.random.default_rng(5))
    index = 10 * RATE
    assert not clock.broken(index, clock.at(index) + 0.5 * BROKEN_S)
    assert clock.broken(index, clock.at(index) + 2 * BROKEN_S)


def test_memory_does_not_grow_with_the_session() -> None:
    clock, _, _ = run(300.0, 10.0, np.random.default_rng(6))
    assert len(clock._bins) <= 130
    assert len(clock._bin) <= 60


def test_another_clock_is_found_from_the_quickest_messages() -> None:
    rng, clock = np.random.default_rng(7), OtherClock()
    assert np.isnan(clock.at(1.0))
    for i in range(600):
        there = i * 0.5
        clock.push(there, there + 1000.0 + 0.002 + rng.exponential(0.02))
    assert clock.at(300.0) == pytest.approx(1300.0, abs=0.01)


def test_another_clock_that_drifts_is_followed() -> None:
    clock = OtherClock()
    for i in range(2000):
        there = i * 0.5
        clock.push(there, there * (1 + 100e-6) + 5.0)
    assert clock.at(999.5) == pytest.approx(999.5 * (1 + 100e-6) + 5.0, abs=0.007)


def test_claps_tell_how_far_sound_and_picture_are_apart() -> None:
    rng, rate, fps, late = np.random.default_rng(8), 16_000, 30.0, 0.04
    claps = [1.013, 2.47, 3.9, 5.21, 6.06]
    skew = Skew()
    packets: list[Packet] = []
    for i in range(int(8 * fps)):
        t = i / fps
        image = rng.integers(100, 104, (36, 64, 3)).astype(np.uint8)
        if any(c <= t < c + 0.1 for c in claps):
            image[:, :32] = 250
        packets.append(VideoFrame(t, image, i))
    for i in range(8 * 50):
        at = i / 50 + np.arange(rate // 50) / rate
        samples = rng.normal(0, 0.002, len(at))
        for c in claps:
            since = at - (c + late)
            samples += np.where(since >= 0, 0.5 * np.exp(-np.clip(since, 0, None) / 0.02), 0.0)
        packets.append(AudioBlock(i / 50, samples.astype(np.float32)[:, None], rate))
    for packet in sorted(packets, key=lambda p: p.end):
        skew.push(packet)
    assert len(skew.pairs_s) == len(claps)
    assert skew.ms == pytest.approx(1000 * late, abs=10)


def test_without_claps_nothing_is_claimed() -> None:
    assert np.isnan(Skew().ms)
