"""What was sensed, at rest: written once, played as often as needed, never held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from cuesense.schema import VALUES
from cuesense.timeline import BATCH_TICKS, Spool
from cuesense.types import PEOPLE, Event, Reason, Sensed

if TYPE_CHECKING:
    import pyarrow as pa

_FAMILIES: Final = ("face_reason", "voice_reason", "body_reason")


def _layout() -> pa.Schema:
    import pyarrow as pa

    event = pa.struct(
        [
            *((name, pa.float64()) for name in ("t", "t_end", "value")),
            *((name, pa.string()) for name in ("person", "kind", "detail")),
        ]
    )
    return pa.schema(
        [
            ("t", pa.float64()),
            ("end", pa.float64()),
            *((person, pa.list_(pa.float64(), len(VALUES))) for person in PEOPLE),
            *((f"{person}_{family}", pa.string()) for person in PEOPLE for family in _FAMILIES),
            ("events", pa.list_(event)),
        ]
    )


class Tape:
    """Edge: `Sensed` ticks in a file, exactly as they were; the file goes with the tape.

    Parameters
    ----------
    path
        The file.
    target
        What errors name: the folder that the user gave.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self._path = path
        self._spool = Spool(path, _layout(), target)
        self._open, self._ticks = True, 0

    def write(self, sensed: Sensed) -> None:
        """Add the next tick.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        row: list[Any] = [sensed.t, sensed.end, *sensed.values]
        row += [str(why[family]) for why in sensed.reasons for family in _FAMILIES]
        names = ("t", "t_end", "value", "person", "kind", "detail")
        row.append([{name: getattr(e, name) for name in names} for e in sensed.events])
        self._spool.add(row)
        self._ticks += 1
        if self._ticks % BATCH_TICKS == 0:
            self._spool.flush()

    def play(self) -> Iterator[Sensed]:
        """Yield all that was written, from the beginning; nothing can be added after that."""
        import pyarrow as pa

        self._close()
        # Not mapped into memory: a long recording would seem to fill it.
        with pa.OSFile(str(self._path)) as file:
            stream = pa.ipc.open_stream(file)
            for batch in stream:
                yield from _ticks(batch)

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._close()
        finally:
            self._path.unlink(missing_ok=True)


def _ticks(batch: pa.RecordBatch) -> Iterator[Sensed]:
    table = {name: batch.column(name) for name in batch.schema.names}
    first, second = (
        table[person].flatten().to_numpy().reshape(-1, len(VALUES)) for person in PEOPLE
    )
    whys = [
        [
            dict(zip(_FAMILIES, map(Reason, codes), strict=True))
            for codes in zip(
                *(table[f"{person}_{family}"].to_pylist() for family in _FAMILIES), strict=True
            )
        ]
        for person in PEOPLE
    ]
    t, end, events = (table[name].to_pylist() for name in ("t", "end", "events"))
    for i, told in enumerate(events):
        happened = tuple(Event(**event) for event in told)
        yield Sensed(t[i], (first[i], second[i]), (whys[0][i], whys[1][i]), happened, end[i])
