"""Synthetic sounds that are no speech: music, breath, coughs, typing, laughter.

They stand in for recordings that the project has not got. Each has the spectrum and the timing
that the literature gives for its kind, and nothing of a particular recording; all have power 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.signal

from cuesense.types import F64

_CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))  # I, vi, IV, V in semitones
_VOWEL_HZ = ((750.0, 90.0), (1250.0, 110.0), (2600.0, 160.0), (3500.0, 250.0))
"""Formants and bandwidths of an open central vowel, as laughs mostly have
(Bachorowski, Smoski & Owren 2001, doi:10.1121/1.1391244)."""


def music(n: int, rate: int, seed: int) -> F64:
    """Chords of decaying harmonics, a bass, a melody with vibrato and drums, at 100 beats/min."""
    rng = np.random.default_rng(seed)
    beat = 0.6
    total = np.zeros(n + rate)
    key = 220.0 * 2 ** (rng.integers(-5, 7) / 12)
    for k in range(int(n / rate / beat) + 1):
        start, chord = int(k * beat * rate), _CHORDS[k // 4 % 4]
        tones = [(key * 2 ** (s / 12), 0.25) for s in chord] + [
            (key * 2 ** (chord[0] / 12 - 2), 0.4)
        ]
        tones.append((2 * key * 2 ** (chord[int(rng.integers(3))] / 12), 0.35))
        for hz, loud in tones:
            _add(total, start, loud * _tone(hz, 1.5 * beat, rate))
        drum = rng.standard_normal(rate // 8) * np.exp(-np.arange(rate // 8) / rate / 0.03)
        _add(total, start, (0.5 if k % 2 else 0.2) * drum)
        _add(total, start, (0.0 if k % 2 else 1.0) * _kick(rate))
    return _normal(total[:n])


def _tone(hz: float, seconds: float, rate: int) -> F64:
    t = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * hz * t + 0.05 * hz / 5 * np.sin(2 * np.pi * 5 * t) / 5
    each = [
        np.sin(k * phase) * np.exp(-t * (1.5 + k)) / k for k in range(1, 9) if k * hz < rate / 2
    ]
    return np.asarray(np.sum(each, axis=0) * np.minimum(1, t / 0.01))


def _kick(rate: int) -> F64:
    t = np.arange(rate // 5) / rate
    return np.asarray(
        np.sin(2 * np.pi * (50 * t - 8 * np.exp(-t / 0.03) * 0.3)) * np.exp(-t / 0.08)
    )


def breath(n: int, rate: int, seed: int) -> F64:
    """Breathing in and out: noise shaped by an open tract, .5 to 1.2 s, with rests between."""
    rng = np.random.default_rng(seed)

    def one() -> F64:
        m = int(rng.uniform(0.5, 1.2) * rate)
        tract = [(rng.uniform(0.85, 1.4) * hz, 3 * width) for hz, width in _VOWEL_HZ]
        swell = np.sin(np.pi * np.linspace(0, 1, m) ** rng.uniform(0.6, 1.4)) ** 2
        return np.asarray(_formants(rng.standard_normal(m), tract, rate) * swell)

    return _sequence(one, lambda: rng.uniform(0.3, 0.9), n, rate)


def cough(n: int, rate: int, seed: int) -> F64:
    """Coughs: a burst, a noisy phase and a short voiced one, .3 to .5 s, one to three in a row.

    The three phases of Korpas, Sadlonova & Vrabec (1996, doi:10.1006/pulp.1996.0034).
    """
    rng = np.random.default_rng(seed)

    def one() -> F64:
        parts = []
        for _ in range(int(rng.integers(1, 4))):
            m = int(rng.uniform(0.3, 0.5) * rate)
            t = np.arange(m) / rate
            noise = rng.standard_normal(m) * (np.exp(-t / 0.02) + 0.25 * np.exp(-t / 0.12))
            voiced = _pulses(np.linspace(1, 0.7, m) * rng.uniform(140, 260), rate, rng)
            late = 4 * np.clip(t - 0.15, 0, None) * np.exp(-np.clip(t - 0.15, 0, None) / 0.05)
            tract = [(hz, 1.5 * width) for hz, width in _VOWEL_HZ]
            parts.append(_formants(noise + 2 * voiced * late, tract, rate) + 0.3 * noise)
        return np.concatenate(parts)

    return _sequence(one, lambda: rng.uniform(0.6, 1.5), n, rate)


def typing(n: int, rate: int, seed: int) -> F64:
    """Keystrokes: a click going down and a softer one coming up, four to eight keys a second."""
    rng = np.random.default_rng(seed)

    def click(loud: float) -> F64:
        t = np.arange(int(0.03 * rate)) / rate
        ring = np.sin(2 * np.pi * rng.uniform(1500, 4000) * t + rng.uniform(0, 6))
        thud = np.sin(2 * np.pi * rng.uniform(150, 350) * t)
        hiss = rng.standard_normal(len(t))
        return np.asarray(
            loud * ((hiss + ring) * np.exp(-t / 0.004) + 0.6 * thud * np.exp(-t / 0.01))
        )

    def one() -> F64:
        hold = np.zeros(int(rng.uniform(0.03, 0.08) * rate))
        return np.concatenate([click(rng.uniform(0.6, 1.2)), hold, click(rng.uniform(0.2, 0.5))])

    def rest() -> float:
        return float(rng.uniform(0.02, 0.12) if rng.random() < 0.9 else rng.uniform(0.4, 0.8))

    return _sequence(one, rest, n, rate)


def laughter(n: int, rate: int, seed: int) -> F64:
    """Bouts of laughter: four to eight calls, each breath then vowel, about five a second.

    Call length, rate and falling F0 after Bachorowski, Smoski & Owren (2001).
    """
    rng = np.random.default_rng(seed)

    def one() -> F64:
        top, calls = rng.uniform(150, 380), int(rng.integers(4, 9))
        size = rng.uniform(0.95, 1.2)
        tract = [(size * hz, width) for hz, width in _VOWEL_HZ]
        parts = []
        for k in range(calls):
            h, v = int(rng.uniform(0.08, 0.12) * rate), int(rng.uniform(0.06, 0.1) * rate)
            f0 = top * 0.94**k * np.linspace(1.05, 0.9, v)
            swell = np.sin(np.pi * np.linspace(0, 1, v)) ** 0.5
            call = np.concatenate(
                [0.05 * rng.standard_normal(h), _pulses(f0, rate, rng) * swell]
            ) + 0.02 * rng.standard_normal(h + v)
            parts.append(0.9**k * call)
        return _formants(np.concatenate(parts), tract, rate)

    return _sequence(one, lambda: rng.uniform(0.5, 1.0), n, rate)


SOUNDS: dict[str, Callable[[int, int, int], F64]] = {
    "music": music,
    "breath": breath,
    "cough": cough,
    "typing": typing,
    "laughter": laughter,
}
"""Each takes a number of samples, the rate in Hz and a seed."""


def _sequence(one: Callable[[], F64], rest_s: Callable[[], float], n: int, rate: int) -> F64:
    parts: list[F64] = []
    while sum(map(len, parts)) < n:
        parts += [one(), np.zeros(int(rest_s() * rate))]
    return _normal(np.concatenate(parts)[:n])


def _pulses(f0: F64, rate: int, rng: np.random.Generator) -> F64:
    """Glottal pulses: one per period with 1 % jitter, falling by 12 dB per octave."""
    jittered = f0 * (1 + 0.01 * rng.standard_normal(len(f0)))
    train = np.diff(np.floor(np.cumsum(jittered) / rate), prepend=0.0)
    source = scipy.signal.lfilter([1.0], [1.0, -0.95], train)
    return np.asarray(source - source.mean())


def _formants(source: F64, formants: list[tuple[float, float]], rate: int) -> F64:
    """Two-pole resonators in series (Klatt 1980, doi:10.1121/1.383940)."""
    for hz, width in formants:
        r = np.exp(-np.pi * width / rate)
        b, c = 2 * r * np.cos(2 * np.pi * hz / rate), -r * r
        source = scipy.signal.lfilter([1 - b - c], [1, -b, -c], source)
    return np.asarray(source)


def _add(total: F64, start: int, sound: F64) -> None:
    stop = min(len(total), start + len(sound))
    total[start:stop] += sound[: stop - start]


def _normal(samples: F64) -> F64:
    return np.asarray(samples / np.sqrt(np.mean(np.square(samples))), dtype=np.float64)
