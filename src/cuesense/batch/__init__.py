"""Many recordings: a folder, a pattern or a list of them, each to a session, side by side.

::

    recordings  what a folder, a pattern or a list names
    plan        what is to be done, checked before anything runs   -> jobs
    workers     threads here, or a Dask cluster                     jobs -> futures
    work        one job on a worker: skip, fetch, analyse, publish  -> outcome
    child       the analysis itself, in a process of its own
    places      paths and addresses (fsspec)
    summary     the table of outcomes

`analyze_many` puts them together; ``cuesense analyze FOLDER`` is it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from cuesense import models
from cuesense.batch import places, plan, recordings, summary, workers
from cuesense.batch.plan import Job
from cuesense.batch.recordings import Recording
from cuesense.batch.work import MODEL, Outcome
from cuesense.config import Config
from cuesense.errors import CuesenseError, OutputError, ParameterError

__all__ = ["Outcome", "Recording", "analyze_many", "planned", "run"]

Progress = Callable[[str, float, float | None, Outcome | None], None]
"""Called with an id, the seconds done, the seconds in all if known, and at its end the outcome."""
SAVE_S: Final = 5.0
"""s between two writings of the summary."""


def planned(
    what: str | Path | Iterable[str | Path | Recording],
    out: str | Path,
    *,
    config: Config | None = None,
    listener: str | None = None,
    baseline: str | None = None,
    use_profiles: Iterable[tuple[str, str]] = (),
    csv: bool = False,
    overwrite: bool = False,
    stall_s: float = 900.0,
) -> list[Job]:
    """Return what `analyze_many` would do, checked as far as it can be; arguments as there."""
    if isinstance(what, (str, Path)):
        wanted = recordings.found(str(what))
    else:
        wanted = [r if isinstance(r, Recording) else Recording((str(r),)) for r in what]
    if not wanted:
        raise ParameterError("no recordings are given; give one or more")
    config = config or Config()
    if listener is not None:
        config = config.with_listener(listener)
    options = plan.Options(config, baseline, tuple(use_profiles), csv, overwrite, stall_s)
    return plan.jobs(wanted, str(out), options)


def analyze_many(
    what: str | Path | Iterable[str | Path | Recording],
    out: str | Path,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> list[Outcome]:
    """Analyse many recordings, each into the session folder ``<id>.cuesense`` of `out`.

    A recording that is finished there is skipped: the same content (SHA-256), the same settings
    and version. One that fails does not stop the rest. `out` also gets ``summary.csv``.

    Parameters
    ----------
    what
        a folder, a pattern, a ``list.csv``, an address of fsspec; or several recordings.
    out
        the folder or the address of the sessions.
    jobs
        recordings at once, each on one core; None: as many as there are cores, if memory allows.
    scheduler
        address of a Dask scheduler, whose workers do the work; None: this machine.
    progress
        called as recordings go on and end, in this thread.
    **options
        `config`, `listener`, `baseline`, `use_profiles`, `csv`, `overwrite` as of
        `session.analyze`, for all that a recording does not say itself; `stall_s`: s without
        progress after which a recording counts as hung (900).

    Returns
    -------
        What became of each recording, in order.

    Raises
    ------
    CuesenseError
        If nothing could start: a mistake in the list, a target that cannot be written, no
        scheduler.
    KeyboardInterrupt
        On Ctrl-C, after what ran was ended; what was finished stays, the summary is written.
    """
    return run(planned(what, out, **options), out, jobs, scheduler, progress)


def run(
    wanted: Sequence[Job],
    out: str | Path,
    jobs: int | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Do what was `planned`; arguments and errors as of `analyze_many`."""
    if jobs is not None and jobs < 1:
        raise ParameterError(f"jobs={jobs} must be >= 1")
    if jobs is not None and scheduler is not None:
        raise ParameterError("jobs and scheduler are both given; the cluster has its own workers")
    place = places.local(str(out))
    _check_target(place)
    heard: SimpleQueue[tuple[str, float, float | None] | Future[Outcome]] = SimpleQueue()

    def tell(*how_far: Any) -> None:
        heard.put(how_far)

    if scheduler is None:
        models.fetch(MODEL)
        pool = workers.here(min(jobs or workers.cores(), len(wanted)), tell)
    else:
        pool = workers.cluster(scheduler, tell)
    found: dict[str, Outcome] = {}

    def save() -> float:
        summary.write(place, (found[job.id] for job in wanted if job.id in found))
        return time.monotonic()

    with pool as submit:
        summary.begin(place)
        running: dict[Future[Outcome], Job] = {}
        try:
            for job in wanted:
                future = submit(job)
                running[future] = job
                future.add_done_callback(heard.put)
            saved = time.monotonic()
            while running:
                with suppress(Empty):
                    news = heard.get(timeout=SAVE_S)
                    if isinstance(news, Future):
                        outcome = _outcome(running.pop(news), news)
                        found[outcome.id] = outcome
                        if progress is not None:
                            progress(outcome.id, 0.0, None, outcome)
                    elif progress is not None and news[0] not in found:
                        progress(*news, None)
                if time.monotonic() - saved > SAVE_S:
                    saved = save()
        finally:
            save()
    return [found[job.id] for job in wanted]


def _check_target(out: str) -> None:
    """Refuse a place that cannot take sessions."""
    if not places.is_url(out) and os.path.exists(out) and not os.path.isdir(out):
        raise OutputError(f"out={out!r} is a file; give a folder with -o")
    if out.partition("://")[0] in places.READ_ONLY:
        raise OutputError(
            f"out={places.shown(out)!r} cannot be written to; give a folder, or an address such "
            "as s3://bucket/folder"
        )


def _outcome(job: Job, future: Future[Outcome]) -> Outcome:
    """Return what became of a job; a worker may be lost with it."""
    if future.cancelled():
        return Outcome(job.id, job.name, "failed", "the scheduler was lost; run again to go on")
    error = future.exception()
    if error is None:
        return future.result()
    words = " ".join(str(error).split())
    if type(error).__name__ == "KilledWorker":
        words = "every worker that had it died; see to their memory and logs"
    elif not isinstance(error, CuesenseError):
        words = f"unexpected {type(error).__name__} ({words})"
    return Outcome(job.id, job.name, "failed", words)
