"""A dataset in the Brain Imaging Data Structure (BIDS 1.10): the conversation as a behavioural run.

Two people have no place of their own in BIDS: the *dyad* is the subject, and each person's cues,
as those of both together, are a recording (``recording-A``, ``-B``, ``-dyad``) of continuous data.
"""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cuesense import schema
from cuesense.export.material import Material, Name
from cuesense.export.tables import plain

if TYPE_CHECKING:
    import pyarrow as pa

VERSION: Final = "1.10.0"
TASK: Final = "conversation"
MISSING: Final = "n/a"
_RENAMED: Final = {"t": "onset", "t_end": "duration", "kind": "trial_type"}
"""What BIDS calls columns of the events' table."""


def write(material: Material, folder: Path) -> None:
    """Write the dataset: ``sub-<name>/beh`` with physio and events, and what describes them.

    ``*_physio.tsv.gz`` have no header and one row per tick; words of text columns are numbers,
    told in the sidecar's ``Levels``. A missing value is ``n/a``.
    """
    place = folder / f"sub-{material.label}" / "beh"
    place.mkdir(parents=True)
    stem = f"sub-{material.label}_task-{TASK}"
    people = {p: place / f"{stem}_recording-{p}_physio" for p in material.meta["people"]}
    for path in people.values():
        _sidecar(material, "timeline", path)
    with contextlib.ExitStack() as files:
        write_of = {p: files.enter_context(_gzip(path)) for p, path in people.items()}
        for group in material.people():
            for person, rows in group.items():
                write_of[person](lines(_coded(material, "timeline", rows)))
    dyad = place / f"{stem}_recording-dyad_physio"
    _sidecar(material, "state", dyad)
    with _gzip(dyad) as write_dyad:
        for rows in material.groups("state"):
            write_dyad(lines(_coded(material, "state", rows)))
    _events(material, place / f"{stem}_events")
    _dataset(material, folder)


@contextlib.contextmanager
def _gzip(path: Path) -> Iterator[Callable[[memoryview], int]]:
    """Give what writes into ``<path>.tsv.gz``; it holds no time, so runs do not differ.

    Digits hardly repeat: to look for repetitions takes half as long again and saves 1 %.
    """
    packer = zlib.compressobj(1, zlib.DEFLATED, 31, strategy=zlib.Z_HUFFMAN_ONLY)
    with path.with_name(f"{path.name}.tsv.gz").open("wb") as file:
        yield lambda text: file.write(packer.compress(text))
        file.write(packer.flush())


def _sidecar(material: Material, table: Name, path: Path) -> None:
    times = material.times[table]
    columns = material.values(table)
    sidecar = {
        "SamplingFrequency": material.rate_hz(table),
        "StartTime": float(times[0]) if len(times) else 0.0,
        "Columns": [c.name for c in columns],
        "PhysioType": "generic",
        "Manufacturer": "cuesense",
        "SoftwareVersions": material.meta["cuesense"],
        "TaskName": TASK,
        **{c.name: _column(material, table, c) for c in columns},
    }
    _json(path.with_name(f"{path.name}.json"), sidecar)


def _coded(material: Material, table: Name, rows: pa.Table) -> pa.Table:
    """Return rows without their time, with numbers for words."""
    import pyarrow as pa

    rows = rows.drop_columns(["t"])
    for i, name in enumerate(rows.column_names):
        if pa.types.is_string(rows.schema.field(i).type):
            rows = rows.set_column(i, name, material.numbered(table, name, rows))
    return plain(rows)


def lines(rows: pa.Table) -> memoryview:
    """Return rows as tab-separated text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not rows.num_rows:
        return memoryview(b"")
    texts = [c.cast(pa.string()).combine_chunks() for c in rows.columns]
    joined = pc.binary_join_element_wise(
        *texts, "\t", null_handling="replace", null_replacement=MISSING
    )
    joined = pc.binary_join_element_wise(joined, "", "\n")
    ends = np.frombuffer(joined.buffers()[1], np.int32)  # one array: lines follow one another
    return memoryview(joined.buffers()[2])[: ends[joined.offset + len(joined)]]


def _column(material: Material, table: Name, c: schema.Column) -> dict[str, Any]:
    """Return what a sidecar says about a column of numbers, or of words as numbers."""
    about: dict[str, Any] = {"Description": _described(c)}
    if c.kind == "text":
        words = material.codes(table, c.name)
        about["Levels"] = {str(n): _level(c.name, w) for w, n in words.items()}
        return about
    about["Units"] = c.unit
    limits = {"Minimum": c.low, "Maximum": c.high}
    return about | {k: float(v) for k, v in limits.items() if v is not None}


def _described(c: schema.Column) -> str:
    return f"{c.meaning}; why it is missing: {c.reason}" if c.reason else c.meaning


def _level(column: str, word: str) -> str:
    if column in schema.REASONS:
        return f"{word}: {schema.MISSING.get(word, '')}" if word else "none: the values are there"
    return word or "none"


def _events(material: Material, path: Path) -> None:
    columns = schema.EVENTS_TABLE
    names = [_RENAMED.get(c.name, c.name) for c in columns]
    rows = ["\t".join(names)]
    for e in material.happened:
        cells = {c.name: _cell(getattr(e, c.name)) for c in columns}
        cells["t_end"] = _cell(e.t_end - e.t)
        rows.append("\t".join(cells[c.name] for c in columns))
    path.with_name(f"{path.name}.tsv").write_text(
        "\n".join(rows) + "\n", encoding="utf-8", newline="\n"
    )
    about: dict[str, dict[str, Any]] = {}
    for c, name in zip(columns, names, strict=True):
        about[name] = {"Description": c.meaning}
        if c.unit:
            about[name]["Units"] = c.unit
    about["duration"]["Description"] = "how long it lasts"
    about["trial_type"] = {"Description": "what happened", "Levels": dict(schema.EVENTS)}
    _json(path.with_name(f"{path.name}.json"), about)


def _cell(x: object) -> str:
    if isinstance(x, float):
        return MISSING if x != x else f"{x:.15g}"
    return re.sub(r"\s+", " ", str(x)).strip() or MISSING


def _dataset(material: Material, folder: Path) -> None:
    meta = material.meta
    _json(
        folder / "dataset_description.json",
        {
            "Name": material.name,
            "BIDSVersion": VERSION,
            "DatasetType": "raw",
            "GeneratedBy": [
                {
                    "Name": "cuesense",
                    "Version": meta["cuesense"],
                    "Description": f"config {meta['config_hash']}, schema {meta['schema']}",
                }
            ],
        },
    )
    people = meta["people"]
    head = ["participant_id", *(f"{key}_{p}" for p in people for key in ("role", "side"))]
    row = [f"sub-{material.label}", *(str(v[k]) for v in people.values() for k in ("role", "side"))]
    (folder / "participants.tsv").write_text(
        "\t".join(head) + "\n" + "\t".join(row) + "\n", encoding="utf-8", newline="\n"
    )
    words = {"role": "in the conversation", "side": "of the picture at the start"}
    _json(
        folder / "participants.json",
        {
            "participant_id": {"Description": "the dyad: two people in one conversation"},
            **{
                f"{k}_{p}": {"Description": f"{k} of {p} {w}"}
                for p in people
                for k, w in words.items()
            },
        },
    )
    (folder / "README").write_text(
        f"Nonverbal cues of two people in conversation ({', '.join(material.media)}),\n"
        f"sensed by cuesense {meta['cuesense']}.\n\n"
        "A subject is a dyad: recording-A and recording-B hold each person's cues,\n"
        "recording-dyad the estimate of what the listener does. The JSON files name every\n"
        "column, its unit, and how missing values and their reasons are coded.\n",
        encoding="utf-8",
        newline="\n",
    )


def _json(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
