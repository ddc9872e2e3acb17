"""The pitch tracker beside the stream of the package whose network it runs."""

from __future__ import annotations

import numpy as np
import pytest
from swift_f0 import SwiftF0

from cuesense.cues.prosody import HOP, RATE
from cuesense.cues.tracker import Tracker
from cuesense.types import F32


@pytest.fixture(scope="module")
def sound() -> F32:
    """A buzz that glides up, between stretches of silence and of noise."""
    t = np.arange(RATE) / RATE
    phase = 2 * np.pi * (120 * t + 40 * t**2)
    buzz = 0.05 * sum(np.sin(k * phase) / k for k in range(1, 8))
    noise = 0.02 * np.random.default_rng(0).standard_normal(RATE // 2)
    return np.concatenate([np.zeros(RATE // 2), buzz, noise, np.zeros(RATE)]).astype(np.float32)


@pytest.mark.parametrize("hops", [1, 10, 1000])
def test_it_hears_what_the_package_does(sound: F32, hops: int) -> None:
    network = SwiftF0(threads=1, spin=False)
    tracker = Tracker(network.session, 60.0, 800.0)
    cuts = range(0, len(sound), hops * HOP)
    chunks = [sound[i : i + hops * HOP] for i in cuts]
    answers = [tracker.push(c, last=i == len(chunks) - 1) for i, c in enumerate(chunks)]
    f0, confidence = (np.concatenate(each) for each in zip(*answers, strict=True))
    whole = network.detect(sound, RATE, 60.0, 800.0)
    np.testing.assert_allclose(confidence, whole.confidence, atol=1e-4)
    voiced = confidence > 0.1
    assert voiced.sum() > 40
    np.testing.assert_allclose(f0[voiced], whole.pitch_hz[voiced], rtol=1e-4)
