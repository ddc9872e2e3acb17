"""Conversations composed of acted clips: who shows and says what when, as two recordings.

A partner talks in bouts of distress or joy; a listener mirrors (the same emotion .8 s later, and
now and then aloud), regulates (neutral, silent, nods after the partner's pauses) or is disengaged
(neutral, silent, turned away). Before that both chat neutrally, for the baseline.

Clips bring their own motion. Stills have none: theirs is a slow wander of head and expression and a
jaw that follows the sound, larger with the emotions of high arousal. So what a still shows of
arousal is assumed here, what a clip shows is the actor's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from actors import RATE, SIDE, Face, Utterances
from cuesense import schema
from cuesense.types import F64, U8

FPS = 25
BASELINE_S = 46.0
BOUT_S = (17.0, 21.0)
GAP_S = (2.0, 4.0)
PAUSE_S = (0.6, 1.3)
LAG_S = 0.8
FADE = 10  # pictures
ALOUD = 3  # every so many phrases of the partner
NOD_HZ, NOD_RAD = 2.0, 0.16
AWAY = (0.42, -0.12)  # rad, yaw and pitch
TURN_S = 0.6
VIGOUR = {"happy": 1.6, "angry": 1.6, "fear": 1.6, "sad": 0.9}
"""How much more than in neutral talk a still moves."""
SILENT, TURNED = 0.7, 0.5
"""How much of that while listening, and while turned away."""
STILL_SWAY_RAD, FILM_SWAY_RAD = 0.03, 0.015
JAW = 0.05
LEVEL_DB, PITCH_SEMITONES = 2.0, 0.8
"""SD from phrase to phrase: what few acted sentences lack beside ordinary talk."""
ROOM = 8e-4  # RMS of the noise of a quiet room

DISTRESS: tuple[tuple[str, ...], ...] = (("angry", "fear"), ("fear", "sad"), ("sad", "angry"))
JOY: tuple[str, ...] = ("happy",)


@dataclass(frozen=True, eq=False)
class Beat:
    """A person from `t` on: what they show and what they say (perhaps nothing)."""

    t: float
    emotion: str
    sound: npt.NDArray[np.float32] | None = None
    away: bool = False


@dataclass(frozen=True, eq=False)
class Play:
    """Who does what.

    Attributes
    ----------
    beats
        of the partner and of the listener, in order.
    nods
        s, starts of the listener's nods.
    bouts
        (start s, end s, mode, what the partner shows).
    end_s
        s.
    """

    beats: tuple[list[Beat], list[Beat]]
    nods: list[float]
    bouts: list[tuple[float, float, str, str]]
    end_s: float

    def mode(self, t: F64) -> npt.NDArray[np.object_]:
        """Return the mode at each time, "" outside the bouts."""
        mode = np.full(len(t), "", dtype=object)
        for start, stop, name, _ in self.bouts:
            mode[(t >= start) & (t < stop)] = name
        return mode


@dataclass(eq=False)
class _Sayings:
    """A speaker's utterances, each emotion's in turn."""

    of: Utterances
    rng: np.random.Generator
    used: dict[str, int] = field(default_factory=dict)

    def next(self, emotion: str) -> npt.NDArray[np.float32]:
        said = self.of[emotion]
        k = self.used[emotion] = self.used.get(emotion, -1) + 1
        sound = said[k % len(said)]
        gain = 10 ** (self.rng.normal(0, LEVEL_DB) / 20)
        faster = 2 ** (self.rng.normal(0, PITCH_SEMITONES) / 12)
        at = np.arange(0, len(sound) - 1, faster)
        return np.asarray(gain * np.interp(at, np.arange(len(sound)), sound), np.float32)


def write_play(
    rng: np.random.Generator,
    faces: tuple[Face, Face],
    voices: tuple[Utterances, Utterances],
) -> Play:
    """Return a play of a partner and a listener: the baseline, then all bouts."""
    sayings = (_Sayings(voices[0], rng), _Sayings(voices[1], rng))
    play = Play(([], []), [], [], 0.0)
    partner, listener = play.beats
    t, turn = 0.0, 0
    while t < BASELINE_S:
        sound = sayings[turn].next("baseline neutral")
        play.beats[turn].append(Beat(t, "baseline neutral", sound))
        play.beats[1 - turn].append(Beat(t, "baseline rest"))
        if rng.random() < 0.2:
            play.nods.append(t + len(sound) / RATE)
        t += len(sound) / RATE + rng.uniform(*PAUSE_S)
        turn = 1 - turn if rng.random() < 0.6 else turn
    for mode, mood in _plan(rng, faces):
        stop = t + rng.uniform(*GAP_S)
        listener.append(Beat(t, "rest"))
        while t < stop:
            sound = sayings[0].next("neutral")
            partner.append(Beat(t, "neutral", sound))
            t += len(sound) / RATE + rng.uniform(*PAUSE_S)
        start, phrases = t, 0
        stop = t + rng.uniform(*BOUT_S)
        if mode != "mirroring":
            listener.append(Beat(t + LAG_S, "rest", away=mode == "disengaged"))
        while t < stop:
            emotion = str(rng.choice(mood))
            sound = sayings[0].next(emotion)
            partner.append(Beat(t, emotion, sound))
            if mode == "mirroring":
                listener.append(Beat(t + LAG_S, emotion))
            t += len(sound) / RATE
            if mode == "regulating":
                play.nods.append(t + rng.uniform(0.1, 0.4))
            t += rng.uniform(*PAUSE_S)
            phrases += 1
            if phrases % ALOUD == 0:
                answer = sayings[1].next(emotion)
                if mode == "mirroring":
                    listener.append(Beat(t, emotion, answer))
                t += len(answer) / RATE + rng.uniform(*PAUSE_S)
        play.bouts.append((start, t, mode, "/".join(mood)))
    return Play(play.beats, play.nods, play.bouts, t + 2.0)


def _plan(rng: np.random.Generator, faces: tuple[Face, Face]) -> list[tuple[str, tuple[str, ...]]]:
    """Return mode and mood of each bout: every mode once in joy and once in distress."""
    distress = [d for d in DISTRESS if all(e in f.runs for e in d for f in faces)] or [("angry",)]
    glad = all(e in f.runs for e in JOY for f in faces)
    first = {mode: glad and rng.random() < 0.5 for mode in schema.MODES}
    plan: list[tuple[str, tuple[str, ...]]] = []
    for block in (False, True):
        for mode in rng.permutation(schema.MODES):
            joy = glad and first[mode] != block
            plan.append((str(mode), JOY if joy else distress[rng.integers(len(distress))]))
    return plan


def sound_of(beats: list[Beat], end_s: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return a person's sound (n,)."""
    whole = rng.normal(0, ROOM, round(end_s * RATE)).astype(np.float32)
    for beat in beats:
        if beat.sound is not None:
            at = round(beat.t * RATE)
            part = beat.sound[: len(whole) - at]
            whole[at : at + len(part)] += part
    return np.clip(whole, -1, 1)


def _wander(n: int, rng: np.random.Generator, hertz: tuple[float, ...]) -> F64:
    """Return a smooth aimless series (n,) of SD 1: sines that share no period."""
    t = np.arange(n) / FPS
    each = np.array(hertz) * rng.uniform(0.85, 1.15, len(hertz))
    waves = np.sin(2 * np.pi * each * t[:, None] + rng.uniform(0, 2 * np.pi, len(hertz)))
    return np.asarray(waves.sum(axis=1) / np.sqrt(len(hertz) / 2))


def _runs(face: Face, beats: list[Beat], rng: np.random.Generator) -> list[list[int]]:
    """Return for each beat the pictures that it plays, in order; again and again from the start."""
    out = []
    for beat in beats:
        options = face.runs[beat.emotion]
        if face.still:
            order = [int(options[i][0]) for i in rng.permutation(len(options))]
            out.append(order[:2])
        else:
            run = [int(i) for i in options[0]]
            slow = 6 if "rest" in beat.emotion else 1
            loop = [i for i in run + run[-2:0:-1] for _ in range(slow)]
            first = 0 if beat.emotion in VIGOUR else int(rng.integers(len(loop)))
            out.append(loop[first:] + loop[:first])
    return out


def render(
    face: Face,
    beats: list[Beat],
    nods: list[float],
    sound: npt.NDArray[np.float32],
    end_s: float,
    rng: np.random.Generator,
) -> Iterator[U8]:
    """Yield a person's pictures, `FPS` a second."""
    n = round(end_s * FPS)
    sway = STILL_SWAY_RAD if face.still else FILM_SWAY_RAD
    yaw, pitch = (sway * _wander(n, rng, (0.21, 0.39, 0.65, 0.97)) for _ in range(2))
    mix = np.clip(0.5 + 0.25 * _wander(n, rng, (0.17, 0.43, 0.71)), 0, 1)
    nodding = np.zeros(n)
    for start in nods:
        since = np.arange(n) / FPS - start
        length = 2 / NOD_HZ
        here = (since >= 0) & (since < length)
        dip = 1 - np.cos(2 * np.pi * NOD_HZ * since[here])
        nodding[here] -= NOD_RAD / 2 * dip * np.sin(np.pi * since[here] / length)
    starts = [round(b.t * FPS) for b in beats]
    runs = _runs(face, beats, rng)
    level = _level(sound, n)
    vigour, intensity, away = 1.0, 0.0, 0.0
    k, old = 0, 0
    rest = int(face.runs["rest"][0][0])
    for i in range(n):
        while k + 1 < len(beats) and starts[k + 1] <= i:
            k, old = k + 1, k
        beat = beats[k]
        talks = beat.sound is not None and (i - starts[k]) / FPS < len(beat.sound) / RATE
        aim = VIGOUR.get(beat.emotion, 1.0)
        aim *= TURNED if beat.away else 1.0 if talks else SILENT if aim == 1.0 else 0.85
        vigour += (aim - vigour) / (0.6 * FPS)
        intensity += ((1.0 if talks else 0.75) - intensity) / (0.5 * FPS)
        away += (beat.away - away) / (TURN_S * FPS / 2)
        fade = min(1.0, (i - starts[k] + 1) / FADE) if old != k else 1.0
        parts: dict[int, float] = {}
        for j, share in ((k, fade), (old, 1.0 - fade)):
            run = runs[j]
            if share <= 0:
                continue
            if not face.still:
                shown = [(run[(i - starts[j]) % len(run)], share)]
            elif beats[j].emotion in VIGOUR:
                much = intensity * (0.8 + 0.2 * mix[i])
                shown = [(run[0], share * much), (rest, share * (1 - much))]
            else:
                shown = [(run[0], share * mix[i]), (run[-1], share * (1 - mix[i]))]
            for picture, part in shown:
                parts[picture] = parts.get(picture, 0.0) + part
        lively = vigour if face.still else 1.0
        yield face.show(
            [(p, s) for p, s in parts.items() if s > 1e-3],
            lively * yaw[i] + AWAY[0] * away,
            lively * pitch[i] + AWAY[1] * away + nodding[i],
            JAW * level[i] if face.still else 0.0,
        )


def _level(sound: npt.NDArray[np.float32], n: int) -> F64:
    """Return how loud it is at each picture (n,), 0 to 1 of this person's loud parts."""
    hop = RATE // FPS
    whole = sound[: len(sound) // hop * hop].astype(np.float64)
    power = np.square(whole).reshape(-1, hop).mean(axis=1)[:n]
    level = np.sqrt(np.convolve(power, np.full(3, 1 / 3), "same"))
    level = np.clip(level / np.quantile(level[level > 3 * ROOM], 0.8), 0, 1)
    return np.pad(level, (0, n - len(level)))


def record(path: Path, shown: Iterator[U8], sound: npt.NDArray[np.float32]) -> Path:
    """Write a film with sound: H.264 and FLAC."""
    with av.open(str(path), "w") as out:
        film = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "20"})
        film.width = film.height = SIDE
        film.pix_fmt, film.time_base = "yuv420p", Fraction(1, FPS)
        film.codec_context.thread_count = 1
        voice = out.add_stream("flac", rate=RATE, layout="mono")
        done = 0
        for i, picture in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = i
            out.mux(film.encode(frame))
            part = sound[done : round((i + 1) * RATE / FPS)]
            block = av.AudioFrame.from_ndarray(
                np.round(part[None] * 32767).astype(np.int16), format="s16", layout="mono"
            )
            block.rate, block.pts, block.time_base = RATE, done, Fraction(1, RATE)
            done += len(part)
            out.mux(voice.encode(block))
        out.mux(film.encode(None))
        out.mux(voice.encode(None))
    return path


def stage(
    folder: Path,
    play: Play,
    faces: tuple[Face, Face],
    rng: np.random.Generator,
) -> tuple[Path, Path]:
    """Record a play; return the partner's and the listener's file."""
    paths = []
    for name, face, beats, nods in zip("AB", faces, play.beats, ([], play.nods), strict=True):
        sound = sound_of(beats, play.end_s, rng)
        pictures = render(face, beats, nods, sound, play.end_s, rng)
        paths.append(record(folder / f"{name}.mkv", pictures, sound))
    return paths[0], paths[1]
