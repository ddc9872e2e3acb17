"""XDF 1.0, the file format of the Lab Streaming Layer (specification: sccn/xdf).

A stream of both people each, one of the dyad, one of what happened. All have one clock, so every
clock offset is 0; it is written all the same, since readers fit a line through the offsets.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from xml.etree import ElementTree as ET

import numpy as np

from cuesense import schema
from cuesense.export.material import Material, Name

if TYPE_CHECKING:
    import pyarrow as pa

_FILE_HEADER, _STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _STREAM_FOOTER = 1, 2, 3, 4, 6
EVENTS: Final = tuple(c for c in schema.EVENTS_TABLE if c.name != "t")
"""Channels of the stream of events, all of them text."""


class Stream:
    """One stream being written into an XDF file.

    Parameters
    ----------
    file
        The file.
    number
        Of the stream, from 1.
    header
        From `header`.
    """

    def __init__(self, file: BinaryIO, number: int, header: ET.Element) -> None:
        self._file, self._id = file, struct.pack("<I", number)
        self._first, self._last, self._count = 0.0, 0.0, 0
        self._offsets: list[float] = []
        _chunk(file, _STREAM_HEADER, self._id + _xml(header))

    def numbers(self, t: np.ndarray, values: np.ndarray) -> None:
        """Write samples: `t` (n,) s and `values` float32 (n, channels)."""
        layout = np.dtype([("bytes", "u1"), ("t", "<f8"), ("values", "<f4", values.shape[1:])])
        samples = np.empty(len(t), layout)
        samples["bytes"], samples["t"], samples["values"] = 8, t, values
        self._samples(t, samples.tobytes())

    def words(self, t: float, words: list[str]) -> None:
        """Write one sample of text."""
        texts = [w.encode("utf-8", "replace") for w in words]
        sample = b"".join(struct.pack("<BI", 4, len(w)) + w for w in texts)
        self._samples(np.array([t]), struct.pack("<Bd", 8, t) + sample)

    def _samples(self, t: np.ndarray, content: bytes) -> None:
        if not len(t):
            return
        if not self._count:
            self._first = float(t[0])
            self._offset(self._first)
        self._last, self._count = float(t[-1]), self._count + len(t)
        _chunk(self._file, _SAMPLES, self._id + struct.pack("<BI", 4, len(t)) + content)
        if self._last - self._offsets[-1] >= 5:
            self._offset(self._last)

    def _offset(self, t: float) -> None:
        self._offsets.append(t)
        _chunk(self._file, _CLOCK_OFFSET, self._id + struct.pack("<dd", t, 0.0))

    def close(self) -> None:
        """Write the footer."""
        info = _tree(
            "info",
            first_timestamp=repr(self._first),
            last_timestamp=repr(self._last),
            sample_count=str(self._count),
        )
        offsets = ET.SubElement(info, "clock_offsets")
        for t in self._offsets:
            offsets.append(_tree("offset", time=repr(t), value="0"))
        _chunk(self._file, _STREAM_FOOTER, self._id + _xml(info))


def write(material: Material, folder: Path) -> None:
    """Write ``<name>.xdf``: streams ``A``, ``B``, ``dyad`` and ``events``.

    Samples are float32, missing values NaN; time is s since the session's start. Words of text
    columns are numbers, which the channel's description tells.
    """
    with (folder / f"{material.name}.xdf").open("wb") as file:
        file.write(b"XDF:")
        _chunk(file, _FILE_HEADER, _xml(_tree("info", version="1.0")))
        people = {
            person: Stream(file, i, header(material, "timeline", person))
            for i, person in enumerate(material.meta["people"], 1)
        }
        for group in material.people():
            for person, rows in group.items():
                values = coded(material, "timeline", rows)
                people[person].numbers(rows.column("t").to_numpy(), values)
        for stream in people.values():
            stream.close()
        stream = Stream(file, len(people) + 1, header(material, "state", "dyad"))
        for rows in material.groups("state"):
            stream.numbers(rows.column("t").to_numpy(), coded(material, "state", rows))
        stream.close()
        stream = Stream(file, len(people) + 2, _events_header(material))
        for event in material.happened:
            stream.words(event.t, [str(getattr(event, c.name)) for c in EVENTS])
        stream.close()


def coded(material: Material, table: Name, rows: pa.Table) -> np.ndarray:
    """Return rows as float32 (n, columns), words as their numbers."""
    values = np.empty((rows.num_rows, len(material.values(table))), np.float32)
    for i, column in enumerate(material.values(table)):
        if column.kind == "text":
            values[:, i] = material.numbered(table, column.name, rows).to_numpy()
        else:
            values[:, i] = rows.column(column.name).to_numpy()
    return values


def header(material: Material, table: Name, name: str) -> ET.Element:
    """Return the header of a stream of numbers: its channels with units and meanings."""
    columns = material.values(table)
    rate = f"{material.rate_hz(table):.15g}"
    codes = {c.name: material.codes(table, c.name) for c in columns if c.kind == "text"}
    return _header(material, name, "cues", described(columns, codes), "float32", rate)


def described(
    columns: Sequence[schema.Column], codes: Mapping[str, Mapping[str, int]]
) -> ET.Element:
    """Return the description of channels: label, unit, meaning, and what numbers stand for.

    Parameters
    ----------
    columns
        A channel each.
    codes
        The numbers of words, of each column of words that is sent as numbers.
    """
    channels = ET.Element("channels")
    for c in columns:
        unit = "code" if c.name in codes else c.unit
        channel = _tree("channel", label=c.name, unit=unit, type=c.source, meaning=c.meaning)
        if c.reason:
            ET.SubElement(channel, "reason").text = c.reason
        if c.name in codes:
            listed = ET.SubElement(channel, "codes")
            for word, number in codes[c.name].items():
                listed.append(_tree("code", value=str(number), word=word))
        channels.append(channel)
    return channels


def _events_header(material: Material) -> ET.Element:
    return _header(material, "events", "Markers", described(EVENTS, {}), "string", "0")


def _header(
    material: Material, name: str, kind: str, channels: ET.Element, form: str, rate: str
) -> ET.Element:
    info = _tree(
        "info",
        name=name,
        type=kind,
        channel_count=str(len(channels)),
        channel_format=form,
        nominal_srate=rate,
        source_id=f"cuesense {material.name} {name}",
        created_at="0",
    )
    desc = ET.SubElement(info, "desc")
    desc.append(channels)
    source = ET.SubElement(desc, "provenance")
    for key, value in material.provenance.items():
        if isinstance(value, str):
            ET.SubElement(source, key).text = value
    return info


def _tree(tag: str, **texts: str) -> ET.Element:
    element = ET.Element(tag)
    for name, text in texts.items():
        ET.SubElement(element, name).text = text
    return element


def _xml(element: ET.Element) -> bytes:
    text = ET.tostring(element, encoding="unicode")
    return f'<?xml version="1.0"?>{text}'.encode()


def _chunk(file: BinaryIO, tag: int, content: bytes) -> None:
    """Write one chunk: length (of tag and content), tag, content."""
    file.write(struct.pack("<BIH", 4, len(content) + 2, tag) + content)
