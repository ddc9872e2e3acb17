"""What can be asked for on the command line, and in which words."""

from __future__ import annotations

import argparse
import math
from functools import partial
from pathlib import Path

from cuesense.cli import live, sessions, study, upkeep
from cuesense.cli.codes import DEMO_FOLDER, PASSPHRASE, add_verb


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
        "  cuesense analyze her.mp4 his.mp4 -o session --csv\n"
        "  cuesense analyze recordings/ -o sessions\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    verb = partial(add_verb, verbs)

    p = verb(
        "live",
        live.live,
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
        sessions.analyze,
        "analyse a recording, or many, into session folders with reports",
        "One recording of both people, or two recordings, person A's and person B's.\n"
        "Audio alone works too. The folder gets timeline, state and events tables\n"
        "(Parquet), session.json and report.html.\n\n"
        "Many recordings: a folder (the media files in it, not those in folders below),\n"
        'a pattern in quotes ("talks/**/*.mp4"), a list.csv, or an address such as\n'
        "s3://bucket/talks. Each gets the session folder ID.cuesense in the folder that -o\n"
        "names, which also gets summary.csv. The same command again goes on where it\n"
        "stopped: what is finished is skipped. Columns of a list: recording (needed; relative\n"
        "to the list), recording_b, id, listener, offset, baseline, profile_left,\n"
        "profile_right, dyad, and x_… of your own. Exit code 1: some failed. docs/many.md\n"
        "says more.",
    )
    p.add_argument(
        "recording",
        nargs="+",
        help="media file (one, or one per person); or a folder, pattern, list.csv, address",
    )
    p.add_argument(
        "-o",
        "--out",
        metavar="DIR",
        help="session folder (default: NAME.cuesense here); of many, the folder or address of "
        "their session folders (default: NAME.sessions here)",
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
    p.add_argument(
        "--jobs", type=int, metavar="N", help="recordings at once (default: one for each core)"
    )
    p.add_argument(
        "--scheduler", metavar="ADDRESS", help="let the workers of this Dask scheduler do it"
    )
    p.add_argument("--dry-run", action="store_true", help="check and list many, analyse nothing")
    p.add_argument("-q", "--quiet", action="store_true", help="no progress, only the result")

    p = verb("demo", sessions.demo, "analyse the bundled sample and say where the report is")
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
        sessions.report,
        "write a session's report anew",
        "A live session that broke off is finished first, from what it had written.",
    )
    p.add_argument("session", type=Path, help="session folder")

    p = verb(
        "rate",
        sessions.rate,
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
        sessions.pool,
        "say whether partners settled after being regulated, over several sessions",
        "Takes each session's difference and its error together, allowing for sessions that\n"
        "really differ. Give each recording once; sessions with too few bouts are left out.",
    )
    p.add_argument("session", type=Path, nargs="+", help="session folders, two or more")

    p = verb(
        "export",
        sessions.export,
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

    study.grammar(verb("study", study.show, "gather sessions into a study, and ask it in SQL"))

    p = verb(
        "schema",
        upkeep.schema,
        "print the data dictionary: every column of every table",
        "Name, unit, range, meaning, source, and how a missing value is coded.",
    )
    form = p.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON, with the words columns hold")
    form.add_argument("--csv", action="store_true", help="as CSV")
    p.add_argument("--study", action="store_true", help="of a study's own tables")

    p = verb(
        "profiles",
        upkeep.profiles,
        "list, show or delete saved personal profiles",
        "A profile is what is usual for one person, and how their voice sounds. It is saved\n"
        "only by --save-profile of 'analyze' and 'live', into a folder that only you can read.",
    )
    p.add_argument("action", choices=("list", "show", "delete"))
    p.add_argument("name", nargs="*", help="profiles to show or delete")

    p = verb("unlock", sessions.unlock, "decrypt a recording that was kept with a passphrase")
    p.add_argument("recording", type=Path, help="recording.mkv.enc of a session folder")
    p.add_argument("-o", "--out", type=Path, metavar="FILE", help="default: beside it, as .mkv")

    p = verb("models", upkeep.models, "list, fetch or verify the models")
    p.add_argument("action", choices=("list", "fetch", "verify"))
    p.add_argument("name", nargs="*", help="models (default: all)")

    verb("config", upkeep.config, "print all settings with their defaults, as TOML")
    p = verb("doctor", upkeep.doctor, "check what works on this machine")
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
