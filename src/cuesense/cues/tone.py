"""Voice quality: how clear or breathy a voiced sound is. Pure functions of frames of sound.

Frames are 64 ms long and centred on a hop, Hann-windowed; both measures are taken of their power
spectra. The F0 is known beforehand, so each looks for its peak near the period only.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from cuesense.cues.prosody import HOP, RATE
from cuesense.types import F32, F64

WINDOW: Final = 4 * HOP
"""Samples of a frame (64 ms): four periods of a voice of 62 Hz."""
SEARCH: Final = 0.2
"""Share by which the period may differ from that of the F0 given."""
HNR_LIMIT_DB: Final = 40.0
"""Beyond this the harmonics-to-noise ratio is the window's, not the voice's."""
CEPSTRUM_HZ: Final = 5000.0
"""Upper edge of the spectrum that the cepstrum is taken of."""
QUEFRENCY_S: Final = (0.001, 0.05)
"""Quefrencies that the cepstrum's trend line is fitted to, s."""

BINS: Final = WINDOW + 1
"""Of a power spectrum, from 0 to half the rate: the transform is as long as two frames."""

_SIZE: Final = 2 * WINDOW  # of the transform: no lag wraps round
_FINER: Final = 2  # the autocorrelation is interpolated to so many points per sample
_LEAST: Final = 1e-12


def spectra(frames: npt.ArrayLike) -> F32:
    """Return the power spectra (n, BINS) of frames (n, WINDOW) of sound at `RATE`.

    The mean of each frame is removed; digital silence gives zeros. Single precision is over 100 dB
    finer than any voice, and the transforms take half the time.
    """
    from scipy.fft import rfft

    samples = np.asarray(frames, dtype=np.float64)
    centred = (samples - samples.mean(axis=1, keepdims=True)).astype(np.float32)
    spectrum = rfft(centred * _window()[0], _SIZE)
    return np.asarray(spectrum.real**2 + spectrum.imag**2)


def harmonicity_db(power: F32 | F64, f0_hz: npt.ArrayLike) -> F64:
    """Return the harmonics-to-noise ratio of voiced frames, in dB.

    ``10 log10(r / (1 - r))``, with r the highest value near the period of the frame's
    autocorrelation, divided by that of the window (Boersma 1993, Proceedings of the Institute of
    Phonetic Sciences Amsterdam 17:97-110). A clear voice has 15 to 25 dB, a hoarse or breathy one
    under 10; background noise lowers it just as breath does.

    Parameters
    ----------
    power : (n, BINS) array
        `spectra` of the frames.
    f0_hz : (n,) array
        F0 of each, 50 Hz or more.

    Returns
    -------
    (n,) array
        Within ± `HNR_LIMIT_DB`; NaN in digital silence.
    """
    from scipy.fft import irfft

    f0 = np.asarray(f0_hz, dtype=np.float64)
    own = _window()[1]
    near = _FINER * RATE / f0
    reach = min(len(own), _reach(near))
    correlation = irfft(power, _FINER * _SIZE)[:, :reach]
    whole = correlation[:, :1]
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.where(whole > _LEAST, correlation / whole / own[:reach], np.nan)
    height = _peak(r, near)[1]
    limit = 10 ** (HNR_LIMIT_DB / 10)
    r_max = np.clip(height, 1 / (1 + limit), limit / (1 + limit))
    return np.asarray(10 * np.log10(r_max / (1 - r_max)))


def cepstral_peak_db(power: F32 | F64, f0_hz: npt.ArrayLike) -> F64:
    """Return the cepstral peak prominence of voiced frames, in dB.

    The height of the power cepstrum's peak near the period above the straight line through the
    cepstrum from 1 to 50 ms (Hillenbrand, Cleveland & Erickson 1994, Journal of Speech and
    Hearing Research 37:769-778). Regular, modal voices stand out more than breathy ones; it does
    not depend on a period being marked right.

    Parameters
    ----------
    power : (n, BINS) array
        `spectra` of the frames.
    f0_hz : (n,) array
        F0 of each, 50 Hz or more.

    Returns
    -------
    (n,) array
        NaN in digital silence.
    """
    from scipy.fft import irfft

    f0 = np.asarray(f0_hz, dtype=np.float64)
    bins = round(CEPSTRUM_HZ * _SIZE / RATE)
    decibel = 10 * np.log10(np.maximum(power[:, : bins + 1], _LEAST))
    # Per quefrency of 1 / (2 CEPSTRUM_HZ); the square is the power cepstrum.
    cepstrum = irfft(decibel, 2 * bins)
    first, last = (round(q * 2 * CEPSTRUM_HZ) for q in QUEFRENCY_S)
    height = 10 * np.log10(np.maximum(np.square(cepstrum[:, : last + 1]), _LEAST))
    near = 2 * CEPSTRUM_HZ / f0
    at, peak = _peak(height[:, : _reach(near)], near)
    mean, slope, centre = _trend(height, first)
    silent = ~np.any(power, axis=1)
    return np.where(silent, np.nan, peak - (mean + slope * (at - centre)))


@cache
def _window() -> tuple[F32, F64]:
    """Return the window (WINDOW,) and its autocorrelation up to the longest lag looked at."""
    window = np.hanning(WINDOW + 1)[:-1]
    own = np.fft.irfft(np.abs(np.fft.rfft(window, _SIZE)) ** 2, _FINER * _SIZE)
    return window.astype(np.float32), own[: _FINER * WINDOW // 2] / own[0]


def _reach(near: F64) -> int:
    """Return how many points of a row `_peak` needs."""
    return int((1.0 + SEARCH) * near.max(initial=0.0)) + 3


def _peak(rows: F64, near: F64) -> tuple[F64, F64]:
    """Return place and height of the highest point of each row within `SEARCH` of `near`.

    A parabola through it and its neighbours gives both between the points.
    """
    places = np.arange(rows.shape[1])
    inside = np.abs(places / near[:, None] - 1) <= SEARCH
    best = np.where(inside, rows, -np.inf).argmax(axis=1)
    best = np.clip(best, 1, rows.shape[1] - 2)
    each = np.arange(len(best))
    before, top, after = (rows[each, best + i] for i in (-1, 0, 1))
    bend = before - 2 * top + after
    shift = np.divide(before - after, 2 * bend, out=np.zeros(len(best)), where=bend < 0)
    shift = np.clip(shift, -0.5, 0.5)  # at the edge of the search the top may be no peak
    return best + shift, top - 0.25 * (before - after) * shift


def _trend(rows: F64, first: int) -> tuple[F64, F64, float]:
    """Return mean, slope and centre of the straight line through each row from `first` on."""
    places = np.arange(first, rows.shape[1], dtype=np.float64)
    centre = float(places.mean())
    mean = rows[:, first:].mean(axis=1)
    away = places - centre
    return mean, rows[:, first:] @ away / float(away @ away), centre
