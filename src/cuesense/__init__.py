"""Sense nonverbal cues between two people, and tell mirroring from regulating.

The flow, one direction, one code path for recorded and live::

    capture -> cues (faces, voice, body) -> state (grid, whose voice, baseline, affect)
            -> dyad (mirroring / regulating / disengaged) -> session folder, report

``analyze`` runs a recording to its end and leaves a session folder; ``run`` yields the moments
one by one; ``settling_pooled`` takes several sessions together; ``simulate`` gives a conversation
of which everything is known. ``synchrony`` tests any two series, ``read_…`` reads those of other
programs. Importing this package loads nothing heavy.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cuesense.errors import CuesenseError

# From some version on the runtime of the voice models looks up its vendor's telemetry host, all the
# time, and only this variable stops it. It must be there before the runtime is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from cuesense.capture import open_source
    from cuesense.config import Config
    from cuesense.dyad.simulator import simulate
    from cuesense.importers import (
        read_libreface,
        read_openface,
        read_opensmile,
        read_pyfeat,
        read_rmea,
    )
    from cuesense.pipeline import run
    from cuesense.pooling import settling_pooled
    from cuesense.series import Series, synchrony
    from cuesense.session import Session, analyze
    from cuesense.study import Study
    from cuesense.types import Moment

__all__ = [
    "Config",
    "CuesenseError",
    "Moment",
    "Series",
    "Session",
    "Study",
    "analyze",
    "open_source",
    "read_libreface",
    "read_openface",
    "read_opensmile",
    "read_pyfeat",
    "read_rmea",
    "run",
    "settling_pooled",
    "simulate",
    "synchrony",
]

_HOME = {
    "Config": "cuesense.config",
    "Moment": "cuesense.types",
    "Series": "cuesense.series",
    "Session": "cuesense.session",
    "Study": "cuesense.study",
    "analyze": "cuesense.session",
    "open_source": "cuesense.capture",
    **dict.fromkeys(
        ("read_libreface", "read_openface", "read_opensmile", "read_pyfeat", "read_rmea"),
        "cuesense.importers",
    ),
    "run": "cuesense.pipeline",
    "settling_pooled": "cuesense.pooling",
    "simulate": "cuesense.dyad.simulator",
    "synchrony": "cuesense.series",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cuesense' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
