"""Whole lives of confined plugins: reached wherever they listen, seen through, and ended with their host."""

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support import confinement

from hector.plugin.v1 import GetInfoRequest, PluginStub
from hector_plugin_host.launching import launched
from hector_plugin_host.plan import Limits, PluginPlan, Security
from hector_plugin_host.premises import Premises
from hector_plugin_host.sandbox import SandboxUnavailable, bridging, confine, refusal, warning
from hector_plugin_host.sandbox.machine import Machine
from hector_plugin_host.sandbox.verifying import why_not_held
from hector_plugin_host.scratch import scratch_folder
from hector_plugin_host.start_failed import PluginStartFailed

from .conftest import Run, needs

BY_TCP = """
import asyncio, os, grpc.aio
from hector.plugin.v1 import GetInfoResponse, PluginServicer, add_PluginServicer_to_server

class Plugin(PluginServicer):
    async def GetInfo(self, request, context):
        return GetInfoResponse(name="tcp")

async def main():
    server = grpc.aio.server()
    add_PluginServicer_to_server(Plugin(), server)
    port = server.add_insecure_port("127.0.0.1:PORT")
    await server.start()
    print(f"1|1|tcp|127.0.0.1:{port}|grpc|", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
LIMIT_S = 30


def plan_of(folder: Path, source: str, **settings: object) -> PluginPlan:
    program = folder / "plugin.py"
    program.write_text(source)
    given: dict[str, object] = {
        "command": (sys.executable, str(program)),
        "folder": folder,
        "limits": Limits(start_timeout_s=20),
        **settings,
    }
    return PluginPlan("tried", **given)  # type: ignore[arg-type]


async def test_a_plugin_that_listens_on_tcp_is_reached_in_its_own_network(tmp_path: Path) -> None:
    needs("bubblewrap")
    plan = plan_of(tmp_path, BY_TCP.replace("PORT", "0"), security=Security(sandbox="bubblewrap"))
    async with asyncio.timeout(40), launched(plan, Premises(state_dir=tmp_path / "state")) as process:
        info = await PluginStub(process.channel).GetInfo(GetInfoRequest(), metadata=process.metadata)
        assert (info.name, process.tier) == ("tcp", "bubblewrap")
        assert process.target.startswith("unix:")


@pytest.mark.parametrize("tier", ["bubblewrap", "landlock"])
async def test_a_plugin_does_not_lead_its_host_to_somebody_else_s_socket(tmp_path: Path, tier: str) -> None:
    needs(tier)
    with socket.socket(socket.AF_UNIX) as theirs, tempfile.TemporaryDirectory(prefix="h-") as folder:
        theirs.bind(f"{folder}/s")
        theirs.listen()
        source = f"""
            import os, time
            os.symlink({folder!r}, os.environ["TMPDIR"] + "/own")
            print("1|1|unix|" + os.environ["TMPDIR"] + "/own/s|grpc|", flush=True)
            time.sleep(60)
        """
        plan = plan_of(tmp_path, textwrap.dedent(source), security=Security(sandbox=tier))  # type: ignore[arg-type]
        async with asyncio.timeout(40):
            with pytest.raises(PluginStartFailed, match=f"it listens at {folder}/s, where it may not write"):
                async with launched(plan, Premises()):
                    pass


async def test_one_helper_leads_to_a_port_however_often_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper, begun = tmp_path / "helper.py", tmp_path / "begun"
    helper.write_text(
        f"import time\nopen({str(begun)!r}, 'a').write('.')\nprint('listening', flush=True)\ntime.sleep(60)\n"
    )
    monkeypatch.setattr(bridging, "_SCRIPT", helper)
    bridges = bridging.Bridges("tried", tmp_path)
    async with asyncio.timeout(LIMIT_S):
        try:
            places = [await bridges.to(os.getpid(), port) for port in (4711, 4711, 4712)]
        finally:
            await bridges.close()
    assert [Path(place).name for place in places] == ["tcp-4711.sock", "tcp-4711.sock", "tcp-4712.sock"]
    assert begun.read_text() == ".."


@pytest.mark.parametrize("tier", ["bubblewrap", "landlock"])
async def test_a_plugin_at_a_fixed_port_is_reached(tmp_path: Path, tier: str) -> None:
    needs(tier)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    source = "\n".join(line for line in BY_TCP.splitlines() if "print(" not in line)
    plan = plan_of(
        tmp_path,
        source.replace("PORT", str(port)),
        mode="listen",
        address=f"127.0.0.1:{port}",
        security=Security(sandbox=tier),  # type: ignore[arg-type]
    )
    async with asyncio.timeout(40), launched(plan, Premises(state_dir=tmp_path / "state")) as process:
        info = await PluginStub(process.channel).GetInfo(GetInfoRequest(), metadata=process.metadata)
        assert (info.name, process.tier) == ("tcp", tier)


async def test_a_plugin_at_a_fixed_port_still_connects_nowhere(run: Run) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"here")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        outcome = await run(
            f"""
            listener = socket.socket()
            attempt("listen", lambda: (listener.bind(("127.0.0.1", 0)), listener.listen(), "well")[-1])
            attempt("connect", lambda: greeted("127.0.0.1", {port}))
            fast = socket.socket()
            attempt("fast", lambda: fast.sendto(b"x", 0x20000000, ("127.0.0.1", {port})))
            tell()
            """,
            {"mode": "listen"},
        )
    assert outcome.told["listen"] == "well"
    assert {outcome.told[name][0] for name in ("connect", "fast")} == {"!"}


async def test_a_program_that_cannot_be_run_is_told_from_a_sandbox_that_cannot_be_made(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "plugin").mkdir()
    program = tmp_path / "plugin" / "program"
    program.write_bytes(b"\x7fELF no program at all")
    program.chmod(0o755)
    with pytest.raises(OSError, match="Exec format error"):
        await run("", {"command": (str(program),)})


async def test_a_confined_plugin_that_cannot_be_run_says_why(tmp_path: Path) -> None:
    needs("bubblewrap")
    plan = plan_of(
        tmp_path, "", command=(str(tmp_path / "plugin.py"),), security=Security(sandbox="bubblewrap")
    )
    (tmp_path / "plugin.py").chmod(0o755)
    with pytest.raises(PluginStartFailed):
        async with asyncio.timeout(40), launched(plan, Premises(state_dir=tmp_path / "state")):
            raise AssertionError("it has no first line that names an interpreter")


async def test_a_process_that_left_its_plugin_still_belongs_to_it(tmp_path: Path) -> None:
    needs("landlock")
    plan = plan_of(
        tmp_path,
        """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(600)
os.wait()
print("left", flush=True)
time.sleep(600)
""",
        security=Security(sandbox="landlock", max_processes=16),
    )
    with scratch_folder() as scratch:
        async with asyncio.timeout(40), confine(plan, scratch) as confined:
            process = await asyncio.create_subprocess_exec(
                *confined.argv, stdout=asyncio.subprocess.PIPE, start_new_session=True
            )
            assert process.stdout is not None
            plugin = await confined.check(process.pid)
            assert await process.stdout.readline() == b"left\n"
            members = confined.members()
            for pid in members:
                os.kill(pid, signal.SIGKILL)
            await process.wait()
    assert plugin in members
    assert len(members) == 2


async def test_nothing_of_a_confined_plugin_outlives_a_host_that_is_killed(tmp_path: Path) -> None:
    needs("bubblewrap")
    wanted = {
        "source": """
            import subprocess, time
            subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
            print("begun", flush=True)
            open(os.environ["TMPDIR"] + "/begun", "w").close()
            time.sleep(600)
            """,
        "security": {"sandbox": "bubblewrap"},
    }
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    with tempfile.TemporaryDirectory(prefix="h-", dir="/tmp") as short:
        environment["TMPDIR"] = short
        host = await asyncio.create_subprocess_exec(
            *(sys.executable, confinement.__file__, json.dumps(wanted)), env=environment
        )
        await asyncio.to_thread(_wait, lambda: any(Path(short).glob("hp-*/begun")))
        started = _below(host.pid)
        assert len(started) >= 4  # bubblewrap twice, the plugin, and what it started
        host.kill()
        await host.wait()
        await asyncio.to_thread(_wait, lambda: all(_is_gone(pid) for pid in started))


def test_a_process_that_is_not_confined_is_seen_through() -> None:
    needs("bubblewrap")
    assert "and should be" in why_not_held(os.getpid(), "bubblewrap", own_network=True)
    assert "and should be" in why_not_held(os.getpid(), "landlock", own_network=False)
    assert why_not_held(os.getpid(), "none", own_network=False) == ""


async def test_a_plugin_that_needs_no_sandbox_is_run_as_it_is(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "")
    with scratch_folder() as scratch:
        async with confine(plan, scratch) as confined:
            assert confined.argv == plan.command
            assert confined.environment({"GIVEN": "ours"}) == {"GIVEN": "ours"}
            assert list(scratch.iterdir()) == []


async def test_a_plugin_that_cannot_be_confined_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Machine("linux", "5.10", bubblewrap_missing="not here", landlock_missing="not here")
    monkeypatch.setattr("hector_plugin_host.sandbox.confining.survey", lambda: nothing)
    plan = plan_of(tmp_path, "", security=Security(sandbox="required"))
    with pytest.raises(SandboxUnavailable, match="cannot confine it"):
        async with confine(plan, tmp_path):
            raise AssertionError("it must not be run")
    assert refusal(plan, nothing).startswith('plugin "tried": security.sandbox is required')


async def test_a_plugin_without_isolation_is_loud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nothing = Machine("linux", "5.10", bubblewrap_missing="not here", landlock_missing="not here")
    monkeypatch.setattr("hector_plugin_host.sandbox.confining.survey", lambda: nothing)
    plan = plan_of(tmp_path, "", security=Security(sandbox="best-effort"))
    async with confine(plan, tmp_path) as confined:
        assert confined.tier == "none"
    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert error.message == "plugin was started without isolation"
    assert "runs WITHOUT isolation" in error.__dict__["why"]
    assert [record.__dict__["event"] for record in caplog.records if "event" in record.__dict__] == [
        "sandbox_missing"
    ]
    assert refusal(plan, nothing) == ""
    assert "bubblewrap  : not here" in warning(plan, nothing)


def _below(pid: int) -> list[int]:
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            found += [int(child), *_below(int(child))]
    return found


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not until():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
