"""The real recordings that the validation measures on, and noise to add to them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cuesense.types import F32, F64


@dataclass(frozen=True, slots=True)
class Recording:
    """A line of the manifest: the file and its labels."""

    path: Path
    labels: dict[str, str]

    def __getitem__(self, label: str) -> str:
        return self.labels[label]


def recordings(data: Path, folder: str) -> Iterator[Recording]:
    """Yield the recordings in a folder of the data, in the manifest's order."""
    with (data / "MANIFEST.tsv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["path"].startswith(f"{folder}/"):
                pairs = (part.split("=", 1) for part in row["labels"].split(";") if "=" in part)
                labels = {key.strip(): value.strip() for key, value in pairs}
                yield Recording(data / row["path"], labels)


def sound(path: Path, rate: int | None = 16_000) -> tuple[F32, int]:
    """Return a recording's sound, channels averaged, (n,), and its rate; None keeps the rate."""
    import soundfile

    samples, own = soundfile.read(str(path), dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if rate is None or own == rate:
        return mono, own
    import soxr

    return np.asarray(soxr.resample(mono, own, rate), np.float32), rate


def noise(kind: str, n: int, rate: int, seed: int) -> F64:
    """Return n samples of noise with power 1: "white", or "pink" (3 dB less per octave)."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    if kind == "pink":
        spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(n, 1 / rate), 20.0))
    return _normal(np.fft.irfft(spectrum, n))


def babble(data: Path, n: int, rate: int, seed: int, talkers: int = 6) -> F64:
    """Return n samples of several people talking at once (German sentences), with power 1."""
    voices = [r.path for r in recordings(data, "speech_emotion/emodb")]
    rng = np.random.default_rng(seed)
    total = np.zeros(n)
    for _ in range(talkers):
        said = np.zeros(0)
        while len(said) < n:
            one = sound(voices[int(rng.integers(len(voices)))], rate)[0]
            said = np.concatenate([said, _normal(one.astype(np.float64))])
        start = int(rng.integers(len(said) - n + 1))
        total += said[start : start + n]
    return _normal(total)


def _normal(samples: F64) -> F64:
    return np.asarray(samples / np.sqrt(np.mean(np.square(samples))), dtype=np.float64)


def mixed(clean: F32, added: F64, snr_db: float) -> F32:
    """Return speech with noise of power 1 added; the SNR is re the whole recording's power."""
    power = float(np.mean(np.square(clean, dtype=np.float64)))
    gain = np.sqrt(power / 10 ** (snr_db / 10))
    return np.asarray(clean + gain * added, np.float32)
