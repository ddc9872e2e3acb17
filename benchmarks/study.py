"""A study of 100 sessions against its CSV twins: ``python benchmarks/study.py``.

How long it takes to add the sessions, and to read one column of all of them from the study, from
CSV with pandas and from CSV with DuckDB. The sessions are made up: every column is filled with
numbers that do not repeat, 30 % are missing; ten different ones, each ten times. CPU time, best of
`REPEATS`: other work on the machine does not count. 1 if a ratio is below `LEAST`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import duckdb  # noqa: E402 - after the path
import pandas as pd  # noqa: E402

import export_sessions  # noqa: E402
from cuesense import Study  # noqa: E402

SESSIONS, DIFFERENT, REPEATS, LEAST = 100, 10, 3, 10.0
COLUMN = "arousal"


def make(folder: Path, seconds: float) -> None:
    """Write the sessions, and the timeline of each as CSV."""
    for i in range(SESSIONS):
        path = folder / f"s{i:03}.cuesense"
        if i < DIFFERENT:
            session = export_sessions.write(path, seconds, seed=i)
            session.to_csv(folder / "csv" / path.stem)
        else:
            twin = f"s{i % DIFFERENT:03}"
            shutil.copytree(folder / f"{twin}.cuesense", path)
            shutil.copytree(folder / "csv" / twin, folder / "csv" / path.stem)
        meta = json.loads((path / "session.json").read_text(encoding="utf-8"))
        meta["source"]["sha256"] = [f"{i:064x}"]
        (path / "session.json").write_text(json.dumps(meta), encoding="utf-8")


def best(read: Callable[[], int]) -> tuple[float, float, int]:
    """Return the least CPU s and s of some reads, and the values that one of them gave."""
    cpu, wall, values = [], [], 0
    for _ in range(REPEATS):
        began, began_cpu = time.perf_counter(), time.process_time()
        values = read()
        cpu.append(time.process_time() - began_cpu)
        wall.append(time.perf_counter() - began)
    return min(cpu), min(wall), values


def main() -> int:
    """Print the table; 1 if a ratio is too low."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=300.0, help="length of a session")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder, options.seconds)
        study = Study(folder / "study")
        began = time.process_time()
        outcomes = study.add(*sorted(folder.glob("*.cuesense")), dyad="made up")
        added = time.process_time() - began
        assert all(o.what == "added" for o in outcomes)
        files = sorted((folder / "csv").rglob("timeline.csv"))
        listed = ", ".join(f"'{f}'" for f in files)

        def of_study() -> int:
            return int(study.query(f"select {COLUMN} from timeline").num_rows)

        def of_pandas() -> int:
            return len(pd.concat(pd.read_csv(f, usecols=[COLUMN]) for f in files))

        def of_duckdb() -> int:
            with duckdb.connect(":memory:") as connection:
                answer = connection.sql(f"select {COLUMN} from read_csv([{listed}])")
                return int(answer.to_arrow_table().num_rows)

        found = {
            "study": best(of_study),
            "CSV, pandas.read_csv": best(of_pandas),
            "CSV, duckdb read_csv": best(of_duckdb),
        }
    assert len({values for _, _, values in found.values()}) == 1
    own, own_wall, values = found["study"]
    minutes = SESSIONS * options.seconds / 60
    print(f"{SESSIONS} sessions of {options.seconds:g} s, {COLUMN}: {values} values")
    print(f"added in {added:.1f} CPU s, {added / minutes:.2f} CPU s per minute of session")
    print("| read from | CPU s | s | ratio (CPU) | ratio (s) |")
    print("|---|---|---|---|---|")
    for name, (cpu, wall, _) in found.items():
        print(f"| {name} | {cpu:.2f} | {wall:.2f} | {cpu / own:.0f} | {wall / own_wall:.0f} |")
    return int(any(cpu / own < LEAST for name, (cpu, _, _) in found.items() if name != "study"))


if __name__ == "__main__":
    sys.exit(main())
