"""A confined plugin is started, reached and ended as any other, and nothing is left of it either."""

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from hector.plugin.v1 import GetInfoRequest, PluginStub
from hector_plugin_host.launching import launched
from hector_plugin_host.plan import MEBIBYTE, Limits, Sandbox, Security
from hector_plugin_host.premises import Premises

from .conftest import UPPER, Write, is_running, number_in

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's")
TIERS: tuple[Sandbox, ...] = ("bubblewrap", "landlock")


@pytest.mark.parametrize("tier", TIERS)
async def test_a_confined_plugin_is_started_reached_and_ended(
    program: Write, premises: Premises, short: Path, tier: Sandbox
) -> None:
    plan = program(security=Security(sandbox=tier))
    async with asyncio.timeout(30), launched(plan, premises) as process:
        assert process.tier == tier
        assert process.pid is not None
        info = await PluginStub(process.channel).GetInfo(GetInfoRequest(), metadata=process.metadata)
        assert info.name == "upper"
    exit_info = process.exited.result()
    assert (exit_info.code, exit_info.reason, exit_info.wanted) == (0, "stopped", True)
    assert left_in(short) == []
    assert not is_running(process.pid)


@pytest.mark.parametrize("tier", TIERS)
async def test_a_confined_plugin_that_ignores_requests_is_killed_with_all_it_started(
    program: Write, premises: Premises, short: Path, tier: Sandbox
) -> None:
    deaf = """
        import os, signal, subprocess, sys
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
        subprocess.Popen(sleep, start_new_session=True, **quiet)
        import asyncio, grpc.aio
        async def main():
            server = grpc.aio.server()
            path = os.environ["PLUGIN_UNIX_SOCKET_DIR"] + "/deaf.sock"
            server.add_insecure_port("unix:" + path)
            await server.start()
            print(f"1|1|unix|{path}|grpc|", flush=True)
            await asyncio.sleep(600)
        asyncio.run(main())
        """
    plan = program(deaf, "deaf", security=Security(sandbox=tier))
    async with asyncio.timeout(30), launched(plan, premises) as process:
        all_of_it = process.child.members()  # type: ignore[attr-defined]
        assert len(all_of_it) >= 2
        await process.end(grace_s=0.1)
    assert (process.exited.result().signal, process.exited.result().reason) == (signal.SIGKILL, "stopped")
    async with asyncio.timeout(10):
        while any(is_running(pid) for pid in all_of_it):  # noqa: ASYNC110  # the kernel is at it
            await asyncio.sleep(0.01)
    assert left_in(short) == []


@pytest.mark.parametrize("tier", TIERS)
async def test_a_signal_that_ends_a_confined_plugin_is_named(
    program: Write, premises: Premises, tier: Sandbox
) -> None:
    plan = program(security=Security(sandbox=tier))
    async with asyncio.timeout(30), launched(plan, premises) as process:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSEGV)
        exit_info = await process.exited
    assert (exit_info.signal, exit_info.reason, exit_info.wanted) == (signal.SIGSEGV, "signal", False)


ON_TCP = """
import asyncio, grpc.aio
from hector.plugin.v1 import GetInfoResponse, PluginServicer, add_PluginServicer_to_server

class Plugin(PluginServicer):
    async def GetInfo(self, request, context):
        return GetInfoResponse(name="on tcp")

async def main():
    server = grpc.aio.server()
    add_PluginServicer_to_server(Plugin(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    {says}
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("says", ["print(f'1|1|tcp|127.0.0.1:{port}|grpc|', flush=True)", "pass"])
async def test_a_plugin_on_tcp_is_reached_in_a_network_of_its_own(
    program: Write, premises: Premises, short: Path, says: str
) -> None:
    source = ON_TCP.replace("{says}", says)
    plan = program(source, "tcp", security=Security(sandbox="bubblewrap", allowed_networks=()))
    async with asyncio.timeout(30), launched(plan, premises) as process:
        assert process.target.startswith(f"unix:{short}/hp-")  # a bridge: from outside there is no such port
        info = await PluginStub(process.channel).GetInfo(GetInfoRequest(), metadata=process.metadata)
        assert info.name == "on tcp"
    assert left_in(short) == []


async def test_a_plugin_that_needs_too_much_memory_ends_for_that_reason(
    program: Write, premises: Premises
) -> None:
    greedy = """
        import os, signal
        def grow(*_):
            kept = []
            pid = os.fork()
            while True:
                kept.append(bytearray(os.urandom(4096) * 1024))
        signal.signal(signal.SIGUSR1, grow)
        """
    plan = program(
        textwrap.dedent(greedy) + UPPER,
        security=Security(max_memory_bytes=200 * MEBIBYTE),
        limits=Limits(start_timeout_s=20),
    )
    async with asyncio.timeout(30), launched(plan, premises) as process:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGUSR1)
        exit_info = await process.exited
    assert (exit_info.reason, exit_info.wanted) == ("memory_limit", False)
    assert "memory_limit" in str(exit_info)


@pytest.mark.parametrize("tier", TIERS)
async def test_a_confined_plugin_of_a_killed_host_is_gone_as_well(
    program: Write, premises: Premises, short: Path, tier: Sandbox
) -> None:
    plan = program(security=Security(sandbox=tier))
    host = """
import asyncio, sys
from pathlib import Path
from hector_plugin_host.launching import launched
from hector_plugin_host.plan import PluginPlan, Security
from hector_plugin_host.premises import Premises

async def main():
    here = Path(sys.argv[1])
    command = (sys.executable, str(here / "upper.py"))
    plan = PluginPlan("upper", command=command, folder=here, security=Security(sandbox=sys.argv[2]))
    async with launched(plan, Premises(state_dir=here / "state")) as process:
        print(process.pid, file=open(here / "pid", "w"), flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""
    environment = {"TMPDIR": str(short), "PATH": os.environ["PATH"]}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", host, plan.folder, tier, env=environment
    )
    async with asyncio.timeout(30):
        pid = await number_in(plan.folder / "pid")
        running.kill()
        await running.wait()
        while is_running(pid) or left_in(short):  # noqa: ASYNC110  # the guard is another process
            await asyncio.sleep(0.01)


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())
