"""Who belongs to a plugin: all below it, all that left it, and nobody else."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hector_plugin_host.sandbox.census import Census, proportional_bytes, resident_bytes, stat_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
FAMILY = """
import os, subprocess, sys
child = subprocess.Popen(["/bin/sleep", "60"])
print(os.getpid(), child.pid, flush=True)
sys.stdin.read()
child.kill()
child.wait()
"""


@pytest.fixture
def family() -> Iterator[tuple[subprocess.Popen[str], int]]:
    with subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdin=-1, stdout=-1, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        _, child = parent.stdout.readline().split()
        yield parent, int(child)
        if parent.poll() is None:
            parent.communicate("")


def test_a_process_and_what_it_began_belong_together(family: tuple[subprocess.Popen[str], int]) -> None:
    parent, child = family
    assert sorted(Census(parent.pid, parent.pid).members()) == sorted([parent.pid, child])
    assert sorted(Census(parent.pid, parent.pid).members(thoroughly=False)) == sorted([parent.pid, child])


def test_a_process_whose_parent_is_gone_still_belongs(family: tuple[subprocess.Popen[str], int]) -> None:
    parent, child = family
    census = Census(parent.pid, parent.pid)
    parent.kill()
    parent.wait()
    assert census.members() == [child]
    os.kill(child, 9)


def test_who_ended_belongs_no_more_and_neither_does_who_got_its_number(
    family: tuple[subprocess.Popen[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, _ = family
    census = Census(parent.pid, parent.pid)
    parent.communicate("")
    assert census.members() == []
    monkeypatch.setattr(census, "_known", {os.getpid(): 0})  # ours, as if it had begun at another time
    assert census.members() == []


def test_a_stranger_in_a_session_of_that_number_does_not_belong(
    family: tuple[subprocess.Popen[str], int],
) -> None:
    parent, child = family
    census = Census(os.getpid(), os.getpid(), filtered=True)
    census.joined(parent.pid)
    os.kill(child, 0)
    elsewhere = [pid for pid in census._elsewhere(()) if pid in (parent.pid, child)]
    assert elsewhere == []


def test_processes_are_seen_as_they_are() -> None:
    mine = stat_of(os.getpid())
    assert mine is not None
    assert (mine.parent, mine.session, mine.state) == (os.getppid(), os.getsid(0), "R")
    assert mine.cpu_s > 0
    assert 0 < proportional_bytes(os.getpid()) <= resident_bytes(os.getpid()) * 1.1
    assert stat_of(2**30) is None
    assert resident_bytes(2**30) == proportional_bytes(2**30) == 0
