"""What the tests share: the real recordings' place, the bundled sample, the face model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cuesense import Session

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


def cut(source: Path, seconds: float, target: Path, *, whole: bool = False) -> Path:
    """Copy the first seconds of a recording, without encoding it again.

    Its last pictures may lack others that they are coded from, unless it shall be `whole`: how a
    decoder makes up for those depends on its threads.
    """
    import av

    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in container.streams}
        for packet in container.demux():
            if packet.dts is None or packet.pts is None:
                continue
            if float((packet.dts if whole else packet.pts) * packet.time_base) < seconds:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    return target


@pytest.fixture(scope="session")
def clip(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 6 s of the sample: two faces, ordinary talk."""
    return cut(sample, 6.0, tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="session")
def sample_session(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The whole sample, analysed once with the defaults."""
    from cuesense import analyze

    return analyze(sample, out=tmp_path_factory.mktemp("sample") / "session", csv=True)
