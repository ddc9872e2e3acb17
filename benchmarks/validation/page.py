"""The validation page: runs the parts and writes ``docs/validation.md``.

``make bench-validation``, or ``python benchmarks/validation/page.py [--only PART ...]``, which
measures these parts again and leaves the others as they stand on the page.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import recordings  # noqa: E402
from validation.part import Claim, Part, Picture  # noqa: E402

PARTS: Final = ("f0", "speech", "pace", "tone", "whose", "expression", "steady", "eyes", "arousal")
"""The modules of the parts, in the page's order."""
PAGE: Final = ROOT / "docs" / "validation.md"
IMAGES: Final = ROOT / "docs" / "images"
HEAD: Final = """# Validation

What cuesense measures, measured against truth and beside its peers, on real recordings. Each part
says what was chosen with its recordings in sight. Every figure is printed by
`make bench-validation`; intervals are 95 %, over resampled people or recordings. A claim that this
page does not back is a defect: please report it.

The recordings are research data, which the project may not pass on; the machine that measures
needs them (`CUESENSE_DATA`).
"""


def markdown(name: str, part: Part) -> Iterator[str]:
    """Yield a part's lines."""
    yield f"<!-- part {name} -->"
    yield ""
    yield f"## {part.title}"
    yield ""
    yield part.intro
    yield ""
    if part.claims:
        yield "| | measured | reach | met | on |"
        yield "|---|---|---|---|---|"
        yield from map(_row, part.claims)
        yield ""
    for table in part.tables:
        yield f"**{table.title}**"
        yield ""
        yield f"| {' | '.join(table.header)} |"
        yield f"|{'---|' * len(table.header)}"
        for row in table.rows:
            yield f"| {' | '.join(row)} |"
        yield ""
    for picture in part.pictures:
        yield f"![{picture.words}](images/{_file(picture)})"
        yield ""
    for note in part.notes:
        yield f"* {note}"
    yield ""
    yield f"Measured {date.today()}."
    yield ""


def _row(claim: Claim) -> str:
    sign = "≥" if claim.at_least else "≤"
    met = "yes" if claim.met else "**no**"
    measured = claim.measured.text(claim.digits)
    return f"| {claim.what} | {measured} | {sign} {claim.reach:g} | {met} | {claim.data} |"


def _file(picture: Picture) -> str:
    return f"validation-{picture.name}.svg"


def sections(text: str) -> dict[str, str]:
    """Return the parts of a written page by name."""
    pieces = re.split(r"^<!-- part (\w+) -->$", text, flags=re.MULTILINE)
    return {
        name: f"<!-- part {name} -->{body}"
        for name, body in zip(pieces[1::2], pieces[2::2], strict=True)
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    chosen = parser.parse_args().only
    data = recordings.folder()
    if not (data / "MANIFEST.tsv").is_file():
        sys.exit(f"no recordings at {data}; set CUESENSE_DATA to their folder")
    written = sections(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    for name in chosen:
        part: Part = importlib.import_module(f"validation.{name}").measure(data)
        written[name] = "\n".join(markdown(name, part))
        for picture in part.pictures:
            (IMAGES / _file(picture)).write_text(picture.svg, encoding="utf-8")
        print(written[name])
    body = "\n".join(written[name].rstrip("\n") + "\n" for name in PARTS if name in written)
    PAGE.write_text(f"{HEAD}\n{body}", encoding="utf-8")


if __name__ == "__main__":
    main()
