"""What the tests share: the real recordings' place, the bundled sample, the face model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings; the test is skipped where there is none."""
    folder = Path(os.environ.get("CUESENSE_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "MANIFEST.tsv").is_file():
        pytest.skip(f"no real recordings at {folder}; set CUESENSE_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def face_model() -> Path:
    """The face model, fetched on first use."""
    from cuesense import models

    return models.fetch("face_landmarker")


@pytest.fixture(scope="session")
def sample() -> Path:
    """The bundled recording with known truth."""
    return ROOT / "samples" / "dyad.mp4"
