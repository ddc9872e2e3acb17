"""Composed dyads: acted faces and voices through the whole pipeline, from pixels and samples.

What is composed stays in a temporary folder; only what was sensed may be kept (`--cache`), so that
the appraisal can be repeated in seconds. ``python benchmarks/composed.py [--cache FOLDER]
[--half development|report]``; ``make bench-dyad`` runs the half to be reported. A composition takes
about as long as it lasts, composing and sensing, on two free cores.

People are split: nothing may be tuned on those of the half to be reported, and no face or voice is
in both.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

import actors
import composing
import recordings
from cuesense import open_source, schema
from cuesense.appraisal import Appraisal
from cuesense.config import Config
from cuesense.dyad.features import DyadSample
from cuesense.dyad.response import Response, Verdict
from cuesense.pipeline import Findings, sense
from cuesense.types import F64, DyadState, PersonState, Sensed

FACES = {
    **dict.fromkeys(("M030", "W009"), actors.mead),
    **dict.fromkeys(("KA", "KL", "KM", "KR", "MK"), actors.jaffe),
    "01": actors.ravdess,
}
VOICES = {
    "M030": ("ravdess", "03"),
    "KA": ("ravdess", "02"),
    "KL": ("ravdess", "06"),
    "KM": ("emodb", "08"),
    "W009": ("ravdess", "08"),
    "KR": ("ravdess", "10"),
    "MK": ("emodb", "13"),
    "01": ("ravdess", "01"),
}
HALVES = {
    "development": (("M030", "KA"), ("KA", "M030"), ("KL", "KM"), ("KM", "M030")),
    "report": (("W009", "KR"), ("KR", "W009"), ("01", "MK"), ("MK", "W009")),
}
"""(partner, listener) of each composition; every other partner of the half is a wrong one."""

Labels = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Composed:
    """What was sensed of one composition, A the partner and B the listener."""

    name: str
    play: composing.Play
    ticks: list[Sensed]


@dataclass(frozen=True, eq=False)
class Judged:
    """One pair of people, n ticks of the dyad's grid."""

    t: F64
    states: list[DyadState]
    samples: list[DyadSample]
    verdict: Verdict

    @property
    def label(self) -> Labels:
        """(n,)."""
        return np.array([s.label for s in self.states], dtype=object)


@cache
def face(name: str) -> actors.Face:
    """Return an actor's pictures."""
    return FACES[name](recordings.folder(), name)


def compose(pair: tuple[str, str], folder: Path) -> composing.Play:
    """Record a pair's conversation as A.mkv and B.mkv."""
    rng = np.random.default_rng(zlib.crc32("-".join(pair).encode()))
    faces = (face(pair[0]), face(pair[1]))
    voices = [actors.voice(recordings.folder(), *VOICES[name]) for name in pair]
    play = composing.write_play(rng, faces, (voices[0], voices[1]))
    composing.stage(folder, play, faces, rng)
    return play


def sensed(pair: tuple[str, str], kept: Path | None = None) -> Composed:
    """Compose and sense a pair, or read what was sensed before."""
    name = "-".join(pair)
    file = kept / f"{name}.pkl" if kept else None
    if file and file.is_file():
        return Composed(name, *pickle.loads(file.read_bytes()))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        play = compose(pair, folder)
        with open_source(folder / "A.mkv", folder / "B.mkv", offset_s=0.0) as source:
            ticks = list(sense(source, Config(), Findings()))
    if file:
        file.write_bytes(pickle.dumps((play, ticks)))
    return Composed(name, play, ticks)


class Tapped(Appraisal):
    """The appraisal, which also keeps what it gives to the dyad's estimator."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.samples: list[DyadSample] = []

    def _sample(self, people: tuple[PersonState, PersonState]) -> DyadSample:
        self.samples.append(super()._sample(people))
        return self.samples[-1]


def judge(ticks: Sequence[Sensed]) -> Judged:
    """Appraise what was sensed, B listening."""
    tapped = Tapped(Config().with_listener("B"))
    states = [m.dyad for s in ticks if (m := tapped.push(s)).dyad is not None]
    found = [s for s in states if s is not None]
    # What the states hold, and what they leave out where too little is known.
    verdict = Response(Config().dyad.rate_hz).samples(tapped.samples)
    return Judged(np.array([s.t for s in found]), found, tapped.samples, verdict)


def with_partner(dyad: Composed, other: Composed) -> list[Sensed]:
    """Return what would have been sensed with the partner of another composition.

    Each person has a file to themselves. All cues of a person but one are found in that file alone,
    so rows can be put side by side as they are. The exception is who speaks: it is inferred from
    both channels, and here it is what it was in each person's own conversation.
    """
    paired = []
    for own, foreign in zip(dyad.ticks, other.ticks, strict=False):
        mine = tuple(e for e in own.events if e.person != "A")
        theirs = tuple(e for e in foreign.events if e.person == "A")
        paired.append(
            replace(
                own,
                values=(foreign.values[0], own.values[1]),
                reasons=(foreign.reasons[0], own.reasons[1]),
                events=(*theirs, *mine),
            )
        )
    return paired


@dataclass(frozen=True, eq=False)
class Told:
    """One pair of people, n ticks from the end of the baseline on.

    Attributes
    ----------
    mode
        (n,) what was composed, "" outside the bouts.
    label
        (n,) what the analysis says.
    stance
        (n,) the likeliest stance.
    contingency
        its last one.
    """

    mode: Labels
    label: Labels
    stance: Labels
    contingency: float


def told(play: composing.Play, judged: Judged) -> Told:
    """Return what a pair's conversation is told to be."""
    after = judged.t >= composing.BASELINE_S
    names = np.array(schema.MODES, dtype=object)
    return Told(
        play.mode(judged.t)[after],
        judged.label[after],
        names[judged.verdict.stance.argmax(axis=-1)][after],
        float(judged.verdict.contingency[-1]),
    )


NAMED = schema.MODES[:2]


def score(true: Sequence[Told], wrong: Sequence[Told]) -> dict[str, float]:
    """Compare labels with what was composed, over all time."""
    mode = np.concatenate([d.mode for d in true])
    label = np.concatenate([d.label for d in true])
    strange = np.concatenate([d.label for d in wrong])
    bout, given = mode != "", np.isin(label, schema.MODES)
    named, asked = np.isin(label, NAMED), np.isin(mode, NAMED)
    right = (label == mode)[bout & given]
    return {
        "accuracy when a mode is shown": float(right.mean()) if len(right) else np.nan,
        "a mode shown, of the bouts' time": float(given[bout].mean()),
        "mirroring or regulating shown, of their bouts' time": float(named[asked].mean()),
        "one shown in the other's bout, of the bouts' time": float(
            (named & asked & (label != mode))[bout].mean()
        ),
        "mirroring or regulating shown, right partner": float(named.mean()),
        "the same with a wrong partner": float(np.isin(strange, NAMED).mean()),
    }


REACH = {
    "accuracy when a mode is shown": ">= 80 %",
    "one shown in the other's bout, of the bouts' time": "<= 5 %",
    "the same with a wrong partner": "<= 15 %",
}


def bout_rows(dyad: Composed, judged: Judged) -> Iterator[str]:
    """Yield a row per bout: what was sensed in it and what is said of it."""
    verdict = judged.verdict

    def mean(name: str, here: npt.NDArray[np.bool_]) -> float:
        values = np.array([getattr(s, name) for s in judged.samples])[here]
        return float(np.nanmean(values)) if np.isfinite(values).any() else np.nan

    for start, stop, mode, mood in dyad.play.bouts:
        here = (judged.t >= start) & (judged.t < stop)
        shares = " / ".join(f"{p:.0%}" for p in verdict.stance[here].mean(axis=0))
        felt = [
            f"{mean(f'{who}_arousal', here):+.1f}, {mean(f'{who}_valence', here):+.1f}"
            for who in ("partner", "listener")
        ]
        nods = mean("listener_events", here) * 60 * Config().dyad.rate_hz
        yield (
            f"| {dyad.name} | {mode}, {mood} | {felt[0]} | {felt[1]} | {nods:.0f} "
            f"| {mean('listener_gaze_on_partner', here):.0%} | {_most(judged.label[here])} "
            f"| {shares} | {verdict.contingency[here].mean():.2f} |"
        )


def _most(labels: Labels) -> str:
    """Return the most frequent label with its share of the time."""
    names, counts = np.unique(labels.astype(str), return_counts=True)
    k = int(counts.argmax())
    return f"{names[k]} {counts[k] / counts.sum():.0%}"


def section(folder: Path, half: str = "report", kept: Path | None = None) -> Iterator[str]:
    """Yield the section of composed dyads."""
    yield "## Composed dyads: acted faces and voices, from pixels and samples"
    yield ""
    if not (folder / "av_emotion").is_dir():
        yield f"Not measured: no recordings at {folder.name}; set CUESENSE_DATA to their folder."
        return
    dyads = [sensed(pair, kept) for pair in HALVES[half]]
    judged = [judge(d.ticks) for d in dyads]
    true = [told(d.play, j) for d, j in zip(dyads, judged, strict=True)]
    wrong = [
        [
            told(d.play, judge(with_partner(d, other)))
            for other in dyads
            if other.name.split("-")[0] not in d.name.split("-")
        ]
        for d in dyads
    ]
    strangers = [w for each in wrong for w in each]
    minutes = sum(d.play.end_s for d in dyads) / 60
    yield (
        f"{len(dyads)} compositions of the {half} half, {minutes:.0f} min, "
        f"{len(strangers)} pairings with a wrong partner."
    )
    yield ""
    yield "| | measured | reach |"
    yield "|---|---|---|"
    for name, share in score(true, strangers).items():
        yield f"| {name} | {share:.0%} | {REACH.get(name, '')} |"
    bout = [(d.mode != "") for d in true]
    right = np.concatenate([(d.stance == d.mode)[b] for d, b in zip(true, bout, strict=True)])
    yield f"| stance alone, accuracy in the bouts | {right.mean():.0%} | |"
    ends = "; ".join(
        f"{t.contingency:.2f} ({', '.join(f'{w.contingency:.2f}' for w in each)})"
        for t, each in zip(true, wrong, strict=True)
    )
    yield f"| contingency at the end, right partner (wrong ones) | {ends} | |"
    yield ""
    yield (
        "| partner-listener | composed | partner's arousal, valence | listener's | nods/min "
        "| gaze | label | stance m / r / d | contingency |"
    )
    yield "|---" * 9 + "|"
    for dyad, j in zip(dyads, judged, strict=True):
        yield from bout_rows(dyad, j)
    yield ""
    yield "What a still (KA, KL, KM, KR, MK) moves is assumed; what a clip (M030, W009, 01) moves"
    yield "is the actor's own. Faces and voices are of different people but for 01. Nods and turns"
    yield "of the head are warped. Emotions are acted, more strongly than people talk."


def main() -> None:
    """Measure one half and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=tuple(HALVES), default="development")
    parser.add_argument("--cache", type=Path, help="folder for what was sensed")
    options = parser.parse_args()
    for line in section(recordings.folder(), options.half, options.cache):
        print(line, flush=True)


if __name__ == "__main__":
    main()
