"""A plugin that does not start says why, what it printed, and what to do."""

import asyncio
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from hector_plugin_host.launching import launched
from hector_plugin_host.plan import Limits, PluginPlan
from hector_plugin_host.premises import Premises
from hector_plugin_host.start_failed import ChecksumMismatch, PluginStartFailed

from .conftest import UPPER, Write, number_in

SHORT = Limits(start_timeout_s=1.5)


async def failure(plan: PluginPlan, premises: Premises) -> PluginStartFailed:
    """Start a plugin that does not, and return why not."""
    with pytest.raises(PluginStartFailed) as refused:
        async with asyncio.timeout(30), launched(plan, premises):
            pass
    return refused.value


async def test_a_plugin_that_prints_before_its_line_is_quoted(
    program: Write, premises: Premises, short: Path
) -> None:
    noisy = """
        import os, sys, time
        print("loading models…", flush=True)
        print("about to fail", file=sys.stderr, flush=True)
        print("1|1|unix|/tmp/x|grpc|", flush=True)
        time.sleep(60)
        """
    error = await failure(program(noisy, "noisy"), premises)
    said, tail = str(error).split("\n  it printed last:\n")
    assert said == (
        'plugin "noisy" did not start: the first line on its standard output is "loading models…", '
        "which is no handshake line; print nothing there before the line 1|1|unix|/path/of/socket|grpc| "
        "(what is meant for people belongs on standard error)"
    )
    assert {line.strip() for line in tail.splitlines()} == {"about to fail", "1|1|unix|/tmp/x|grpc|"}
    assert not error.final
    assert left_in(short) == []


@pytest.mark.parametrize(("code", "final"), [(1, False), (64, True), (69, False), (78, True)])
async def test_an_exit_code_says_whether_to_try_again(
    program: Write, premises: Premises, code: int, final: bool
) -> None:
    source = f"import sys; sys.stderr.write('no licence found\\n'); sys.exit({code})"
    error = await failure(program(source, "leaves"), premises)
    assert f"it exited with {code}" in str(error)
    assert str(error).endswith("it printed last:\n    no licence found")
    assert error.final is final


async def test_a_signal_is_named(program: Write, premises: Premises) -> None:
    error = await failure(program("import os; os.kill(os.getpid(), 11)", "dies"), premises)
    assert "it was killed by SIGSEGV before it said where it listens" in str(error)


async def test_a_traceback_is_in_the_error(program: Write, premises: Premises) -> None:
    error = await failure(program("import no_such_module", "broken"), premises)
    assert "it exited with 1" in str(error)
    assert "ModuleNotFoundError: No module named 'no_such_module'" in str(error)


async def test_silence_is_not_waited_for_longer_than_said(
    program: Write, premises: Premises, short: Path
) -> None:
    error = await failure(program("import time; time.sleep(60)", "mute", limits=SHORT), premises)
    assert "it said within 1.5 s not where it listens, and listens on no port" in str(error)
    assert "name its `address`" in str(error)
    assert left_in(short) == []


async def test_a_plugin_that_never_gets_healthy_is_given_up(
    program: Write, premises: Premises, short: Path
) -> None:
    ill = """
        import asyncio, os
        import grpc.aio
        from grpc_health.v1 import health, health_pb2, health_pb2_grpc

        async def main():
            server = grpc.aio.server()
            said = health.aio.HealthServicer()
            await said.set("plugin", health_pb2.HealthCheckResponse.NOT_SERVING)
            health_pb2_grpc.add_HealthServicer_to_server(said, server)
            path = os.environ["PLUGIN_UNIX_SOCKET_DIR"] + "/ill.sock"
            server.add_insecure_port("unix:" + path)
            await server.start()
            print(f"1|1|unix|{path}|grpc|", flush=True)
            await asyncio.sleep(60)

        asyncio.run(main())
        """
    error = await failure(program(ill, "ill", limits=SHORT), premises)
    assert "it still says NOT_SERVING after 1.5 s" in str(error)
    assert left_in(short) == []


async def test_a_socket_that_is_not_there_is_named(program: Write, premises: Premises) -> None:
    source = "import time; print('1|1|unix|/tmp/nobody-is-here.sock|grpc|', flush=True); time.sleep(60)"
    error = await failure(program(source, "early"), premises)
    assert "there is no socket at /tmp/nobody-is-here.sock, which its line names" in str(error)


async def test_a_port_on_which_nobody_listens_is_named(program: Write, premises: Premises) -> None:
    source = "import time; print('1|1|tcp|127.0.0.1:1|grpc|', flush=True); time.sleep(60)"
    error = await failure(program(source, "early", limits=SHORT), premises)
    assert "nothing answers at 127.0.0.1:1, as its line says" in str(error)


async def test_a_secret_that_it_prints_is_not_in_its_error(program: Write, premises: Premises) -> None:
    source = "import sys; print('key sk-12345678 is bad', flush=True); sys.exit('sk-12345678 again')"
    error = await failure(program(source, "leaky", secrets=frozenset({"sk-12345678"})), premises)
    assert "sk-12345678" not in str(error)
    assert '"key *** is bad"' in str(error)
    assert "*** again" in str(error)


def executable(path: Path, content: bytes, mode: int = 0o755) -> PluginPlan:
    path.write_bytes(content)
    path.chmod(mode)
    return PluginPlan("odd", command=(str(path),), folder=path.parent)


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"#!/bin/sh\n", 0o644, "may not be executed; chmod +x "),
        (b"#!/no/such/interpreter\n", 0o755, "/no/such/interpreter, is not there; install it"),
        (b"#!/bin/sh\r\n", 0o755, "has Windows line ends"),
        (b"just text\n", 0o755, "begin a script with #! and its interpreter"),
        (b"", 0o755, "is empty"),
        (
            b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x02\x00\xf3\x00" + b"\0" * 44,
            0o755,
            "is built for riscv64",
        ),
        (b"\xcf\xfa\xed\xfe" + b"\0" * 60, 0o755, "is a program for macOS"),
        (b"MZ" + b"\0" * 60, 0o755, "is a program for Windows"),
    ],
)
async def test_a_program_that_cannot_be_run_says_why(
    tmp_path: Path, premises: Premises, content: bytes, mode: int, said: str
) -> None:
    error = await failure(executable(tmp_path / "odd", content, mode), premises)
    assert said in str(error)
    assert error.reason == "PLUGIN_EXECUTABLE_UNUSABLE"


async def test_what_no_system_could_run_is_not_tried_again(tmp_path: Path, premises: Premises) -> None:
    error = await failure(executable(tmp_path / "odd", b"just text\n"), premises)
    assert error.final


async def test_a_program_that_is_not_there_is_named(tmp_path: Path, premises: Premises) -> None:
    missing = PluginPlan("gone", command=(str(tmp_path / "gone"),), folder=tmp_path)
    assert f"{tmp_path}/gone is not there; build it, or mend `path`" in str(await failure(missing, premises))
    (tmp_path / "gone").symlink_to("nowhere")
    assert "is a link to nowhere, which is not there" in str(await failure(missing, premises))
    folder = replace(missing, command=(str(tmp_path),))
    assert "is a folder; name the program in it" in str(await failure(folder, premises))
    elsewhere = replace(missing, folder=tmp_path / "no")
    assert f"its folder {tmp_path}/no is not there" in str(await failure(elsewhere, premises))
    relative = replace(missing, command=("upper.py",))
    assert "name the program with its whole path" in str(await failure(relative, premises))


async def test_a_file_system_without_execution_is_named(
    tmp_path: Path, premises: Premises, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = executable(tmp_path / "odd", b"#!/bin/sh\n")
    found = os.statvfs(tmp_path)
    noexec = os.statvfs_result((*found[:8], found.f_flag | os.ST_NOEXEC, found.f_namemax))
    monkeypatch.setattr(os, "statvfs", lambda path: noexec)
    assert "mounted noexec" in str(await failure(plan, premises))


async def test_a_program_with_another_checksum_is_not_run(program: Write, premises: Premises) -> None:
    plan = program()
    good = checksum(plan)
    async with asyncio.timeout(30), launched(replace(plan, sha256=good.upper()), premises) as process:
        assert process.pid
    program("raise SystemExit('this ran')")
    error = await failure(replace(plan, sha256=good), premises)
    assert f"and the configuration pins {good}" in str(error)
    assert "this ran" not in str(error)
    assert (error.reason, error.final) == ("PLUGIN_CHECKSUM_MISMATCH", True)


async def test_a_script_that_is_another_one_once_it_runs_gets_no_settings(
    program: Write, premises: Premises
) -> None:
    source = "open(__file__, 'a').write('#')\n" + UPPER
    plan = program(source, sha256=hashlib.sha256(source.encode()).hexdigest())
    assert isinstance(await failure(plan, premises), ChecksumMismatch)


async def test_a_start_that_is_cancelled_leaves_nothing(
    program: Write, premises: Premises, short: Path
) -> None:
    source = "import os, time; print(os.getpid(), file=open('pid', 'w'), flush=True); time.sleep(60)"
    plan = program(source, "slow")
    file = plan.folder / "pid"

    async def start() -> None:
        async with launched(plan, premises):
            pass

    starting = asyncio.ensure_future(start())
    async with asyncio.timeout(30):
        pid = await number_in(file)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert left_in(short) == []


def checksum(plan: PluginPlan) -> str:
    return hashlib.sha256(Path(plan.command[1]).read_bytes()).hexdigest()


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())
