"""Limits of memory, processes and processors, hit by real processes, with and without a sandbox."""

import logging
import os
import shutil
from pathlib import Path

import pytest
from support.confinement import Outcome, confined

from hector_plugin_host.plan import MEBIBYTE
from hector_plugin_host.sandbox.watchdog import processors_for

from .conftest import needs

ABOVE, BELOW = 200 * MEBIBYTE, 60
"""A limit, and mebibytes for each of several processes that together are above it."""


@pytest.fixture(params=["bubblewrap", "landlock", "off"])
def sandbox(request: pytest.FixtureRequest) -> str:
    if request.param != "off":
        needs(request.param)
    return str(request.param)


async def limited(source: str, folder: Path, sandbox: str, **security: object) -> Outcome:
    outcome = await confined(source, folder, security={"sandbox": sandbox, **security})
    assert outcome.tier == ("none" if sandbox == "off" else sandbox)
    assert outcome.left == 0
    return outcome


async def test_one_process_gets_no_more_memory_than_the_limit(sandbox: str, tmp_path: Path) -> None:
    outcome = await limited(
        """
        def take():
            kept = []
            while len(kept) < 100:
                kept.append(bytearray(10 << 20))
        attempt("memory", take)
        tell()
        """,
        tmp_path,
        sandbox,
        max_memory_bytes=ABOVE,
    )
    # Whichever is first: the kernel refuses it more, or the watchdog sees it at the limit.
    assert outcome.told == {"memory": "!MemoryError"} or outcome.hits == [("memory", True)]
    assert outcome.memory in ("rlimit+watchdog", "cgroup2")


async def test_processes_that_are_above_the_limit_together_are_ended(
    sandbox: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = await limited(
        f"""
        import time
        for _ in range(5):
            if os.fork() == 0:
                kept = bytearray({BELOW} << 20)
                time.sleep(60)
        time.sleep(60)
        """,
        tmp_path,
        sandbox,
        max_memory_bytes=ABOVE,
    )
    assert outcome.hits == [("memory", True)]
    event = next(record for record in caplog.records if record.__dict__.get("event") == "limit_hit")
    assert (event.__dict__["limit"], event.__dict__["allowed"], event.__dict__["fatal"]) == (
        "memory",
        ABOVE,
        True,
    )
    error = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert error.__dict__["why"].endswith(
        "of memory are in use, security.max_memory is 200 MiB; all of its processes were ended"
    )


async def test_memory_of_processes_that_left_the_plugin_counts(sandbox: str, tmp_path: Path) -> None:
    outcome = await limited(
        f"""
        import time
        for _ in range(5):
            if os.fork() == 0:
                os.setsid()
                if os.fork():
                    os._exit(0)
                kept = bytearray({BELOW} << 20)
                time.sleep(60)
            os.wait()
        time.sleep(60)
        """,
        tmp_path,
        sandbox,
        max_memory_bytes=ABOVE,
        max_processes=64,
    )
    assert outcome.hits == [("memory", True)]


async def test_memory_that_processes_share_counts_once(sandbox: str, tmp_path: Path) -> None:
    outcome = await limited(
        """
        import time
        kept = bytearray(100 << 20)
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                time.sleep(1.5)
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        told["ended"] = "well"
        tell()
        """,
        tmp_path,
        sandbox,
        max_memory_bytes=ABOVE,
    )
    assert outcome.told == {"ended": "well"}
    assert outcome.hits == []


async def test_no_more_processes_are_made_than_the_limit(
    sandbox: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = await limited(
        """
        import errno, select, threading
        read, write = os.pipe()
        made = 0
        for _ in range(40):
            try:
                if os.fork() == 0:
                    os.close(write)
                    os.read(read, 1)
                    os._exit(0)
                made += 1
            except OSError as error:
                told["refused"] = errno.errorcode[error.errno]
        threads = [threading.Thread(target=lambda: None) for _ in range(40)]
        for thread in threads:
            thread.start()
        told["made"] = made
        tell()
        """,
        tmp_path,
        sandbox,
        max_processes=10,
    )
    assert outcome.told == {"made": 9, "refused": "EAGAIN"}
    events = [record for record in caplog.records if record.__dict__.get("event") == "limit_hit"]
    assert events
    assert {record.__dict__["limit"] for record in events} == {"processes"}


async def test_a_place_is_free_again_when_a_process_has_ended(sandbox: str, tmp_path: Path) -> None:
    outcome = await limited(
        """
        import subprocess
        for number in range(30):
            subprocess.run(["/bin/true"], check=True)
        told["ended"] = "well"
        tell()
        """,
        tmp_path,
        sandbox,
        max_processes=3,
    )
    assert outcome.told == {"ended": "well"}


async def test_places_are_free_again_at_once_after_one_too_many_was_refused(
    sandbox: str, tmp_path: Path
) -> None:
    outcome = await limited(
        """
        def fork_until_refused():
            read, write = os.pipe()
            children = []
            try:
                while True:
                    child = os.fork()
                    if child == 0:
                        os.close(write)
                        os.read(read, 1)
                        os._exit(0)
                    children.append(child)
            except BlockingIOError:
                os.close(write)
                for child in children:
                    os.waitpid(child, 0)
                os.close(read)
                return len(children)
        told["made"] = [fork_until_refused() for _ in range(4)]
        tell()
        """,
        tmp_path,
        sandbox,
        max_processes=4,
    )
    assert outcome.told == {"made": [3, 3, 3, 3]}


async def test_a_plugin_that_multiplies_stays_within_its_limit(sandbox: str, tmp_path: Path) -> None:
    outcome = await limited(
        """
        import time
        first, until = os.getpid(), time.monotonic() + 1.5
        while time.monotonic() < until:
            try:
                os.fork()
            except OSError:
                if os.getpid() != first:
                    os._exit(0)
        if os.getpid() != first:
            os._exit(0)
        told["ended"] = "well"
        tell()
        """,
        tmp_path,
        sandbox,
        max_processes=16,
    )
    assert outcome.told == {"ended": "well"}


async def test_a_plugin_that_computes_is_held_to_its_share(sandbox: str, tmp_path: Path) -> None:
    outcome = await limited(
        """
        import time
        began, used = time.monotonic(), time.process_time()
        while time.monotonic() - began < 4:
            pass
        told["cores"] = (time.process_time() - used) / (time.monotonic() - began)
        told["processors"] = len(os.sched_getaffinity(0))
        tell()
        """,
        tmp_path,
        sandbox,
        max_cpu=0.25,
    )
    # Somewhat more than its share, as half a second's worth may be used at once; without a limit it were 1.
    assert outcome.told["cores"] < 0.6
    assert outcome.told["processors"] == 1
    assert [limit for limit, _ in outcome.hits] in (["cpu"], [])


async def test_several_processes_share_what_one_plugin_may_compute(sandbox: str, tmp_path: Path) -> None:
    outcome = await limited(
        """
        import time
        began = time.monotonic()
        children = [os.fork() for _ in range(2)]
        while time.monotonic() - began < 4:
            pass
        if 0 in children:
            os._exit(0)
        for child in children:
            os.waitpid(child, 0)
        told["cores"] = sum(os.times()[:4]) / (time.monotonic() - began)
        tell()
        """,
        tmp_path,
        sandbox,
        max_cpu=0.5,
    )
    assert outcome.told["cores"] < 0.8


def test_processors_are_those_of_the_limit_rounded_up() -> None:
    mine = os.sched_getaffinity(0)
    assert processors_for(0) == ()
    assert len(processors_for(0.5)) in (0, 1)
    assert processors_for(len(mine)) == ()
    assert set(processors_for(1)) <= mine


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
async def test_a_program_for_node_starts_under_a_limit(sandbox: str, tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node is not None
    script = tmp_path / "plugin.js"
    script.write_text(
        "console.log(JSON.stringify({heap: require('v8').getHeapStatistics().heap_size_limit >> 20}))"
    )
    security = {"sandbox": sandbox, "max_memory_bytes": 192 * MEBIBYTE, "max_processes": 8}
    outcome = await confined("", tmp_path, command=(node, str(script)), security=security)
    assert 0 < outcome.told["heap"] < 192, outcome.printed


@pytest.mark.skipif(shutil.which("java") is None, reason="java is not installed")
async def test_a_program_for_java_starts_under_a_limit(sandbox: str, tmp_path: Path) -> None:
    java = shutil.which("java")
    assert java is not None
    (tmp_path / "plugin.jar").touch()
    security = {"sandbox": sandbox, "max_memory_bytes": 512 * MEBIBYTE}
    command = (java, "-XX:+PrintFlagsFinal", "-version")
    outcome = await confined("", tmp_path, command=command, security=security)
    (line,) = [line for line in outcome.printed.splitlines() if " MaxHeapSize " in line]
    assert 0 < int(line.split("=")[1].split()[0]) < 512 * MEBIBYTE
    assert outcome.code == 0
