"""What a worker does with one recording, on this machine or another: `work`.

Who publishes. A session is put in place by one step that cannot be half done: locally the child
renames a finished folder; at an address session.json, without which a folder is no session, is
written last. Dask may run a recording twice at once: it takes a worker for dead that is only cut
off, and gives its recordings to another. Then:

* a worker that was killed takes its children with it (their input ends), and with them whatever
  they had begun to write; only what was published before is there, and whoever comes next finds it
  finished and skips it;
* a worker that lives on but was given up learns that from its own side: it asks `wanted` twice a
  second and right before an upload, and ends its child;
* should both still come to publish within that half second, both sessions are whole, of the same
  recordings, recipe and version: the rename of one of them wins, and who loses finds the other's
  session finished, which is what was asked for; an upload overwrites each file by its equal.

A recording that fails would fail elsewhere, too: nothing is tried again, except what a worker took
with it when it died.
"""

from __future__ import annotations

import json
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any, Final, Literal

from cuesense import models, profiles, schema
from cuesense.batch import places
from cuesense.batch.child import Child, StoppedError
from cuesense.batch.plan import Job
from cuesense.errors import CuesenseError, MediaError, OutputError
from cuesense.session import sha256
from cuesense.types import PEOPLE

Tell = Callable[[str, float, float | None], None]
"""Called with an id, the seconds done, and the seconds in all if known."""
Wanted = Callable[[], bool]
"""Returns whether the result is still waited for."""
Status = Literal["done", "skipped", "failed"]
FAMILIES: Final = ("face", "voice", "state")
MODEL: Final = "face_landmarker"
"""Fetched before a child starts, which has no network."""
_fetching = Lock()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a recording.

    Attributes
    ----------
    id
        of the session.
    recording
        what was analysed.
    status
        done, skipped (it was finished before) or failed.
    reason
        why it failed.
    duration_s
        s, of the recording; None if it failed.
    seconds
        s that it took.
    labels
        share of the session's time with each label.
    coverage
        share of the session's time with a face, a voice and a state, by person.
    """

    id: str
    recording: str
    status: Status
    reason: str = ""
    duration_s: float | None = None
    seconds: float = 0.0
    labels: Mapping[str, float] = field(default_factory=dict)
    coverage: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def work(job: Job, tell: Tell, wanted: Wanted) -> Outcome:
    """Make a session of a recording, unless it is there; what goes wrong is in the outcome."""
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="cuesense-") as scratch:
            status, meta = _made(job, Path(scratch), tell, wanted)
    except (CuesenseError, OSError) as error:
        reason = " ".join(str(error).split())
        return Outcome(job.id, job.name, "failed", reason, seconds=time.monotonic() - began)
    return Outcome(
        job.id,
        job.name,
        status,
        duration_s=meta["source"]["duration_s"],
        seconds=time.monotonic() - began,
        labels=meta["summary"]["labels"],
        coverage={p: {f: meta["coverage"][p][f] for f in FAMILIES} for p in PEOPLE},
    )


def _made(job: Job, scratch: Path, tell: Tell, wanted: Wanted) -> tuple[Status, dict[str, Any]]:
    """Return how the session came to be there, and its session.json."""
    if (here := version("cuesense")) != job.version:
        raise OutputError(
            f"{platform.node()} has cuesense {here}, it was asked by {job.version}; install the "
            "same version on all machines"
        )
    remote = places.is_url(job.out)
    if not remote and not Path(job.out).parent.is_dir():
        raise OutputError(
            f"out={str(Path(job.out).parent)!r} is not there, seen from {platform.node()}; give a "
            "folder that all machines share, or an address"
        )
    paths = [places.fetch(p, scratch / f"input{i}") for i, p in enumerate(job.paths)]
    for path in paths:
        if not path.is_file():
            raise MediaError(f"recording {str(path)!r} is not there, seen from {platform.node()}")
    hashes = [sha256(path) for path in paths]
    meta = places.session_of(job.out)
    if _finished(job, meta, hashes):
        return "skipped", _described(job, meta)
    _check_free(job, meta, hashes)
    with _fetching:
        models.fetch(MODEL)
    target = scratch / "session" if remote else Path(job.out)
    try:
        _analyse(job, paths, target, tell, wanted)
        if remote:
            if not wanted():
                raise StoppedError("stopped before it was finished")
            places.publish(target, job.out)
    except CuesenseError:
        # Another run of the same recording may have been first; its session is as good.
        if not _finished(job, places.session_of(job.out), hashes):
            raise
    return "done", places.session_of(job.out)


def _finished(job: Job, meta: dict[str, Any], hashes: list[str]) -> bool:
    """Return whether a session is there that need not be made again."""
    same = meta.get("recipe") == job.recipe and meta.get("source", {}).get("sha256") == hashes
    return same and (not job.csv or places.exists(places.below(job.out, "timeline.csv")))


def _described(job: Job, meta: dict[str, Any]) -> dict[str, Any]:
    """Return a finished session's meta; what is known besides is brought up to date."""
    if meta.get("attributes") != job.attributes:
        meta = {**meta, "attributes": job.attributes}
        text = json.dumps(meta, indent=1, ensure_ascii=False, allow_nan=False)
        places.write(places.below(job.out, places.META), text.encode("utf-8", "replace"))
    return meta


def _check_free(job: Job, meta: dict[str, Any], hashes: list[str]) -> None:
    """Refuse to replace a session of something else."""
    if not meta or job.overwrite:
        return
    remedy = "choose another folder with -o, or --overwrite it"
    if (layout := meta.get("schema")) != schema.VERSION:
        raise OutputError(
            f"{places.shown(job.out)!r} has schema {layout!r}, this version writes "
            f"{schema.VERSION!r}; {remedy}"
        )
    if meta.get("source", {}).get("sha256") != hashes:
        raise OutputError(
            f"{places.shown(job.out)!r} holds the session of another recording; {remedy}"
        )


def _on_one_core(config: dict[str, Any]) -> dict[str, Any]:
    """Return settings that leave the other cores to other recordings (see `session.recipe`)."""
    return {
        **config,
        "capture": {**config["capture"], "threads": 1},
        "faces": {**config["faces"], "workers": 0},
    }


def _analyse(job: Job, paths: list[Path], target: Path, tell: Tell, wanted: Wanted) -> None:
    """Have a child analyse; it finds the saved profiles in a folder that is for it alone."""
    with tempfile.TemporaryDirectory(prefix="cuesense-") as known:
        for _, name, text in job.profiles:
            Path(known, profiles.path(name).name).write_text(text, encoding="utf-8")
        asked = {
            "recordings": list(map(str, paths)),
            "out": str(target),
            "config": _on_one_core(job.config),
            "offset_s": job.offset_s,
            "baseline": job.baseline,
            "use_profiles": [(person, name) for person, name, _ in job.profiles],
            "csv": job.csv,
            "overwrite": job.overwrite,
            "attributes": job.attributes,
        }
        with Child(asked, {profiles.FOLDER_VARIABLE: known}) as child:
            for done, total in child.progress(job.stall_s, wanted):
                tell(job.id, done, total)
