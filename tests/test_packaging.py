"""The wheel carries what the package reads at run time."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_wheel_is_complete_and_holds_no_weights(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(tmp_path), "."]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "cuesense/py.typed",
        "cuesense/report/template.html.j2",
        "cuesense/report/report.css",
        "cuesense/report/report.js",
        "cuesense/feedback/rules.toml",
        "cuesense/web/static/index.html",
        "cuesense/web/static/live.css",
        "cuesense/web/static/main.js",
        "cuesense/rating/static/index.html",
        "cuesense/rating/static/rate.css",
        "cuesense/rating/static/rate.js",
        "cuesense/_data/models/manifest.toml",
        "cuesense/_data/models/face_landmarker/MODEL_CARD.md",
        "cuesense/_data/samples/dyad.mp4",
        "cuesense/_data/samples/dyad.truth.json",
        "cuesense/_data/samples/dyad.truth.csv",
    ):
        assert needed in names
    static = ROOT / "src" / "cuesense" / "web" / "static"
    assert names >= {f"cuesense/web/static/{p.name}" for p in static.iterdir()}
    assert not [n for n in names if n.endswith((".task", ".onnx", ".tflite"))]
    assert {n for n in names if n.endswith(".py")} >= {
        str(p.relative_to(ROOT / "src")) for p in (ROOT / "src").rglob("*.py")
    }
