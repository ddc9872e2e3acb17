"""A session folder: what an analysis leaves behind, and the way back to it.

``timeline.parquet``, ``state.parquet``, ``events.parquet``, ``session.json`` and ``report.html``.
Everything is written into a hidden folder beside the target and moved into place at the end, so
that a run that is interrupted leaves an earlier result as it was.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from cuesense import models, schema
from cuesense.capture import SourceInfo, open_source
from cuesense.config import Config
from cuesense.dyad.null import wrong_partner
from cuesense.dyad.settling import settling
from cuesense.dyad.synchrony import SessionSynchrony, session_synchrony
from cuesense.dyad.turns import summarise
from cuesense.errors import OutputError
from cuesense.pipeline import Findings, run
from cuesense.timeline import Spools, Table, batches, with_roles
from cuesense.types import F64, PEOPLE, Event, Moment, Role

Progress = Callable[[float, float], None]
"""Called with the seconds done and the seconds in all (NaN if unknown)."""

FILES = (
    "timeline.parquet",
    "state.parquet",
    "events.parquet",
    "timeline.csv",
    "state.csv",
    "events.csv",
    "session.json",
    "report.html",
)
"""Everything a session folder may hold."""
TABLES = ("timeline", "state", "events")
SEED = 20_231
"""Of the resampling, so that a report can be made again to the digit."""
GROUP_BATCHES = 12
"""Batches of the spool to a row group: 2 min."""


class Session:
    """A finished analysis.

    Parameters
    ----------
    path
        its folder.

    Raises
    ------
    OutputError
        If the folder holds no session, or one of another schema version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.meta: dict[str, Any] = json.loads(
                (self.path / "session.json").read_text(encoding="utf-8")
            )
        except FileNotFoundError as error:
            raise OutputError(
                f"{str(self.path)!r} holds no session.json; give the folder that "
                "'cuesense analyze' wrote"
            ) from error
        except (OSError, ValueError) as error:
            raise OutputError(f"{str(self.path)!r} cannot be read: {error}") from error
        if self.meta.get("schema") != schema.VERSION:
            raise OutputError(
                f"{str(self.path)!r} has schema {self.meta.get('schema')!r}, this version reads "
                f"{schema.VERSION!r}; analyse the recording again"
            )
        self.timeline = Table(self.path / "timeline.parquet")
        self.state = Table(self.path / "state.parquet")
        self.events = Table(self.path / "events.parquet")

    @property
    def report(self) -> Path:
        """The report, an HTML file that opens offline."""
        return self.path / "report.html"

    def __repr__(self) -> str:
        return f"Session({str(self.path)!r})"


def analyze(
    *recordings: str | Path,
    out: str | Path | None = None,
    listener: str | None = None,
    config: Config | None = None,
    offset_s: float | None = None,
    csv: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Session:
    """Analyse one recording, or two of the same conversation (person A's, then person B's).

    Parameters
    ----------
    *recordings
        one or two media files.
    out
        the session folder; None takes ``<recording>.cuesense`` in the working folder.
    listener
        "left", "right", "A", "B" or "auto"; None takes the configuration's.
    config
        settings; None takes the defaults.
    offset_s
        s by which the second recording starts after the first; None aligns them by
        their sound.
    csv
        also write the tables as CSV.
    overwrite
        replace a session of another recording.
    progress
        called about once per second of recording.

    Returns
    -------
        The finished session.

    Raises
    ------
    MediaError
        If a recording cannot be opened.
    OutputError
        If the folder cannot be written or holds something else.
    ParameterError
        If an argument breaks its rule.
    ModelError
        If the face model cannot be had.
    """
    config = config or Config()
    if listener is not None:
        config = config.with_listener(listener)
    source = open_source(
        *recordings,
        offset_s=offset_s,
        max_side=config.capture.max_side,
        block_s=config.capture.block_s,
    )
    with source:
        target = Path(out) if out is not None else Path(source.info.paths[0].stem + ".cuesense")
        hashes = [_sha256(p) for p in source.info.paths]
        with _folder(target, hashes, overwrite) as folder:
            findings = Findings()
            tally = Tally(config.grid.rate_hz)
            with Spools(folder) as spools:
                for moment in run(source, config, findings):
                    spools.write(moment)
                    tally.add(moment)
                    if progress is not None and tally.ticks % round(config.grid.rate_hz) == 0:
                        progress(moment.t, source.info.duration_s)
            meta = _meta(source.info, hashes, config, findings, tally)
            _tables(folder, meta, csv)
            _conclude(folder, meta, config, findings)
    return Session(target)


class Tally:
    """Counts, while a session runs, how much of each person was there and why not."""

    def __init__(self, rate_hz: float) -> None:
        self.ticks = 0
        self._rate = rate_hz
        self._reasons = {p: {f: Counter[str]() for f in ("face", "voice", "state")} for p in PEOPLE}
        self._spoken = dict.fromkeys(PEOPLE, 0)

    def add(self, moment: Moment) -> None:
        """Count one moment."""
        self.ticks += 1
        for person in moment.people:
            for family, reasons in self._reasons[person.person].items():
                reasons[str(person.reasons[f"{family}_reason"])] += 1
            self._spoken[person.person] += person["speaking"] > 0.5

    def coverage(self) -> dict[str, Any]:
        """Return, per person, shares of the session's ticks."""
        n = max(1, self.ticks)
        result: dict[str, Any] = {}
        for person, families in self._reasons.items():
            face, voice, state = families["face"], families["voice"], families["state"]
            # A cut-off or doubtful face still has values; silence is no gap in the voice.
            faces = sum(
                face[r] for r in ("", "out_of_frame", "reassociated", "low_light", "blurred")
            )
            sound = n - sum(voice[r] for r in ("no_audio", "no_person", "dropped"))
            result[person] = {
                "face": faces / n,
                "voice": min(sound, self.ticks) / n,
                "state": state[""] / n,
                "speaking_s": self._spoken[person] / self._rate,
                **{
                    f"{family}_reasons": {r: k / n for r, k in sorted(c.items()) if r}
                    for family, c in families.items()
                },
            }
        return result


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _folder(target: Path, hashes: list[str], overwrite: bool) -> Iterator[Path]:
    """Give a hidden folder to write into; put it in the target's place once all went well.

    Raises
    ------
    OutputError
        If the target cannot be written, or holds what must not be replaced.
    """
    target = Path(os.path.abspath(target))
    _check_target(target, hashes, overwrite)
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.{os.getpid()}.", dir=target.parent))
        try:
            yield folder
            # mkdtemp keeps others out; the finished folder gets the usual permissions.
            mask = os.umask(0)
            os.umask(mask)
            folder.chmod(0o777 & ~mask)
            _swap(folder, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _check_target(target: Path, hashes: list[str], overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"out={str(target)!r} is a file; give a folder with -o")
    try:
        present = {p.name for p in target.iterdir()}
    except OSError as error:
        raise OutputError(
            f"out={str(target)!r} cannot be read ({error.strerror}); choose another folder with -o"
        ) from error
    foreign = sorted(present - set(FILES))
    if foreign:
        raise OutputError(
            f"out={str(target)!r} holds files that are not a session's ({foreign[0]}, …); "
            "choose another folder with -o"
        )
    if "session.json" in present and not overwrite:
        with contextlib.suppress(OSError, ValueError, KeyError):
            earlier = json.loads((target / "session.json").read_text(encoding="utf-8"))
            if earlier["source"]["sha256"] != hashes:
                raise OutputError(
                    f"out={str(target)!r} holds the session of another recording; "
                    "choose another folder with -o, or --overwrite it"
                )


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Turn the system's errors on writing into one line that says what to do."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        if isinstance(error, FileNotFoundError) or error.errno not in _WRITE_ERRORS:
            raise
        raise OutputError(
            f"out={str(target)!r} cannot be written ({os.strerror(error.errno)}); "
            "free some space or choose another folder with -o"
        ) from error


_WRITE_ERRORS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.EIO,
}


def _remove_stale(target: Path) -> None:
    """Remove what killed runs left beside the target."""
    for leftover in target.parent.glob(f".{target.name}.*.*"):
        pid = leftover.name.removeprefix(f".{target.name}.").split(".")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(leftover, ignore_errors=True)


def _swap(folder: Path, target: Path) -> None:
    """Put a finished folder in the target's place; the earlier one goes only after that."""
    if not target.exists():
        folder.rename(target)
        return
    aside = folder.with_name(folder.name + ".old")
    target.rename(aside)
    try:
        folder.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _meta(
    info: SourceInfo, hashes: list[str], config: Config, findings: Findings, tally: Tally
) -> dict[str, Any]:
    """Return what session.json says, without the summary."""
    listener = findings.listener or "B"
    return {
        "cuesense": version("cuesense"),
        "schema": schema.VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": {
            "paths": [p.name for p in info.paths],
            "sha256": hashes,
            "duration_s": findings.end_s,
            "stated_duration_s": _number(info.duration_s),
            "views": info.views,
            "size": info.size,
            "fps": [_number(f) for f in info.fps],
            "rate": info.rate,
            "channels": info.channels,
            "offset_s": info.offset_s,
            "frames": findings.frames,
            "notes": info.notes,
            "problems": findings.problems,
        },
        "config": config.to_dict(),
        "config_hash": config.hash,
        "models": {e.name: models.sha256(e.name) for e in models.entries()},
        "people": {
            p: {
                "role": str(Role.LISTENER if p == listener else Role.PARTNER),
                "side": ("left", "right")[i],
            }
            for i, p in enumerate(PEOPLE)
        },
        "role_reason": findings.role_reason,
        "notes": findings.notes,
        "coverage": tally.coverage(),
        "baseline": {
            p: {
                "start_s": config.baseline.start_s,
                "end_s": config.baseline.start_s + config.baseline.duration_s,
                "complete": not missing,
                "missing": missing,
            }
            for p, missing in zip(PEOPLE, findings.uncalibrated, strict=True)
        },
    }


def _number(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def _tables(folder: Path, meta: dict[str, Any], csv: bool) -> None:
    """Turn the spools into the session's tables, batch by batch."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    roles = {p: Role(meta["people"][p]["role"]) for p in PEOPLE}
    for name in TABLES:
        spool = folder / f"{name}.arrow"
        with pa.memory_map(str(spool)) as raw:
            layout = pa.ipc.open_stream(raw).schema
        with contextlib.ExitStack() as stack:
            parquet = stack.enter_context(
                pq.ParquetWriter(folder / f"{name}.parquet", layout, compression="zstd")
            )
            text = (
                stack.enter_context(pyarrow.csv.CSVWriter(str(folder / f"{name}.csv"), layout))
                if csv
                else None
            )
            rows = batches(spool)
            # Larger row groups than the spool's batches read faster and compress better.
            while group := list(islice(rows, GROUP_BATCHES)):
                table = pa.Table.from_batches(group)
                done = with_roles(table, roles) if name == "timeline" else table
                parquet.write_table(done)
                if text is not None:
                    text.write_table(done)
        spool.unlink()


def _conclude(folder: Path, meta: dict[str, Any], config: Config, findings: Findings) -> None:
    """Compute what only the whole session can tell; write session.json and the report."""
    meta["summary"] = _plain(_summary(folder, meta, config, findings))
    (folder / "session.json").write_text(
        json.dumps(meta, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8"
    )
    write_report(Session(folder))


def _summary(
    folder: Path, meta: dict[str, Any], config: Config, findings: Findings
) -> dict[str, Any]:
    state = Table(folder / "state.parquet").to_arrow(["label", "partner_arousal"])
    labels = np.array(state.column("label").to_pylist(), dtype=object)
    codes = np.array([schema.LABELS.index(x) for x in labels], dtype=np.intp)
    events = [Event(**row) for row in Table(folder / "events.parquet").to_arrow().to_pylist()]
    duration = meta["source"]["duration_s"]
    return {
        "labels": {name: float(np.mean(labels == name)) for name in schema.LABELS}
        if len(labels)
        else {},
        "null": wrong_partner(findings.samples, config.dyad),
        "settling": settling(
            state.column("partner_arousal").to_numpy(),
            codes,
            config.dyad,
            np.random.default_rng(SEED),
        ),
        "synchrony": _smile_synchrony(Table(folder / "timeline.parquet"), config),
        "turns": summarise(events, duration) if duration > 0 else None,
    }


def _smile_synchrony(timeline: Table, config: Config) -> SessionSynchrony:
    """Return the synchrony of both people's smiles, averaged onto the dyad's grid.

    Facial mimicry is established for smiles only (Riehle et al. 2017).
    """
    every = round(config.grid.rate_hz / config.dyad.rate_hz)

    def smile(person: str) -> F64:
        x = timeline.of(person, ["smile"])["smile"]
        rows = x[: len(x) // every * every].reshape(-1, every)
        seen = np.isfinite(rows)
        total = np.where(seen, rows, 0.0).sum(axis=1)
        return np.where(seen.any(axis=1), total / np.maximum(seen.sum(axis=1), 1), np.nan)

    return session_synchrony(
        smile("A"),
        smile("B"),
        rate_hz=config.dyad.rate_hz,
        band_s=config.synchrony.band_face_s,
        settings=config.synchrony,
        rng=np.random.default_rng(SEED),
    )


def _plain(x: Any) -> Any:
    """Return results as JSON holds them: dicts, lists, numbers, None for NaN; no long arrays."""
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        return {
            f.name: _plain(value)
            for f in dataclasses.fields(x)
            if not isinstance(value := getattr(x, f.name), np.ndarray)
        }
    if isinstance(x, Mapping):
        return {str(k): _plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [_plain(v) for v in x]
    if isinstance(x, (float, np.floating)):
        return _number(float(x))
    return x.item() if isinstance(x, np.generic) else x


def write_report(session: Session) -> None:
    """Write a session's report anew.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from cuesense import report

    html = report.render(
        report.ReportInput(
            session.timeline.to_arrow(report.COLUMNS),
            session.state.to_arrow(),
            session.events.to_arrow(),
            session.meta,
        )
    )
    with _writing(session.path):
        part = session.report.with_suffix(".part")
        part.write_text(html, encoding="utf-8")
        part.replace(session.report)
