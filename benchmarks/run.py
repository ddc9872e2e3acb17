"""All benchmarks: prints what it measures and writes ``benchmarks/<date>.md``.

``make bench``, or ``python benchmarks/run.py [--only speed|voice|labels|recordings]``.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import labels
import recordings
import speed

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "samples" / "dyad.mp4"
TRUTH = ROOT / "samples" / "dyad.truth.json"


def machine() -> Iterator[str]:
    """Yield what was measured on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    yield f"{datetime.date.today()}, commit {commit or 'unknown'}, cuesense {version('cuesense')}"
    yield f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"


def speed_section(folder: Path, minutes: int, runs: int) -> Iterator[str]:
    """Yield time and memory beside the bare work."""
    yield "## Speed and memory"
    yield ""
    one = speed.stretch(SAMPLE, 60.0, folder / "one.mp4")
    pairs = []
    for turn in range(runs):
        bare = speed.measure("bare", one)
        whole = speed.measure("analyze", one, folder / f"speed{turn}")
        pairs.append((bare, whole))
    yield "| run | bare s | analyze s | ratio | x real time | peak MB |"
    yield "|---|---|---|---|---|---|"
    for turn, (bare, whole) in enumerate(pairs, 1):
        yield (
            f"| {turn} | {bare['seconds']:.1f} | {whole['seconds']:.1f} "
            f"| {whole['seconds'] / bare['seconds']:.2f} "
            f"| {whole['duration_s'] / whole['seconds']:.2f} | {whole['peak_mb']:.0f} |"
        )
    yield ""
    yield "Bare: decode once, one FaceLandmarker call per person and frame, one thread. Limit 1.3."
    yield ""
    yield "| recording | peak MB |"
    yield "|---|---|"
    peaks = {}
    for name, seconds in (("1 min", 60.0), (f"{minutes} min", 60.0 * minutes)):
        path = speed.stretch(SAMPLE, seconds, folder / f"{name.replace(' ', '')}.mp4")
        peaks[name] = speed.measure("analyze", path, folder / name.replace(" ", ""))["peak_mb"]
        yield f"| {name} | {peaks[name]:.0f} |"
    short, long = peaks.values()
    yield ""
    yield f"Growth {100 * (long / short - 1):+.1f} % (limit 10 %); limit 1000 MB."


def voice_section() -> Iterator[str]:
    """Yield what a channel of sound costs."""
    yield "## The voice path, one channel, CPU time as a share of real time"
    yield ""
    yield "| sound | cuesense | its two models alone | ratio | openSMILE eGeMAPS | ratio |"
    yield "|---|---|---|---|---|---|"
    for rate in (16_000, 48_000):
        cost = speed.measure("voice", SAMPLE, str(rate))
        ours, models, peer = cost["ours"], cost["models"], cost["opensmile"]
        yield (
            f"| {rate // 1000} kHz | {ours:.1%} | {models:.1%} | {ours / models:.2f} "
            f"| {peer:.1%} | {ours / peer:.2f} |"
        )
    yield ""
    yield "Limit 5 %. The models alone have the whole sound at once; openSMILE at 16 kHz."


def labels_section() -> Iterator[str]:
    """Yield how the sample's scripted bouts are labelled."""
    yield "## The sample's scripted bouts"
    yield ""
    true, null = labels.bouts(SAMPLE, TRUTH)
    yield "| | true partner | wrong partner (median of rolls, 5-95 %) | limit |"
    yield "|---|---|---|---|"
    yield (
        f"| bout time with a mode | {true['given']:.0%} | {null['given'][0]:.0%} "
        f"({null['given'][1]:.0%}-{null['given'][2]:.0%}) | >= 50 % |"
    )
    yield (
        f"| of that, the scripted mode | {true['right']:.0%} | {null['right'][0]:.0%} "
        f"({null['right'][1]:.0%}-{null['right'][2]:.0%}) | >= 80 % |"
    )
    for name, value in true.items():
        if "_" in name:
            yield f"| {name.replace('_', ', ')} | {value:.0%} | | |"


def merged(earlier: str, header: list[str], sections: dict[str, list[str]]) -> str:
    """Return the page with new sections put over those of an earlier page of the same day."""
    found: dict[str, list[str]] = {}
    for block in earlier.split("\n## ")[1:]:
        lines = ("## " + block).rstrip().splitlines()
        found[lines[0]] = lines
    found |= {lines[0]: lines for lines in sections.values()}
    return "\n\n".join("\n".join(lines).strip() for lines in (header, *found.values())) + "\n"


def write(sections: dict[str, list[str]]) -> None:
    """Put sections into the page of the day."""
    target = ROOT / "benchmarks" / f"{datetime.date.today()}.md"
    earlier = target.read_text(encoding="utf-8") if target.is_file() else ""
    page = merged(earlier, ["# Benchmark", "", *machine()], sections)
    target.write_text(page, encoding="utf-8")
    print(f"written: {target.name}", file=sys.stderr)


def main() -> None:
    """Run what is asked for, and write it into the page of the day."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("speed", "voice", "labels", "recordings"))
    parser.add_argument("--minutes", type=int, default=10, help="length of the long recording")
    parser.add_argument("--pairs", type=int, default=3, help="runs of bare work and analysis")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts: dict[str, Callable[[], Iterator[str]]] = {
            "labels": labels_section,
            "recordings": lambda: recordings.section(recordings.folder()),
            "voice": voice_section,
            "speed": lambda: speed_section(folder, options.minutes, options.pairs),
        }
        sections: dict[str, list[str]] = {}
        for part, section in parts.items():
            if options.only in (None, part):
                sections[part] = []
                for line in section():
                    print(line, flush=True)
                    sections[part].append(line)
    write(sections)


if __name__ == "__main__":
    main()
