"""The process of one point: ``python -m results.experiments.worker``.

The job comes as one line of JSON on stdin; stdin then stays open, and its end means
that nobody waits any more. News and the finished line go out as lines of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from formulation.outcome import Progress

ORPHANED = 75


def leave_with_parent() -> None:
    """End the process when stdin ends, whatever a solver is doing."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os._exit(ORPHANED)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Make the run of the job on stdin."""
    # What solvers print is no line of ours.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.buffer.readline())
    leave_with_parent()
    lock = threading.Lock()

    def say(**what: Any) -> None:
        with lock:
            out.write(json.dumps(what) + "\n")
            out.flush()

    def report(news: Progress, /) -> None:
        say(news=asdict(news))

    from results.experiments.point import point_of
    from results.experiments.work import run

    say(line=run(point_of(job), report))
    # A solver that would not stop in time may still run in a thread.
    os._exit(0)


if __name__ == "__main__":
    main()
