"""However a plugin ends, nothing of it is left: no process, no socket, no folder, no note."""

import asyncio
import errno
import gc
import io
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from hector_plugin_host import guard, orphans
from hector_plugin_host.launching import launched
from hector_plugin_host.orphans import reap
from hector_plugin_host.plan import PluginPlan
from hector_plugin_host.premises import Premises
from hector_plugin_host.process import ExitInfo
from hector_plugin_host.start_failed import PluginStartFailed

from .conftest import UPPER, Write, is_running, number_in

FORKING = """
import os, subprocess, sys
quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
child = subprocess.Popen(["sleep", "600"], **quiet)
print(child.pid, file=open("child", "w"), flush=True)
daemon = subprocess.Popen(["sleep", "600"], start_new_session=True, **quiet)
print(daemon.pid, file=open("daemon", "w"), flush=True)
os.makedirs(os.environ["TMPDIR"] + "/left/behind")
open(os.environ["TMPDIR"] + "/left/behind/file", "w").close()
os.chmod(os.environ["TMPDIR"] + "/left", 0)
"""


async def test_what_a_plugin_started_ends_with_it(program: Write, premises: Premises, short: Path) -> None:
    plan = program(FORKING + UPPER)
    async with asyncio.timeout(30), launched(plan, premises):
        started = [await number_in(plan.folder / name) for name in ("child", "daemon")]
        assert [is_running(pid) for pid in started] == [True, True]
    assert await all_gone(started)
    assert left_in(short) == []
    assert notes(premises) == []


async def test_a_plugin_that_crashes_takes_what_it_started_along(
    program: Write, premises: Premises, short: Path
) -> None:
    plan = program(FORKING + UPPER)
    async with asyncio.timeout(30), launched(plan, premises) as process:
        started = [await number_in(plan.folder / name) for name in ("child", "daemon")]
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSEGV)
        exit_info = await process.exited
    assert (exit_info.signal, exit_info.reason) == (signal.SIGSEGV, "signal")
    assert (exit_info.wanted, exit_info.final) == (False, False)
    assert str(exit_info) == "was killed by SIGSEGV"
    assert await all_gone(started)
    assert left_in(short) == []


async def test_a_plugin_that_ignores_every_request_is_killed(
    program: Write, premises: Premises, short: Path
) -> None:
    deaf = """
        import asyncio, os, signal
        import grpc.aio

        async def main():
            server = grpc.aio.server()
            path = os.environ["PLUGIN_UNIX_SOCKET_DIR"] + "/deaf.sock"
            server.add_insecure_port("unix:" + path)
            await server.start()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            print(f"1|1|unix|{path}|grpc|", flush=True)
            await asyncio.sleep(600)

        asyncio.run(main())
        """
    async with asyncio.timeout(30), launched(program(deaf, "deaf"), premises) as process:
        assert not process.serves_health
        ending = asyncio.ensure_future(process.end(grace_s=0.1))
        exit_info = await process.exited
        await ending
    assert (exit_info.signal, exit_info.reason, exit_info.wanted) == (signal.SIGKILL, "stopped", True)
    assert left_in(short) == []


async def test_a_plugin_that_stands_still_can_be_killed_with_a_reason(
    program: Write, premises: Premises, short: Path
) -> None:
    async with asyncio.timeout(30), launched(program(), premises) as process:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        process.kill("unresponsive")
        exit_info = await process.exited
    assert (exit_info.signal, exit_info.reason, exit_info.wanted) == (signal.SIGKILL, "unresponsive", False)
    assert str(exit_info) == "was killed by SIGKILL (unresponsive)"
    assert left_in(short) == []


async def test_a_crash_report_is_in_the_exit(program: Write, premises: Premises) -> None:
    async with asyncio.timeout(30), launched(program(DYING + UPPER), premises) as process:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGUSR1)
        exit_info = await process.exited
    assert exit_info.code == 3
    assert exit_info.crash_report.endswith("RuntimeError: the disk is full")
    assert exit_info.tail[-1] == "RuntimeError: the disk is full"


DYING = """
import os, signal, sys

def die(*_):
    try:
        raise RuntimeError("the disk is full")
    except RuntimeError:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(3)

signal.signal(signal.SIGUSR1, die)
"""


HOST = """
import asyncio, sys
from pathlib import Path
from hector_plugin_host.launching import launched
from hector_plugin_host.plan import PluginPlan
from hector_plugin_host.premises import Premises

async def main():
    here = Path(sys.argv[1])
    plan = PluginPlan("upper", command=(sys.executable, str(here / "upper.py")), folder=here)
    async with launched(plan, Premises(state_dir=here / "state")) as process:
        print(process.pid, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def started_host(folder: Path, scratch: Path) -> asyncio.subprocess.Process:
    environment = {"TMPDIR": str(scratch), "PATH": os.environ["PATH"]}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOST, folder, stdout=asyncio.subprocess.PIPE, env=environment
    )


BARE = FORKING + UPPER.replace("serve(Upper", "os.environ.pop('HECTOR_STDIN_WATCH', None)\nserve(Upper")
"""A plugin that does not mind the end of its host."""


async def test_a_killed_host_leaves_nothing(program: Write, premises: Premises, short: Path) -> None:
    plan = program(BARE)
    host = await started_host(plan.folder, short)
    async with asyncio.timeout(30):
        assert host.stdout is not None
        pid = int(await host.stdout.readline())
        started = [await number_in(plan.folder / name) for name in ("child", "daemon")]
        assert notes(premises)
        host.kill()
        await host.wait()
        assert await all_gone([pid, *started])
        assert await empty(short)
        assert await empty(premises_notes(premises))


async def test_what_even_the_guard_left_is_ended_by_the_next_host(
    program: Write, premises: Premises, short: Path
) -> None:
    plan = program(BARE)
    host = await started_host(plan.folder, short)
    async with asyncio.timeout(30):
        assert host.stdout is not None
        pid = int(await host.stdout.readline())
        started = [await number_in(plan.folder / name) for name in ("child", "daemon")]
        assert premises.state_dir is not None
        assert reap(premises.state_dir) == 0  # its host is at work
        for pid_of_guard in children_of(host.pid, b"guard.py"):
            os.kill(pid_of_guard, signal.SIGKILL)
        host.kill()
        await host.wait()
        assert [is_running(one) for one in (pid, *started)] == [True, True, True]
        assert reap(premises.state_dir) == 1
        assert await all_gone([pid, *started])
        assert left_in(short) == []
        assert notes(premises) == []


LIVES = int(os.environ.get("HECTOR_SOAK_LIVES", "40"))


@pytest.mark.timeout(LIVES * 3 + 60)
async def test_many_lives_leave_no_descriptor_process_or_folder(
    program: Write, premises: Premises, short: Path
) -> None:
    plan = program()
    await asyncio.gather(*(live(plan, premises) for _ in range(4)))  # opens what is opened once and for all
    gc.collect()  # what tests before this one left is not ours to count
    before, children = descriptors(), children_of(os.getpid())
    async with asyncio.timeout(LIVES * 3):
        for _ in range(LIVES // 4):
            await asyncio.gather(*(live(plan, premises) for _ in range(4)))
    gc.collect()
    assert len(descriptors()) <= len(before), (before, descriptors())
    assert children_of(os.getpid()) == children
    assert left_in(short) == []
    assert notes(premises) == []
    assert len(asyncio.all_tasks()) == 1


async def live(plan: PluginPlan, premises: Premises) -> None:
    async with launched(plan, premises) as process:
        assert process.pid
    assert process.exited.result().wanted


def test_an_exit_is_told_in_words() -> None:
    assert str(ExitInfo(code=0)) == "exited with 0"
    assert str(ExitInfo(code=64)) == "exited with 64: its configuration is wrong"
    assert str(ExitInfo(signal=9, reason="memory_limit")) == "was killed by SIGKILL (memory_limit)"
    assert str(ExitInfo(signal=60, reason="signal")) == "was killed by signal 60"
    assert str(ExitInfo(reason="socket_removed")) == "is gone (socket_removed)"
    assert ExitInfo(code=78).final
    assert not ExitInfo(code=78, wanted=True).final


async def all_gone(pids: list[int]) -> bool:
    while any(is_running(pid) for pid in pids):  # noqa: ASYNC110  # the kernel tells nobody else
        await asyncio.sleep(0.01)
    return True


async def empty(folder: Path) -> bool:
    while left_in(folder):  # noqa: ASYNC110  # another process empties it
        await asyncio.sleep(0.01)
    return True


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def premises_notes(premises: Premises) -> Path:
    assert premises.state_dir is not None
    return premises.state_dir / "running"


def notes(premises: Premises) -> list[Path]:
    return left_in(premises_notes(premises))


def descriptors() -> list[str]:
    """Return what the descriptors of this process are for."""
    links = (path for path in Path("/proc/self/fd").iterdir())
    return sorted(str(path.readlink()) for path in links if path.is_symlink())


def children_of(parent: int, named: bytes = b"") -> list[int]:
    """Return the children of a process, zombies among them, whose command line has something in it."""
    found = []
    for name in [path.name for path in Path("/proc").iterdir()]:
        try:
            stat = Path(f"/proc/{name}/stat").read_bytes() if name.isdecimal() else b""
            command = Path(f"/proc/{name}/cmdline").read_bytes() if stat else b""
        except OSError:
            continue
        if stat and int(stat[stat.rindex(b")") + 2 :].split()[1]) == parent and named in command:
            found.append(int(name))
    return found


async def test_without_proc_the_guard_ends_groups(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeping = await asyncio.create_subprocess_exec("sleep", "600", start_new_session=True)
    (short / "private").mkdir()
    monkeypatch.setattr(guard, "HAS_PROC", False)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    told = f"+\t{sleeping.pid}\t\t{short}/private\t\n+\t999999999\t\t\t\n-\t999999999\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(told))
    guard.main()
    async with asyncio.timeout(30):
        assert await sleeping.wait() == -signal.SIGKILL
    assert left_in(short) == []


async def test_a_plugin_that_nobody_would_watch_over_does_not_stay(
    program: Write, premises: Premises, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def begin(guard: object) -> None:
        begun.extend(children_of(os.getpid(), b"upper.py"))
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(orphans._Guard, "_begin", begin)
    async with asyncio.timeout(30):
        with pytest.raises(PluginStartFailed, match="does not outlive Hector could not be started: Resource"):
            async with launched(program(), premises):
                pass
    assert len(begun) == 1
    assert not is_running(begun[0])
    assert files_below(short) == []
    assert premises.state_dir is not None
    assert files_below(premises.state_dir) == []


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir()]


def test_a_folder_is_removed_however_deep_it_is() -> None:
    folder = tempfile.mkdtemp(prefix="hp-")  # were it to stay, pytest could not remove it from its own
    where = os.open(folder, os.O_RDONLY)
    for _ in range(2_000):  # deeper than a path can name, and than Python calls itself
        os.mkdir("d" * 100, mode=0o700, dir_fd=where)
        inner = os.open("d" * 100, os.O_RDONLY, dir_fd=where)
        os.close(where)
        where = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=where))
    os.close(where)
    guard.remove(folder)
    assert not Path(folder).exists()
