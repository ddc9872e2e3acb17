"""Two recordings of one conversation: when did the second start? Their sound tells.

Coarse to fine: onset envelopes (100 Hz) are correlated over the whole range; around the best lag,
short stretches of the waveforms are correlated with the phase transform (GCC-PHAT: Knapp & Carter
1976, IEEE Trans. ASSP 24(4), 320-327), which is sharp in spite of echo and unequal loudness. The
median over the stretches is not misled by one of them, nor by recorders whose clocks drift.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import av
import numpy as np
from scipy import fft

from cuesense.types import F32, F64, AudioBlock

__all__ = ["MIN_CONFIDENCE", "SEARCHED_S", "Alignment", "align", "soundtrack"]

RATE = 8000  # Hz; speech below 4 kHz is enough
SEARCHED_S = 600.0  # s of each recording that are compared
MIN_CONFIDENCE = 1.5  # unrelated talk stays below 1.2, two rooms' view of one talk is above 2
ENVELOPE_HZ = 100
OVERLAP_S = 5.0  # s; least common time for a lag to be considered
APART_S = 0.5  # s; lags closer to the best one are the same peak
BANDS_HZ = ((100, 500), (500, 1500), (1500, 3800))
STRETCH_S = 8.0  # s of waveform per fine estimate
STRETCHES = 12
REACH_S = 0.06  # s around the coarse lag that the fine estimates search


@dataclass(frozen=True, slots=True)
class Alignment:
    """When the second recording starts after the first, and how sure that is.

    Attributes
    ----------
    offset_s
        s; positive if the second starts later.
    confidence
        best correlation peak / second best; 1 means that any lag is as good.
    """

    offset_s: float
    confidence: float


def soundtrack(blocks: Iterable[AudioBlock], limit_s: float = SEARCHED_S) -> F32:
    """Mix the blocks to mono at 8 kHz, gaps and missing samples as silence.

    Parameters
    ----------
    blocks
        in order of time; reading stops at `limit_s`.
    limit_s
        s.

    Returns
    -------
    track
        (n,), its first sample at t = 0, at most `limit_s` long.
    """
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    pieces: list[F32] = []
    fed = 0  # samples at the blocks' rate

    def feed(mono: F32, rate: int) -> None:
        frame = av.AudioFrame.from_ndarray(mono[np.newaxis], format="flt", layout="mono")
        frame.sample_rate = rate
        pieces.extend(f.to_ndarray()[0] for f in resampler.resample(frame))

    for block in blocks:
        if block.t >= limit_s:
            break
        gap = round(block.t * block.rate) - fed
        if gap > 0:
            feed(np.zeros(gap, np.float32), block.rate)
        mono = np.nan_to_num(block.samples).mean(axis=1, dtype=np.float32)
        feed(mono, block.rate)
        fed += max(gap, 0) + len(mono)
    if fed:
        pieces.extend(f.to_ndarray()[0] for f in resampler.resample(None))
    return np.concatenate([*pieces, np.zeros(0, np.float32)])[: round(limit_s * RATE)]


def _onsets(x: F32, rate: int) -> F64:
    """Return the (bands, n) onset strength of `x` at 100 Hz, zero mean and unit SD per band."""
    hop = rate // ENVELOPE_HZ
    n = len(x) // hop
    window = np.hanning(2 * hop).astype(np.float32)
    padded = np.concatenate([x[: n * hop], np.zeros(hop, np.float32)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop)[::hop]
    hertz = fft.rfftfreq(2 * hop, 1 / rate)
    levels = np.empty((len(BANDS_HZ), n))
    for start in range(0, n, 6000):  # a minute at a time bounds the memory
        power = np.abs(fft.rfft(frames[start : start + 6000] * window)) ** 2
        for band, (low, high) in enumerate(BANDS_HZ):
            inside = (hertz >= low) & (hertz < high)
            levels[band, start : start + 6000] = power[:, inside].sum(axis=1)
    # The floor, relative to each band's loudest, keeps silence from shouting in decibels.
    floor = 1e-4 * levels.max(axis=1, keepdims=True) + 1e-20
    rise = np.maximum(np.diff(np.log(levels + floor), axis=1, prepend=np.nan), 0)
    rise[:, :1] = 0
    rise -= rise.mean(axis=1, keepdims=True)
    spread = rise.std(axis=1, keepdims=True)
    strength: F64 = np.divide(rise, spread, out=np.zeros_like(rise), where=spread > 0)
    return strength


def _coarse(a: F64, b: F64) -> tuple[float, float]:
    """Return the best lag (frames) of `b` after `a`, both (bands, n), and its confidence."""
    n_a, n_b = a.shape[1], b.shape[1]
    size = fft.next_fast_len(n_a + n_b, real=True)
    product = (fft.rfft(a, size) * np.conj(fft.rfft(b, size))).sum(axis=0)
    lags = np.arange(-(n_b - 1), n_a)
    overlap = np.minimum(n_a - lags, n_b) - np.maximum(-lags, 0)
    # Chance correlation grows with the root of the common length: so this is a z-score.
    score = fft.irfft(product, size)[lags] / np.sqrt(np.maximum(overlap, 1))
    least = min(OVERLAP_S * ENVELOPE_HZ, 0.5 * min(n_a, n_b))
    score[overlap < least] = 0.0
    best = int(np.argmax(score))
    apart = np.abs(np.arange(len(score)) - best) > APART_S * ENVELOPE_HZ
    second = float(score[apart].max(initial=0.0))
    if score[best] <= 0:
        return float(lags[best]), 0.0
    return float(lags[best]), float(score[best]) / second if second > 0 else 1.0


def _phat(a: F32, b: F32, rate: int, reach: int) -> F64:
    """Return the phase-transform correlation of two (n,) stretches at lags -reach..reach."""
    size = fft.next_fast_len(len(a) + len(b), real=True)
    cross = fft.rfft(a, size) * np.conj(fft.rfft(b, size))
    hertz = fft.rfftfreq(size, 1 / rate)
    cross[(hertz < BANDS_HZ[0][0]) | (hertz > BANDS_HZ[-1][1])] = 0  # no voice there
    whitened = cross / np.maximum(np.abs(cross), 1e-12)
    correlation: F64 = fft.irfft(whitened, size)
    return np.concatenate([correlation[-reach:], correlation[: reach + 1]])


def align(a: F32, b: F32, rate: int = RATE) -> Alignment:
    """Find when `b` starts after `a`, so that b(t) is the sound of a(t + offset).

    Parameters
    ----------
    a
        (n,) mono sound of the first recording.
    b
        (m,) mono sound of the second.
    rate
        Hz, of both; at least 8000.

    Returns
    -------
    alignment
        The offset and its confidence; confidence 0 if either is silent or under a second.
    """
    if min(len(a), len(b)) < rate:
        return Alignment(0.0, 0.0)
    frames, confidence = _coarse(_onsets(a, rate), _onsets(b, rate))
    lag = round(frames / ENVELOPE_HZ * rate)
    start, end = max(lag, 0), min(len(a), len(b) + lag)  # what both recorded, in samples of a
    reach = round(REACH_S * rate)
    length = min(round(STRETCH_S * rate), end - start)
    found: list[tuple[float, int]] = []
    for at in np.linspace(start, end - length, STRETCHES).astype(int):
        peak = _phat(a[at : at + length], b[at - lag : at - lag + length], rate, reach)
        best = int(np.argmax(peak))
        found.append((float(peak[best] / (np.abs(peak).mean() + 1e-12)), best - reach))
    # Stretches of silence peak anywhere: the sharper half decides.
    sharp = sorted(found, reverse=True)[: (len(found) + 1) // 2]
    return Alignment((lag + float(np.median([fine for _, fine in sharp]))) / rate, confidence)
