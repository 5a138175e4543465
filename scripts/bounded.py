"""Runs a command for a bounded time and lets nothing it started outlive it: bounded.py SECONDS COMMAND...

The exit code is the command's own; 124 when its time was up; 125 when it ended well but left processes.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

PR_SET_CHILD_SUBREAPER = 36
PATIENCE_S = 5.0


def main() -> int:
    """Run the command of the command line."""
    limit_s, command = float(sys.argv[1]), sys.argv[2:]
    for polite in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(polite, interrupted)
    if sys.platform == "linux":  # orphans become our children, so that none gets away
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    process = subprocess.Popen(command, start_new_session=True)
    code = 130
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        print(f"    not done after {limit_s:.0f} s: {' '.join(command)}", flush=True)
        code = 124
    except KeyboardInterrupt:
        print("    interrupted", flush=True)
    left = end_all(process.pid)
    if left and code == 0:
        print("    left running: " + "; ".join(left), flush=True)
        return 125
    return code


def end_all(group: int) -> list[str]:
    """End whatever still runs, politely, then not; return the command lines of what did not end by itself."""
    if not gone_within(1.0 if running() else 0.0):
        left = list(running().values())
        signal_all(group, signal.SIGTERM)
        if not gone_within(PATIENCE_S):
            signal_all(group, signal.SIGKILL)
            gone_within(PATIENCE_S)
        return left
    return []


def signal_all(group: int, number: signal.Signals) -> None:
    """Signal every process that descends from us; where none can be found, the command's process group."""
    if not Path(
        "/proc"
    ).is_dir():  # macOS: else all of them are found below, and its number may be another's by now
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    for pid in running():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def gone_within(limit_s: float) -> bool:
    """Wait until no descendant runs."""
    deadline = time.monotonic() + limit_s
    while running():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def running() -> dict[int, str]:
    """Give the command line of every process that descends from us and is no zombie."""
    parents, lines = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if state != "Z":
            parents[int(folder.name)], lines[int(folder.name)] = int(parent), line
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return {pid: lines[pid] for pid in ours - {os.getpid()}}


def interrupted(number: int, frame: FrameType | None) -> None:
    """Make being stopped end the command too."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
