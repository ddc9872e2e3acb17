"""Vocal arousal: acted emotions of high activation should stand above those of low activation.

Each speaker's clips run through the package as one recording without a picture, apart by silence.
What was heard is then played to the package's state stage: neutral clips first, which are the
baseline, then the others. A clip's score is the mean of the column `arousal` over it. A neutral
clip is scored by itself, after a baseline of the speaker's other neutral clips.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from cuesense import open_source, run
from cuesense.config import Config
from cuesense.cues.prosody import RATE
from cuesense.schema import VALUE_INDEX
from cuesense.state.affect import PersonAffect
from cuesense.types import F32, F64, Reason
from validation.part import Claim, Interval, Part, Table, auc, bootstrap
from validation.pictures import drawing
from validation.sources import Recording, recordings, sound

HIGH: Final = frozenset(
    ("angry", "fearful", "happy", "surprised", "anger", "fear", "happiness", "surprise")
)
LOW: Final = frozenset(("calm", "neutral", "sad", "bored", "sadness", "boredom"))
PLEASANT: Final = frozenset(("happy", "happiness"))
UNPLEASANT: Final = frozenset(("angry", "fearful", "anger", "fear"))
"""Both of high activation, so that arousal does not pass for valence."""
CUES: Final = ("f0_hz", "loudness_db", "spectral_tilt_db", "hnr_db", "cpp_db", "syllable_rate")
CHOSEN_ON: Final = frozenset(("01", "02", "03", "06"))
"""The speakers of RAVDESS whose clips the cues were chosen on."""
IN_A_ROW: Final = 5
"""Rated clips in a row that are probably of one source."""
BETWEEN_SEXES_HZ: Final = 165.0
"""Median F0 between those of men and of women (Hillenbrand et al. 1995: means 131 and 220 Hz)."""
APART_S: Final = 2.5
"""s of silence between clips: longer than a smoothed voice cue stands."""
LEVEL: Final = 0.05
"""RMS of the loudest tenth that automatic gain control would bring every clip to."""


NOTES: Final = (
    "What was tried for the figures that are not met; AUC on RAVDESS (on the speakers chosen on / "
    "on the others), at one level, and on EmoDB; in replays that start every clip afresh, which "
    "differ from the table by up to .006. Before: F0, level and tilt in voiced sound .903 (.895 / "
    ".909), .847, .956. With minus HNR .905 (.896 / .927), .869, .970; and level of all own "
    "speech .912 (.902 / .919), .872, .979; and that at weight .75, as shipped, .909 (.901 / "
    ".918), .879, .982, at .5 .905 (.896 / .923), .884, .984. With tilt of all own speech as well "
    ".918 (.900 / .937), .896, .982 at .75 and .912 (.901 / .932), .903, .985 at .5; this was not "
    "taken, because in the bundled sample, whose drawn voices put no effort into fricatives, "
    "labels are then given in .48 instead of .51 of the bouts.",
    "Tried on top of the last of these: cepstral peak .918 (.918 / .924), .893, .983; pace .894 "
    "(.874 / .927), .874, .976; SD of F0 over 2 s .909 (.900 / .937), .889, .985; speed of F0 "
    ".920 (.911 / .949), .909, .988, for which there is no column. Other ways to join its cues: "
    "their median .909 (.902 / .914), .867, .937; each squashed by tanh .903 (.906 / .895), .860, "
    ".952; the upper quartile over the clip instead of the mean .879 (.872 / .895), .878, .954; "
    "smoothing over .75 s .921 (.906 / .944), .898, .989, over 3 s .911 (.903 / .933), .903, "
    ".983.",
    "Most of what is left on RAVDESS is strongly acted sadness: the actors weep, which raises "
    "pitch and level. A logistic on 88 functionals does no better there.",
    "In pink noise 15 dB below the neutral voice (RAVDESS 01, 02, 07, 08) the shipped cues have "
    ".965; those before had .966. Noise, too, lowers HNR (alone .57 instead of .75).",
    "The rated clips: level goes against the ratings (rho -.37), minus tilt .80, F0 .71, minus "
    "HNR .65. Before, with level at full weight and without HNR, rho was .33. Five clips in a row "
    "are not one speaker: their median F0 goes from 94 to 212 Hz in one row.",
    "There is no vocal valence: no cue tells pleasant from unpleasant on both corpora with an "
    "interval above chance; the fitted ceiling does, but was fitted on data that may not be "
    "shipped.",
)


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip: who, what, its sound at 16 kHz."""

    speaker: str
    emotion: str
    intensity: str
    sound: F32


@dataclass(frozen=True, slots=True)
class Scored:
    """A corpus with each clip's score and that of `rule`, (n,); its `CUES` minus own neutral."""

    clips: Sequence[Clip]
    score: F64
    rule: F64
    cue: F64

    def chosen(
        self, *, without: str = "", only: Sequence[str] = ()
    ) -> tuple[F64, npt.NDArray[np.bool_], list[str]]:
        """Return scores, which are high, and speakers of the clips that are high or low."""
        keep = [
            i
            for i, c in enumerate(self.clips)
            if c.emotion in HIGH | LOW
            and f"{c.emotion} {c.intensity}" != without
            and (not only or c.speaker in only)
        ]
        high = np.array([self.clips[i].emotion in HIGH for i in keep])
        # A clip in which no voice was found has no score: it is put in the middle of the others.
        score = np.nan_to_num(self.score[keep], nan=float(np.nanmedian(self.score)))
        return score, high, [self.clips[i].speaker for i in keep]


def corpus(data: Path, name: str) -> list[Clip]:
    """Return a corpus's clips."""
    found = []
    for r in recordings(data, f"speech_emotion/{name}"):
        speaker = r.labels.get("actor") or r["speaker"]
        found.append(Clip(speaker, r["emotion"], r.labels.get("intensity", ""), sound(r.path)[0]))
    return found


def levelled(clip: F32) -> F32:
    """Return a clip brought to one level, as automatic gain control would."""
    frames = clip[: len(clip) // 400 * 400].reshape(-1, 400).astype(np.float64)
    loud = np.quantile(np.sqrt(np.mean(np.square(frames), axis=1)), 0.9)
    return np.asarray(clip * (LEVEL / max(loud, 1e-6)), np.float32)


def heard(clips: Sequence[F32], folder: Path) -> list[F64]:
    """Return each clip's rows (ticks, columns): one recording of all, through the package."""
    import soundfile

    pause = np.zeros(round(APART_S * RATE), np.float32)
    pieces, at = [pause], len(pause)
    spans: list[tuple[float, float]] = []
    for clip in clips:
        pieces += [clip, pause]
        spans.append((at / RATE, (at + len(clip)) / RATE))
        at += len(clip) + len(pause)
    path = folder / "speaker.wav"
    soundfile.write(str(path), np.concatenate(pieces), RATE, subtype="FLOAT")
    with open_source(path) as source:
        moments = list(run(source))
    t = np.array([m.t for m in moments])
    rows = np.array([m.people[0].values for m in moments])
    return [rows[(t >= start) & (t < end)] for start, end in spans]


def scores(baseline: Sequence[F64], clips: Sequence[F64]) -> F64:
    """Return the mean arousal (n,) of clips after a baseline, by the package's state stage.

    Parameters
    ----------
    baseline, clips
        rows (ticks, columns) of each clip.
    """
    rate = Config().grid.rate_hz
    usual = np.concatenate(list(baseline))
    settings = {"baseline": {"duration_s": len(usual) / rate, "min_voice_s": 1.5}}
    stage = PersonAffect(Config.from_dict(settings))
    silence = np.full((round(APART_S * rate), usual.shape[1]), np.nan)
    tick = 0

    def arousal(rows: F64) -> F64:
        nonlocal tick
        told = rows.copy()
        for row in told:
            stage.push(tick / rate, row, Reason.NO_FACE)
            tick += 1
        return told[:, VALUE_INDEX["arousal"]]

    arousal(usual)
    found = []
    for clip in clips:
        arousal(silence)
        inside = arousal(clip)
        known = np.isfinite(inside)
        found.append(float(inside[known].mean()) if known.any() else np.nan)
    return np.array(found)


def scored(clips: Sequence[Clip], folder: Path) -> Scored:
    """Score every clip of a corpus against its own speaker's neutral ones."""
    score = np.full(len(clips), np.nan)
    cue, share = np.full((len(clips), len(CUES)), np.nan), np.full((len(clips), 3), np.nan)
    of: dict[str, list[int]] = defaultdict(list)
    for i, clip in enumerate(clips):
        of[clip.speaker].append(i)
    for mine in of.values():
        rows = dict(zip(mine, heard([clips[i].sound for i in mine], folder), strict=True))
        neutral = [i for i in mine if clips[i].emotion == "neutral"]
        others = [i for i in mine if clips[i].emotion != "neutral"]
        base = [rows[i] for i in neutral]
        score[others] = scores(base, [rows[i] for i in others])
        share[others] = [above(base, rows[i]) for i in others]
        for k, i in enumerate(neutral):
            score[i] = scores(base[:k] + base[k + 1 :], [rows[i]])[0]
            share[i] = above(base[:k] + base[k + 1 :], rows[i])
        mean = {i: _cues(rows[i]) for i in mine}
        usual = np.nanmean([mean[i] for i in neutral], axis=0)
        for i in mine:
            cue[i] = mean[i] - usual
    return Scored(clips, score, rule(share), cue)


def above(baseline: Sequence[F64], clip: F64) -> F64:
    """Return the share (3,) of a baseline that is under a clip's median, from -1 to 1.

    Of F0, level and minus spectral tilt, which stands for the energy above 500 Hz re that below.
    """
    voiced = [rows[np.isfinite(rows[:, VALUE_INDEX["f0_hz"]])] for rows in (*baseline, clip)]
    if not len(voiced[-1]):
        return np.full(3, np.nan)
    columns = [VALUE_INDEX[name] for name in CUES[:3]]
    usual = np.concatenate(voiced[:-1])[:, columns] * (1, 1, -1)
    now = np.median(voiced[-1][:, columns], axis=0) * (1, 1, -1)
    return np.asarray(2 * np.mean(usual < now, axis=0) - 1)


def rule(share: F64) -> F64:
    """Return a published rule's arousal (n,) of clips with these shares (n, cues).

    Each cue weighs as much as it goes with the mean of all, by Spearman's rho over the corpus: it
    has to be there as a whole, so this is no live measure (Bone, Lee & Narayanan 2014,
    doi:10.1109/TAFFC.2014.2326393, written anew after the paper's description).
    """
    mean = share.mean(axis=1)
    weights = np.array([_spearman(one, mean) for one in share.T])
    return np.asarray(share @ weights / np.abs(weights).sum())


def _cues(rows: F64) -> F64:
    """Return the median of each of `CUES` while voiced (NaN if never)."""
    columns = rows[:, [VALUE_INDEX[name] for name in CUES]]
    voiced = columns[np.isfinite(columns).all(axis=1)]
    if not len(voiced):
        return np.full(len(CUES), np.nan)
    voiced[:, 0] = 12 * np.log2(voiced[:, 0])
    return np.asarray(np.median(voiced, axis=0))


def neutral(clips: Sequence[Clip]) -> list[list[F32]]:
    """Return the sounds of each speaker's neutral clips."""
    return [
        [c.sound for c in clips if c.speaker == speaker and c.emotion == "neutral"]
        for speaker in dict.fromkeys(c.speaker for c in clips)
    ]


def rated(
    found: Sequence[Recording], speakers: Sequence[Sequence[F32]], folder: Path
) -> dict[str, F64]:
    """Return scores of clips whose speakers are not known, by whose usual they are compared with.

    Five files in a row are probably of one source, though not of one speaker. Sexes are told by
    the median F0.

    Parameters
    ----------
    found
        the clips.
    speakers
        neutral clips of each of some other speakers.
    folder
        for temporary files.
    """
    sounds = [sound(r.path)[0][: 8 * RATE] for r in found]
    sources = [range(k, k + IN_A_ROW) for k in range(0, len(sounds), IN_A_ROW)]
    rows, level = (
        [row for source in sources for row in heard([some[i] for i in source], folder)]
        for some in (sounds, [levelled(one) for one in sounds])
    )
    by_source = [scores([rows[i] for i in source], [rows[i] for i in source]) for source in sources]
    others = [row for some in speakers for row in heard([levelled(s) for s in some], folder)]
    by_sex = np.full(len(rows), np.nan)
    for deep in (False, True):
        mine = [i for i, row in enumerate(level) if _deep(row) == deep]
        by_sex[mine] = scores(
            [row for row in others if _deep(row) == deep], [level[i] for i in mine]
        )
    return {
        "all 25 clips together": scores(rows, rows),
        "the same, each clip at one level": scores(level, level),
        "the five clips in a row that are probably of one source": np.concatenate(by_source),
        "neutral clips of RAVDESS and EmoDB of the same sex (by F0), each at one level": by_sex,
    }


def _deep(rows: F64) -> bool:
    return bool(np.nanmedian(rows[:, VALUE_INDEX["f0_hz"]]) < BETWEEN_SEXES_HZ)


def of_auc(found: Scored, *, without: str = "", only: Sequence[str] = ()) -> Interval:
    """Return the AUC of high against low (of some speakers) with its interval over speakers."""
    return _area(*found.chosen(without=without, only=only))


def _area(score: F64, positive: npt.NDArray[np.bool_], speakers: Sequence[str]) -> Interval:
    return bootstrap(lambda i: auc(score[i], positive[i]), speakers)


def functionals(clips: Sequence[Clip]) -> F64:
    """Return openSMILE's 88 eGeMAPS functionals of clips minus the speaker's other neutral ones."""
    import opensmile

    smile = opensmile.Smile(
        opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals, num_workers=1
    )
    x = np.stack([smile.process_signal(c.sound, RATE).to_numpy()[0] for c in clips])
    speakers = np.array([c.speaker for c in clips])
    neutral = np.array([c.emotion == "neutral" for c in clips])
    own = x.copy()
    for i, speaker in enumerate(speakers):
        base = (speakers == speaker) & neutral
        base[i] = False
        own[i] = x[i] - x[base].mean(axis=0)
    return own


def fitted(
    clips: Sequence[Clip], own: F64, some: frozenset[str], others: frozenset[str]
) -> Interval:
    """Return the AUC of a logistic that tells some emotions from others, on left-out speakers."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    speakers = np.array([c.speaker for c in clips])
    used = np.array([c.emotion in some | others for c in clips])
    positive = np.array([c.emotion in some for c in clips])
    score = np.full(len(clips), np.nan)
    for speaker in dict.fromkeys(speakers):
        learn, test = used & (speakers != speaker), speakers == speaker
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
        model.fit(own[learn], positive[learn])
        score[test] = model.decision_function(own[test])
    return _area(score[used], positive[used], speakers[used].tolist())


def _valence(corpora: dict[str, tuple[Scored, F64]]) -> Table:
    """Return how well cues tell pleasant from unpleasant voices of high activation."""
    rows: list[list[str]] = [[name] for name in CUES]
    best: list[str] = []
    for found, own in corpora.values():
        used = [i for i, c in enumerate(found.clips) if c.emotion in PLEASANT | UNPLEASANT]
        pleasant = np.array([found.clips[i].emotion in PLEASANT for i in used])
        speakers = [found.clips[i].speaker for i in used]
        for k, row in enumerate(rows):
            score = np.nan_to_num(found.cue[used, k])
            row.append(_area(score, pleasant, speakers).text())
        best.append(fitted(found.clips, own, PLEASANT, UNPLEASANT).text())
    rows.append(["fitted ceiling: logistic on 88 eGeMAPS functionals, other speakers", *best])
    return Table(
        "Vocal valence: happy above angry and fearful, AUC of each cue minus own neutral",
        ["", *corpora],
        rows,
    )


def measure(data: Path) -> Part:
    """Measure the part."""
    part = Part(
        "Vocal arousal",
        "The voice's share of `arousal`: the mean of F0 (semitones), level (weight .75), spectral "
        "tilt and harmonics-to-noise ratio (both with a minus), each as a deviation from the "
        "speaker's own neutral speech. High: angry, fearful, happy, surprised; low: calm, neutral, "
        "sad, bored; disgust is neither. No weight is fitted; but which cues there are, their "
        "floors and level's weight were chosen from a few ways (below) with RAVDESS 01, 02, 03, "
        "06 in sight, and those of the other speakers and of EmoDB were looked at, too: these are "
        "not held-out figures.",
    )
    found = list(recordings(data, "speech_emotion/pyaudioanalysis_va"))
    rating = np.array([float(r["arousal"]) for r in found])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        ravdess, emodb = corpus(data, "ravdess"), corpus(data, "emodb")
        flat = [Clip(c.speaker, c.emotion, c.intensity, levelled(c.sound)) for c in ravdess]
        acted, german, agc = (scored(c, place) for c in (ravdess, emodb, flat))
        ways = rated(found, [*neutral(ravdess), *neutral(emodb)], place)
    people = "own baseline from neutral clips other than those tested; no weight fitted"
    eight, five = f"RAVDESS, 8 speakers, 224 clips; {people}", f"EmoDB, 5 speakers; {people}"
    rho = {name: _rho(score, rating) for name, score in ways.items()}
    part.claims = [
        Claim("high vs low, AUC", of_auc(acted), 0.95, eight),
        Claim(
            "high vs low, AUC, without strongly acted sadness (which is weeping)",
            of_auc(acted, without="sad strong"),
            0.95,
            eight,
        ),
        Claim("high vs low, AUC", of_auc(german), 0.98, five),
        Claim("high vs low, AUC, each clip at one level", of_auc(agc), 0.90, eight),
        Claim(
            "Spearman's rho with rated arousal",
            next(iter(rho.values())),
            0.6,
            "25 clips rated by one person; speakers unknown, so all clips are the baseline",
        ),
    ]
    rows = []
    functions = {"RAVDESS": functionals(ravdess), "EmoDB": functionals(emodb)}
    functions["RAVDESS at one level"] = functionals(flat)
    corpora = dict(zip(functions, (acted, german, agc), strict=True))
    for name, one in corpora.items():
        best = fitted(one.clips, functions[name], HIGH, LOW)
        peer = of_auc(replace(one, score=one.rule))
        parts = [of_auc(one, only=some).text() if some else "" for some in _halves(one)]
        rows.append([name, of_auc(one).text(), *parts, peer.text(), best.text()])
    part.tables.append(
        Table(
            "Beside the rule of Bone, Lee & Narayanan (2014), and a logistic on openSMILE's 88 "
            "eGeMAPS functionals minus own neutral, fitted on the other speakers (never shipped: "
            "fitted on non-commercial data)",
            [
                "high vs low, AUC",
                "cuesense",
                "on the speakers chosen on",
                "on the others",
                "the rule",
                "fitted ceiling",
            ],
            rows,
        )
    )
    part.tables.append(
        Table(
            "Spearman's rho with rated arousal, by whose usual is the zero",
            ["", "rho"],
            [[name, value.text(2)] for name, value in rho.items()],
        )
    )
    part.notes += NOTES
    whole = {name: (corpora[name], functions[name]) for name in ("RAVDESS", "EmoDB")}
    part.tables.append(_valence(whole))
    part.tables.append(_by_emotion(acted))
    with drawing("arousal, SD of own baseline", "share of clips not above") as picture:
        for high, words in ((False, "low"), (True, "high")):
            s, which, _ = acted.chosen()
            x = np.sort(s[which == high])
            picture.axes.step(x, np.arange(1, len(x) + 1) / len(x), label=f"{words} activation")
        picture.axes.legend(frameon=False)
    part.pictures.append(picture.picture("arousal", "Arousal of RAVDESS clips, cumulated"))
    return part


def _halves(found: Scored) -> tuple[list[str], list[str]]:
    """Return the speakers that the cues were chosen on, and the others."""
    speakers = {c.speaker for c in found.clips}
    chosen_on = CHOSEN_ON & speakers if any(c.intensity for c in found.clips) else frozenset[str]()
    return sorted(chosen_on), sorted(speakers - chosen_on)


def _rho(score: F64, rating: F64) -> Interval:
    each = range(len(score))
    return bootstrap(lambda i: _spearman(score[i], rating[i]), each)


def _spearman(a: F64, b: F64) -> float:
    from scipy.stats import spearmanr

    known = np.isfinite(a)
    return float(spearmanr(a[known], b[known]).statistic) if known.sum() > 2 else np.nan


def _by_emotion(found: Scored) -> Table:
    rows = []
    kinds = dict.fromkeys((c.emotion, c.intensity) for c in found.clips)
    for emotion, intensity in kinds:
        mine = np.array([(c.emotion, c.intensity) == (emotion, intensity) for c in found.clips])
        low, middle, high = np.nanquantile(found.score[mine], [0.25, 0.5, 0.75])
        rows.append([f"{emotion}, {intensity}", f"{low:.1f}", f"{middle:.1f}", f"{high:.1f}"])
    return Table("Arousal of RAVDESS clips, quartiles", ["", "25 %", "50 %", "75 %"], rows)
