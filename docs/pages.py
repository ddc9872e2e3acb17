"""Pages of the documentation that are made from the code while the site is built (mkdocs hooks).

What can be told from the source is not written twice: the command line comes from its parser, the
settings from the configuration, model cards, notebooks and the change log from their own files, the
BibTeX entry from ``CITATION.cff``.
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from cuesense.cli import parser
from cuesense.config import Config

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXECUTED = ROOT / "build" / "notebooks"
"""Where `make notebooks` leaves them with their outputs."""
BIBTEX = "<!-- bibtex -->"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every notebook into the empty place that the navigation has for them."""
    for section in config.nav or []:
        if "Notebooks" in section:
            section["Notebooks"] = [f"notebooks/{path.stem}.md" for path in NOTEBOOKS]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    for name, text in (("cli.md", cli()), ("settings.md", settings())):
        files.append(File.generated(config, name, content=text))
    for path in (*sorted((ROOT / "models").rglob("*.md")), ROOT / "CHANGELOG.md"):
        place = path.relative_to(ROOT).as_posix().replace("models/README.md", "models/index.md")
        files.append(File.generated(config, place, abs_src_path=str(path)))
    for path in NOTEBOOKS:
        text, pictures = notebook(path)
        made = {f"{path.stem}.md": text, **pictures}
        for name, content in made.items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
        files.append(File.generated(config, f"notebooks/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the BibTeX entry where a page asks for it."""
    return markdown.replace(BIBTEX, bibtex()) if BIBTEX in markdown else markdown


def cli() -> str:
    """Return the page of the command line."""
    top = parser()
    parts = ["# Command line", f"{top.description}", *_verbs(top)]
    parts.append(
        "Exit codes: 0 done; 1 a check failed; 2 something that you can mend, said in one line; "
        "130 interrupted."
    )
    return "\n\n".join(parts)


def _verbs(p: argparse.ArgumentParser) -> Iterator[str]:
    """Yield Markdown of all commands below a parser, in their order."""
    for action in p._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield f"## {verb.prog}"
                yield _plain(verb.description or "")
                # One width whatever terminal the site is built in.
                verb.formatter_class = partial(argparse.HelpFormatter, width=80)
                yield f"```\n{verb.format_usage().removeprefix('usage: ').strip()}\n```"
                rows = [_row(a) for a in verb._actions if a.dest != "help" and a.help]
                if rows:
                    yield "\n".join(["| | |", "|---|---|", *rows])
                yield from _verbs(verb)


def _row(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 or action.choices else action.metavar or action.dest.upper()
    options = ", ".join(action.option_strings)
    name = f"{options} {value}".strip() if options else action.dest
    words = _plain(str(action.help) % {"default": action.default})
    if action.choices:
        words += "; one of " + ", ".join(f"`{choice}`" for choice in action.choices)
    return f"| `{name}` | {words} |"


def _plain(text: str) -> str:
    """Return text in which no character means anything to Markdown."""
    return re.sub(r"([\\`*_<|])", r"\\\1", text)


def settings() -> str:
    """Return the page of the settings: each with its default and what its comment says."""
    parts = [
        "# Settings",
        "`cuesense config > my.toml` writes all of them with their defaults; `--config my.toml` of "
        "`analyze` and `live` reads them. What a file does not name keeps its default; a key that "
        "is not known, or a value that cannot be, is refused in one line. A session keeps all that "
        "it was made with (`session.json`, under `config`).",
    ]
    for section in dataclasses.fields(Config):
        kind = type(getattr(Config(), section.name))
        said = dict(re.findall(r"^    (\w+): .*?  # (.*)$", inspect.getsource(kind), re.MULTILINE))
        rows = [
            f"| `{f.name}` | `{json.dumps(f.default)}` | {said.get(f.name, '')} |"
            for f in dataclasses.fields(kind)
        ]
        table = "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])
        parts += [f"## [{section.name}]", str(kind.__doc__), table]
    return "\n\n".join(parts)


def notebook(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and its pictures by name.

    What its cells gave is there if it was executed as it stands (`make notebooks`).
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    run = EXECUTED / path.name
    if run.is_file():
        executed = json.loads(run.read_text(encoding="utf-8"))["cells"]
        if [_text(c["source"]) for c in executed] == [_text(c["source"]) for c in cells]:
            cells = executed
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in cells:
        text = _text(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            continue
        parts.append(f"```python\n{text}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                name = f"{path.stem}-{len(pictures) + 1}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                parts.append(f"![What this draws]({name})")
            elif "text/html" in data:
                table = re.sub(r"<style.*?</style>", "", _text(data["text/html"]), flags=re.DOTALL)
                parts.append(table.replace(' border="1" class="dataframe"', ""))
            else:
                said = output.get("text") or data.get("text/plain", "")
                parts.append(f"```text\n{_text(said).rstrip()}\n```")
    title, *rest = parts[0].split("\n", 1)
    where = f"[Download the notebook]({path.name}){{ .md-button }}"
    return "\n\n".join([title, where, *rest, *parts[1:]]), pictures


def _text(lines: Any) -> str:
    """Return what a notebook holds as a text or as a list of lines."""
    return "".join(lines)


def bibtex() -> str:
    """Return the BibTeX entry of ``CITATION.cff``."""
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    authors = " and ".join(
        "{" + a["name"] + "}" if "name" in a else f"{a['family-names']}, {a['given-names']}"
        for a in cff["authors"]
    )
    year = str(cff["date-released"])[:4]
    lines = [
        f"@software{{cuesense_{year},",
        f"  title   = {{{cff['title']}}},",
        f"  author  = {{{authors}}},",
        f"  version = {{{cff['version']}}},",
        f"  year    = {{{year}}},",
        f"  license = {{{cff['license']}}}",
        "}",
    ]
    return "```bibtex\n" + "\n".join(lines) + "\n```"
