"""A study: many sessions gathered into one folder of Parquet files that can be asked in SQL.

``columns`` says what its own tables hold, ``rows`` makes them (pure), ``store`` is the folder,
``migrations`` brings in sessions of older layouts, ``query`` asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cuesense import schema
from cuesense.errors import CuesenseError, OutputError, ParameterError
from cuesense.folder import LITTER, whole, writing
from cuesense.session import read_meta
from cuesense.study import migrations, rows, store
from cuesense.study.incoming import (
    TABLES,
    check_names,
    fingerprint_of,
    found_sessions,
    given_by_hand,
    name_of,
    read_list,
    recording_of,
    rows_of,
    twins_of,
    unknown,
)
from cuesense.study.rows import Record

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Outcome", "Study", "migrate", "read_list"]

_ODD: Final = (LookupError, TypeError, ValueError, AttributeError)
"""What comes of a session.json that is JSON but not as the program writes it."""
REMEDY: Final = "choose another folder"
Given = Mapping[str, Mapping[str, str]]
"""By session: its dyad (``dyad``) and covariates (``x_…``), as given by hand."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a session that was to be added.

    Attributes
    ----------
    path
        Its folder.
    session
        Its name in the study; empty if it could not be read.
    what
        "added", "replaced", "unchanged" or "failed".
    reason
        Why it failed, in one line; else empty.
    """

    path: Path
    session: str
    what: str
    reason: str = ""


class Study:
    """A study folder. One that is not there yet is made when the first session is added.

    Parameters
    ----------
    path
        Its folder.

    Raises
    ------
    OutputError
        If the folder is something else, or a study of another version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        version = _version(self.path)
        if version is not None and version != schema.VERSION:
            migrations.chain(version)
            raise OutputError(
                f"study={str(path)!r} has schema {version!r}, this version reads "
                f"{schema.VERSION!r}; bring it up to date: cuesense study migrate {path}"
            )

    def __len__(self) -> int:
        return int(self.sessions.num_rows)

    @property
    def sessions(self) -> pa.Table:
        """A row per session: the table `sessions`."""
        return self._tables()["sessions"]

    @property
    def people(self) -> pa.Table:
        """A row per session and person: the table `people`."""
        return self._tables()["people"]

    @property
    def dyads(self) -> pa.Table:
        """A row per dyad: the table `dyads`."""
        return self._tables()["dyads"]

    def _tables(self) -> dict[str, pa.Table]:
        self._there()
        return store.read_tables(self.path)

    def _there(self) -> None:
        if _version(self.path) is None:
            raise OutputError(
                f"study={str(self.path)!r} is not there; make it: "
                f"cuesense study add {self.path} SESSION…"
            )

    def add(
        self,
        *sessions: str | Path,
        dyad: str | None = None,
        given: Given | None = None,
        overwrite: bool = False,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> list[Outcome]:
        """Add sessions. Each is there whole or not at all; one that fails does not stop the rest.

        A session is called as its folder, without ``.cuesense``, or as its recording's attributes
        say (``id``). One that is there already is replaced if it, or what is given, has changed.

        Parameters
        ----------
        *sessions
            Session folders, and folders in which to look for them.
        dyad
            The dyad of all of them.
        given
            By session, its dyad and covariates; see `read_list`. What was given earlier is kept
            until it is given anew.
        overwrite
            Replace a session of the same name even if it is of another recording, and sessions
            that have not changed.
        progress
            Called with the number done, the number in all and the name of the next.

        Returns
        -------
            What became of each.

        Raises
        ------
        OutputError
            If the study cannot be written, or somebody else is writing it.
        """
        folders = found_sessions(sessions)
        outcomes: list[Outcome] = []
        with store.locked(self.path) as killed:
            records = store.read_records(self.path)
            if killed:
                store.sweep(self.path, records.values())
            if _version(self.path) is None:
                store.write_about(self.path)
            try:
                for i, folder in enumerate(folders):
                    if progress is not None:
                        progress(i, len(folders), folder.name)
                    outcomes.append(self._add(folder, records, dyad, given or {}, overwrite))
            finally:
                with writing(self.path, "study", REMEDY):
                    store.write_tables(self.path, records.values())
        return outcomes

    def _add(
        self,
        folder: Path,
        records: dict[str, Record],
        dyad: str | None,
        given: Given,
        overwrite: bool,
    ) -> Outcome:
        """Add one session to the study and to `records`."""
        from pyarrow import ArrowException

        name = ""
        try:
            meta = read_meta(folder)
            steps = migrations.chain(meta.get("schema"))
            name = name_of(folder, meta)
            before = records.get(name)
            record: Record = {
                "session": name,
                "given": given_by_hand(before, dyad, given.get(name, {})),
                "recording": recording_of(folder, meta),
                "fingerprint": "",
                "meta": migrations.upgraded_meta(meta, steps),
            }
            check_names(record, records)
            rows.tables([record])  # what cannot be told of it must not get into the study
            record["fingerprint"] = fingerprint_of(folder, record)
            same = before is not None and before["fingerprint"] == record["fingerprint"]
            if same and not overwrite:
                return Outcome(folder, name, "unchanged")
            twins = twins_of(record, records)
            if twins and not overwrite:
                raise OutputError(next(iter(twins.values())))
            with writing(self.path, "study", REMEDY):
                tables = {t: rows_of(folder / f"{t}.parquet", t, steps) for t in TABLES}
                store.write_parts(self.path, record, tables)
                store.commit(self.path, record, before)
                records[name] = record
                for twin in twins:
                    if twin != name:
                        store.discard(self.path, records.pop(twin))
            return Outcome(folder, name, "added" if before is None else "replaced")
        except (CuesenseError, ArrowException, *_ODD) as error:
            told = str(error) if isinstance(error, CuesenseError) else f"is damaged ({error!r})"
            return Outcome(folder, name, "failed", " ".join(told.split()))

    def remove(self, *sessions: str) -> None:
        """Take sessions out of the study; their own folders stay as they are.

        Parameters
        ----------
        *sessions
            Their names.

        Raises
        ------
        ParameterError
            If one is not in the study; then none is removed.
        OutputError
            If the study cannot be written, or somebody else is writing it.
        """
        self._there()
        with store.locked(self.path) as killed, writing(self.path, "study", REMEDY):
            records = store.read_records(self.path)
            for session in sessions:
                if session not in records:
                    raise ParameterError(f"session={session!r} {unknown(session, records)}")
            if killed:
                store.sweep(self.path, records.values())
            for session in dict.fromkeys(sessions):
                store.discard(self.path, records.pop(session))
            store.write_tables(self.path, records.values())

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Ask the study in SQL, as of DuckDB; nothing but the study can be read, or written.

        Parameters
        ----------
        sql
            One ``select``. Its tables: `sessions`, `people`, `dyads`, `windows`, `timeline`,
            `state`, `events`.
        parameters
            Values for the ``?`` in it.

        Returns
        -------
            The answer; ``.to_pandas()`` and ``polars.from_arrow`` make frames of it.

        Raises
        ------
        MissingExtraError
            If DuckDB is not installed.
        ParameterError
            If it is no select, or cannot be answered.
        OutputError
            If a part of the study is damaged or gone.
        """
        from cuesense.study.query import ask

        self._there()
        return ask(self.path, sql, parameters)

    def __repr__(self) -> str:
        return f"Study({str(self.path)!r})"


def migrate(path: str | Path) -> int:
    """Bring a study of an older version up to date: a copy is made, and put in its place whole.

    Parameters
    ----------
    path
        Its folder.

    Returns
    -------
        How many sessions were changed; 0 if the study was up to date.

    Raises
    ------
    OutputError
        If it is no study, of a newer version, damaged or cannot be written.
    """
    path = Path(path)
    version = _version(path)
    if version is None:
        raise OutputError(f"study={str(path)!r} is not there")
    steps = migrations.chain(version)
    if not steps:
        return 0
    with store.locked(path), whole(path, lambda place: None) as folder:
        done = 0
        for before in store.read_records(path).values():
            after: Record = {**before, "meta": migrations.upgraded_meta(before["meta"], steps)}
            tables = {t: rows_of(store.part(path, t, before), t, steps) for t in TABLES}
            store.write_parts(folder, after, tables)
            store.commit(folder, after, None)
            done += 1
        store.write_about(folder)
        store.write_tables(folder, store.read_records(folder).values())
        store.copy_others(path, folder)
    return done


def _version(path: Path) -> object:
    """Return the schema version of a study's tables; None if there is no study yet.

    Raises
    ------
    OutputError
        If the folder is something else, or a study of a newer layout.
    """
    try:
        about = store.read_about(path)
    except (FileNotFoundError, NotADirectoryError):
        ours = {*LITTER, store.LOCK}
        if path.is_file() or (path.is_dir() and {p.name for p in path.iterdir()} - ours):
            raise OutputError(
                f"study={str(path)!r} holds something else; give a study, or a new folder"
            ) from None
        return None
    except OSError as error:
        raise OutputError(f"study={str(path)!r} cannot be read: {error}") from error
    if about.get("study") != store.LAYOUT:
        raise OutputError(
            f"study={str(path)!r} has layout {about.get('study')!r}, this version reads "
            f"{store.LAYOUT}; update cuesense"
        )
    return about.get("schema")
