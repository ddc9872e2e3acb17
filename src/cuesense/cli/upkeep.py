"""Verbs about this installation: profiles, models, settings, data dictionary, devices."""

from __future__ import annotations

import argparse
import sys

from cuesense.cli.codes import FAILED, OK
from cuesense.errors import ParameterError


def profiles(options: argparse.Namespace) -> int:
    """List, show or delete saved profiles."""
    from cuesense import profiles

    if options.action == "list":
        for name in profiles.names():
            print(name)
        print(f"Profiles: {profiles.folder()}", file=sys.stderr)
        return OK
    if not options.name:
        raise ParameterError(f"name is missing: cuesense profiles {options.action} NAME")
    for name in options.name:
        if options.action == "delete":
            print(f"{name}: deleted {profiles.delete(name)}")
        else:
            print(profiles.load(name).words())
    return OK


def models(options: argparse.Namespace) -> int:
    """List, verify or fetch models."""
    from rich.console import Console
    from rich.table import Table

    from cuesense import models

    known = {entry.name: entry for entry in models.entries()}
    unknown = [name for name in options.name if name not in known]
    if unknown:
        raise ParameterError(f"model={unknown[0]!r} is not one of {', '.join(known)}")
    chosen = [known[name] for name in options.name or known]
    if options.action == "fetch":
        for entry in chosen:
            print(f"{entry.name}: {models.fetch(entry)}")
        return OK
    table = Table("model", "version", "size", "licence", "state", "file")
    states = [models.verify(entry) for entry in chosen]
    for status in states:
        e = status.entry
        table.add_row(
            e.name,
            e.version,
            f"{e.size / 1e6:.1f} MB",
            e.licence,
            status.state + (f" ({status.detail})" if status.detail else ""),
            str(status.path or "-"),
        )
    Console().print(table)
    if options.action == "verify" and any(s.state != "ok" for s in states):
        return FAILED
    return OK


def config(options: argparse.Namespace) -> int:
    """Print the settings."""
    from cuesense.config import Config

    print(Config().to_toml(), end="")
    return OK


def schema(options: argparse.Namespace) -> int:
    """Print the data dictionary."""
    from cuesense.export import dictionary
    from cuesense.study import columns

    about = (columns.TABLES, "NULL") if options.study else (dictionary.TABLES, "NaN")
    if options.json or options.csv:
        print(dictionary.to_json(*about) if options.json else dictionary.to_csv(*about), end="")
        return OK
    from rich.console import Console
    from rich.table import Table

    # A table that is piped is not cut to a terminal's width.
    console = Console(width=None if sys.stdout.isatty() else 160)
    for name in about[0]:
        table = Table("name", "unit", "range", "meaning", "source", "missing", title=name)
        for c in dictionary.entries(*about):
            if c["table"] == name:
                table.add_row(
                    c["name"],
                    c["unit"],
                    dictionary.limits(c),
                    c["meaning"],
                    c["source"],
                    c["missing"],
                )
        console.print(table)
    return OK


def doctor(options: argparse.Namespace) -> int:
    """Examine this machine."""
    from rich.console import Console
    from rich.table import Table

    from cuesense import doctor

    findings = doctor.examine()
    table = Table("what", "state", "detail")
    for finding in findings:
        style = {"ok": "green", "warning": "yellow", "failed": "red"}[finding.state]
        table.add_row(finding.what, f"[{style}]{finding.state}[/]", finding.detail)
    Console().print(table)
    if options.clap:
        print(f"Clap before the camera, once a second, for {doctor.CLAP_S:.0f} s …", flush=True)
        print(doctor.clap().detail)
    if options.preview is not None:
        for path in doctor.preview(options.preview):
            print(f"Preview: {path.resolve()}")
    return FAILED if any(f.state == "failed" for f in findings) else OK
