"""Many recordings on two workers against one: ``python benchmarks/batch.py``.

N copies of a stretch of the bundled sample are analysed once with ``--jobs 1`` and once with
``--jobs 2``, in turn, each time into a new folder; the ratio of the times is printed. It needs two
cores that have nothing else to do.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from conftest import cut  # noqa: E402

LIMIT = 1.8


def took(recordings: Path, out: Path, jobs: int) -> float:
    """Return the s that all recordings took."""
    command = [sys.executable, "-m", "cuesense", "analyze", str(recordings), "-o", str(out), "-q"]
    began = time.monotonic()
    subprocess.run([*command, "--jobs", str(jobs)], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def main() -> int:
    """Print the table; 1 if the ratio is too small."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--recordings", type=int, default=6, help="an even number")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "in")
        place.mkdir()
        for i in range(options.recordings):
            cut(ROOT / "samples" / "dyad.mp4", options.seconds, place / f"{i}.mp4")
        print(f"{options.recordings} recordings of {options.seconds:g} s; limit {LIMIT:g}")
        print("| one worker, s | two, s | ratio |")
        print("|---|---|---|")
        for i in range(options.rounds):
            one, two = (took(place, Path(folder, f"out{i}-{jobs}"), jobs) for jobs in (1, 2))
            ratios.append(one / two)
            print(f"| {one:.1f} | {two:.1f} | {one / two:.2f} |", flush=True)
    print(f"median ratio {median(ratios):.2f}")
    return int(median(ratios) < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
