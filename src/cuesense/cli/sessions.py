"""Verbs that make a session of a recording, or something of a session."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cuesense.cli import many
from cuesense.cli.codes import DEMO_FOLDER, OK, PASSPHRASE
from cuesense.errors import ParameterError


def analyze(options: argparse.Namespace) -> int:
    """Analyse a recording into a session folder, or many."""
    from cuesense.config import Config
    from cuesense.session import analyze

    config = Config.load(options.config) if options.config else Config()
    if many.meant(options):
        return many.analyze(options, config)
    with _progress(options.quiet) as progress:
        session = analyze(
            *options.recording,
            out=options.out,
            listener=options.listener,
            config=config,
            offset_s=options.offset,
            csv=options.csv,
            overwrite=options.overwrite,
            progress=progress,
            baseline=options.baseline,
            use_profiles=options.profile,
            save_profiles=options.save_profile,
            replace_profiles=options.replace_profile,
        )
    _tell(session)
    if options.lsl_replay:
        from cuesense import lsl

        lsl.replay(session, lambda line: print(line, file=sys.stderr, flush=True))
    return OK


def demo(options: argparse.Namespace) -> int:
    """Analyse the bundled sample."""
    from cuesense.resources import resource
    from cuesense.session import analyze

    sample = resource("samples/dyad.mp4")
    print("Analysing the bundled sample: two scripted faces and voices, not real people.")
    with _progress(options.quiet) as progress:
        # The default folder is the demo's own (of an older sample, perhaps); others are not.
        ours = options.out == DEMO_FOLDER
        session = analyze(sample, out=options.out, overwrite=ours, progress=progress)
    _tell(session)
    return OK


def _tell(session: object) -> None:
    """Print what a session found, in a few lines."""
    from cuesense.session import Session

    assert isinstance(session, Session)
    meta = session.meta
    labels = meta["summary"]["labels"]
    for sentence in (meta["role_reason"], *meta["notes"], *meta["source"]["problems"]):
        print(f"  note: {sentence}")
    found = {(b["start_s"], b["end_s"]) for b in meta["baseline"].values() if b["how"] == "auto"}
    for start, end in found:
        print(f"  baseline: {start:g} to {end:g} s, the most ordinary stretch")
    if labels:
        print("  " + ", ".join(f"{name} {share:.0%}" for name, share in labels.items()))
    print(f"Report: {session.report.resolve()}")


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[float, float], None] | None]:
    """Give the callback that moves a progress bar on the terminal."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}"),
        TextColumn("{task.fields[left]}"),
    )
    start = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("preparing", total=None, speed="", left="")

        def move(done: float, total: float) -> None:
            speed = done / max(time.monotonic() - start, 1e-6)
            known = total == total
            left = max(0.0, total - done) / speed if known and speed > 0 else None
            bar.update(
                task,
                description="analysing",
                completed=min(done, total) if known else done,
                total=total if known else None,
                speed=f"{speed:.1f} x real time",
                left="" if left is None else f"{left:.0f} s left",
            )

        yield move
        bar.update(task, description="done", completed=1, total=1, left="")


def report(options: argparse.Namespace) -> int:
    """Write a session's report anew."""
    from cuesense import journal
    from cuesense.session import Session, write_report

    if journal.broken_off(options.session):
        session = journal.finish(options.session)
        print("The live session was broken off; it is finished now from what it had written.")
    else:
        session = Session(options.session)
        write_report(session)
    print(f"Report: {session.report.resolve()}")
    return OK


def rate(options: argparse.Namespace) -> int:
    """Code a session blind, or compare codes."""
    from cuesense import rating
    from cuesense.rating import words
    from cuesense.session import Session
    from cuesense.terminal import interruptible

    sessions = [Session(path) for path in options.session]
    if options.agreement:
        found = rating.study(sessions)
        if options.json:
            print(json.dumps(words.as_json(found), indent=1, ensure_ascii=False))
        else:
            from rich.console import Console

            words.show(found, Console())
        return OK
    if len(sessions) > 1:
        raise ParameterError(f"{len(sessions)} sessions given, --as codes one at a time: name one")
    with interruptible():  # a terminal that is closed must not leave a recording decrypted
        done, total = rating.rate(
            sessions[0],
            options.name,
            media=options.media,
            count=options.units,
            unit_s=options.seconds,
            passphrase=_passphrase,
            port=options.port,
            open_browser=not options.no_browser,
            on_ready=lambda url: print(f"cuesense: {url}", file=sys.stderr, flush=True),
        )
    print(f"{options.name}: {done} of {total} bouts are coded.")
    folder = options.session[0]
    if done < total:
        print(f"Go on: cuesense rate {folder} --as {options.name}")
    else:
        print(f"When all raters are done: cuesense rate {folder} --agreement")
    return OK


def unlock(options: argparse.Namespace) -> int:
    """Decrypt a kept recording."""
    from cuesense.recording import unlock

    source = options.recording
    target = options.out or source.with_suffix("" if source.suffix == ".enc" else ".mkv")
    warning = unlock(source, target, _passphrase())
    if warning:
        print(f"  note: {warning}")
    print(f"Recording: {target.resolve()}")
    return OK


def _passphrase() -> str:
    given = os.environ.get(PASSPHRASE)
    if given:
        return given
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would be shown as it is typed
        try:
            return getpass.getpass("Passphrase: ")
        except (EOFError, getpass.GetPassWarning) as error:
            raise ParameterError(
                f"there is no terminal to ask for the passphrase; put it into {PASSPHRASE}"
            ) from error


def pool(options: argparse.Namespace) -> int:
    """Take the settling of several sessions together."""
    from cuesense.pooling import settling_pooled, told

    print(told(settling_pooled(*options.session)))
    return OK


def export(options: argparse.Namespace) -> int:
    """Write a session in formats of the field."""
    from cuesense.export import export
    from cuesense.session import Session

    def tell(name: str) -> None:
        print(f"writing {name} …", file=sys.stderr, flush=True)

    places = export(
        Session(options.session),
        options.format,
        options.out,
        columns=[c.strip() for text in options.columns for c in text.split(",") if c.strip()],
        overwrite=options.overwrite,
        progress=None if options.quiet else tell,
    )
    for name, folder in places.items():
        print(f"{name}: {folder.resolve()}")
    return OK
