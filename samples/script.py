"""The sample's script: who feels what, who speaks when, and how the listener responds.

Latent arousal and valence run at 10 Hz in SD units of the baseline: there each of them is
a slow AR(1) fluctuation with median 0 and a scaled MAD of 1, so that a z-score against the
baseline comes out near the latent. The listener's rule per mode (gain, offset) is the one
of the mode estimator; a listener lags the partner by 0.8 s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

RATE = 10.0  # latents per second
LAG_S = 0.8  # listener behind partner
TAU_S = 3.0  # of the latents' fluctuation
SEED = 20
PARTNER, LISTENER = "A", "B"

# mode, what the partner is going through, seconds
PLAN: tuple[tuple[str, str, float], ...] = (
    ("baseline", "neutral", 45.0),
    ("mirroring", "distressed", 28.0),
    ("neutral", "neutral", 6.0),
    ("regulating", "distressed", 30.0),
    ("neutral", "neutral", 6.0),
    ("disengaged", "distressed", 30.0),
    ("neutral", "neutral", 6.0),
    ("mirroring", "excited", 28.0),
    ("neutral", "neutral", 6.0),
    ("regulating", "angry", 30.0),
    ("neutral", "neutral", 3.0),
)
# partner's mean arousal and valence
CONTENT = {
    "neutral": (0.0, 0.0),
    "distressed": (3.3, -2.6),
    "excited": (3.3, 3.3),
    "angry": (3.5, -2.4),
}
# listener: gain and offset of arousal, gain and offset of valence
RULE = {
    "mirroring": (0.8, 0.0, 0.8, 0.0),
    "regulating": (0.22, -0.3, 0.25, 0.5),
    "disengaged": (0.0, -0.55, 0.0, -0.05),
}
# listener: nods and "mm-hm" per minute, share of time looking at the partner; clear-cut on
# purpose: whoever is disengaged here hardly responds and mostly looks elsewhere
HABIT = {"disengaged": (1.0, 0.25)}
_USUAL = (10.0, 0.85)
_PARTNER_HABIT = (2.0, 0.68)


@dataclass(frozen=True)
class Segment:
    """A stretch of the script, s."""

    start: float
    end: float
    mode: str
    content: str

    @property
    def is_bout(self) -> bool:
        """Whether the listener follows a rule here."""
        return self.mode in RULE


@dataclass(frozen=True)
class Phrase:
    """A stretch of speech ("speech") or an "mm-hm" ("backchannel") of one person, s."""

    person: str
    start: float
    end: float
    kind: str = "speech"


@dataclass(frozen=True)
class Glance:
    """A look away from the partner, s, and where to (rad, + right, + up)."""

    start: float
    end: float
    yaw_rad: float
    pitch_rad: float


@dataclass(frozen=True, eq=False)
class Person:
    """One person's part.

    Attributes
    ----------
    side : {"left", "right"}
        Half of the frame.
    arousal, valence : (n,) float64
        Latents at 10 Hz, baseline SD.
    nods, blinks : tuple of float
        Onsets, s.
    glances : tuple of Glance
        Looks away from the partner.
    """

    side: str
    arousal: Array
    valence: Array
    nods: tuple[float, ...]
    blinks: tuple[float, ...]
    glances: tuple[Glance, ...]


@dataclass(frozen=True, eq=False)
class Script:
    """The whole play."""

    seed: int
    duration_s: float
    segments: tuple[Segment, ...]
    phrases: tuple[Phrase, ...]
    people: dict[str, Person]

    def spoken_by(self, person: str, *kinds: str) -> list[Phrase]:
        """Return a person's phrases of the given kinds (default: all), in order."""
        return [p for p in self.phrases if p.person == person and (not kinds or p.kind in kinds)]


def write_script(seed: int = SEED, plan: tuple[tuple[str, str, float], ...] = PLAN) -> Script:
    """Write the script for a plan.

    Parameters
    ----------
    seed : int
        Same seed and plan: same script.
    plan : tuple of (mode, content, seconds)
        Modes: baseline, neutral and those of `RULE`; contents: those of `CONTENT`.

    Returns
    -------
    Script
    """
    edges = np.concatenate([[0.0], np.cumsum([seconds for _, _, seconds in plan])])
    segments = tuple(
        Segment(float(start), float(end), mode, content)
        for (mode, content, _), start, end in zip(plan, edges[:-1], edges[1:], strict=True)
    )
    rng = np.random.default_rng(seed)
    latents = _latents(segments, rng)
    phrases = _phrases(segments, rng)
    nods, hums = _signals(segments, phrases, rng)
    phrases = tuple(sorted((*phrases, *hums), key=lambda p: p.start))
    end = float(edges[-1])
    people = {}
    for name, side in ((PARTNER, "left"), (LISTENER, "right")):
        blinks, glances = _blinks(end, rng), _glances(segments, name, rng)
        people[name] = Person(side, *latents[name], nods[name], blinks, glances)
    return Script(seed, end, segments, phrases, people)


def _fluctuation(n: int, tau_s: float, rng: np.random.Generator) -> Array:
    """Return an AR(1) series of SD 1."""
    keep = np.exp(-1.0 / (RATE * tau_s))
    noise = rng.standard_normal(n)
    out = np.empty(n)
    out[0] = noise[0]
    for k in range(1, n):
        out[k] = keep * out[k - 1] + np.sqrt(1 - keep**2) * noise[k]
    return out


def _standard(series: Array, baseline: slice) -> Array:
    """Give a series median 0 and scaled MAD 1 over the baseline."""
    centred = series - np.median(series[baseline])
    return np.asarray(centred / (1.4826 * np.median(np.abs(centred[baseline]))))


def _latents(
    segments: tuple[Segment, ...], rng: np.random.Generator
) -> dict[str, tuple[Array, Array]]:
    """Return (arousal, valence) of each person at 10 Hz."""
    n = round(segments[-1].end * RATE) + 1
    baseline = slice(0, round(segments[0].end * RATE))
    times = np.arange(n) / RATE
    smooth = np.hanning(round(1.6 * RATE) + 2)
    smooth /= smooth.sum()

    def track(values: list[float]) -> Array:
        """Hold a value per segment and round the corners off."""
        held = np.array(values)[
            np.searchsorted([s.end for s in segments[:-1]], times, side="right")
        ]
        padded = np.pad(held, smooth.size, mode="edge")
        return np.convolve(padded, smooth, mode="same")[smooth.size : -smooth.size]

    # How lively: 1 in the baseline, calmer in the returns to neutral.
    spread = track([1.0 if s.mode == "baseline" else 0.8 if s.is_bout else 0.5 for s in segments])
    bout = track([float(s.is_bout) for s in segments])
    partner, listener = [], []
    for channel in (0, 1):
        own = [_standard(_fluctuation(n, TAU_S, rng), baseline) for _ in (PARTNER, LISTENER)]
        level = track([CONTENT[s.content][channel] for s in segments])
        # In a bout the fluctuation must neither shift nor undo the content.
        for s in segments:
            if s.is_bout:
                inside = slice(round(s.start * RATE), round(s.end * RATE))
                own[0][inside] -= own[0][inside].mean()
        x = level + spread * (own[0] + bout * (np.clip(own[0], -1.6, 1.6) - own[0]))
        gain = track([RULE[s.mode][2 * channel] if s.is_bout else 0.0 for s in segments])
        offset = track([RULE[s.mode][2 * channel + 1] if s.is_bout else 0.0 for s in segments])
        heard = np.interp(times - LAG_S, times, x)
        y = gain * heard + offset + 0.15 * _fluctuation(n, 2.0, rng)
        partner.append(x)
        listener.append(bout * y + (1 - bout) * spread * own[1])
    return {PARTNER: (partner[0], partner[1]), LISTENER: (listener[0], listener[1])}


def _phrases(segments: tuple[Segment, ...], rng: np.random.Generator) -> tuple[Phrase, ...]:
    """Return who speaks when."""
    out: list[Phrase] = []
    t = 0.4
    speaker = PARTNER
    for segment in segments:
        t = max(t, segment.start + 0.3)
        reply = segment.start + float(rng.uniform(4.0, 6.5))
        while t < segment.end - 1.2:
            if segment.is_bout:
                speaker = LISTENER if t >= reply else PARTNER
                length = rng.uniform(1.6, 2.5) if speaker == LISTENER else rng.uniform(2.2, 5.0)
                pause = rng.uniform(0.25, 0.7)
                if speaker == LISTENER:
                    reply = t + float(rng.uniform(10.0, 12.0))
            else:
                length = rng.uniform(2.8, 5.0) if speaker == PARTNER else rng.uniform(1.8, 3.2)
                pause = rng.uniform(0.15, 0.5)
            end = min(t + float(length), segment.end - 0.1)
            out.append(Phrase(speaker, round(t, 2), round(end, 2)))
            was, t = speaker, end + float(pause)
            # The partner now and then goes on; the listener hands back.
            if not segment.is_bout and (speaker == LISTENER or rng.random() < 0.85):
                speaker = LISTENER if speaker == PARTNER else PARTNER
            changes = speaker != was if not segment.is_bout else t >= reply
            if changes and rng.random() < 0.2:
                t = end - float(rng.uniform(0.1, 0.35))  # a short overlap
    return tuple(out)


def _signals(
    segments: tuple[Segment, ...], phrases: tuple[Phrase, ...], rng: np.random.Generator
) -> tuple[dict[str, tuple[float, ...]], list[Phrase]]:
    """Return everybody's nods and the listener's "mm-hm"s."""
    nods: dict[str, list[float]] = {PARTNER: [], LISTENER: []}
    hums: list[Phrase] = []
    for name, heard in ((PARTNER, LISTENER), (LISTENER, PARTNER)):
        own = [p for p in phrases if p.person == name]
        theirs = [p for p in phrases if p.person == heard]
        for segment in segments:
            rate = HABIT.get(segment.mode, _USUAL)[0] if name == LISTENER else _PARTNER_HABIT[0]
            wanted = rate / 60.0 * (segment.end - segment.start)
            count = int(wanted + rng.random())
            width = (segment.end - segment.start - 2.0) / max(count, 1)
            for k in range(count):
                t = segment.start + 1.0 + width * (k + float(rng.uniform(0.15, 0.85)))
                hears = any(p.start + 0.6 < t < p.end - 0.3 for p in theirs)
                quiet = not any(p.start - 0.7 < t < p.end + 0.2 for p in own)
                if name == LISTENER and hears and quiet and rng.random() < 0.45:
                    hums.append(Phrase(name, round(t, 2), round(t + 0.55, 2), "backchannel"))
                else:
                    nods[name].append(round(t, 2))
    return {name: tuple(times) for name, times in nods.items()}, hums


def _blinks(duration_s: float, rng: np.random.Generator) -> tuple[float, ...]:
    """Return blink onsets, about 15 a minute."""
    gaps = 1.2 + rng.gamma(2.0, 1.4, size=int(duration_s) + 10)
    onsets = np.cumsum(gaps)
    return tuple(round(float(t), 2) for t in onsets[onsets < duration_s - 0.5])


def _glances(
    segments: tuple[Segment, ...], name: str, rng: np.random.Generator
) -> tuple[Glance, ...]:
    """Return looks away from the partner: outwards and down."""
    outwards = -1.0 if name == PARTNER else 1.0
    out: list[Glance] = []
    for segment in segments:
        share = HABIT.get(segment.mode, _USUAL)[1] if name == LISTENER else _PARTNER_HABIT[1]
        longest = 2.0 if share > 0.6 else 3.4
        t = segment.start + float(rng.uniform(0.3, 1.5))
        while True:
            away = float(rng.uniform(0.9, longest))
            if t + away > segment.end - 0.2:
                break
            yaw, pitch = outwards * rng.uniform(0.42, 0.56), rng.uniform(-0.22, -0.04)
            out.append(Glance(round(t, 2), round(t + away, 2), float(yaw), float(pitch)))
            t += away + away * share / (1 - share) * float(rng.uniform(0.8, 1.15))
    return tuple(out)
