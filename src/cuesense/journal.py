"""A live session at rest while it runs: written as it comes, finished at its end or after it.

The folder holds the spools (at most `BATCH_S` of moments are held back) and ``live.json``, from
which `finish` makes a session folder like any other, whether the session ended or broke off.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from cuesense.capture import SourceInfo
from cuesense.config import Config
from cuesense.errors import OutputError
from cuesense.folder import owner, owner_lives, writing
from cuesense.pipeline import Findings
from cuesense.session import RUNNING, Session, Tally, conclude, describe, tables, write_json
from cuesense.timeline import Spools
from cuesense.types import Moment

BATCH_S: Final = 0.5
NOTE_S: Final = 2.0
"""s between updates of live.json."""


class Journal:
    """Edge: writes a live session into its folder. A context manager.

    Parameters
    ----------
    folder
        A folder of its own, from `folder.claim`.
    info
        The source.
    config
        Settings.
    findings
        What the run learns, brought up to date by it.

    Attributes
    ----------
    about
        What session.json says of the live session itself (``"live"``), up to the caller.
    problem
        Why writing fails at the moment, in one line; empty if it does not. What could not be
        written is held and tried again.
    """

    def __init__(self, folder: Path, info: SourceInfo, config: Config, findings: Findings) -> None:
        self._folder, self._info = folder, info
        self._config, self._findings = config, findings
        self._rate = config.grid.rate_hz
        self._tally = Tally(self._rate)
        self._created = datetime.now(UTC).isoformat(timespec="seconds")
        self.about: dict[str, Any] = {}
        self.problem = ""
        self._batch = max(1, round(BATCH_S * self._rate))
        self._spools = Spools(folder, folder, self._batch)
        self.note()

    def write(self, moment: Moment) -> None:
        """Write one moment."""
        self._tally.add(moment)
        try:
            self._spools.write(moment)
            if self._tally.ticks % round(NOTE_S * self._rate) == 0:
                self.note()
            if self._tally.ticks % self._batch == 0:  # all that was held is written now
                self.problem = ""
        except OutputError as error:
            self.problem = str(error)

    def note(self) -> None:
        """Write down what is known of the session so far.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        meta = describe(self._info, [], self._config, self._findings, self._tally)
        content = {
            **meta,
            "created": self._created,
            "live": self.about,
            "owner": owner(),
        }
        with writing(self._folder):
            write_json(self._folder / RUNNING, content)

    def retry(self) -> bool:
        """Try again to write what is held; return whether all is written."""
        try:
            self._spools.flush()
            self.note()
        except OutputError as error:
            self.problem = str(error)
            return False
        self.problem = ""
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.note()
        finally:
            self._spools.__exit__()


def broken_off(folder: Path) -> bool:
    """Return whether a folder holds a live session that was never finished."""
    return os.path.exists(folder / RUNNING)  # false also where the name is too long for the system


def finish(folder: Path) -> Session:
    """Make a session folder of a live session that ended, or broke off.

    Nothing goes before all is written, so it may be tried again.

    Raises
    ------
    OutputError
        If it is still running in another process, damaged, or cannot be written.
    """
    from pyarrow import ArrowInvalid

    running = folder / RUNNING
    try:
        meta: dict[str, Any] = json.loads(running.read_text(encoding="utf-8"))
        claimed = meta.pop("owner")
        config = Config.from_dict(meta["config"])
    except (OSError, ValueError, KeyError) as error:
        raise OutputError(
            f"{str(running)!r} cannot be read ({error}); the session cannot be finished"
        ) from error
    if claimed != owner() and owner_lives(claimed):
        raise OutputError(
            f"{str(folder)!r} is a live session that is still running "
            f"(process {claimed.get('pid')} on {claimed.get('host')}); end it first"
        )
    with writing(folder):
        try:
            tables(folder, meta, broken_off=True)
            meta["source"]["duration_s"] = _duration(folder, meta["source"]["duration_s"])
            conclude(folder, meta, config)
        except ArrowInvalid as error:
            raise OutputError(f"{str(folder)!r} is damaged ({error})") from error
        running.unlink()
    return Session(folder)


def _duration(folder: Path, noted: float) -> float:
    """Return the session's length: it may have gone on after the last note."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    last = pc.max(pq.read_table(folder / "timeline.parquet", columns=["t"])["t"]).as_py()
    return max(noted, last or 0.0)
