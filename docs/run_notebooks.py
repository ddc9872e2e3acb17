"""Execute the notebooks, for the documentation to show what they give: ``make notebooks``."""

from __future__ import annotations

import nbformat
from nbclient import NotebookClient
from pages import EXECUTED, NOTEBOOKS

if __name__ == "__main__":
    EXECUTED.mkdir(parents=True, exist_ok=True)
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        where = {"metadata": {"path": str(EXECUTED)}}
        NotebookClient(notebook, timeout=900, kernel_name="python3", resources=where).execute()
        nbformat.write(notebook, EXECUTED / path.name)
