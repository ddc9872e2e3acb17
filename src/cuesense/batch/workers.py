"""Who does the work: threads of this process, or an existing Dask cluster. Both only submit.

A worker starts a child process for each recording (`child`), so a thread is all it needs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

import psutil

from cuesense.batch.plan import Job
from cuesense.batch.work import Outcome, Tell, work
from cuesense.errors import MissingExtraError, ParameterError

Submit = Callable[[Job], "Future[Outcome]"]
MEMORY: Final = 1.0e9
"""Bytes that one recording takes, with some room."""
CONNECT_S: Final = 5.0


def cores() -> int:
    """Return how many recordings this machine takes at once: cores, if there is the memory."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return max(1, min(count, int(psutil.virtual_memory().available / MEMORY)))


@contextmanager
def here(jobs: int, tell: Tell) -> Iterator[Submit]:
    """Work on this machine, on so many recordings at once.

    Left by an exception (Ctrl-C), it ends what runs and leaves out what waits.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(jobs, thread_name_prefix="recording") as pool:
        try:
            yield lambda job: pool.submit(work, job, tell, lambda: not stop.is_set())
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def cluster(address: str, tell: Tell) -> Iterator[Submit]:
    """Work on the cluster of the Dask scheduler at an address; no port is opened here.

    Left by an exception (Ctrl-C), it takes back all that is not finished: the workers see that and
    end what runs.

    Raises
    ------
    MissingExtraError
        If dask.distributed is not installed.
    ParameterError
        If there is no scheduler, or a worker has another version of cuesense.
    """
    try:
        distributed: Any = import_module("distributed")  # it has no types of its own
    except ImportError as error:
        raise MissingExtraError(
            "--scheduler needs dask.distributed: pip install 'cuesense[cluster]'"
        ) from error
    # What matters is in the outcomes.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)

    async def greet() -> None:
        # A client waits forever for the greeting of something that is no scheduler.
        how = distributed.Security().get_connection_args("client")
        answer = distributed.comm.connect(address, CONNECT_S, **how)
        comm = await asyncio.wait_for(answer, CONNECT_S + 1)
        await comm.close()

    try:
        # In a thread: a notebook runs an event loop of its own in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, greet()).result()
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except Exception as error:  # whatever it is that answers, it is no scheduler
        words = " ".join(str(error).split()) or type(error).__name__
        raise ParameterError(
            f"scheduler={address!r} does not answer as a Dask scheduler ({words}); start one with "
            "'dask scheduler' and give its address, such as tcp://host:8786"
        ) from error
    with client:
        _check_versions(client)
        topic = f"cuesense-{uuid.uuid4().hex}"
        client.subscribe_topic(topic, lambda event: tell(*event[1]))
        executor: Executor = client.get_executor(pure=False, retries=0)
        try:
            yield lambda job: executor.submit(_work_there, job, topic)
        except BaseException:
            executor.shutdown(wait=False)
            raise


def _check_versions(client: Any) -> None:
    ours = version("cuesense")
    found = client.run(version, "cuesense", on_error="return")
    for worker, theirs in found.items():
        if theirs != ours:
            what = "no cuesense" if isinstance(theirs, Exception) else f"cuesense {theirs}"
            raise ParameterError(
                f"worker {worker} has {what}, this is {ours}; install the same version on all "
                "machines"
            )


def _work_there(job: Job, topic: str) -> Outcome:
    """Work on a worker of the cluster, which tells how far it is through its scheduler."""
    worker = import_module("distributed").get_worker()
    key = worker.get_current_task()

    def tell(*how_far: Any) -> None:
        worker.log_event(topic, how_far)

    def wanted() -> bool:
        # A task that is taken back while it runs stays in this table as "cancelled" until it
        # ends. A worker that has lost its scheduler closes, and nothing it does counts any more.
        task = worker.state.tasks.get(key)
        closing = worker.status.name in ("closing", "closed", "failed")
        return not closing and task is not None and task.state != "cancelled"

    return work(job, tell, wanted)
