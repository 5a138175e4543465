"""Contract: go-plugin's handshake, version 1, as the plugin of a real process answers it."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hector.embedder.v1 import EmbedderProviderStub, EmbedTextRequest
from hector.plugin.v1 import (
    PLUGIN_KIND_EMBEDDER_PROVIDER,
    ConfigureRequest,
    GetInfoRequest,
    PluginStub,
    ShutdownRequest,
    ValidateConfigRequest,
)
from hector_mesh import wire_channel
from hector_plugin import Launch, NotStartedByHector, serve

SOURCE = """
import os

from hector.embedder.v1 import EmbedderProviderServicer, EmbedTextResponse
from hector_plugin import serve


class Lengths(EmbedderProviderServicer):
    async def EmbedText(self, request, context):
        print("embedding", request.text)
        return EmbedTextResponse(vector=[len(request.text)])


if "NOISY" in os.environ:
    print("imported")
serve(Lengths(), name="lengths", version="1.2.3")
"""

HOST = {"HECTOR_PLUGIN": "hector_plugin_v1", "PLUGIN_PROTOCOL_VERSIONS": "1"}

Start = Callable[..., AbstractAsyncContextManager[asyncio.subprocess.Process]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    program = tmp_path / "plugin.py"
    program.write_text(SOURCE)

    @asynccontextmanager
    async def started(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
        clean = {name: value for name, value in os.environ.items() if name not in (*HOST, "PYTHONUNBUFFERED")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            program,
            *arguments,
            env=clean | environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(30):
                yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    return started


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="hector-") as name:  # not tmp_path: a socket's path is short
        yield name


async def test_a_plugin_says_where_it_listens_and_answers_there(start: Start, folder: str) -> None:
    async with start(**HOST, PLUGIN_UNIX_SOCKET_DIR=folder) as process:
        path = await listening(process)
        assert path.parent == Path(folder)
        async with wire_channel(f"unix:{path}") as channel:
            for service in ("plugin", "", "hector.embedder.v1.EmbedderProvider"):
                asked = health_pb2.HealthCheckRequest(service=service)
                said = await health_pb2_grpc.HealthStub(channel).Check(asked)
                assert said.status == health_pb2.HealthCheckResponse.SERVING
            answer = await EmbedderProviderStub(channel).EmbedText(EmbedTextRequest(text="four"))
        assert list(answer.vector) == [4.0]


async def test_what_a_plugin_prints_goes_to_the_log_and_not_into_the_handshake(
    start: Start, folder: str
) -> None:
    async with start(**HOST, PLUGIN_UNIX_SOCKET_DIR=folder) as process:
        path = await listening(process)
        async with wire_channel(f"unix:{path}") as channel:
            await EmbedderProviderStub(channel).EmbedText(EmbedTextRequest(text="four"))
        process.send_signal(signal.SIGTERM)
        printed, logged = await process.communicate()
    assert (printed, logged) == (b"", b"embedding four\n")


async def test_what_a_plugin_prints_is_in_the_log_when_it_is_printed(start: Start, folder: str) -> None:
    async with start(**HOST, PLUGIN_UNIX_SOCKET_DIR=folder) as process:
        path = await listening(process)
        async with wire_channel(f"unix:{path}") as channel:
            await EmbedderProviderStub(channel).EmbedText(EmbedTextRequest(text="four"))
        assert process.stderr is not None
        assert await process.stderr.readline() == b"embedding four\n"


async def test_a_plugin_ends_well_and_leaves_no_socket_when_asked_to(start: Start, folder: str) -> None:
    async with start(**HOST, PLUGIN_UNIX_SOCKET_DIR=folder) as process:
        await listening(process)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert left_in(folder) == []


async def test_a_plugin_ends_when_its_host_is_gone(start: Start, folder: str) -> None:
    async with start(**HOST, PLUGIN_UNIX_SOCKET_DIR=folder, HECTOR_STDIN_WATCH="1") as process:
        await listening(process)
        assert process.stdin is not None
        process.stdin.close()
        assert await process.wait() == 0


async def test_a_plugin_started_by_hand_says_what_it_is(start: Start) -> None:
    async with start() as process:
        printed, said = await process.communicate()
    assert (process.returncode, printed) == (1, b"")
    assert b"this is a plugin: name it under `plugins:`" in said


async def test_a_plugin_refuses_a_host_of_another_version_for_good(start: Start) -> None:
    async with start(**HOST | {"PLUGIN_PROTOCOL_VERSIONS": "2,3"}) as process:
        printed, said = await process.communicate()
    assert (process.returncode, printed) == (78, b"")
    assert said == b"this plugin speaks version 1 of the protocol; the host offers 2, 3\n"


def test_what_is_no_servicer_is_refused_before_anything_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HOST.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TypeError, match="str extends no servicer class of a contract"):
        serve("no servicer")


async def test_a_plugin_says_what_it_is(start: Start, folder: str) -> None:
    async with (
        start(**HOST, PLUGIN_UNIX_SOCKET_DIR=folder) as process,
        wire_channel(f"unix:{await listening(process)}") as channel,
    ):
        stub = PluginStub(channel)
        info = await stub.GetInfo(GetInfoRequest(host_name="hector"))
        assert not (await stub.ValidateConfig(ValidateConfigRequest(config_json="{}"))).diagnostics
        assert not (await stub.Configure(ConfigureRequest(config_json="{}"))).diagnostics
    assert (info.name, info.version) == ("lengths", "1.2.3")
    (component,) = info.components
    assert component.kind == PLUGIN_KIND_EMBEDDER_PROVIDER
    assert component.service == "hector.embedder.v1.EmbedderProvider"
    assert component.rpcs == ["EmbedText"]


@pytest.mark.parametrize("controller", ["hector", "go-plugin"])
async def test_a_plugin_ends_when_told_to(start: Start, folder: str, controller: str) -> None:
    async with start(**HOST, PLUGIN_UNIX_SOCKET_DIR=folder) as process:
        async with wire_channel(f"unix:{await listening(process)}") as channel:
            if controller == "hector":
                await PluginStub(channel).Shutdown(ShutdownRequest(grace_s=1))
            else:
                assert await channel.unary_unary("/plugin.GRPCController/Shutdown", bytes, bytes)(b"") == b""
        assert await process.wait() == 0
        assert process.stderr is not None
        assert await process.stderr.read() == b""
    assert left_in(folder) == []


async def test_a_plugin_answers_only_who_knows_its_token(start: Start, folder: str) -> None:
    async with start(**HOST, PLUGIN_UNIX_SOCKET_DIR=folder, HECTOR_PLUGIN_TOKEN="t0ken") as process:
        target = f"unix:{await listening(process)}"
        async with wire_channel(target) as stranger:
            with pytest.raises(AioRpcError) as failure:
                await EmbedderProviderStub(stranger).EmbedText(EmbedTextRequest(text="four"))
            assert failure.value.code() is StatusCode.UNAUTHENTICATED
            health = await health_pb2_grpc.HealthStub(stranger).Check(health_pb2.HealthCheckRequest())
            assert health.status == health_pb2.HealthCheckResponse.SERVING
        async with wire_channel(target, token="t0ken", token_header="hector-token") as host:
            answer = await EmbedderProviderStub(host).EmbedText(EmbedTextRequest(text="four"))
    assert list(answer.vector) == [4.0]


@pytest.mark.parametrize("by", ["SIGINT", "SIGTERM"])
async def test_a_plugin_can_be_tried_without_a_host(start: Start, folder: str, by: str) -> None:
    address = f"unix:{folder}/alone.sock"
    async with start("--standalone", address) as process:
        assert process.stderr is not None
        assert await process.stderr.readline() == f"lengths listens on {address}\n".encode()
        async with wire_channel(address) as channel:
            answer = await EmbedderProviderStub(channel).EmbedText(EmbedTextRequest(text="four"))
        assert list(answer.vector) == [4.0]
        process.send_signal(signal.Signals[by])
        printed, _ = await process.communicate()
    assert (process.returncode, printed) == (0, b"")


@pytest.mark.parametrize("told", ["soon", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_said_and_not_traced(told: str) -> None:
    with pytest.raises(NotStartedByHector) as refused:
        Launch.read(HOST | {"HECTOR_DRAIN_S": told}, [])
    assert refused.value.sentence == f"HECTOR_DRAIN_S: found {told!r}, allowed: a number of seconds"


async def test_standalone_wants_an_address(start: Start) -> None:
    async with start("--standalone") as process:
        _, said = await process.communicate()
    assert process.returncode == 64
    assert said.startswith(b"--standalone needs an address")


async def test_an_address_that_is_taken_is_named(start: Start, folder: str) -> None:
    async with start("--standalone", f"unix:{folder}") as process:
        _, said = await process.communicate()
    assert process.returncode == 1
    assert (
        said.decode()
        == f"cannot listen on unix:{folder}: something that is no socket is in the way; move it\n"
    )


async def test_what_was_printed_before_serving_is_not_taken_for_the_handshake(
    start: Start, folder: str
) -> None:
    async with start(**HOST, PLUGIN_UNIX_SOCKET_DIR=folder, NOISY="1") as process:
        await listening(process)


async def listening(process: asyncio.subprocess.Process) -> Path:
    """Read the handshake line and return the socket that it names."""
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    core, app, network, path, protocol, certificate = line.rstrip("\n").split("|")
    assert (core, app, network, protocol, certificate) == ("1", "1", "unix", "grpc", "")
    return Path(path)


def left_in(folder: str) -> list[Path]:
    return list(Path(folder).iterdir())
