"""From the script's latents to what a person shows: face, head, gaze and voice."""

from __future__ import annotations

import numpy as np

import voice
from script import PARTNER, RATE, Array, Person, Phrase, Script

BLINK_S = 0.27
NOD_S = 1.0
# Base F0 (Hz), base level (dB) and kind of voice.
VOICE = {"A": (205.0, -6.0, "high"), "B": (116.0, -6.0, "low")}
PACE = 4.4  # syllables per second at arousal 0
_HOME_YAW = 0.07  # rad, turned a little towards each other


def pitch_hz(person: str, arousal: Array) -> Array:
    """F0 without intonation: 1.5 semitones per SD of arousal."""
    return np.asarray(VOICE[person][0] * 2.0 ** (1.5 * arousal / 12.0))


def level_db(person: str, arousal: Array) -> Array:
    """Level re the synthesiser's reference: 2.5 dB per SD of arousal."""
    return np.asarray(VOICE[person][1] + 2.5 * arousal)


def pace(arousal: Array) -> Array:
    """Syllables per second: 8 % per SD of arousal."""
    return np.asarray(np.clip(PACE * (1 + 0.08 * arousal), 2.4, 7.5))


def intonation(phrase: Phrase, times: Array) -> Array:
    """Semitones that a phrase adds: it starts high and falls."""
    share = (times - phrase.start) / (phrase.end - phrase.start)
    return np.asarray(0.7 - 1.4 * np.clip(share, 0, 1))


def voice_turns(script: Script, person: str) -> list[voice.Turn]:
    """Return a person's phrases for the synthesiser."""
    _, level, kind = VOICE[person]
    clock = np.arange(script.people[person].arousal.size) / RATE
    turns = []
    for phrase in script.spoken_by(person):
        if phrase.kind == "backchannel":
            arousal = float(np.interp(phrase.start, clock, script.people[person].arousal))
            f0 = 0.94 * float(pitch_hz(person, np.array(arousal)))
            turns.append(voice.backchannel(phrase.start, kind, f0, level - 3.0 + 2.5 * arousal))
            continue
        times = phrase.start + np.arange(int((phrase.end - phrase.start) * RATE) + 1) / RATE
        arousal_now = np.interp(times, clock, script.people[person].arousal)
        f0_hz = pitch_hz(person, arousal_now) * 2.0 ** (intonation(phrase, times) / 12.0)
        turns.append(
            voice.Turn(
                phrase.start,
                phrase.end,
                f0_hz,
                level_db(person, arousal_now),
                pace(arousal_now),
                kind,
            )
        )
    return turns


def act(script: Script, name: str, times: Array, mouth: Array) -> dict[str, Array]:
    """Return what a person shows at given times.

    Parameters
    ----------
    script : Script
        The play.
    name : {"A", "B"}
        The person.
    times : (n,) float64
        Times, s.
    mouth : (m,) float64
        Mouth opening in [0, 1] at 100 Hz.

    Returns
    -------
    dict of (n,) float64
        The puppet's coefficients, by name.
    """
    person = script.people[name]
    clock = np.arange(person.arousal.size) / RATE
    arousal = np.interp(times, clock, person.arousal)
    valence = np.interp(times, clock, person.valence)
    rng = np.random.default_rng([script.seed, ord(name)])
    # Movement grows with arousal; at 2 SD below the baseline little is left.
    vigour = np.maximum(1 + 0.3 * arousal, 0.25)
    yaw_away, pitch_away = _away(person, times, 0.30)
    eyes_yaw, eyes_pitch = _away(person, times, 0.10)
    home = _HOME_YAW if name == PARTNER else -_HOME_YAW

    drift_yaw = 0.042 * vigour * _wobble(times, rng)
    drift_pitch = 0.026 * vigour * _wobble(times, rng)
    head_yaw = home + drift_yaw + 0.36 * yaw_away
    head_pitch = drift_pitch + 0.3 * pitch_away + _nods(person, times)
    sad = np.maximum(-valence - 0.3, 0.0)
    return {
        "smile": np.clip(0.22 + 0.11 * valence, 0, 0.8),
        "frown": np.clip(0.16 * (-valence - 0.8), 0, 0.75),
        "brow_lower": np.clip(0.09 * sad, 0, 0.8),
        "brow_inner": np.clip(0.18 * sad, 0, 0.9),
        "eye_open": np.clip(0.18 * arousal, -0.5, 0.8),
        "blink": _pulses(person.blinks, times),
        "mouth": np.clip(np.interp(times, np.arange(mouth.size) / 100.0, mouth), 0, 1),
        "head_pitch_rad": head_pitch,
        "head_yaw_rad": head_yaw,
        "head_roll_rad": 0.028 * vigour * _wobble(times, rng),
        # The eyes hold their target while the head drifts under them.
        "gaze_yaw_rad": eyes_yaw - 0.36 * yaw_away - 0.8 * drift_yaw,
        "gaze_pitch_rad": eyes_pitch
        - 0.3 * pitch_away
        - 0.8 * (drift_pitch + _nods(person, times)),
        "sway_x": 5.0 * vigour * _wobble(times, rng, slow=0.5),
        "sway_y": 1.6 * vigour * _wobble(times, rng, slow=0.6),
    }


def _wobble(times: Array, rng: np.random.Generator, slow: float = 1.0) -> Array:
    """Return a smooth aimless movement of unit SD: sines that share no period."""
    hertz = slow * np.array([0.23, 0.41, 0.67, 0.93]) * rng.uniform(0.9, 1.1, 4)
    phase = rng.uniform(0, 2 * np.pi, 4)
    size = np.array([0.8, 0.9, 0.6, 0.35])
    waves = size * np.sin(2 * np.pi * hertz * times[:, None] + phase)
    return np.asarray(waves.sum(1) / np.sqrt((size**2).sum() / 2))


def _ease(x: Array) -> Array:
    """Go from 0 to 1 without a jerk."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _away(person: Person, times: Array, ramp_s: float) -> tuple[Array, Array]:
    """Return the yaw and pitch (rad) of looks away, gone to within `ramp_s`."""
    yaw, pitch = np.zeros_like(times), np.zeros_like(times)
    for glance in person.glances:
        share = _ease((times - glance.start) / ramp_s) - _ease((times - glance.end) / ramp_s)
        yaw += glance.yaw_rad * share
        pitch += glance.pitch_rad * share
    return yaw, pitch


def _nods(person: Person, times: Array) -> Array:
    """Return the pitch (rad) of nods: two dips of the chin."""
    pitch = np.zeros_like(times)
    for onset in person.nods:
        share = np.clip((times - onset) / NOD_S, 0, 1)
        pitch -= 0.085 * np.sin(np.pi * share) * (1 - np.cos(4 * np.pi * share))
    return pitch


def _pulses(onsets: tuple[float, ...], times: Array) -> Array:
    """Return eye closure: shut within 80 ms, held for 70 ms, open again at 270 ms."""
    shut = np.zeros_like(times)
    for onset in onsets:
        since = times - onset
        shut = np.maximum(shut, np.minimum(_ease(since / 0.08), _ease((BLINK_S - since) / 0.12)))
    return shut
