"""The command line: analyse or sense live, report, export, and what that needs.

Heavy modules are imported by the verb that needs them, so that ``--help`` is instant. A
`CuesenseError` is the user's to mend: one line, exit code 2. Ctrl-C: exit code 130.
"""

from __future__ import annotations

import argparse
import getpass
import io
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cuesense.errors import CuesenseError, ParameterError

if TYPE_CHECKING:
    from cuesense.capture.browser import BrowserFeed
    from cuesense.live import Choice, LiveSession

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
DEMO_FOLDER = Path("cuesense-demo")
PASSPHRASE = "CUESENSE_PASSPHRASE"
"""Environment variable that a passphrase is taken from: arguments can be seen by others."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file name, or a terminal, need not be UTF-8: what cannot be shown is escaped.
            stream.reconfigure(errors="backslashreplace")
    try:
        options = parser().parse_args(arguments)
        code = options.verb(options)
    except CuesenseError as error:
        print(f"cuesense: {error}", file=sys.stderr)
        code = USAGE
    except KeyboardInterrupt:
        print(
            "\ncuesense: stopped; nothing was written, an earlier result is as it was",
            file=sys.stderr,
        )
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (head, less): not an error of ours.
        sys.stderr.close()
        code = OK
    sys.exit(code)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="cuesense",
        description="Senses nonverbal cues between two people, live or in a recording, and tells "
        "whether the listener is mirroring or regulating. Everything stays on this machine.",
        epilog="examples:\n"
        "  cuesense demo\n"
        "  cuesense live\n"
        "  cuesense analyze talk.mp4 --listener right\n"
        "  cuesense analyze her.mp4 his.mp4 -o session --csv\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def verb(
        name: str, run: Callable[[argparse.Namespace], int], text: str, more: str = ""
    ) -> argparse.ArgumentParser:
        p = verbs.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + "." + (f"\n\n{more}" if more else ""),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        p.set_defaults(verb=run)
        return p

    p = verb(
        "live",
        _live,
        "sense a conversation live and give gentle feedback",
        "Opens a page in your browser: a short set-up, then one needle, mirroring to\n"
        "regulating, and at most one sentence at a time. Nothing leaves this machine,\n"
        "unless you say --lsl. Camera and sound are kept only if you choose so. At the\n"
        "end there is a session folder with a report, as after 'cuesense analyze'.",
    )
    p.add_argument(
        "--camera",
        action="append",
        metavar="NAME",
        help="name, number, device or URL; twice for one per person; 'none' (default: the first)",
    )
    p.add_argument(
        "--microphone",
        action="append",
        metavar="NAME",
        help="name or number; twice for one per person; 'none' (default: the system's)",
    )
    p.add_argument(
        "--capture",
        choices=("device", "browser"),
        default="device",
        help="browser: use the camera and microphone that the page may use",
    )
    p.add_argument("--play", type=Path, metavar="FILE", help="play a recording as if live")
    p.add_argument("-o", "--out", type=Path, metavar="DIR", help="session folder, new or empty")
    p.add_argument("--listener", choices=("auto", "left", "right", "A", "B"), help="who responds")
    p.add_argument(
        "--keep",
        choices=("nothing", "picture", "sound", "both"),
        default="nothing",
        help="without the page: what to record besides the cues (encrypted if "
        f"{PASSPHRASE} is set; see 'cuesense unlock')",
    )
    _profile_options(p)
    p.add_argument(
        "--lsl",
        action="store_true",
        help="also offer the cues on the Lab Streaming Layer, to all of this network",
    )
    p.add_argument("--config", type=Path, metavar="TOML", help="settings; see 'cuesense config'")
    view = p.add_mutually_exclusive_group()
    view.add_argument("--no-page", action="store_true", help="show it in the terminal")
    view.add_argument(
        "--headless", action="store_true", help="begin at once; moments as JSON lines on stdout"
    )
    view.add_argument("--port", type=int, default=0, help="of the page (default: a free one)")
    p.add_argument("--no-browser", action="store_true", help="do not open the page, only say where")

    p = verb(
        "analyze",
        _analyze,
        "analyse a recording into a session folder with a report",
        "One recording of both people, or two recordings, person A's and person B's.\n"
        "Audio alone works too. The folder gets timeline, state and events tables\n"
        "(Parquet), session.json and report.html.",
    )
    p.add_argument("recording", nargs="+", type=Path, help="media file (one, or one per person)")
    p.add_argument(
        "-o", "--out", type=Path, metavar="DIR", help="session folder (default: NAME.cuesense here)"
    )
    p.add_argument(
        "--listener",
        choices=("auto", "left", "right", "A", "B"),
        help="who responds; auto: who speaks less in the baseline (default)",
    )
    p.add_argument(
        "--offset",
        type=_seconds,
        metavar="S",
        help="seconds by which the second recording starts later (default: align by sound)",
    )
    p.add_argument(
        "--baseline",
        metavar="auto|START:END",
        help="where both people are as usual: auto finds the most ordinary stretch, or name one in "
        "seconds, such as 60:105 (default: the start, as the settings say)",
    )
    _profile_options(p)
    p.add_argument("--config", type=Path, metavar="TOML", help="settings; see 'cuesense config'")
    p.add_argument("--csv", action="store_true", help="also write the tables as CSV")
    p.add_argument(
        "--lsl-replay",
        action="store_true",
        help="then offer the cues in real time on the Lab Streaming Layer, to all of this network",
    )
    p.add_argument("--overwrite", action="store_true", help="replace another recording's session")
    p.add_argument("-q", "--quiet", action="store_true", help="no progress, only the result")

    p = verb("demo", _demo, "analyse the bundled sample and say where the report is")
    p.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="DIR",
        default=DEMO_FOLDER,
        help=f"session folder (default: {DEMO_FOLDER} here)",
    )
    p.add_argument("-q", "--quiet", action="store_true", help="no progress, only the result")

    p = verb(
        "report",
        _report,
        "write a session's report anew",
        "A live session that broke off is finished first, from what it had written.",
    )
    p.add_argument("session", type=Path, help="session folder")

    p = verb(
        "rate",
        _rate,
        "code a session's bouts blind, and compare people with each other and with the tool",
        "With --as it opens a page that plays one bout after the other and asks what the\n"
        "listener does, and whether it is a response to the partner. Nothing of what the\n"
        "tool found is shown. Each answer is written at once into the session's folder\n"
        "ratings; stop whenever you like, the same command goes on. With --agreement it\n"
        "prints how far raters agree, beyond chance, for each of the two questions.",
    )
    p.add_argument("session", nargs="+", type=Path, help="session folder (several: --agreement)")
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--as", dest="name", metavar="NAME", help="code, under this name")
    what.add_argument("--agreement", action="store_true", help="compare all who have coded")
    p.add_argument(
        "--media",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="the session's recording, or twice for two (default: what a live session kept, or a "
        "recording of that name beside the session or here)",
    )
    p.add_argument("--units", type=int, metavar="N", help="bouts to code (first time; default 40)")
    p.add_argument(
        "--seconds", type=float, metavar="S", help="length of a bout (first time; default 12)"
    )
    p.add_argument("--json", action="store_true", help="with --agreement: as JSON")
    p.add_argument("--port", type=int, default=0, help="of the page (default: a free one)")
    p.add_argument("--no-browser", action="store_true", help="do not open the page, only say where")

    p = verb(
        "pool",
        _pool,
        "say whether partners settled after being regulated, over several sessions",
        "Takes each session's difference and its error together, allowing for sessions that\n"
        "really differ. Give each recording once; sessions with too few bouts are left out.",
    )
    p.add_argument("session", type=Path, nargs="+", help="session folders, two or more")

    p = verb(
        "export",
        _export,
        "write a session in formats of the field",
        "Formats: csv, csv-wide, parquet, elan, textgrid, bids, rttm, functionals, xdf.\n"
        "Each gets a folder of its own. docs/formats.md says what is in it.",
    )
    p.add_argument("session", type=Path, help="session folder")
    p.add_argument(
        "--format", action="append", default=[], metavar="NAME", help="what to write; any number"
    )
    p.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="A,B,…",
        help="only these columns of the timeline and the states (default: all)",
    )
    p.add_argument(
        "-o", "--out", type=Path, metavar="DIR", help="folder (default: SESSION.export here)"
    )
    p.add_argument("--overwrite", action="store_true", help="replace what was exported before")
    p.add_argument("-q", "--quiet", action="store_true", help="no progress, only the result")

    p = verb(
        "schema",
        _schema,
        "print the data dictionary: every column of every table",
        "Name, unit, range, meaning, source, and how a missing value is coded.",
    )
    form = p.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON, with the words columns hold")
    form.add_argument("--csv", action="store_true", help="as CSV")

    p = verb(
        "profiles",
        _profiles,
        "list, show or delete saved personal profiles",
        "A profile is what is usual for one person, and how their voice sounds. It is saved\n"
        "only by --save-profile of 'analyze' and 'live', into a folder that only you can read.",
    )
    p.add_argument("action", choices=("list", "show", "delete"))
    p.add_argument("name", nargs="*", help="profiles to show or delete")

    p = verb("unlock", _unlock, "decrypt a recording that was kept with a passphrase")
    p.add_argument("recording", type=Path, help="recording.mkv.enc of a session folder")
    p.add_argument("-o", "--out", type=Path, metavar="FILE", help="default: beside it, as .mkv")

    p = verb("models", _models, "list, fetch or verify the models")
    p.add_argument("action", choices=("list", "fetch", "verify"))
    p.add_argument("name", nargs="*", help="models (default: all)")

    verb("config", _config, "print all settings with their defaults, as TOML")
    p = verb("doctor", _doctor, "check what works on this machine")
    p.add_argument(
        "--preview", type=Path, metavar="DIR", help="also write a picture of each camera there"
    )
    p.add_argument(
        "--clap",
        action="store_true",
        help="also measure sound against picture: clap before the camera",
    )
    return top


def _profile_options(p: argparse.ArgumentParser) -> None:
    """Add the options that use and save personal profiles."""
    p.add_argument(
        "--profile",
        action="append",
        default=[],
        type=_pair,
        metavar="SIDE=NAME",
        help="use a saved profile, such as left=anna: that person needs no baseline; it is good "
        "for the camera and microphone that it was made with",
    )
    p.add_argument(
        "--save-profile",
        action="append",
        default=[],
        type=_pair,
        metavar="SIDE=NAME",
        help="save what is learned of this person, also how their voice sounds, which can tell "
        "who they are: ask them first",
    )
    p.add_argument(
        "--replace-profile", action="store_true", help="--save-profile may replace an earlier one"
    )


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cuesense")
    except PackageNotFoundError:
        return "(not installed)"


def _pair(text: str) -> tuple[str, str]:
    side, equals, name = text.partition("=")
    if not (side and equals and name):
        raise argparse.ArgumentTypeError(f"{text!r} must be SIDE=NAME, such as left=anna")
    return side, name


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise argparse.ArgumentTypeError(f"offset={text!r} must be a number of seconds")
    if abs(value) > 86400:
        raise argparse.ArgumentTypeError(f"offset={text} must be within a day")
    return value


def _analyze(options: argparse.Namespace) -> int:
    from cuesense.config import Config
    from cuesense.session import analyze

    config = Config.load(options.config) if options.config else Config()
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


def _live(options: argparse.Namespace) -> int:
    from cuesense import profiles
    from cuesense.capture import open_live, play
    from cuesense.capture.browser import BrowserFeed
    from cuesense.config import Config
    from cuesense.folder import claim
    from cuesense.live import Choice, LiveSession
    from cuesense.lsl import Outlets
    from cuesense.session import keep

    config = Config.load(options.config) if options.config else Config()
    if options.listener is not None:
        config = config.with_listener(options.listener)
    if options.capture == "browser" and (options.no_page or options.headless):
        raise ParameterError("capture=browser needs the page: leave out --no-page and --headless")
    given = profiles.load_both(profiles.of_people(options.profile))
    names = profiles.of_people(options.save_profile)
    profiles.check_new(names, replace=options.replace_profile)
    browser = BrowserFeed() if options.capture == "browser" else None
    if options.play is not None:
        feed = play(options.play, config)
    else:
        feed = open_live(options.camera or (), options.microphone or (), config, feed=browser)
    choice = Choice(
        config.people.listener,
        options.keep in ("picture", "both"),
        options.keep in ("sound", "both"),
        os.environ.get(PASSPHRASE) or None,
    )
    folder = options.out or Path(f"live-{datetime.now():%Y%m%d-%H%M%S}.cuesense")
    outlets = Outlets(config, folder.name) if options.lsl else None
    folder = claim(folder)
    try:
        with feed, outlets or nullcontext():
            # With a page or a terminal there are people to ask; without, to start it is the word.
            decided = choice if options.headless else None
            session = LiveSession(
                feed, folder, config, decided, given, outlets.push if outlets else None
            )
            if options.headless:
                _stream(session)
            else:
                _attend(session, choice, options, browser)
    except KeyboardInterrupt:  # the second one
        print(f"\ncuesense: what was sensed is kept: cuesense report {folder}", file=sys.stderr)
        return INTERRUPTED
    finally:
        with suppress(OSError):
            folder.rmdir()  # only if nothing was written
    if session.error is not None:
        if (folder / "live.json").exists():
            print(f"cuesense: what was sensed is kept: cuesense report {folder}", file=sys.stderr)
        raise session.error
    if session.report is not None:
        print(f"Report: {session.report.resolve()}", file=sys.stderr)
        keep(session.findings, config, names, replace=options.replace_profile)
    return OK


def _stream(session: LiveSession) -> None:
    """Print a session's moments as JSON lines; Ctrl-C (or being told to end) ends it well."""
    from cuesense.terminal import moment_line

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: session.end())
    try:
        for moment in session.moments():
            try:
                print(moment_line(moment), flush=True)
            except BrokenPipeError:  # whoever read has gone; what was sensed is finished
                sys.stdout = open(os.devnull, "w", encoding="utf-8")
                session.end()
    except CuesenseError as error:
        session.error = error  # told by the caller, as that of a session in its own thread


def _attend(
    session: LiveSession, choice: Choice, options: argparse.Namespace, browser: BrowserFeed | None
) -> None:
    """Show a session on a page or in the terminal, to its end."""
    from cuesense import terminal
    from cuesense.web import serve

    session.start()
    try:
        if options.no_page:
            terminal.show(session, **asdict(choice))
        else:
            serve(
                session,
                port=options.port,
                open_browser=not options.no_browser,
                feed=browser,
                on_ready=lambda url: print(f"cuesense: {url}", file=sys.stderr, flush=True),
            )
    except KeyboardInterrupt:
        print("\ncuesense: ending the session …", file=sys.stderr)
    finally:
        session.end()
        session.join()


def _rate(options: argparse.Namespace) -> int:
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


def _profiles(options: argparse.Namespace) -> int:
    from cuesense import profiles

    if options.action == "list":
        for name in profiles.names():
            print(name)
        print(f"Profiles: {profiles.folder()}", file=sys.stderr)
        return OK
    if not options.name:
        raise ParameterError(f"name is missing: cuesense profiles {options.action} NAME")
    for name in options.name:
        if options.action == "delete":
            print(f"{name}: deleted {profiles.delete(name)}")
        else:
            print(profiles.load(name).words())
    return OK


def _unlock(options: argparse.Namespace) -> int:
    from cuesense.recording import unlock

    source = options.recording
    target = options.out or source.with_suffix("" if source.suffix == ".enc" else ".mkv")
    warning = unlock(source, target, _passphrase())
    if warning:
        print(f"  note: {warning}")
    print(f"Recording: {target.resolve()}")
    return OK


def _passphrase() -> str:
    return os.environ.get(PASSPHRASE) or getpass.getpass("Passphrase: ")


def _demo(options: argparse.Namespace) -> int:
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


def _report(options: argparse.Namespace) -> int:
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


def _pool(options: argparse.Namespace) -> int:
    from cuesense.pooling import settling_pooled, told

    print(told(settling_pooled(*options.session)))
    return OK


def _export(options: argparse.Namespace) -> int:
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


def _schema(options: argparse.Namespace) -> int:
    from cuesense.export import dictionary

    if options.json or options.csv:
        print(dictionary.to_json() if options.json else dictionary.to_csv(), end="")
        return OK
    from rich.console import Console
    from rich.table import Table

    # A table that is piped is not cut to a terminal's width.
    console = Console(width=None if sys.stdout.isatty() else 160)
    for name in dictionary.TABLES:
        table = Table("name", "unit", "range", "meaning", "source", "missing", title=name)
        for c in dictionary.entries():
            if c["table"] == name:
                table.add_row(
                    c["name"],
                    c["unit"],
                    dictionary.limits(c),
                    c["meaning"],
                    c["source"],
                    c["missing"],
                )
        console.print(table)
    return OK


def _models(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from cuesense import models

    known = {entry.name: entry for entry in models.entries()}
    unknown = [name for name in options.name if name not in known]
    if unknown:
        raise ParameterError(f"model={unknown[0]!r} is not one of {', '.join(known)}")
    chosen = [known[name] for name in options.name or known]
    if options.action == "fetch":
        for entry in chosen:
            print(f"{entry.name}: {models.fetch(entry)}")
        return OK
    table = Table("model", "version", "size", "licence", "state", "file")
    states = [models.verify(entry) for entry in chosen]
    for status in states:
        e = status.entry
        table.add_row(
            e.name,
            e.version,
            f"{e.size / 1e6:.1f} MB",
            e.licence,
            status.state + (f" ({status.detail})" if status.detail else ""),
            str(status.path or "-"),
        )
    Console().print(table)
    if options.action == "verify" and any(s.state != "ok" for s in states):
        return FAILED
    return OK


def _config(options: argparse.Namespace) -> int:
    from cuesense.config import Config

    print(Config().to_toml(), end="")
    return OK


def _doctor(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from cuesense import doctor

    findings = doctor.examine()
    table = Table("what", "state", "detail")
    for finding in findings:
        style = {"ok": "green", "warning": "yellow", "failed": "red"}[finding.state]
        table.add_row(finding.what, f"[{style}]{finding.state}[/]", finding.detail)
    Console().print(table)
    if options.clap:
        print(f"Clap before the camera, once a second, for {doctor.CLAP_S:.0f} s …", flush=True)
        print(doctor.clap().detail)
    if options.preview is not None:
        for path in doctor.preview(options.preview):
            print(f"Preview: {path.resolve()}")
    return FAILED if any(f.state == "failed" for f in findings) else OK
