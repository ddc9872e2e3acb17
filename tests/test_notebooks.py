"""Every notebook runs to its end, warns of nothing, and says what its axes are."""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))

# Runs in the kernel after each cell, before its figures are closed: what it raises is an output.
# An axis of numbers says of what they are; words at the ticks say it themselves.
WATCH = """
def watch():
    import sys
    pyplot = sys.modules.get("matplotlib.pyplot")
    for number in pyplot.get_fignums() if pyplot else ():
        for axes in pyplot.figure(number).axes:
            for name in "xy" if axes.axison else "":
                shared = getattr(axes, f"get_shared_{name}_axes")().get_siblings(axes)
                labels = [getattr(other, f"get_{name}label")() for other in shared]
                ticks = [tick.get_text() for tick in getattr(axes, f"{name}axis").get_ticklabels()]
                words = any(tick[:1].isalpha() for tick in ticks)
                assert not ticks or words or any(labels), f"figure {number}: {name} of {axes}"
get_ipython().events.register("post_execute", watch)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working folder of all, as a reader has one: what the first left is there for the last."""
    return tmp_path_factory.mktemp("notebooks")


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_notebook_runs(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    # The kernel puts its pictures into the notebook by itself, unless this says otherwise.
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    assert all(not cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(WATCH))  # type: ignore[no-untyped-call]
    NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": folder}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    for output in outputs:
        assert output["output_type"] != "error", "\n".join(output["traceback"])
        assert "warning" not in output.get("text", "").lower(), output["text"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
