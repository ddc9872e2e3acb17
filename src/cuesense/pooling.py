"""Several sessions taken together: whether the partner settles after being regulated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cuesense.dyad.settling import Pooled, pooled
from cuesense.errors import ParameterError
from cuesense.session import Session

_WIDTH = 2 * 1.96  # standard errors in a 95 % interval


def settling_pooled(*sessions: Session | str | Path) -> Pooled:
    """Pool the settling of finished sessions (`cuesense.dyad.settling.pooled`).

    Sessions that had too few bouts are left out and counted. All are taken as independent: many
    sessions of one couple say much about that couple and little about others.

    Parameters
    ----------
    *sessions
        Two or more, or their folders.

    Raises
    ------
    OutputError
        If a folder holds no session.
    ParameterError
        If fewer than two are given, or one recording twice.
    """
    opened = [s if isinstance(s, Session) else Session(s) for s in sessions]
    if len(opened) < 2:
        raise ParameterError(f"{len(opened)} session given, pooling needs 2 or more")
    seen: set[object] = set()
    for session in opened:
        recording = tuple(session.meta["source"]["sha256"]) or session.path.resolve()
        if recording in seen:
            raise ParameterError(
                f"session={str(session.path)!r} is of a recording that is given already; "
                "give each recording once"
            )
        seen.add(recording)
    return pooled([settled(session.meta) for session in opened])


def settled(meta: Mapping[str, Any]) -> tuple[float, float]:
    """Return a session's difference and its standard error, NaN where it has none.

    Parameters
    ----------
    meta
        What its session.json says.
    """
    nan = float("nan")
    found = (meta.get("summary") or {}).get("settling") or {}
    difference, error = found.get("difference"), found.get("error")
    if difference is None:
        return nan, nan
    if error is None:  # a single bout of a mode has no spread; the interval has the other's
        error = (found["high"] - found["low"]) / _WIDTH
    return float(difference), float(error)


def told(result: Pooled) -> str:
    """Return pooled settling as a sentence or two."""
    left = f" ({result.left_out} more had too few bouts)" if result.left_out else ""
    if result.sessions < 2:
        return (
            f"Of these sessions {result.sessions} had enough regulating and mirroring bouts"
            f"{left}: pooling needs 2 or more."
        )
    value, low, high = result.difference.value, result.difference.low, result.difference.high
    if high < 0:
        found = "the partner settled more after regulating than after mirroring"
    elif low > 0:
        found = "the partner settled less after regulating than after mirroring"
    else:
        found = "no difference between regulating and mirroring could be shown"
    text = (
        f"Over {result.sessions} sessions{left}, {found}: {value:+.2f} SD of arousal beyond their "
        f"own trend (95 % interval {low:+.2f} to {high:+.2f}). Sessions differ by an SD of "
        f"{result.between:.2f}"
    )
    if result.sessions > 2:
        text += (
            f"; a further one is expected between {result.predicted.low:+.2f} and "
            f"{result.predicted.high:+.2f}"
        )
    return text + "."
