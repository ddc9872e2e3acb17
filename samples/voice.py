"""A small seeded speech synthesiser whose pitch, level and tempo are scripted.

It makes nonsense syllables for tests and demonstrations: the F0, loudness and syllable rate are
known, so that an analyser can be scored against them.  No recording is used.

The design is the source-filter one of Klatt (1980, "Software for a cascade/parallel formant
synthesizer", J. Acoust. Soc. Am. 67:971-995): voicing and aspiration pass through a cascade of
formant resonators, frication through a parallel branch.  The glottal pulse is Rosenberg's (1971,
J. Acoust. Soc. Am. 49:583-590, polynomial), vowel formants are the men's averages of Peterson &
Barney (1952, J. Acoust. Soc. Am. 24:175-184), and consonant formants lean towards the vowel as
locus equations have it (Lindblom 1963).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, lfilter, resample_poly

__all__ = ["Spoken", "Turn", "backchannel", "speak"]
Float = NDArray[np.float64]
Complex = NDArray[np.complex128]
_Response = Callable[[Float, Float], Float | Complex]  # of rows of a track, at frequencies (Hz)

RATE = 16000  # internal sampling rate, Hz
HOP, STEP = 80, 0.005  # between filter updates, samples and s
FFT = 1024  # samples; leaves 54 ms for the impulse response of a 10 ms frame
SCRIPT_HZ, MOUTH_HZ = 10.0, 100.0  # sampling rates of scripted arrays and of the mouth track
REFERENCE_DBFS = -23.0  # RMS of loudness 0 dB


@dataclass(frozen=True, slots=True)
class Turn:
    """One stretch of speech, from `start` to `end` (s).

    `f0_hz` (Hz), `loudness_db` (RMS level over about a second, dB re -23 dBFS) and
    `syllable_rate` (1/s) are numbers, or arrays sampled at 10 Hz from `start` whose last value
    holds to `end`.  `voice` is "low" or "high" (vocal-tract length, breathiness); `kind` is
    "speech", or "hum" for a nasal "mm-hm".
    """

    start: float
    end: float
    f0_hz: float | Float
    loudness_db: float | Float
    syllable_rate: float | Float
    voice: str = "low"
    kind: str = "speech"


@dataclass(frozen=True, slots=True)
class Spoken:
    """Mono `samples` (full scale 1), `mouth` opening in [0, 1] at 100 Hz, nucleus times (s)."""

    samples: NDArray[np.float32]
    mouth: Float
    syllables: list[float]


# Formant scale re a man's vocal tract, aspiration re voicing, open quotient, source low-pass (Hz).
VOICES = {"low": (1.0, 0.02, 0.6, 2600.0), "high": (1.17, 0.05, 0.7, 2200.0)}

# Columns of a control track, which has one row per 5 ms.  Amplitudes are re a vowel's voicing.
F1, F2, F3, VOICING, BREATH, NOISE, CENTRE, WIDTH, NASAL, MOUTH, PITCH = range(11)
NEUTRAL = np.array([500.0, 1500.0, 2500.0])  # F1 to F3 of a straight tube, Hz
# F1, F2, F3 (Hz) and mouth opening: i I E ae A O U u V and r-coloured.
_VOWELS = """
    270 2290 3010 .35  390 1990 2550 .45  530 1840 2480 .65  660 1720 2410 .85  730 1090 2440 1.0
    570  840 2410 .70  440 1020 2240 .45  300  870 2240 .30  640 1190 2390 .80  490 1350 1690 .50
""".split()
VOWELS = np.array(_VOWELS, dtype=np.float64).reshape(-1, 4)
# Steady parts, two a line: consonant, the part's share of its duration, then the track's columns:
# formants (Hz), voicing, breath, noise, noise centre and half width (Hz), nasality, mouth.
_PARTS = """
    m   1 420 1000 2200 .30   0   0 3000 1000 1   0  n   1 420 1600 2600 .30   0   0 3000 1000 1  .1
    b  .8 230  850 2200 .10   0   0 1000  600 0   0  b  .2 230  850 2200 .30   0 .20 1000  600 0  .1
    d  .8 230 1750 2650 .10   0   0 4200 1250 0  .1  d  .2 230 1750 2650 .30   0 .25 4200 1250 0  .1
    g .75 230 1950 2350 .10   0   0 2000  500 0  .1  g .25 230 1950 2350 .30   0 .30 2000  500 0  .1
    p .55 230  850 2200   0   0   0 1000  750 0   0  p .15 230  850 2200   0 .10 .30 1000  750 0  .1
    p  .3 230  850 2200   0 .12   0 1000  750 0  .2  t  .5 230 1750 2650   0   0   0 4500 1250 0  .1
    t  .2 230 1750 2650   0 .10 .50 4500 1250 0  .1  t  .3 230 1750 2650   0 .12   0 4500 1250 0  .2
    k  .5 230 1950 2350   0   0   0 2000  500 0  .1  k  .2 230 1950 2350   0 .10 .50 2000  500 0  .1
    k  .3 230 1950 2350   0 .12   0 2000  500 0  .2  s   1 320 1600 2600   0   0 .40 6000 1250 0  .1
    S   1 320 1800 2500   0   0 .45 3300  800 0  .1  f   1 320 1000 2200   0   0 .10 5500 3000 0 .05
    z   1 260 1600 2600 .15   0 .20 6000 1250 0  .1  v   1 260 1000 2200 .20   0 .06 5500 3000 0 .05
    l   1 360 1300 2700 .35   0   0 3000 1000 0  .2  w   1 300  700 2200 .35   0   0 3000 1000 0  .1
    j   1 280 2200 2950 .35   0   0 3000 1000 0 .15  r   1 340 1150 1600 .35   0   0 3000 1000 0 .15
    h   1 500 1500 2500 .10 .12   0 3000 1000 0  .3
""".split()
CONSONANTS: dict[str, list[list[float]]] = {}
for _at in range(0, len(_PARTS), 12):
    CONSONANTS.setdefault(_PARTS[_at], []).append([float(x) for x in _PARTS[_at + 1 : _at + 12]])
# Repeats stand for how common a sound is in running speech, roughly.
ONSETS = "mmmmnnnnnnbbbddddddggggpppptttttttkkkkkksssssSSfffzzzvvvlllllwwwwjjrrrrrhhhh"
CODAS = "nmlstkzr"


def _script(value: float | Float, times: Float) -> Float:
    """Sample a scripted value at `times` (s from the turn's start)."""
    points = np.atleast_1d(np.asarray(value, dtype=np.float64))
    return np.interp(times, np.arange(points.size) / SCRIPT_HZ, points)


def _smooth(tracks: Float, frames: int) -> Float:
    """Hann-smooth each column over about `frames` rows (odd), edges held."""
    kernel = np.hanning(frames + 2)[1:-1, None]
    padded = np.pad(tracks, ((frames // 2, frames // 2), (0, 0)), mode="edge")
    return np.asarray(fftconvolve(padded, kernel / kernel.sum(), mode="valid", axes=0))


def _syllable_edges(turn: Turn, rng: np.random.Generator) -> tuple[Float, NDArray[np.bool_]]:
    """Syllable limits (s from the start) and which syllables end a phrase."""
    times = np.arange(0.0, turn.end - turn.start + 0.005, 0.01)
    done = np.append(0.0, np.cumsum(_script(turn.syllable_rate, times)[:-1] * 0.01))
    count = max(1, round(float(done[-1])))
    weights, final = rng.uniform(0.87, 1.13, count), np.zeros(count, dtype=np.bool_)
    first = last = 0
    while first < count:
        last += int(rng.integers(7, 13))
        last = count if count - last < 4 else last
        final[last - 1] = True
        weights[last - 1] *= 1.3  # phrase-final lengthening
        # Only shares within the phrase: the script says how long the phrase is.
        weights[first:last] *= (last - first) / weights[first:last].sum()
        first = last
    edges = np.append(0.0, np.cumsum(weights)) / count * done[-1]
    return np.interp(edges, done, times), final


def _put_consonant(rows: Float, name: str, vowel: Float) -> None:
    done = 0.0
    for share, *part in CONSONANTS[name]:
        rows[round(done * len(rows)) :, :PITCH] = part
        done += share
    rows[:, :VOICING] += np.array([0.1, 0.4, 0.3]) * (vowel[:3] - rows[:, :VOICING])


def _speech_track(turn: Turn, frames: int, rng: np.random.Generator) -> tuple[Float, list[float]]:
    """Control track of nonsense syllables, and nucleus times from the start (s)."""
    track = np.zeros((frames, 11))
    track[:, :VOICING], track[:, [CENTRE, WIDTH]] = NEUTRAL, (3000.0, 1000.0)
    edges, final = _syllable_edges(turn, rng)
    nuclei = []
    for (start, end), last in zip(pairwise(edges), final, strict=True):
        length = end - start
        onset_s = min(rng.uniform(0.06, 0.1), 0.42 * length)
        coda_s = rng.uniform(0.04, 0.06) if length > 0.2 and rng.random() < 0.3 else 0.0
        stop = end - (min(0.09, 0.3 * length) if last else 0.0)
        marks = np.array([start, start + onset_s, stop - coda_s, stop, end])
        a, b, c, d, e = np.minimum(np.rint(marks / STEP).astype(int), frames)
        # No two tokens of a vowel are alike, it glides, and short ones fall short of the target.
        vowel = VOWELS[rng.integers(len(VOWELS))].copy()
        reduction = 0.35 * np.exp(-(length - onset_s) / 0.12)
        vowel[:3] += 0.04 * vowel[:3] * rng.standard_normal(3) + reduction * (NEUTRAL - vowel[:3])
        glide = 1.0 + 0.05 * rng.standard_normal(3) * np.linspace(-1.0, 1.0, c - b)[:, None]
        level = 10 ** (rng.uniform(-1.5, 1.5) / 20) * (0.8 if last else 1.0)
        _put_consonant(track[a:b], ONSETS[rng.integers(len(ONSETS))], vowel)
        _put_consonant(track[c:d], CODAS[rng.integers(len(CODAS))], vowel)
        # One arch per vowel: a nucleus has one intensity peak.
        arch = np.sin(np.pi * (np.arange(c - b) + 0.5) / max(c - b, 1))
        track[b:c, :VOICING] = vowel[:3] * glide
        track[b:c, VOICING] = level * (0.72 + 0.28 * arch)
        track[b:c, MOUTH] = vowel[3] * level**0.5
        # Phrase-final lowering and accents are small: the scripted F0 rules.
        track[a:e, PITCH] = -0.025 if last else rng.uniform(-0.012, 0.012)
        nuclei.append(float(b + c) / 2 * STEP)
    return track, nuclei


def _hum_track(frames: int) -> tuple[Float, list[float]]:
    """Control track of "mm-hm": two nasal syllables around a breath, where the mouth is ajar."""
    # With the mouth shut throughout, a voice activity detector mostly misses it.
    x = (np.arange(frames) + 0.5) / frames
    track = np.tile([*CONSONANTS["m"][0][1:], 0.0], (frames, 1))
    ajar = np.interp(x, [0.0, 0.3, 0.45, 0.6, 0.85], [0.0, 0.0, 1.0, 1.0, 0.0])[:, None]
    track[:, :VOICING] += ajar * (np.array([550.0, 1300.0, 2400.0]) - track[:, :VOICING])
    track[:, [NASAL, MOUTH]] += ajar * np.array([-0.6, 0.15])
    first, second, part = x < 0.4, x > 0.52, np.where(x < 0.4, x / 0.4, (x - 0.52) / 0.48)
    track[:, BREATH] = 0.15 * ~(first | second)
    track[:, VOICING] = (0.8 * first + second) * (0.6 + 0.4 * np.sin(np.pi * part))
    return track, [0.2 * frames * STEP, 0.76 * frames * STEP]


def _glottis(f0: Float, voice: str, rng: np.random.Generator) -> tuple[Float, Float]:
    """Differentiated Rosenberg pulses of unit RMS for an F0 per sample; opening of the glottis."""
    *_, quotient, tilt_hz = VOICES[voice]
    # Drawn at four times the rate and decimated, for the sharp closure would alias.
    phase = np.cumsum(np.repeat(f0, 4)) / (4 * RATE)
    cycles = int(phase[-1]) + 3  # jitter moves closures, shimmer scales pulses
    phase += 0.1 + np.interp(phase, np.arange(cycles), 0.006 * rng.standard_normal(cycles))
    shimmer = np.maximum(1.0 + 0.05 * rng.standard_normal(cycles), 0.5)
    cycle = np.clip(np.floor(phase), 0, cycles - 1).astype(int)
    rise, fall = quotient * 0.7, quotient * 0.3
    x, y = (phase - cycle) / rise, (phase - cycle - rise) / fall
    flow = np.where(x < 1.0, 6 * x * (1 - x) / rise, np.where(y < 1.0, -2 * y / fall, 0.0))
    pulses = np.asarray(resample_poly(flow * shimmer[cycle], 1, 4))
    corner = np.exp(-2 * np.pi * tilt_hz / RATE)
    pulses = np.asarray(lfilter([1 - corner], [1, -corner], pulses))
    return pulses / np.sqrt(np.mean(pulses**2)), np.where(y < 1.0, 1.0, 0.35)[::4]


def _resonance(freqs: Float, centre: Float, width: float) -> Complex:
    """Response of Klatt's (1980) digital resonator of unit DC gain, a row per centre (Hz)."""
    z = np.exp(-2j * np.pi * freqs / RATE)
    c = -np.exp(-2 * np.pi * width / RATE)
    b = 2 * np.exp(-np.pi * width / RATE) * np.cos(2 * np.pi * centre[:, None] / RATE)
    return np.asarray((1 - b - c) / (1 - b * z - c * z**2))


def _tract(rows: Float, freqs: Float, scale: float) -> Complex:
    """Cascade of formants; those above F3 stand still, as many as the band holds."""
    upper = np.arange(3500.0, 7900.0 / scale, 1000.0) * scale
    response = np.prod(_resonance(freqs, upper, 280.0), axis=0)
    for column, width in enumerate((70.0, 95.0, 150.0)):
        response = response * _resonance(freqs, rows[:, column], width)
    # Klatt's nasal pair: the zero leaves the pole as the velum opens.
    zero = _resonance(freqs, 270.0 + 200.0 * rows[:, NASAL], 100.0)
    return np.asarray(response * _resonance(freqs, np.array([270.0]), 100.0) / zero)


def _filter(signal: Float, track: Float, response: _Response) -> Float:
    """Filter by a response that changes every 5 ms."""
    # Hann frames that sum to one, each filtered on its own: the output crossfades between
    # stationary filters and never clicks.
    window, freqs = np.hanning(2 * HOP + 1)[:-1], np.linspace(0.0, RATE / 2, FFT // 2 + 1)
    out = np.zeros((len(track) + 1) * HOP + FFT)
    for first in range(0, len(track), 500):  # bounds the memory
        rows = track[first : first + 500]
        starts = np.arange(first, first + len(rows)) * HOP
        frames = np.fft.rfft(signal[starts[:, None] + np.arange(2 * HOP)] * window, FFT)
        for start, piece in zip(starts, np.fft.irfft(frames * response(rows, freqs)), strict=True):
            out[start : start + FFT] += piece
    return out[HOP : (len(track) + 1) * HOP]


def _utter(turn: Turn, rng: np.random.Generator) -> tuple[Float, Float, list[float]]:
    """Make one turn: samples at 16 kHz, mouth opening at 100 Hz and nuclei."""
    scale, breathy, *_ = VOICES[turn.voice]
    frames = max(4, round((turn.end - turn.start) / STEP))
    hum = turn.kind == "hum"
    track, nuclei = _hum_track(frames) if hum else _speech_track(turn, frames, rng)
    # Articulators are slower than the larynx, bursts the fastest of all.
    speeds = ((13, [F1, F2, F3, PITCH, MOUTH]), (5, [VOICING, NASAL]), (3, [BREATH, NOISE]))
    for width, columns in speeds:
        track[:, columns] = _smooth(track[:, columns], width)
    rows = np.linspace(0.0, frames - 1.0, frames)
    edge = np.clip(np.minimum(rows, rows[::-1]) / 4.0, 0.0, 1.0)  # no clicks
    track[:, [VOICING, BREATH, NOISE, MOUTH]] *= edge[:, None]
    at = np.arange((frames + 1) * HOP) / HOP - 1.0  # of each sample, in rows
    wander = _smooth(rng.standard_normal((frames, 4)), 25)  # slow drift of larynx and tract
    f0 = _script(turn.f0_hz, rows * STEP) * (1.0 + track[:, PITCH] + 0.02 * wander[:, 3])
    track[:, :VOICING] *= scale * (1.0 + 0.01 * wander[:, :3])
    # Speakers open the jaw rather than let F1 fall under the fundamental.
    track[:, F1] = np.maximum(track[:, F1], 1.05 * f0 * np.minimum(1.5 * track[:, VOICING], 1.0))
    pulses, opening = _glottis(np.interp(at, rows, f0), turn.voice, rng)
    breath = np.interp(at, rows, track[:, BREATH] + breathy * track[:, VOICING])
    source = pulses * np.interp(at, rows, track[:, VOICING])
    source += breath * opening * rng.standard_normal(at.size)
    wave = _filter(source, track, lambda r, f: _tract(r, f, scale))
    hiss = np.interp(at, rows, track[:, NOISE]) * rng.standard_normal(at.size)
    # Klatt's parallel branch, reduced to one broad band of frication.
    hiss = _filter(hiss, track, lambda r, f: 1 / (1 + ((f - r[:, [CENTRE]]) / r[:, [WIDTH]]) ** 2))
    wave += np.sqrt(np.mean(wave**2)) * hiss
    # The script is a level over about a second: even out at that scale, leave syllables alone.
    kernel = np.hanning(RATE + 1)
    power = fftconvolve(wave**2, kernel, "same") / fftconvolve(np.ones(wave.size), kernel, "same")
    level = _script(turn.loudness_db, np.arange(wave.size) / RATE) + REFERENCE_DBFS
    wave *= 10 ** (level / 20) / np.sqrt(np.maximum(power, 1e-3 * power.max() + 1e-20))
    return wave, np.clip(track[::2, MOUTH], 0.0, 1.0), nuclei


def speak(turns: Sequence[Turn], duration_s: float, *, rate: int = RATE, seed: int) -> Spoken:
    """Speak the turns of one person for `duration_s` (s); elsewhere there is exact silence.

    Overlapping turns add, and what lies past the end is cut.  The same turns and `seed` give the
    same samples.  Synthesis runs at 16 kHz and is resampled to `rate` (Hz).
    """
    wave, mouth = np.zeros(round(duration_s * RATE)), np.zeros(round(duration_s * MOUTH_HZ))
    syllables = []
    for k, turn in enumerate(turns):
        if not 0.0 <= turn.start < turn.end:
            raise ValueError(f"turn {k} runs from {turn.start} to {turn.end} s")
        # A stream per turn: editing one turn leaves the others as they were.
        said, opening, nuclei = _utter(turn, np.random.default_rng([seed, k]))
        for target, part, hz in ((wave, said, RATE), (mouth, opening, MOUTH_HZ)):
            room = target[round(turn.start * hz) :][: part.size]
            room += part[: room.size]
        syllables += [turn.start + t for t in nuclei if turn.start + t < duration_s]
    wave = np.asarray(resample_poly(wave, rate, RATE))
    return Spoken(wave.astype(np.float32), np.clip(mouth, 0.0, 1.0), sorted(syllables))


def backchannel(start: float, voice: str, f0_hz: float, loudness_db: float = -4.0) -> Turn:
    """Return a 0.55 s "mm-hm" at `start` (s) that rises a little in pitch."""
    contour = f0_hz * np.array([0.97, 0.95, 0.94, 1.0, 1.08, 1.12])
    return Turn(start, start + 0.55, contour, loudness_db, 2 / 0.55, voice, "hum")
