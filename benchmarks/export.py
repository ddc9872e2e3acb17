"""Time and memory of each export of a one-hour session: ``python benchmarks/export.py``.

The session is made up: every column is filled with numbers that do not repeat, 30 % are missing.
Real ones repeat more and are missing more. Each export is a ``cuesense export`` of its own, so its
figures hold the start of Python, too. CPU time: other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import export_sessions  # noqa: E402  (the tests' made-up sessions)
from cuesense.export import FORMATS  # noqa: E402

LIMIT_S, LIMIT_MB = 5.0, 500.0


def measure(session: Path, name: str, out: Path) -> tuple[float, float, float]:
    """Return CPU s, peak MB and MB written of one export."""
    command = [sys.executable, "-m", "cuesense", "export", str(session), "-q", "-o", str(out)]
    process = subprocess.Popen([*command, "--format", name], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name}: exit code {process.returncode}")
    written = sum(p.stat().st_size for p in (out / name).rglob("*") if p.is_file())
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, written / 1e6


def main() -> int:
    """Print the table; 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        session = Path(folder) / "hour.cuesense"
        export_sessions.write(session, 60 * options.minutes)
        print(f"{options.minutes:g} min; limits {LIMIT_S:g} s, {LIMIT_MB:g} MB")
        print("| format | CPU s | peak MB | written MB |")
        print("|---|---|---|---|")
        for name in FORMATS:
            seconds, peak, written = measure(session, name, Path(folder) / "out")
            broken = seconds > LIMIT_S or peak > LIMIT_MB
            failed |= broken
            print(f"| {name} | {seconds:.1f} | {peak:.0f} | {written:.0f} |" + " over" * broken)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
