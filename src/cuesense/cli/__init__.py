"""The command line: analyse or sense live, report, export, and what that needs.

``grammar`` says what can be asked for; ``sessions``, ``live`` and ``upkeep`` hold the verbs. Heavy
modules are imported by the verb that needs them, so that ``--help`` is instant. A `CuesenseError`
is the user's to mend: one line, exit code 2. Ctrl-C: exit code 130.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from cuesense.cli.codes import INTERRUPTED, OK, USAGE
from cuesense.cli.grammar import parser
from cuesense.errors import CuesenseError

__all__ = ["main", "parser"]


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
