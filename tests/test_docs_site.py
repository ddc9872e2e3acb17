"""The documentation builds without a warning, is complete, and asks no other host for anything."""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import cuesense
from cuesense.cli import parser

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Fetched(HTMLParser):
    """Collects what a browser fetches by itself when it shows a page; links are not fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [given.get("src") or ""]
        if tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.found += [given.get("href") or ""]


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert pages
    for page in pages:
        reader = Fetched()
        reader.feed(page.read_text(encoding="utf-8"))
        assert len(reader.found) > 3
        assert not [a for a in reader.found if re.match(r"(https?:)?//", a)], page.name
    for style in site.rglob("*.css"):
        found = re.findall(
            r"(?:url\(|@import )['\"]?((?:https?:)?//[^'\")]+)", style.read_text("utf-8")
        )
        assert not found, style.name


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    page = (site / "api.html").read_text(encoding="utf-8")
    anchors = set(re.findall(r'id="cuesense\.(\w+)"', page))
    assert set(cuesense.__all__) <= anchors


def verbs(p: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in p._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield verb
                yield from verbs(verb)


def test_every_command_and_option_is_in_the_reference(site: Path) -> None:
    page = (site / "cli.html").read_text(encoding="utf-8")
    for verb in verbs(parser()):
        assert f'id="{verb.prog.replace(" ", "-")}"' in page
        section = page.split(f'id="{verb.prog.replace(" ", "-")}"')[1].split("<h2")[0]
        for action in verb._actions:
            assert all(
                option in section for option in action.option_strings if action.dest != "help"
            )


def test_every_notebook_can_be_read_and_fetched(site: Path) -> None:
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert (site / "notebooks" / path.name).read_bytes() == path.read_bytes()
        assert (site / "notebooks" / f"{path.stem}.html").is_file()


@pytest.fixture
def pages() -> Any:
    spec = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_notebooks_show_what_they_gave(
    pages: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = b"not really a picture"
    cell = {"cell_type": "code", "source": ["1 + 1\n", "draw()"], "outputs": []}
    head = {"cell_type": "markdown", "source": ["# Title\n", "\n", "Words."]}
    source = tmp_path / "some.ipynb"
    source.write_text(json.dumps({"cells": [head, cell]}), encoding="utf-8")
    outputs = [
        {"output_type": "stream", "text": "said\n"},
        {"output_type": "execute_result", "data": {"text/html": ["<div><table>", "</div>"]}},
        {"data": {"image/png": base64.b64encode(picture).decode(), "text/plain": "<Figure>"}},
    ]
    executed = tmp_path / "executed" / source.name
    executed.parent.mkdir()
    monkeypatch.setattr(pages, "EXECUTED", executed.parent)

    plain, none = pages.notebook(source)
    assert plain.startswith("# Title\n\n[Download the notebook](some.ipynb)")
    assert "```python\n1 + 1\ndraw()\n```" in plain
    assert not none
    executed.write_text(json.dumps({"cells": [head, cell | {"outputs": outputs}]}), "utf-8")
    text, pictures = pages.notebook(source)
    assert text.startswith(plain)
    assert "```text\nsaid\n```\n\n<div><table></div>\n\n![" in text
    assert pictures == {"some-1.png": picture}
    executed.write_text(json.dumps({"cells": [head, cell | {"source": "2"}]}), encoding="utf-8")
    assert pages.notebook(source) == (plain, {})  # it was executed before it was changed


def commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for kind, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            for line in [] if kind else block.splitlines():
                if line.startswith("cuesense ") and "SESSION" not in line:
                    yield page.name, line.split(" > ")[0]


COMMANDS = list(commands())


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_commands_that_are_shown_are_understood(page: str, line: str) -> None:
    parser().parse_args(shlex.split(line, comments=True)[1:])


def test_commands_are_shown() -> None:
    assert len(COMMANDS) > 20
