"""Run points, a process each: what crashes or hangs costs its own run only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Protocol

from costmodel.build import build_table
from formulation.outcome import Progress
from instances.load import instance_sha256
from results.experiments.point import blank, job_of
from results.record import ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instances.schema import Instance
    from results.experiments.point import Point

Line = dict[str, Any]
WORKER = (sys.executable, "-m", "results.experiments.worker")
GRACE_SECONDS = 120.0  # for building, checking and solvers that stop late
LEAVE_SECONDS = 20.0  # from the last word to the end


class Store(Protocol):
    """Where lines are kept."""

    def find(self, study: str, key: str) -> Line | None:
        """Return the line of a key, `None` if there is none."""

    def add(self, line: Line) -> None:
        """Keep a line."""


class Watcher(Protocol):
    """Whoever wants to see runs begin, move and end."""

    def began(self, point: Point) -> None:
        """A process was started."""

    def moved(self, point: Point, news: Progress) -> None:
        """A solver has news; from any thread."""

    def ended(self, point: Point, line: Line) -> None:
        """A line was added."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A point with its key, and what is on file of it."""

    point: Point
    key: str
    line: Line | None


@dataclass
class Tables:
    """Hashes of cost tables, one an instance and number of modes."""

    known: dict[tuple[str, int], str] = field(default_factory=dict)

    def sha256(self, instance: Instance, max_modes: int) -> str:
        """Return the hash of an instance's cost table."""
        name = instance_sha256(instance), max_modes
        if name not in self.known:
            self.known[name] = build_table(instance, max_modes=max_modes).sha256
        return self.known[name]


def plan(points: Sequence[Point], store: Store, retry: bool = False) -> list[Planned]:
    """Return the points with their keys and lines; `retry`: failed runs count not."""
    tables, planned = Tables(), []
    for point in points:
        key = point.key(tables.sha256(point.instance, point.max_modes))
        line = store.find(point.study, key)
        if retry and line is not None and line["status"] == "failed":
            line = None
        planned.append(Planned(point, key, line))
    return planned


def run_points(
    planned: Sequence[Planned],
    store: Store,
    watcher: Watcher,
    *,
    stop: threading.Event,
    jobs: int = 1,
    worker: Sequence[str] = WORKER,
    grace_seconds: float = GRACE_SECONDS,
) -> list[Line]:
    """Run what is not on file; return the lines of all points, as far as there are.

    Parameters
    ----------
    stop
        Once it is set, the running processes are killed and leave no line.
    jobs
        Processes at once.
    worker
        The command of `results.experiments.worker`.
    grace_seconds
        What a process may take longer than its limits before it is killed.
    """
    lines = {x.key: x.line for x in planned if x.line is not None}
    todo = deque({x.key: x for x in planned if x.line is None}.values())
    running: set[Future[tuple[Point, Line | None]]] = set()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while running or (todo and not stop.is_set()):
                while todo and len(running) < jobs and not stop.is_set():
                    one = todo.popleft()
                    watcher.began(one.point)
                    process = _Process(one, worker, grace_seconds, stop, watcher.moved)
                    running.add(pool.submit(process.run))
                done, running = wait(running, 0.2, FIRST_COMPLETED)
                for future in done:
                    point, line = future.result()
                    if line is not None:
                        store.add(line)
                        lines[line["key"]] = line
                        watcher.ended(point, line)
        except BaseException:
            stop.set()  # nobody waits for what still runs
            raise
    return [lines[x.key] for x in planned if x.key in lines]


@dataclass
class _Process:
    """One run in a process of its own, watched from a thread."""

    planned: Planned
    worker: Sequence[str]
    grace_seconds: float
    stop: threading.Event
    moved: Callable[[Point, Progress], None]
    line: Line | None = None

    def run(self) -> tuple[Point, Line | None]:
        """Return the point and its line; no line if it was stopped."""
        point, began = self.planned.point, time.monotonic()
        most = point.most_seconds
        limit = None if most is None else most + self.grace_seconds
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self.worker,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                start_new_session=True,  # Ctrl-C is for us alone
            )
            talk = threading.Thread(target=self._talk, args=(process,), daemon=True)
            talk.start()
            over = self._wait(talk, limit)
            _end(process, talk, 0 if over else LEAVE_SECONDS)
            if self.line is not None or self.stop.is_set():
                return point, self.line
            why = f"killed after {limit:g} s" if over else _reason(process, errors)
        return point, {
            **blank(point, self.planned.key),
            "why_stopped": why,
            "seconds": round(time.monotonic() - began, 3),
            "environment": environment(),
        }

    def _wait(self, talk: threading.Thread, limit: float | None) -> bool:
        """Wait until a process has said everything; whether it has to be killed."""
        began = time.monotonic()
        while talk.is_alive():
            talk.join(0.1)
            late = limit is not None and time.monotonic() - began > limit
            if late or self.stop.is_set():
                return True
        return False

    def _talk(self, process: subprocess.Popen[bytes]) -> None:
        """Hand over the job and take lines until the process closes its output."""
        assert process.stdin is not None
        assert process.stdout is not None
        job = json.dumps(job_of(self.planned.point)) + "\n"
        with suppress(BrokenPipeError):  # it died before it read its job
            process.stdin.write(job.encode())
            process.stdin.flush()
        for text in process.stdout:
            try:
                said = json.loads(text)
            except json.JSONDecodeError:  # cut off by a crash
                return
            if "line" in said:
                self.line = said["line"]
            else:
                self.moved(self.planned.point, Progress(**said["news"]))


def _end(
    process: subprocess.Popen[bytes], talk: threading.Thread, seconds: float
) -> None:
    """Wait for a process's end, then kill it and all that it has started."""
    assert process.stdin is not None
    assert process.stdout is not None
    if not talk.is_alive():
        with suppress(BrokenPipeError):
            process.stdin.close()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    talk.join(1.0)
    if talk.is_alive():  # something that it has started holds its output
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        talk.join()
    with suppress(BrokenPipeError):
        process.stdin.close()
    process.stdout.close()


def _reason(process: subprocess.Popen[bytes], errors: IO[bytes]) -> str:
    """Return why a process gave no line: its signal, or its last word."""
    code = process.returncode
    if code < 0:
        return f"crashed: {signal.Signals(-code).name}"
    errors.seek(0)
    words = errors.read().decode("utf-8", "replace").strip().splitlines()
    return f"crashed: {words[-1][:300]}" if words else f"crashed: exit code {code}"
