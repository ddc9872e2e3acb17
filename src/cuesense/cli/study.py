"""``cuesense study``: what can be asked for, and its verbs."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cuesense.cli.codes import FAILED, INTERRUPTED, OK, Verb, add_verb
from cuesense.errors import OutputError, ParameterError

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

FORMATS: Final = ("table", "csv", "json", "parquet")
SHOWN: Final = 40
"""Rows of a table that are shown in a terminal."""


def grammar(top: argparse.ArgumentParser) -> None:
    """Add the verbs of a study to its parser."""
    verbs = top.add_subparsers(title="verbs", metavar="VERB", required=True)

    def verb(name: str, run: Verb, text: str, more: str = "") -> argparse.ArgumentParser:
        p = add_verb(verbs, name, run, text, more)
        p.add_argument("study", type=Path, metavar="STUDY", help="folder of the study")
        return p

    p = verb(
        "add",
        add,
        "add sessions; the study is made if it is not there",
        "Each session is in the study whole or not at all. What is there and has not\n"
        "changed is left as it is, so the same command goes on after a stop.\n\n"
        "example: cuesense study add mystudy sessions/ --list who.csv",
    )
    p.add_argument("session", nargs="+", type=Path, help="session folder, or a folder of them")
    p.add_argument("--dyad", metavar="NAME", help="the dyad of all these sessions")
    p.add_argument(
        "--list",
        type=Path,
        metavar="CSV",
        help="a row per session: columns session (the name of its folder), dyad, and your own, "
        "whose names begin with x_",
    )
    p.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace a session of this name that is of another recording",
    )
    p.add_argument("-q", "--quiet", action="store_true", help="no progress, only the result")

    verb("list", show, "list the sessions")

    p = verb("remove", remove, "take sessions out; their own folders stay")
    p.add_argument("session", nargs="+", help="name, as 'cuesense study list' has it")

    p = verb(
        "query",
        query,
        "ask in SQL",
        "Tables: sessions, people, dyads, windows, timeline, state, events; their columns:\n"
        "cuesense schema, cuesense schema --study. A query can only read, and only the study.\n\n"
        'example: cuesense study query mystudy "select dyad, avg(share_regulating)\n'
        '         from sessions group by dyad"',
    )
    p.add_argument("sql", help="one select statement; - reads it from the standard input")
    p.add_argument("--format", choices=FORMATS, help="default: by the file's ending, else table")
    p.add_argument("-o", "--out", type=Path, metavar="FILE", help="default: the standard output")
    p.add_argument("--overwrite", action="store_true", help="replace FILE")

    verb("migrate", migrate, "bring a study of an older version up to date")


def add(options: argparse.Namespace) -> int:
    """Add sessions to a study."""
    from cuesense.study import Outcome, Study, read_list

    if options.dyad is not None and not options.dyad.strip():
        raise ParameterError(f"dyad={options.dyad!r} must be a name")
    given = read_list(options.list) if options.list else {}
    study = Study(options.study)
    try:
        with _progress(options.quiet) as progress:
            outcomes = study.add(
                *options.session,
                dyad=options.dyad,
                given=given,
                overwrite=options.overwrite,
                progress=progress,
            )
    except KeyboardInterrupt:
        print(
            "\ncuesense: stopped; what was added stays, the same command goes on", file=sys.stderr
        )
        return INTERRUPTED
    counts = Counter(o.what for o in outcomes)
    print(", ".join(f"{n} {what}" for what, n in counts.items()))
    failed: list[Outcome] = [o for o in outcomes if o.what == "failed"]
    strangers = sorted(set(given) - {o.session for o in outcomes})
    if strangers:
        print(
            f"  note: {options.list} has sessions that were not given here: {', '.join(strangers)}"
        )
    if failed:
        from rich.table import Table

        table = Table("session", "why it was not added")
        for outcome in failed:
            table.add_row(str(outcome.path), outcome.reason)
        _console().print(table)
    print(f"Study: {study.path.resolve()}")
    return FAILED if failed else OK


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int, str], None] | None]:
    """Give the callback that moves a progress bar on the terminal."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, name: bar.update(
            task, completed=done, total=total, description=name
        )
        bar.update(task, completed=bar.tasks[0].total, description="")


def show(options: argparse.Namespace) -> int:
    """List a study's sessions."""
    from cuesense.study import Study

    sessions = Study(options.study).sessions
    _print(
        sessions.select(["session", "dyad", "dyad_from", "ordinal", "started", "duration_s"]), None
    )
    return OK


def remove(options: argparse.Namespace) -> int:
    """Take sessions out of a study."""
    from cuesense.study import Study

    Study(options.study).remove(*options.session)
    print(f"removed {', '.join(options.session)}")
    return OK


def query(options: argparse.Namespace) -> int:
    """Ask a study in SQL."""
    from cuesense.study import Study

    out: Path | None = options.out
    ending = out.suffix.removeprefix(".") if out is not None else ""
    form = options.format or (ending if ending in FORMATS else "table")
    if form == "parquet" and out is None:
        raise ParameterError("format='parquet' needs a file; name it with -o")
    # Not by `Path`, which raises if a name is too long to be one; writing says so.
    if out is not None and os.path.exists(out) and not options.overwrite:
        raise OutputError(f"out={str(out)!r} is there already; name another, or --overwrite it")
    rows = Study(options.study).query(sys.stdin.read() if options.sql == "-" else options.sql)
    if out is None:
        _write(rows, form)
        return OK
    from cuesense.folder import whole_file, writing

    with writing(out, remedy="name another file with -o"), whole_file(out) as beside:
        _write(rows, form, beside)
    return OK


def _write(rows: pa.Table, form: str, path: Path | None = None) -> None:
    """Write an answer into a file, or to the standard output."""
    if form == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(rows, path, compression="zstd")
        return
    if form == "table" and path is None:
        _print(rows, SHOWN)
        return
    with open(path, "w", encoding="utf-8") if path else nullcontext(sys.stdout) as file:
        file.write(_text(rows, form))


def _text(rows: pa.Table, form: str) -> str:
    frame = rows.to_pandas()
    if form == "csv":
        return str(frame.to_csv(index=False, lineterminator="\n"))
    if form == "json":
        options = {"force_ascii": False, "date_format": "iso", "double_precision": 15}
        return str(frame.to_json(orient="records", indent=1, **options)) + "\n"
    return str(frame.to_string(index=False)) + "\n"


def _console() -> Console:
    """Return where tables are printed: names are no markup, and what is piped is not cut."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, markup=False, highlight=False)


def _print(rows: pa.Table, most: int | None) -> None:
    """Print an answer as a table."""
    from rich.table import Table

    def told(x: Any) -> str:
        return "" if x is None else f"{x:.6g}" if isinstance(x, float) else str(x)

    shown = rows if most is None else rows.slice(0, most)
    table = Table(*rows.column_names)
    for row in shown.to_pylist():
        table.add_row(*map(told, row.values()))
    _console().print(table)
    left = rows.num_rows - shown.num_rows
    if left:
        print(f"… {left} rows more; all of them: --format csv, or -o FILE")


def migrate(options: argparse.Namespace) -> int:
    """Bring a study up to date."""
    from cuesense.study import migrate

    done = migrate(options.study)
    print(f"{done} sessions were brought up to date" if done else "the study is up to date")
    return OK
