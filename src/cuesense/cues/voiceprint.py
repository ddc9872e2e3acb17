"""What tells one person's voice from another's, per hop: mel-frequency cepstral coefficients.

The coefficients describe the vocal tract's resonances, which differ between people, beside the
vowel, which does not (Davis & Mermelstein 1980, doi:10.1109/TASSP.1980.1163420; Reynolds &
Rose 1995, doi:10.1109/89.365379, for people). The zeroth, the level, is left out: how loud
somebody is heard says where they sit. No mean is removed: two people who share a microphone share
its colour too, so a mean per person would only take away what tells them apart.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from cuesense.cues.prosody import FRAME, RATE
from cuesense.types import F64

BANDS: Final = 24
BAND_EDGES_HZ: Final = (300.0, 7600.0)
"""Above the first harmonics, and below where codecs and resamplers cut."""
COEFFICIENTS: Final = 15
"""How many are kept, from the first on. Like the wide bands and their lower edge, this keeps out
the pitch, which changes with what is felt more than from person to person."""

_LEAST_POWER: Final = 1e-10  # of a band; digital silence reads this


def mel(hz: npt.ArrayLike) -> F64:
    """Return frequencies in mel, ``2595 log10(1 + f / 700)`` (O'Shaughnessy 1987)."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hz, dtype=np.float64) / 700.0))


@cache
def mel_filters() -> F64:
    """Return triangular filters (FRAME // 2 + 1, BANDS), evenly spaced and wide in mel."""
    low, high = mel(BAND_EDGES_HZ)
    edges = np.linspace(low, high, BANDS + 2)
    hz = 700.0 * (10 ** (edges / 2595.0) - 1.0)
    freqs = np.arange(FRAME // 2 + 1)[:, None] * RATE / FRAME
    rise = (freqs - hz[:-2]) / (hz[1:-1] - hz[:-2])
    fall = (hz[2:] - freqs) / (hz[2:] - hz[1:-1])
    return np.asarray(np.clip(np.minimum(rise, fall), 0.0, None))


@cache
def _analysis() -> tuple[F64, F64]:
    """Return the window (FRAME,) and the cosine transform (BANDS, COEFFICIENTS)."""
    order = np.arange(1, COEFFICIENTS + 1)
    centre = np.arange(BANDS)[:, None] + 0.5
    cosines = np.sqrt(2.0 / BANDS) * np.cos(np.pi / BANDS * centre * order)
    return np.hamming(FRAME + 1)[:-1], cosines


def cepstra(frames: npt.ArrayLike) -> F64:
    """Return the cepstral coefficients 1 to `COEFFICIENTS` of frames, (n, COEFFICIENTS).

    ``c[k] = sqrt(2 / BANDS) sum_b cos(pi k (b + 1/2) / BANDS) ln E[b]``, with ``E[b]`` the power
    in mel band ``b``. A change of gain changes nothing.

    Parameters
    ----------
    frames : (n, FRAME) array
        Samples at `RATE`, full scale 1.
    """
    window, cosines = _analysis()
    spectrum = np.fft.rfft(np.asarray(frames, dtype=np.float64) * window, axis=1)
    bands = (spectrum.real**2 + spectrum.imag**2) @ mel_filters()
    return np.asarray(np.log(np.maximum(bands, _LEAST_POWER)) @ cosines)
