"""RTTM: who spoke when, as the tools of speaker diarisation read it.

NIST, *The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan*, appendix A.
"""

from __future__ import annotations

import re
from pathlib import Path

from cuesense.export.material import Material

SPOKEN = ("turn", "backchannel")
"""Events of which each is a stretch of one person's speech."""


def write(material: Material, folder: Path) -> None:
    """Write ``<name>.rttm``: a SPEAKER line per turn and per backchannel, in ms."""
    # Fields are separated by white space, so a name must have none.
    name = re.sub(r"\s+", "_", material.name)
    lines = [
        f"SPEAKER {name} 1 {e.t:.3f} {e.t_end - e.t:.3f} <NA> <NA> {e.person} <NA> <NA>\n"
        for e in material.happened
        if e.kind in SPOKEN and e.person
    ]
    path = folder / f"{material.name}.rttm"
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
