"""A session folder: what an analysis leaves behind, and the way back to it.

``timeline.parquet``, ``state.parquet``, ``events.parquet``, ``session.json`` and ``report.html``.
Everything is written into a hidden folder beside the target and moved into place at the end, so
that a run that is interrupted leaves an earlier result as it was.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cuesense import calibration, models, profiles, schema
from cuesense.calibration import Stretch
from cuesense.capture import SourceInfo, open_source
from cuesense.config import Config
from cuesense.errors import OutputError, ParameterError, nearest
from cuesense.folder import replacing, writing
from cuesense.pipeline import Findings, appraise, sense, settle
from cuesense.series import Series
from cuesense.summary import summary
from cuesense.tape import Tape
from cuesense.timeline import Spools, Table, batches, with_roles
from cuesense.types import PEOPLE, Moment, Role, Sensed
from cuesense.windows import Windows

Progress = Callable[[float, float], None]
"""Called with the seconds done and the seconds in all (NaN if unknown)."""

TABLES = ("timeline", "state", "events")
TAPE = "sensed.arrow"
"""What was sensed, while the baseline is chosen; it goes before the session is in place."""
RUNNING = "live.json"
"""What a live session's folder holds until it is finished; see `cuesense.journal`."""
GROUP_BATCHES = 12
"""Batches of the spool to a row group: 2 min."""


class Session:
    """A finished analysis.

    Parameters
    ----------
    path
        its folder.

    Attributes
    ----------
    started
        when the session's time 0 was (UTC), if the recording says; cameras need not be right.

    Raises
    ------
    OutputError
        If the folder holds no session, or one of another schema version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.meta = read_meta(self.path)
        if self.meta.get("schema") != schema.VERSION:
            raise OutputError(
                f"{str(self.path)!r} has schema {self.meta.get('schema')!r}, this version reads "
                f"{schema.VERSION!r}; analyse the recording again"
            )
        began = self.meta.get("source", {}).get("started")
        self.started = datetime.fromisoformat(began) if began else None
        self.timeline = Table(self.path / "timeline.parquet", self.started)
        self.state = Table(self.path / "state.parquet", self.started)
        self.events = Table(self.path / "events.parquet", self.started)

    @property
    def report(self) -> Path:
        """The report, an HTML file that opens offline."""
        return self.path / "report.html"

    def export(
        self,
        *formats: str,
        out: str | Path | None = None,
        columns: Sequence[str] = (),
        overwrite: bool = False,
    ) -> dict[str, Path]:
        """Write the session in formats of the field; see `cuesense.export.export`.

        Parameters
        ----------
        *formats
            Names from `cuesense.export.FORMATS`.
        out
            The folder to write into; None takes ``<session>.export`` in the working folder.
        columns
            Columns of the timeline and the states; none: all.
        overwrite
            Replace what was exported before.

        Returns
        -------
            The folder of each format.
        """
        from cuesense.export import export

        return export(self, formats, out, columns=columns, overwrite=overwrite)

    def to_csv(self, out: str | Path | None = None, *, wide: bool = False, **options: Any) -> Path:
        """Write CSV tables, a row per tick and person, or if `wide` per tick; see `export`."""
        name = "csv-wide" if wide else "csv"
        return self.export(name, out=out, **options)[name]

    def to_parquet(self, out: str | Path | None = None, **options: Any) -> Path:
        """Write Parquet tables with units and provenance; see `export`."""
        return self.export("parquet", out=out, **options)["parquet"]

    def to_elan(self, out: str | Path | None = None, **options: Any) -> Path:
        """Write an ELAN annotation file; see `export`."""
        return self.export("elan", out=out, **options)["elan"]

    def to_textgrid(self, out: str | Path | None = None, **options: Any) -> Path:
        """Write a Praat TextGrid; see `export`."""
        return self.export("textgrid", out=out, **options)["textgrid"]

    def to_bids(self, out: str | Path | None = None, **options: Any) -> Path:
        """Write a BIDS dataset; see `export`."""
        return self.export("bids", out=out, **options)["bids"]

    def to_rttm(self, out: str | Path | None = None, **options: Any) -> Path:
        """Write who spoke when as RTTM; see `export`."""
        return self.export("rttm", out=out, **options)["rttm"]

    def to_functionals(self, out: str | Path | None = None, **options: Any) -> Path:
        """Write functionals per turn and per window; see `export`."""
        return self.export("functionals", out=out, **options)["functionals"]

    def to_xdf(self, out: str | Path | None = None, **options: Any) -> Path:
        """Write an XDF file; see `export`."""
        return self.export("xdf", out=out, **options)["xdf"]

    def series(self, column: str, person: str = "") -> Series:
        """Return a column of one person, or without a person of the states, as a `Series`.

        Raises
        ------
        ParameterError
            If there is no such column of numbers, or no such person.
        """
        table = self.timeline if person else self.state
        if person not in ("", *PEOPLE):
            raise ParameterError(
                f"person={person!r} must be one of {', '.join(PEOPLE)}, or left out"
            )
        layout = schema.TIMELINE if person else schema.STATE
        numeric = [c.name for c in layout if c.kind == "float"]
        if column not in numeric:
            raise ParameterError(
                f"column={column!r} is no column of numbers of the {table.path.stem}"
                + nearest(column, numeric)
            )
        name = f"{person} {column} of {self.path.name}".strip()
        if person:
            found = table.of(person, ["t", column])
            return Series(found["t"], found[column], name)
        rows = table.to_arrow(["t", column])
        return Series(rows.column("t").to_numpy(), rows.column(column).to_numpy(), name)

    def window(
        self, length_s: float, step: float | None = None, table: str = "timeline"
    ) -> Windows:
        """Cut a table into windows, for `Windows.agg`.

        Parameters
        ----------
        length_s
            s.
        step
            s from one window's start to the next's; None takes the length.
        table
            "timeline" or "state".

        Raises
        ------
        ParameterError
            If a length is not above 0, or there is no such table.
        """
        tables = {"timeline": self.timeline, "state": self.state}
        if table not in tables:
            raise ParameterError(f"table={table!r} must be one of {', '.join(tables)}")
        return Windows(tables[table], length_s, length_s if step is None else step)

    def __repr__(self) -> str:
        return f"Session({str(self.path)!r})"


def read_meta(path: Path) -> dict[str, Any]:
    """Return what a session folder's session.json says, of whatever schema version; or nothing.

    Parameters
    ----------
    path
        The folder.

    Raises
    ------
    OutputError
        If it holds no finished session.
    """
    try:
        meta = json.loads((path / "session.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if (path / RUNNING).exists():
            raise OutputError(
                f"{str(path)!r} is a live session that has not been finished; if it "
                f"is not running any more: cuesense report {path}"
            ) from error
        raise OutputError(
            f"{str(path)!r} holds no session.json; give the folder that 'cuesense analyze' wrote"
        ) from error
    except (OSError, ValueError) as error:
        raise OutputError(f"{str(path)!r} cannot be read: {error}") from error
    return meta if isinstance(meta, dict) else {}


def analyze(
    *recordings: str | Path,
    out: str | Path | None = None,
    listener: str | None = None,
    config: Config | None = None,
    offset_s: float | None = None,
    csv: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    baseline: str | tuple[float, float] | None = None,
    use_profiles: Iterable[tuple[str, str]] = (),
    save_profiles: Iterable[tuple[str, str]] = (),
    replace_profiles: bool = False,
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
    baseline
        "auto": the most ordinary stretch of the recording (`state.ordinary`); "START:END", or the
        two times in s: that stretch. Both people's usual is learned from it, who listens is found
        from the whole, and there are states from the first second. None: the start, as the
        configuration says and as it is in a live session.
    use_profiles
        sides and names of saved profiles, such as ``[("left", "anna")]``: what is usual for that
        person, and how their voice sounds, is known from the first second.
    save_profiles
        sides, and names under which to save what was learned of that person. A profile holds how
        a voice sounds, which can tell whose it is.
    replace_profiles
        whether a profile that is there may be replaced.

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
    wish = None if baseline is None else calibration.wish(baseline, config)
    given = profiles.load_both(profiles.of_people(use_profiles))
    usual, voices = profiles.known(given)
    save = profiles.of_people(save_profiles)
    profiles.check_new(save, replace=replace_profiles)
    source = open_source(
        *recordings,
        offset_s=offset_s,
        max_side=config.capture.max_side,
        block_s=config.capture.block_s,
    )
    with source:
        if wish is not None:
            calibration.within(wish, source.info.duration_s)
        stem = _text(source.info.paths[0].stem)
        target = Path(out) if out is not None else Path(f"{stem}.cuesense")
        hashes = [_sha256(p) for p in source.info.paths]
        with replacing(target, hashes, overwrite) as folder:
            findings, tally = Findings(given=given), Tally(config.grid.rate_hz)
            ticks = sense(source, config, findings, voices=voices)
            if progress is not None:
                ticks = _watched(ticks, config.grid.rate_hz, progress, source.info.duration_s)
            with contextlib.ExitStack() as stack:
                if wish is None:
                    moments = appraise(ticks, config, findings, usual)
                else:
                    tape = stack.enter_context(Tape(folder / TAPE, target))
                    moments = settle(ticks, tape, wish, config, findings, usual)
                spools = stack.enter_context(Spools(folder, target))
                for moment in moments:
                    spools.write(moment)
                    tally.add(moment)
            meta = describe(source.info, hashes, config, findings, tally)
            with writing(target):
                tables(folder, meta, csv=csv)
                conclude(folder, meta, config)
    keep(findings, config, save, replace=replace_profiles)
    return Session(target)


def _watched(
    ticks: Iterable[Sensed], rate_hz: float, progress: Progress, duration_s: float
) -> Iterator[Sensed]:
    """Yield the ticks, and tell about once per second how far they have come."""
    for i, sensed in enumerate(ticks, 1):
        yield sensed
        if i % round(rate_hz) == 0:
            progress(sensed.t, duration_s)


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


def describe(
    info: SourceInfo, hashes: list[str], config: Config, findings: Findings, tally: Tally
) -> dict[str, Any]:
    """Return what session.json says, without the summary.

    Parameters
    ----------
    info
        The source.
    hashes
        SHA-256 of its files.
    config
        Settings.
    findings
        What the run learned (so far).
    tally
        Its counts (so far).
    """
    listener = findings.listener or "B"
    coverage = tally.coverage()
    stretch = findings.stretch or Stretch.usual(config)
    return {
        "cuesense": version("cuesense"),
        "schema": schema.VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": {
            "paths": [_text(p.name) for p in info.paths],
            "sha256": hashes,
            "duration_s": findings.end_s,
            "stated_duration_s": _number(info.duration_s),
            "views": info.views,
            "size": info.size,
            "fps": [_number(f) for f in info.fps],
            "rate": info.rate,
            "channels": info.channels,
            "offset_s": info.offset_s,
            "started": info.started or None,
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
        "notes": (*findings.notes, *stretch.notes),
        "coverage": coverage,
        "baseline": {
            p: {
                **_learned(stretch, findings, seat),
                "complete": coverage[p]["state"] > 0,
                "missing": findings.uncalibrated[seat],
                "usual": findings.profiles[seat].to_dict(),
            }
            for seat, p in enumerate(PEOPLE)
        },
    }


def _learned(stretch: Stretch, findings: Findings, seat: int) -> dict[str, Any]:
    """Return where one person's usual was learned: in this recording, or before it."""
    given = findings.given[seat]
    known = given is not None and given.usual == findings.profiles[seat]
    return {
        "how": "profile" if known else stretch.how,
        "start_s": None if known else stretch.start_s,
        "end_s": None if known else stretch.end_s,
        "profile": None if given is None else {"name": given.name, "made": given.made},
    }


def keep(findings: Findings, config: Config, names: profiles.Names, *, replace: bool) -> None:
    """Save what a run learned of people under these names; errors as of `profiles.save`."""
    stretch = findings.stretch or Stretch.usual(config)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    for seat, name in enumerate(names):
        if name is not None:
            given, usual = findings.given[seat], findings.profiles[seat]
            known = given is not None and given.usual == usual
            learned_s = given.learned_s if given and known else stretch.end_s - stretch.start_s
            voice = None if findings.voices is None else findings.voices[seat]
            saved = profiles.Saved(name, usual, voice, made, learned_s)
            profiles.save(saved, replace=replace)


def _text(name: str) -> str:
    """Return a file's name as valid text: on some systems a name may be any bytes."""
    return os.fsencode(name).decode("utf-8", "replace")


def _number(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def tables(
    folder: Path, meta: dict[str, Any], *, csv: bool = False, broken_off: bool = False
) -> None:
    """Turn the spools of a folder into the session's tables, batch by batch.

    Parameters
    ----------
    folder
        Where the spools are, and the tables are written. The spools stay.
    meta
        From `describe`: who listens.
    csv
        Also write the tables as CSV.
    broken_off
        Whether the run may have died while it wrote.
    """
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
            rows = batches(spool, broken_off=broken_off)
            # Larger row groups than the spool's batches read faster and compress better.
            while group := list(islice(rows, GROUP_BATCHES)):
                table = pa.Table.from_batches(group)
                done = with_roles(table, roles) if name == "timeline" else table
                parquet.write_table(done)
                if text is not None:
                    text.write_table(done)


def conclude(folder: Path, meta: dict[str, Any], config: Config) -> None:
    """Compute what only the whole session can tell; write session.json and the report.

    The spools go: the tables hold it all.
    """
    timeline, state, events = (Table(folder / f"{name}.parquet") for name in TABLES)
    result = summary(
        timeline,
        state,
        events,
        meta["source"]["duration_s"],
        config,
    )
    meta["summary"] = _plain(result)
    write_json(folder / "session.json", meta)
    write_report(Session(folder))
    for name in TABLES:
        (folder / f"{name}.arrow").unlink()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file whole, or leave the earlier one."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    part = path.with_suffix(".part")
    # Notes may hold a file's name, which on some systems is no valid text.
    part.write_bytes(text.encode("utf-8", "replace"))
    part.replace(path)


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
    from pyarrow import ArrowInvalid

    from cuesense import report

    try:
        content = report.ReportInput(
            session.timeline.to_arrow(report.COLUMNS),
            session.state.to_arrow(),
            session.events.to_arrow(),
            session.meta,
        )
        html = report.render(content)
    except (FileNotFoundError, ArrowInvalid, KeyError) as error:
        raise OutputError(
            f"{str(session.path)!r} is damaged ({error}); analyse the recording again"
        ) from error
    part = session.report.with_suffix(".part")
    try:
        with writing(session.path):
            part.write_text(html, encoding="utf-8")
            part.replace(session.report)
    finally:
        part.unlink(missing_ok=True)
