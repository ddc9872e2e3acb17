"""``cuesense analyze`` of many recordings: what it shows meanwhile, and the table at its end."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cuesense.cli.codes import FAILED, INTERRUPTED, OK
from cuesense.errors import ParameterError

if TYPE_CHECKING:
    from rich.progress import TaskID

    from cuesense.batch import Outcome, Progress
    from cuesense.config import Config

ROWS: Final = 40
"""Of the table at the end; summary.csv has all."""
BARS: Final = 8
"""Recordings that are shown at work; a cluster may have hundreds."""
LABELS: Final = 2
"""Labels shown of each session, the most frequent first."""


def meant(options: argparse.Namespace) -> bool:
    """Return whether many recordings are asked for.

    Raises
    ------
    ParameterError
        If the options do not fit what is asked for.
    """
    from cuesense.batch import places
    from cuesense.batch.recordings import means_many

    if len(options.recording) == 1:
        many = means_many(options.recording[0])
    else:
        many = any(map(places.is_url, options.recording))
    wrong = {
        "--jobs": options.jobs is not None and not many,
        "--scheduler": options.scheduler is not None and not many,
        "--dry-run": options.dry_run and not many,
        "--save-profile": options.save_profile and many,
        "--lsl-replay": options.lsl_replay and many,
        "--offset": options.offset is not None and many and len(options.recording) == 1,
    }
    for option, is_wrong in wrong.items():
        if is_wrong:
            remedy = {"--offset": "give it in a list's column offset"}.get(option, "leave it out")
            raise ParameterError(
                f"{option} is for {'one recording' if many else 'many recordings'}; {remedy}"
            )
    return many


def analyze(options: argparse.Namespace, config: Config) -> int:
    """Analyse many recordings."""
    from cuesense import batch
    from cuesense.batch import places
    from cuesense.batch.recordings import default_out

    first = options.recording[0]
    pair = batch.Recording(tuple(options.recording), offset_s=options.offset)
    out = options.out or default_out(first)
    wanted = batch.planned(
        first if len(options.recording) == 1 else [pair],
        out,
        config=config,
        listener=options.listener,
        baseline=options.baseline,
        use_profiles=options.profile,
        csv=options.csv,
        overwrite=options.overwrite,
    )
    if options.dry_run:
        for job in wanted:
            print(f"{job.id}: {job.name}")
        print(f"{len(wanted)} recordings, to {places.shown(places.local(out))}")
        return OK
    try:
        with _display(len(wanted), options.quiet) as progress:
            outcomes = batch.run(wanted, out, options.jobs, options.scheduler, progress)
    except KeyboardInterrupt:
        print(
            "\ncuesense: stopped; what is finished stays, the same command goes on", file=sys.stderr
        )
        return INTERRUPTED
    _tell(outcomes)
    print(f"Sessions and summary.csv: {places.shown(places.local(out))}")
    return FAILED if any(o.status == "failed" for o in outcomes) else OK


@contextmanager
def _display(total: int, quiet: bool) -> Iterator[Progress | None]:
    """Give the callback that shows how far all recordings are: bars, or lines if not a terminal."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}", markup=False),
    )
    shares: dict[str, float] = {}
    ended = worked = 0
    began = time.monotonic()
    plain = not console.is_terminal
    with Bars(*columns, console=console, disable=plain, refresh_per_second=2) as bars:
        whole = bars.add_task(f"0 of {total}", total=total, left="")
        rows: dict[str, TaskID] = {}

        def show(name: str, done: float, all_s: float | None, outcome: Outcome | None) -> None:
            nonlocal ended, worked
            if outcome is None:
                if name not in rows and len(rows) < BARS:
                    rows[name] = bars.add_task(name[:40], total=None, left="")
                shares[name] = min(done / all_s, 1.0) if all_s else 0.0
                if name in rows:
                    bars.update(rows[name], completed=done, total=all_s)
            else:
                ended += 1
                worked += outcome.status != "skipped"
                shares.pop(name, None)
                if name in rows:
                    bars.remove_task(rows.pop(name))
                line = f"[{ended}/{total}] {name}: {outcome.status}"
                if outcome.status == "failed" or plain:
                    line += f" ({outcome.reason or f'{outcome.seconds:.0f} s'})"
                    console.print(line, markup=False, soft_wrap=True)
            under_way = sum(shares.values())
            speed = (worked + under_way) / max(time.monotonic() - began, 1e-6)
            left = (total - ended - under_way) / speed if speed else None
            bars.update(
                whole,
                description=f"{ended} of {total}",
                completed=ended + under_way,
                left="" if left is None else f"{_time(left)} left",
            )

        yield show


def _time(seconds: float) -> str:
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _tell(outcomes: Sequence[Outcome]) -> None:
    """Print what became of all: a table, reasons, counts."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table("session", "status", "length", "took", "mostly", box=None, pad_edge=False)
    for o in outcomes[:ROWS]:
        often = sorted(o.labels.items(), key=lambda pair: -pair[1])[:LABELS]
        table.add_row(
            Text(o.id),
            o.status,
            "" if o.duration_s is None else _time(o.duration_s),
            _time(o.seconds),
            ", ".join(f"{label} {share:.0%}" for label, share in often if share > 0),
        )
    console.print(table)
    if len(outcomes) > ROWS:
        print(f"… and {len(outcomes) - ROWS} more: see summary.csv")
    failed = [o for o in outcomes if o.status == "failed"]
    for o in failed[:ROWS]:
        print(f"failed: {o.id}: {o.reason}")
    if len(failed) > ROWS:
        print(f"… and {len(failed) - ROWS} more failed: see summary.csv")
    words = ("done", "skipped", "failed")
    counts = {status: sum(o.status == status for o in outcomes) for status in words}
    print(", ".join(f"{n} {status}" for status, n in counts.items()))
