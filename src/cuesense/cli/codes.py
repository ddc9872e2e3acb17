"""What the verbs end with, and share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130

DEMO_FOLDER: Final = Path("cuesense-demo")
PASSPHRASE: Final = "CUESENSE_PASSPHRASE"
"""Environment variable that a passphrase is taken from: arguments can be seen by others."""

Verb = Callable[[argparse.Namespace], int]
"""Does what is asked for, and returns the exit code."""


def add_verb(
    verbs: Any, name: str, run: Verb, text: str, more: str = ""
) -> argparse.ArgumentParser:
    """Add a verb to the verbs of a parser, and return its own.

    Parameters
    ----------
    verbs
        what `argparse.ArgumentParser.add_subparsers` gave.
    name
        the word.
    run
        what it does.
    text
        the same in a few words, without a stop.
    more
        what else ``--help`` says.
    """
    p: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + "." + (f"\n\n{more}" if more else ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.set_defaults(verb=run)
    return p
