"""Runs `hector` as its command does, but it can be told to die at a commit, or to live at another time.

    python faulty.py serve --config hector.yaml

CHAOS_ARM names a file; when it holds "before 3", this process ends itself, as kill -9 does, in the third
commit of runs from then on: all is written and the COMMIT not sent. With "after 3" it is carried out, and
nobody here has heard of it. With "asleep 3" it only stops there, as with SIGSTOP, before the COMMIT.
CHAOS_CLOCK_S is what is added to the time of day.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

BEFORE, AFTER, ASLEEP = "before", "after", "asleep"
RUNS = ("hector_store.appending", "hector_store.creating")


def main() -> None:
    shift_clock(float(os.environ.get("CHAOS_CLOCK_S", "0")))
    if path := os.environ.get("CHAOS_ARM"):
        Fault(Path(path)).place()
    from hector_runtime.cli import main as hector

    hector()


def shift_clock(by_s: float) -> None:
    """Move this process's time of day; how long things take stays true."""
    if by_s:
        now, now_ns = time.time, time.time_ns
        time.time = lambda: now() + by_s
        time.time_ns = lambda: now_ns() + int(by_s * 1e9)


class Fault:
    """Ends the process at the commit that a file names."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._armed: tuple[str, int] | None = None

    def place(self) -> None:
        """Put itself around commits."""
        from hector_store import group_commit, server_writer, writer

        commit, together = group_commit.commit, group_commit._together

        def watched_together(connection: Any, works: Sequence[Any]) -> None:
            together(connection, works)
            self._count(works)
            self._end_at(BEFORE)
            self._end_at(ASLEEP)

        def watched_commit(connection: Any, works: Sequence[Any], *how: Callable[..., Any]) -> None:
            commit(connection, works, *how)
            self._end_at(AFTER)

        group_commit._together = watched_together
        writer.commit = server_writer.commit = watched_commit

    def _count(self, works: Sequence[Any]) -> None:
        if self._armed is None and self._path.exists():
            point, number = self._path.read_text().split()
            self._armed = point, int(number)
        if self._armed is not None and any(work.many.__module__ in RUNS for work in works):
            self._armed = self._armed[0], self._armed[1] - 1

    def _end_at(self, point: str) -> None:
        if self._armed is not None and self._armed[0] == point and self._armed[1] <= 0:
            self._armed = None
            self._path.unlink()
            os.kill(os.getpid(), signal.SIGSTOP if point == ASLEEP else signal.SIGKILL)


if __name__ == "__main__":
    main()
