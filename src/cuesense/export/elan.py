"""ELAN annotation file (.eaf, EAF 3.0): what happened as tiers, linked to the recording.

Format: *ELAN Annotation Format 3.0*, Max Planck Institute for Psycholinguistics.
"""

from __future__ import annotations

import itertools
import mimetypes
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from cuesense.export.material import Material
from cuesense.export.tiers import Stretch, tiers

_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_TYPE: Final = "cue"


def write(material: Material, folder: Path) -> None:
    """Write ``<name>.eaf``: one tier per row of `tiers`, times in ms.

    The recording, of two the one that starts first, is linked by its file name: ELAN looks for it
    beside the annotation file and asks where it is not. Nothing lasts less than 1 ms there, so
    moments are given 1 ms.
    """
    found = tiers(material)
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": f"cuesense {material.meta['cuesense']}",
            "DATE": material.meta["created"],
            "FORMAT": "3.0",
            "VERSION": "3.0",
            f"{{{_XSI}}}noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
        },
    )
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    # ELAN plays a recording from its own time 0 or from later, never from before its start: of
    # two recordings the one that starts later could only be linked at a wrong time.
    offset = material.meta["source"]["offset_s"]
    linked = [n for n, later in zip(material.media, (-offset, offset), strict=False) if later <= 0]
    for name in linked:
        about = {
            "MEDIA_URL": f"./{name}",
            "RELATIVE_MEDIA_URL": f"./{name}",
            "MIME_TYPE": mimetypes.guess_type(name)[0] or "video/*",
        }
        ET.SubElement(header, "MEDIA_DESCRIPTOR", about)
    properties = {
        "lastUsedAnnotationId": sum(map(len, found.values())),
        **{f"cuesense.{k}": v for k, v in material.provenance.items() if isinstance(v, str)},
    }
    for key, value in properties.items():
        ET.SubElement(header, "PROPERTY", {"NAME": key}).text = str(value)

    # Each annotation has time slots of its own: one that is moved must not take others along.
    # Slots are listed in the order of their times.
    ends = [ms for row in found.values() for stretch in row for ms in _ms(stretch)]
    slot = {k: f"ts{i}" for i, k in enumerate(sorted(range(len(ends)), key=ends.__getitem__), 1)}
    order = ET.SubElement(root, "TIME_ORDER")
    for k, name in slot.items():
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": name, "TIME_VALUE": str(ends[k])})
    number = itertools.count()
    for name, row in found.items():
        about = {"LINGUISTIC_TYPE_REF": _TYPE, "TIER_ID": name}
        person = name.split(" ")[0]
        if person in material.meta["people"]:
            about["PARTICIPANT"] = person
        tier = ET.SubElement(root, "TIER", about)
        for stretch in row:
            i = next(number)
            about = {
                "ANNOTATION_ID": f"a{i + 1}",
                "TIME_SLOT_REF1": slot[2 * i],
                "TIME_SLOT_REF2": slot[2 * i + 1],
            }
            annotation = ET.SubElement(
                ET.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", about
            )
            ET.SubElement(annotation, "ANNOTATION_VALUE").text = stretch.text
    about = {"GRAPHIC_REFERENCES": "false", "TIME_ALIGNABLE": "true"}
    ET.SubElement(root, "LINGUISTIC_TYPE", about | {"LINGUISTIC_TYPE_ID": _TYPE})
    ET.indent(root)
    path = folder / f"{material.name}.eaf"
    ET.ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)


def _ms(stretch: Stretch) -> tuple[int, int]:
    begin = round(stretch.t * 1000)
    return begin, max(begin + 1, round(stretch.t_end * 1000))
