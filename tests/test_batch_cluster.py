"""Many recordings on a real Dask cluster of this machine, with a store of the S3 protocol and http.

Scheduler, workers, store and web server are processes of their own, as is the command.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec
import psutil
import pytest

from cuesense import Session, cli
from test_batch import children, sound, tree, wait_for
from test_cli import heed_interrupts

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no such signals")

BUCKET = "study"
LENGTH_S = 12


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def busy(process: psutil.Process) -> bool:
    try:
        return bool(process.cpu_times().user > 1.0)
    except psutil.NoSuchProcess:
        return False


@dataclass
class Site:
    """What runs for the tests of this file, all on this machine."""

    folder: Path
    ends: ExitStack
    environment: dict[str, str]
    scheduler: int = field(default_factory=free_port)
    store: int = field(default_factory=free_port)
    web: int = field(default_factory=free_port)
    workers: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *command: str, **more: str) -> subprocess.Popen[str]:
        """Start a Python module, to be ended with the tests."""
        log = self.ends.enter_context((self.folder / f"{command[0]}.log").open("a"))
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=log,
            stderr=log,
            text=True,
            env=self.environment | more,
        )
        self.ends.callback(process.wait)
        self.ends.callback(process.kill)
        return process

    def worker(self, **more: str) -> subprocess.Popen[str]:
        """Start a worker for one recording at a time, which nobody starts again."""
        at = f"tcp://127.0.0.1:{self.scheduler}"
        quiet = ("--no-nanny", "--no-dashboard", "--local-directory", str(self.folder))
        process = self.start("dask", "worker", at, "--nthreads", "1", *quiet, **more)
        self.workers.append(process)
        return process

    def command(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start ``cuesense analyze`` on the cluster."""
        command = [sys.executable, "-m", "cuesense", "analyze", *map(str, arguments)]
        process = subprocess.Popen(
            [*command, "--scheduler", f"127.0.0.1:{self.scheduler}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            preexec_fn=heed_interrupts,
        )
        self.ends.callback(process.kill)
        return process

    def at_work(self) -> list[subprocess.Popen[str]]:
        """Return the workers whose child is in the midst of its work."""
        alive = [w for w in self.workers if w.poll() is None]
        return [w for w in alive if any(map(busy, children(psutil.Process(w.pid))))]

    def s3(self) -> Any:
        """Return the store."""
        return fsspec.filesystem(
            "s3",
            key="key",
            secret="secret",
            endpoint_url=f"http://127.0.0.1:{self.store}",
            client_kwargs={"region_name": "eu-central-1"},
            use_listings_cache=False,
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A scheduler, two workers, a store and a web server."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "www").mkdir()
    with ExitStack() as ends:
        site = Site(folder, ends, dict(os.environ))
        site.environment |= {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{site.store}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }
        local = ("--host", "127.0.0.1", "--port", str(site.scheduler), "--no-dashboard")
        site.start("dask", "scheduler", *local)
        site.start("moto.server", "-H", "127.0.0.1", "-p", str(site.store))
        web = ("--bind", "127.0.0.1", "--directory", str(folder / "www"))
        site.start("http.server", str(site.web), *web)
        for _ in range(2):
            site.worker()
        wait_for(lambda: all(map(listens, (site.scheduler, site.store, site.web))))
        site.s3().mkdir(BUCKET)
        yield site


def test_a_killed_workers_recordings_are_finished_by_the_other(site: Site) -> None:
    """Inputs and sessions in a store, one input on the web: the workers share no disk."""
    s3 = site.s3()
    s3.call_s3(
        "put_bucket_versioning", Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
    )
    for i in range(3):
        s3.put_file(str(sound(site.folder / "x.wav", i, LENGTH_S)), f"{BUCKET}/in/talk{i}.wav")
    s3.pipe_file(f"{BUCKET}/in/broken.wav", b"not a recording")
    sound(site.folder / "www" / "web talk.wav", 4, LENGTH_S)
    # What a broken upload left: no session, and no reason not to make one.
    s3.pipe_file(f"{BUCKET}/out/talk0.cuesense/timeline.parquet", b"half")
    rows = [f"in/{name}.wav,3" for name in ("talk0", "talk1", "talk2", "broken")]
    rows.append(f"http://127.0.0.1:{site.web}/web%20talk.wav?token=secret,4")
    s3.pipe_file(f"{BUCKET}/list.csv", "\n".join(["recording,dyad", *rows]).encode())

    command = site.command(f"s3://{BUCKET}/list.csv", "-o", f"s3://{BUCKET}/out")
    wait_for(lambda: len(site.at_work()) == 2 or command.poll() is not None)
    victim = site.at_work()[0]
    (orphan,) = children(psutil.Process(victim.pid))
    victim.kill()
    output, errors = command.communicate(timeout=120)
    assert command.returncode == 1, errors
    assert "4 done, 0 skipped, 1 failed" in output
    assert "failed: broken" in output
    assert not orphan.is_running()
    assert "secret" not in output + errors

    found = {row["id"]: row for row in csv.DictReader(io.StringIO(text(s3, "summary.csv")))}
    assert [row["status"] for row in found.values()] == [*["done"] * 3, "failed", "done"]
    assert found["web talk"]["recording"].endswith("/web%20talk.wav")
    for name in ("talk0", "talk1", "talk2", "web talk"):
        copy = site.folder / f"{name}.copy"
        s3.get(f"{BUCKET}/out/{name}.cuesense/", str(copy), recursive=True)
        session = Session(copy)
        assert session.meta["attributes"]["id"] == name
        assert session.timeline.to_arrow(["t"]).num_rows == 2 * 25 * LENGTH_S + 2
        assert session.report.stat().st_size > 10_000
        # Nothing twice: the store keeps every version of what is written.
        key = f"out/{name}.cuesense/session.json"
        versions = s3.call_s3("list_object_versions", Bucket=BUCKET, Prefix=key)
        assert len(versions["Versions"]) == 1
    assert not s3.exists(f"{BUCKET}/out/broken.cuesense")


def text(s3: Any, name: str) -> str:
    content: bytes = s3.cat_file(f"{BUCKET}/out/{name}")
    return content.decode()


def test_it_goes_on_here_where_the_cluster_left_it(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the cluster, with the same store: what is finished is skipped, one file is gone."""
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    s3 = site.s3()
    s3.rm_file(f"{BUCKET}/out/talk1.cuesense/session.json")
    s3.rm_file(f"{BUCKET}/in/broken.wav")
    with pytest.raises(SystemExit) as ended:
        cli.main(["analyze", f"s3://{BUCKET}/in", "-o", f"s3://{BUCKET}/out", "-q"])
    output = capsys.readouterr().out
    assert ended.value.code == 0, output
    assert "1 done, 2 skipped, 0 failed" in output
    meta = json.loads(text(s3, "talk0.cuesense/session.json"))
    assert meta["attributes"] == {"id": "talk0"}  # the list, with its dyads, was not given


def test_ctrl_c_ends_what_runs_on_the_cluster(site: Site, clip: Path, tmp_path: Path) -> None:
    place, out = tmp_path / "in", tmp_path / "out"
    place.mkdir()
    shutil.copy(clip, place / "clip.mp4")
    command = site.command(place, "-o", out)
    wait_for(lambda: list(out.glob(".clip.cuesense.*")) or command.poll() is not None)
    command.send_signal(signal.SIGINT)
    _, errors = command.communicate(timeout=30)
    assert command.returncode == 130, errors
    assert "Traceback" not in errors
    wait_for(lambda: not site.at_work(), 10.0)
    wait_for(lambda: tree(out) == {"summary.csv"}, 10.0)


def test_a_worker_of_another_version_is_refused(site: Site, clip: Path, tmp_path: Path) -> None:
    """Whatever is installed there says what it is: only its metadata is made up."""
    other = tmp_path / "cuesense-9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: cuesense\nVersion: 9.9\n")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    worker = site.worker(PYTHONPATH=path)
    log = site.folder / "dask.log"
    wait_for(lambda: log.read_text().count("Registered to") == len(site.workers))
    (tmp_path / "in").mkdir()
    shutil.copy(clip, tmp_path / "in")
    command = site.command(tmp_path / "in", "-o", tmp_path / "out")
    _, errors = command.communicate(timeout=60)
    worker.kill()
    assert command.returncode == 2
    (line,) = errors.strip().splitlines()
    assert "has cuesense 9.9, this is " in line
    assert "install the same version" in line


def test_no_scheduler_there_is_said_within_seconds(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(clip, tmp_path / "in")
    command = [sys.executable, "-m", "cuesense", "analyze", str(tmp_path / "in")]
    command += ["-o", str(tmp_path / "out"), "--scheduler", f"127.0.0.1:{free_port()}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "does not answer as a Dask scheduler" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("what", "out", "words"),
    [
        ("s3://none/talks", "s3://study/out", ("s3://none/talks",)),
        ("s3://study/none.mp4", "s3://study/out", ("none.mp4", "is not there")),
        ("s3://study/in", "s3://none/out", ("s3://none/out/summary.csv", "cannot be written")),
        ("WEB/none.mp4?token=secret", "out", ("none.mp4", "is not there")),
        ("http://me:secret@127.0.0.1:9/none.mp4?a=b", "out", ("127.0.0.1:9/none.mp4",)),
    ],
)
def test_addresses_that_lead_nowhere(
    site: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    what: str,
    out: str,
    words: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        cli.main(["analyze", what.replace("WEB", f"http://127.0.0.1:{site.web}"), "-o", out])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert all(word in line for word in words), line
    assert "secret" not in line
    assert not site.s3().exists("none")
