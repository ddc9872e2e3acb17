"""What tells voices apart: cepstra of frames with known spectra."""

from __future__ import annotations

import numpy as np
import pytest

from cuesense.cues.prosody import FRAME, RATE
from cuesense.cues.voiceprint import BAND_EDGES_HZ, BANDS, COEFFICIENTS, cepstra, mel, mel_filters


def vowel(formants: tuple[float, ...], f0: float, seconds: float = 0.5) -> np.ndarray:
    """Frames of a buzz with resonances 120 Hz wide."""
    t = np.arange(int(seconds * RATE)) / RATE
    partials = np.arange(f0, 7800.0, f0)
    away = (partials - np.array(formants)[:, None]) / 120.0
    gain = (1 / (1 + away**2)).sum(axis=0)
    wave = 0.01 * (gain[:, None] * np.sin(2 * np.pi * partials[:, None] * t)).sum(axis=0)
    starts = np.arange(0, len(wave) - FRAME, FRAME // 2)
    return np.asarray(wave[starts[:, None] + np.arange(FRAME)])


def test_mel_is_the_textbook_one() -> None:
    assert mel(0.0) == 0.0
    assert mel(1000.0) == pytest.approx(1000.0, abs=0.1)


def test_filters_are_triangles_between_the_edges() -> None:
    filters = mel_filters()
    freqs = np.arange(FRAME // 2 + 1) * RATE / FRAME
    assert filters.shape == (len(freqs), BANDS)
    low, high = BAND_EDGES_HZ
    assert not filters[(freqs <= low) | (freqs >= high)].any()
    assert (filters.max(axis=0) > 0.5).all()
    inner = (freqs > freqs[filters[:, 0].argmax()] + 40) & (freqs < freqs[filters[:, -1].argmax()])
    np.testing.assert_allclose(filters[inner].sum(axis=1), 1.0, atol=1e-9)


def test_filters_and_transform_agree_with_librosa() -> None:
    import librosa

    low, high = BAND_EDGES_HZ
    theirs = librosa.filters.mel(
        sr=RATE, n_fft=FRAME, n_mels=BANDS, fmin=low, fmax=high, htk=True, norm=None
    )
    np.testing.assert_allclose(mel_filters(), theirs.T, atol=1e-5)
    frames = np.random.default_rng(0).normal(0, 0.1, (4, FRAME))
    power = np.abs(np.fft.rfft(frames * np.hamming(FRAME + 1)[:-1], axis=1)) ** 2
    expected = librosa.feature.mfcc(
        S=np.log(power @ theirs.T).T, n_mfcc=COEFFICIENTS + 1, norm="ortho"
    )
    np.testing.assert_allclose(cepstra(frames), expected[1:].T, atol=1e-4)


def test_gain_changes_nothing_and_silence_is_finite() -> None:
    frames = vowel((600, 1100, 2500), 110.0)
    np.testing.assert_allclose(cepstra(8 * frames), cepstra(frames), atol=1e-3)
    assert np.isfinite(cepstra(np.zeros((2, FRAME)))).all()


def test_another_tract_weighs_more_than_another_pitch() -> None:
    first = cepstra(vowel((600, 1100, 2500), 110.0)).mean(axis=0)
    pitch = cepstra(vowel((600, 1100, 2500), 140.0)).mean(axis=0)
    tract = cepstra(vowel((690, 1265, 2875), 110.0)).mean(axis=0)
    assert np.linalg.norm(tract - first) > 2 * np.linalg.norm(pitch - first)
