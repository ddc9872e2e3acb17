"""Real two-person recordings: faces found and kept apart, the right person heard.

The recordings may not be redistributed; without their folder this section says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cuesense import open_source, run
from cuesense.types import F64

FOLDERS = ("vico_real", "real_speaker_GENERATED_listener", "broadcast")
SPEAKER_LEFT = FOLDERS[:2]
"""In these the left person is the speaker and the sound is theirs."""


def folder() -> Path:
    """Return where the real recordings are, if this machine has them."""
    usual = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("CUESENSE_DATA", usual))


def measure(recording: Path) -> dict[str, float]:
    """Analyse one recording.

    Returns
    -------
    dict
        ``both``: share of ticks with both faces; ``apart``: share of these in which A is left of B
        and the boxes do not overlap by half; ``left``: share of voiced ticks in which A alone
        speaks. Voiced as librosa's pyin says, which is no part of the pipeline, and not more
        than 20 dB below the loud parts once low hum is taken down: background has a pitch, too.
    """
    with open_source(recording) as source:
        moments = list(run(source))
    t = np.array([m.t for m in moments])

    def column(name: str) -> F64:
        return np.array([[p[name] for p in m.people] for m in moments])

    x, w = column("box_x"), column("box_w")
    both = np.isfinite(x).all(axis=1)
    centre = x + w / 2
    apart = centre[both, 1] - centre[both, 0] > w[both].max(axis=1) / 2
    heard = voiced(recording, t)
    speaking = np.nan_to_num(column("speaking"))[heard]
    left = (speaking[:, 0] > 0.5) & (speaking[:, 1] <= 0.5)
    return {
        "both": float(both.mean()),
        "apart": float(apart.mean()) if both.any() else np.nan,
        "left": float(left.mean()) if heard.any() else np.nan,
        "voiced_s": float(heard.sum() / 25),
    }


def soundtrack(recording: Path, rate: int) -> np.ndarray:
    """Return the sound of a film, channels averaged, (n,)."""
    import av

    with av.open(str(recording)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        parts = [
            out.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for out in resampler.resample(frame)
        ]
    return np.concatenate(parts)


def voiced(recording: Path, t: F64) -> np.ndarray:
    """Return whether there is voiced sound at each time, by probabilistic YIN."""
    import librosa

    rate = 16_000
    sound = soundtrack(recording, rate)
    _, flag, _ = librosa.pyin(sound, fmin=65, fmax=500, sr=rate, frame_length=1024, hop_length=160)
    bright = librosa.effects.preemphasis(sound)
    power = librosa.feature.rms(y=bright, frame_length=1024, hop_length=160)[0]
    flag &= power > np.quantile(power, 0.95) * 10 ** (-20 / 20)
    index = np.clip(np.round(t * rate / 160).astype(int), 0, len(flag) - 1)
    found: np.ndarray = np.asarray(flag)[index]
    return found


def section(data: Path) -> Iterator[str]:
    """Yield the section's lines."""
    yield "## Two people in real recordings"
    yield ""
    root = data / "two_person"
    if not root.is_dir():
        yield f"Not measured: no recordings at {data.name}; set CUESENSE_DATA to their folder."
        return
    yield "| recording | both faces | of these, apart | voiced s | heard as A alone |"
    yield "|---|---|---|---|---|"
    heard = np.zeros(2)
    for name in FOLDERS:
        for path in sorted((root / name).iterdir()):
            m = measure(path)
            if name in SPEAKER_LEFT:
                heard += m["voiced_s"], m["left"] * m["voiced_s"]
            left = f"{m['left']:.1%}" if name in SPEAKER_LEFT else "-"
            yield (
                f"| {name}/{path.stem[:14]} | {m['both']:.1%} | {m['apart']:.1%} "
                f"| {m['voiced_s']:.1f} | {left} |"
            )
    yield f"| all with the speaker on the left | | | {heard[0]:.1f} | {heard[1] / heard[0]:.1%} |"
    yield ""
    yield "Limits: 95 % of the frames in which both are visible, 90 % of the voiced frames."
