"""Files that come with the project: model manifest, sample. In a checkout or an installed wheel."""

from __future__ import annotations

from pathlib import Path


def resource(relative: str) -> Path:
    """Return the path of a file or folder such as ``models/manifest.toml``.

    A wheel carries these under ``cuesense/_data``; a checkout has them at its top level.

    Raises
    ------
    FileNotFoundError
        If it is in neither place.
    """
    here = Path(__file__).resolve().parent
    for root in (here / "_data", here.parents[1]):
        if (root / relative).exists():
            return root / relative
    raise FileNotFoundError(f"{relative} is not part of this installation of cuesense")
