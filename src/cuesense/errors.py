"""Errors a user can act on: each names the value, the rule it broke and the remedy.

Every class is also the builtin that a caller would expect (``ValueError``, ``OSError``, …), so
that code which knows nothing of cuesense still catches it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CuesenseError(Exception):
    """Base of all errors that are the user's to mend (exit code 2, one line, no traceback)."""


class ParameterError(CuesenseError, ValueError):
    """An argument or a configuration value breaks a rule."""


class MediaError(CuesenseError, OSError):
    """A recording cannot be opened or holds nothing that can be analysed."""


class DeviceError(CuesenseError, OSError):
    """A camera or microphone cannot be used."""


class ModelError(CuesenseError, RuntimeError):
    """A model file is missing, damaged or cannot be fetched."""


class MissingExtraError(CuesenseError, ImportError):
    """Something needs a package that is not installed."""


class OutputError(CuesenseError, OSError):
    """The output cannot be written or read."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" with the known name that is nearest, or "" if none is near."""
    near = get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""
