"""Time and memory of each export of a one-hour session: ``python benchmarks/export.py``.

The session is made up: every column is filled with numbers that do not repeat, 30 % are missing.
Real ones repeat more and are missing more. Each export is a ``cuesense export`` of its own, so its
figures hold the start of Python, too. The limit is what a user waits on an idle machine: on a busy
one the time that passes is longer, so that of the processor counts where it is the smaller.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cuesense.export import FORMATS

ROOT = Path(__file__).resolve().parents[1]

LIMIT_S, LIMIT_MB = 5.0, 500.0


def measure(session: Path, name: str, out: Path) -> tuple[float, float, float, float]:
    """Return CPU s, s, peak MB and MB written of one export."""
    command = [sys.executable, "-m", "cuesense", "export", str(session), "-q", "-o", str(out)]
    began = time.monotonic()
    process = subprocess.Popen([*command, "--format", name], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    passed = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name}: exit code {process.returncode}")
    written = sum(p.stat().st_size for p in (out / name).rglob("*") if p.is_file())
    return used.ru_utime + used.ru_stime, passed, used.ru_maxrss / 1024, written / 1e6


def make(folder: Path, minutes: float) -> Path:
    """Make the session in a process of its own: a child's peak counts its parent's size, too."""
    session = folder / "hour.cuesense"
    code = "import sys, pathlib, export_sessions as e; e.write(pathlib.Path(sys.argv[1]), {})"
    search = os.pathsep.join(filter(None, (str(ROOT / "tests"), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-c", code.format(60 * minutes), str(session)]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": search})
    return session


def main() -> int:
    """Print the table; 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        session = make(Path(folder), options.minutes)
        print(f"{options.minutes:g} min; limits {LIMIT_S:g} s, {LIMIT_MB:g} MB")
        print("| format | CPU s | s | peak MB | written MB |")
        print("|---|---|---|---|---|")
        for name in FORMATS:
            seconds, passed, peak, written = measure(session, name, Path(folder) / "out")
            broken = min(seconds, passed) > LIMIT_S or peak > LIMIT_MB
            failed |= broken
            print(
                f"| {name} | {seconds:.1f} | {passed:.1f} | {peak:.0f} | {written:.0f} |"
                + " over" * broken
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
