"""What the pages and the README's section for researchers show in Python works when pasted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import export_sessions
from cuesense.export import FORMATS

ROOT = Path(__file__).resolve().parents[1]
FORMATS_PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (name,) = re.findall(r'cuesense.Session\("(.*?)"\)', code)
    export_sessions.write(folder / name, 60.0)
    monkeypatch.chdir(folder)
    exec(compile(code, "documentation", "exec"), {})


def test_every_format_is_described() -> None:
    assert re.findall(r"^\| `([a-z-]+)` \|", FORMATS_PAGE, re.MULTILINE) == list(FORMATS)


SECTIONS = blocks(FORMATS_PAGE)


@pytest.mark.parametrize("code", SECTIONS[1:], ids=lambda c: c.split("\n")[0])
def test_formats_page(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(SECTIONS[0] + code, tmp_path, monkeypatch)


@pytest.mark.parametrize("page", ["research", "series", "tutorial"])
def test_other_pages(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"))
    run(code, tmp_path, monkeypatch)


def test_readme_for_researchers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = README.split("## For researchers\n")[1].split("\n## ")[0]
    (code,) = blocks(section)
    assert len(code.strip().splitlines()) <= 10
    run(code, tmp_path, monkeypatch)
    assert list((tmp_path / "talk.export" / "elan").glob("*.eaf"))
