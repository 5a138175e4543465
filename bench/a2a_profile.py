"""Where a server spends its time while it is under load: py-spy's samples, added up by function.

Only who holds the interpreter's lock counts: that is what the others wait for.
"""

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RATE = 400
MOST = 30


@contextmanager
def profiled(pid: int, seconds: float, wanted: bool) -> Iterator[None]:
    """Sample a process for most of the seconds that the block loads it, and print what came of it."""
    if not wanted:
        yield
        return
    spy = shutil.which("py-spy") or str(Path(sys.executable).with_name("py-spy"))
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder, "samples")
        words = ["record", "--pid", str(pid), "--duration", str(max(1, round(seconds))), "--rate", str(RATE)]
        sampling = subprocess.Popen(
            [spy, *words, "--gil", "--format", "raw", "--output", str(found)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        yield
        sampling.wait(60)
        if found.exists():
            report(found.read_text())
        else:
            print("bench: py-spy took no samples; it needs leave to trace processes", file=sys.stderr)


def report(samples: str) -> None:
    """Print which functions were at work, and below which ones."""
    own, below, total = Counter[str](), Counter[str](), 0
    for line in samples.splitlines():
        stack, _, times = line.rpartition(" ")
        frames = [frame.rpartition(":")[0] or frame for frame in stack.split(";")]
        total += int(times)
        own[frames[-1]] += int(times)
        for frame in set(frames):
            below[frame] += int(times)
    for title, counted in (("own time", own), ("with what it calls", below)):
        print(f"\n{title} ({total} samples)", file=sys.stderr)
        for name, times in counted.most_common(MOST):
            print(f"  {times / max(total, 1):6.1%}  {name}", file=sys.stderr)
