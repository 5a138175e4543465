"""What only sockets have: addresses, tokens, roles that go down and come back, and an orderly end."""

import asyncio
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import grpc
import pytest
from echo_pb2 import EchoRequest, EchoResponse
from echo_pb2_grpc import EchoServicer, EchoStub, add_EchoServicer_to_server
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from hector_mesh import Health, HectorError, Mesh, info_of, streaming, wire_channel, wire_server
from hector_mesh.dialing import options_for

ECHO = "hector.testing.echo.v1.Echo"


class Echo(EchoServicer):
    def __init__(self, name=""):
        self.name = name
        self.metadata = ()
        self.started = asyncio.Event()
        self.go = asyncio.Event()

    async def Say(self, request, context):
        self.metadata = context.invocation_metadata()
        if request.text == "slow":
            self.started.set()
            await self.go.wait()
        return EchoResponse(text=self.name or request.text)

    async def Spell(self, request, context):
        self.metadata = context.invocation_metadata()
        self.started.set()
        yield EchoResponse(text="a")
        await self.go.wait()
        yield EchoResponse(text="b")


@pytest.fixture
def folder():
    folder = Path(tempfile.mkdtemp(prefix="hector-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def serving(listen, servicer=None, **options):
    server = wire_server(str(listen), **options)
    add_EchoServicer_to_server(servicer or Echo(), server)
    return server


async def say(channel, text="hello", **options):
    return (await EchoStub(channel).Say(EchoRequest(text=text), **options)).text


async def failure_of(awaitable):
    with pytest.raises(AioRpcError) as failure:
        await awaitable
    return failure.value


async def eventually(attempt, seconds=10):
    """Try until it succeeds: for what another process, or grpc's own clock, decides."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await attempt()
            except AioRpcError:
                await asyncio.sleep(0.02)


# Addresses


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "[::1]:0"])
async def test_a_free_port_is_found_and_told(listen):
    if "::1" in listen and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    async with serving(listen) as server:
        host, _, port = server.address.rpartition(":")
        assert host == listen.rpartition(":")[0]
        assert int(port) > 0
        for target in (server.address, f"dns:///{server.address}"):
            async with wire_channel(target) as channel:
                assert await say(channel) == "hello"


@pytest.mark.parametrize("form", ["unix:{}", "unix://{}"])
async def test_a_unix_socket_is_its_owners_alone(folder, form):
    path = folder / "new" / "folder" / "s.sock"
    async with serving(form.format(path)) as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert [each.name for each in path.parent.iterdir()] == ["s.sock"]
        for target in (server.address, f"unix://{path}", f"unix:{path}"):
            async with wire_channel(target) as channel:
                assert await say(channel) == "hello"
    assert not path.exists()


async def test_a_relative_unix_path_is_relative_to_the_working_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    async with serving("unix:s.sock"), wire_channel("unix:s.sock") as channel:
        assert await say(channel) == "hello"


async def test_a_dead_socket_is_replaced(folder):
    path = folder / "s.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serving(f"unix:{path}"), wire_channel(f"unix:{path}") as channel:
        assert await say(channel) == "hello"


async def test_a_live_socket_is_not_taken_away(folder):
    path = folder / "s.sock"
    async with serving(f"unix:{path}"):
        with pytest.raises(HectorError, match="another process listens there") as failure:
            await serving(f"unix:{path}").start()
        assert str(path) in str(failure.value)
        async with wire_channel(f"unix:{path}") as channel:
            assert await say(channel) == "hello"


async def test_what_is_no_socket_is_not_taken_away(folder):
    path = folder / "s.sock"
    path.write_text("precious")
    with pytest.raises(HectorError, match="no socket is in the way"):
        await serving(f"unix:{path}").start()
    assert path.read_text() == "precious"


async def test_a_path_too_long_for_a_socket_is_named(folder):
    path = folder / ("x" * 100) / "s.sock"
    with pytest.raises(HectorError, match="longer than 107 bytes"):
        await serving(f"unix:{path}").start()


async def test_a_server_leaves_its_successors_socket_alone(folder):
    """A restart that overlaps must not end with no socket at all."""
    path = folder / "s.sock"
    first, second = serving(f"unix:{path}", Echo("first")), serving(f"unix:{path}", Echo("second"))
    await first.start()
    path.unlink()
    await second.start()
    await first.stop(None)
    async with wire_channel(f"unix:{path}") as channel:
        assert await say(channel) == "second"
    await second.stop(None)


async def test_a_port_in_use_is_named():
    async with serving("127.0.0.1:0") as server:
        with pytest.raises(HectorError, match="already in use") as failure:
            await serving(server.address).start()
        assert server.address in str(failure.value)
        assert failure.value.reason == "CANNOT_LISTEN"


@pytest.mark.parametrize("listen", ["nonsense", "no-such-host.invalid:0", "192.0.2.1:0"])
async def test_an_impossible_address_is_named(listen):
    with pytest.raises(HectorError, match="cannot listen on") as failure:
        await serving(listen).start()
    assert listen in str(failure.value)


# Targets and options


@pytest.mark.parametrize(
    "target", ["", "llm", "http://llm:7010", "unix:", "unix://", "dns:///", "llm:", "/run/s.sock"]
)
def test_a_target_that_grpc_cannot_dial_is_named(target):
    with pytest.raises(HectorError, match="cannot dial") as failure:
        wire_channel(target)
    assert repr(target) in str(failure.value)


@pytest.mark.parametrize(
    "target", ["xds:///vector", "dns:///llm:7010", "unix:///run/llm.sock", "llm:7010", "[::1]:7010"]
)
async def test_grpc_is_given_the_target_as_it_is(target, monkeypatch):
    given = []
    real = grpc.aio.insecure_channel

    def insecure_channel(target, options):
        given.append(target)
        return real(target, options)

    monkeypatch.setattr(grpc.aio, "insecure_channel", insecure_channel)
    channel = wire_channel(target)
    assert given == [target]
    await channel.close()


def test_channels_balance_over_healthy_backends_and_pass_large_messages():
    options = dict(options_for("dns:///llm:7010"))
    config = json.loads(options["grpc.service_config"])
    assert config["loadBalancingConfig"] == [{"round_robin": {}}]
    assert config["healthCheckConfig"] == {"serviceName": ""}
    assert options["grpc.max_send_message_length"] == options["grpc.max_receive_message_length"] == 64 << 20
    assert options["grpc.enable_http_proxy"] == 0
    assert "grpc.default_authority" not in options


def test_a_unix_target_is_called_localhost():
    assert dict(options_for("unix:/run/s.sock"))["grpc.default_authority"] == "localhost"


def test_an_xds_target_is_balanced_by_its_control_plane():
    assert "grpc.service_config" not in dict(options_for("xds:///vector"))


# Tokens


async def test_callers_with_the_token_are_let_in_and_leave_it_at_the_door(folder):
    servicer = Echo()
    async with (
        serving(f"unix:{folder}/s.sock", servicer, token="secret") as server,
        wire_channel(server.address, token="secret") as channel,
    ):
        assert await say(channel, metadata=(("own", "x"),)) == "hello"
        assert dict(servicer.metadata)["own"] == "x"
        assert "secret" not in str(servicer.metadata)
        async with streaming(EchoStub(channel).Spell(EchoRequest())) as messages:
            await messages.read()
        assert "secret" not in str(servicer.metadata)


@pytest.mark.parametrize("token", [None, "wrong", "secre", "größer"])
async def test_callers_without_the_token_are_told_what_to_do(folder, token):
    async with serving(f"unix:{folder}/s.sock", token="secret") as server:
        shown = (("hector-mesh-token", token.encode("latin1", "replace").decode("latin1")),) if token else ()
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = EchoStub(channel)
            if token == "größer":
                shown = (("hector-mesh-token-bin", token.encode()),)
            failure = await failure_of(stub.Say(EchoRequest(), metadata=shown))
            assert failure.code() is StatusCode.UNAUTHENTICATED
            assert info_of(failure).reason == "MESH_TOKEN_REQUIRED"
            assert "mesh.token" in failure.details()
            assert "secret" not in f"{failure.details()}{failure.trailing_metadata()}"
            failure = await failure_of(stub.Spell(EchoRequest(), metadata=shown).read())
            assert failure.code() is StatusCode.UNAUTHENTICATED
            unknown = channel.unary_unary("/no.Such/Method")
            assert (await failure_of(unknown(b"", metadata=shown))).code() is StatusCode.UNAUTHENTICATED


async def test_a_role_of_another_mesh_is_not_well_and_is_named(folder):
    async with (
        serving(f"unix:{folder}/s.sock", token="secret") as server,
        wire_channel(server.address, token="other", role="llm") as channel,
    ):
        request = health_pb2.HealthCheckRequest()
        for call in (health_pb2_grpc.HealthStub(channel).Check(request, timeout=5), say(channel)):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            assert refused.value.code() is StatusCode.UNAUTHENTICATED
            assert info_of(refused.value).reason == "MESH_TOKEN_REQUIRED"
            assert f"role llm at {server.address}" in refused.value.details()


async def test_health_is_answered_without_a_token(folder):
    async with (
        serving(f"unix:{folder}/s.sock", token="secret") as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", ECHO):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_tells_members_what_is_served(folder):
    async with (
        serving(f"unix:{folder}/s.sock", token="secret") as server,
        wire_channel(server.address, token="secret") as channel,
    ):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = [each async for each in stub.ServerReflectionInfo(iter([request]))]
    names = {each.name for each in answer.list_services_response.service}
    assert {ECHO, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} <= names


async def test_a_plugin_without_the_reflection_package_serves_without_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "grpc_reflection.v1alpha", None)
    async with serving(f"unix:{folder}/s.sock") as server, wire_channel(server.address) as channel:
        assert await say(channel) == "hello"


# Roles that are down


async def test_a_role_that_is_down_is_named_within_the_callers_deadline(folder):
    path = folder / "llm.sock"
    mesh = Mesh({ECHO: wire_channel(f"unix:{path}", role="llm")})
    began = time.monotonic()
    failure = await failure_of(say(mesh, timeout=5))
    assert time.monotonic() - began < 5
    assert failure.code() is StatusCode.UNAVAILABLE
    assert (
        failure.details()
        == f"role llm is not reachable at unix:{path}: connect: No such file or directory (2)"
    )
    info = info_of(failure)
    assert (info.reason, dict(info.metadata)) == (
        "ROLE_UNAVAILABLE",
        {"role": "llm", "target": f"unix:{path}"},
    )


async def test_every_way_to_read_a_call_names_the_role(folder):
    channel = wire_channel(f"unix:{folder}/llm.sock", role="llm")
    stub = EchoStub(channel)
    for call in (stub.Say(EchoRequest()), stub.Spell(EchoRequest())):
        assert await call.code() is StatusCode.UNAVAILABLE
        assert "role llm" in await call.details()
        assert "grpc-status-details-bin" in await call.trailing_metadata()
    assert "role llm" in (await failure_of(stub.Spell(EchoRequest()).read())).details()
    assert "role llm" in (await failure_of(anext(aiter(stub.Spell(EchoRequest()))))).details()
    assert "role llm" in (await failure_of(stub.Say(EchoRequest()).wait_for_connection())).details()
    await channel.close()


async def test_a_role_that_accepts_and_says_nothing_is_unavailable_within_the_deadline():
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        async with wire_channel(address, role="llm") as channel:
            failure = await failure_of(say(channel, timeout=0.5))
    assert failure.code() is StatusCode.UNAVAILABLE
    assert (
        failure.details()
        == f"role llm is not reachable at {address}: no connection within the caller's deadline"
    )


async def test_a_slow_role_is_not_an_unreachable_one(folder):
    async with (
        serving(f"unix:{folder}/s.sock") as server,
        wire_channel(server.address, role="llm") as channel,
    ):
        failure = await failure_of(say(channel, "slow", timeout=0.3))
    assert failure.code() is StatusCode.DEADLINE_EXCEEDED


async def test_a_role_that_comes_back_is_used_again_without_a_restart(folder):
    path = folder / "s.sock"
    async with wire_channel(f"unix:{path}", role="llm") as channel:
        await failure_of(say(channel, timeout=5))
        async with serving(f"unix:{path}", Echo("first")):
            assert await eventually(lambda: say(channel)) == "first"
        await failure_of(say(channel, timeout=5))
        async with serving(f"unix:{path}", Echo("second")):
            began = time.monotonic()
            assert await eventually(lambda: say(channel)) == "second"
            assert time.monotonic() - began < 5


async def test_a_role_on_a_port_comes_back_on_it():
    first = serving("127.0.0.1:0", Echo("first"))
    await first.start()
    async with wire_channel(first.address, role="llm") as channel:
        assert await say(channel) == "first"
        await first.stop(None)
        await failure_of(say(channel, timeout=5))
        async with serving(first.address, Echo("second")):
            assert await eventually(lambda: say(channel)) == "second"


KILLED = """
import asyncio, sys
sys.path[:0] = {paths!r}
from echo_pb2 import EchoResponse
from echo_pb2_grpc import EchoServicer, add_EchoServicer_to_server
from hector_mesh import wire_server

class Echo(EchoServicer):
    async def Say(self, request, context):
        if request.text == "slow":
            await asyncio.sleep(60)
        return EchoResponse(text="here")

async def main():
    server = wire_server(sys.argv[1])
    add_EchoServicer_to_server(Echo(), server)
    async with server:
        print("ready", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_killed_role_fails_its_calls_and_is_replaced(folder):
    path = folder / "s.sock"
    script = KILLED.format(paths=[each for each in sys.path if each])

    def start():
        process = subprocess.Popen([sys.executable, "-c", script, f"unix:{path}"], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        return process

    async with wire_channel(f"unix:{path}", role="llm") as channel:
        process = await asyncio.to_thread(start)
        try:
            assert await say(channel) == "here"
            slow = asyncio.ensure_future(failure_of(say(channel, "slow", timeout=30)))
            await asyncio.sleep(0.1)
            process.kill()
            async with asyncio.timeout(5):
                failure = await slow
            assert failure.code() is StatusCode.UNAVAILABLE
            assert failure.details().startswith(f"role llm is not reachable at unix:{path}: ")
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        assert path.exists()  # nobody was left to take it away
        async with serving(f"unix:{path}", Echo("replaced")):
            assert await eventually(lambda: say(channel)) == "replaced"


async def test_a_role_that_is_not_ready_gets_no_calls_but_is_heard(folder):
    health = Health([ECHO])
    async with (
        serving(f"unix:{folder}/s.sock", health=health) as server,
        wire_channel(server.address, role="llm") as channel,
    ):
        failure = await failure_of(say(channel, timeout=5))
        assert failure.code() is StatusCode.UNAVAILABLE
        assert failure.details().endswith(": it says that it is not ready")
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=ECHO))
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        await health.set(ECHO, serving=True)
        assert await eventually(lambda: say(channel)) == "hello"
        await health.set(ECHO, serving=False)

        async def fail_in_the_end():
            async with asyncio.timeout(5):
                while True:
                    await say(channel, timeout=5)

        assert "not ready" in (await failure_of(fail_in_the_end())).details()


async def test_calls_go_round_the_healthy_backends(monkeypatch):
    """dns:/// gives every replica's address; here ipv4: stands for a name with three of them."""
    health = [Health([ECHO]) for _ in range(3)]
    servers = [serving("127.0.0.1:0", Echo(str(n)), health=health[n]) for n in range(3)]
    for server in servers:
        await server.start()
    try:
        await health[0].set(ECHO, serving=True)
        await health[1].set(ECHO, serving=True)
        target = "ipv4:" + ",".join(server.address for server in servers)
        async with wire_channel(target, role="llm") as channel:

            async def seen(*names):
                async with asyncio.timeout(10):
                    while {await eventually(lambda: say(channel)) for _ in range(20)} != set(names):
                        pass

            await seen("0", "1")
            await health[0].set(ECHO, serving=False)
            await seen("1")
            await health[2].set(ECHO, serving=True)
            await seen("1", "2")
    finally:
        for server in servers:
            await server.stop(None)


# The end


async def test_stopping_lets_calls_in_flight_finish(folder):
    servicer = Echo()
    server = serving(f"unix:{folder}/s.sock", servicer)
    await server.start()
    async with wire_channel(server.address) as channel:
        call = asyncio.ensure_future(say(channel, "slow"))
        await servicer.started.wait()
        stopping = asyncio.ensure_future(server.stop(10))
        await asyncio.sleep(0.1)
        assert not stopping.done()
        servicer.go.set()
        assert await call == "slow"
        async with asyncio.timeout(5):
            await stopping


async def test_stopping_does_not_wait_for_who_watches_health(folder):
    server = serving(f"unix:{folder}/s.sock")
    await server.start()
    async with wire_channel(server.address) as channel:
        assert await say(channel) == "hello"  # which watches the backend's health meanwhile
        async with asyncio.timeout(5):
            await server.stop(60)


async def test_stopping_ends_calls_that_take_too_long(folder, caplog):
    servicer = Echo()
    server = serving(f"unix:{folder}/s.sock", servicer)
    await server.start()
    async with wire_channel(server.address, role="llm") as channel:
        call = asyncio.ensure_future(failure_of(say(channel, "slow")))
        await servicer.started.wait()
        async with asyncio.timeout(5):
            await server.stop(0.1)
            assert (await call).code() in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED)
    assert [record for record in caplog.records if record.name.startswith(("grpc", "hector"))] == []


async def test_a_stopped_server_leaves_no_tasks(folder):
    before = asyncio.all_tasks()
    server = serving(f"unix:{folder}/s.sock")
    await server.start()
    async with wire_channel(server.address) as channel:
        async with streaming(EchoStub(channel).Spell(EchoRequest())) as messages:
            await messages.read()
        await server.stop(None)
    assert [task for task in asyncio.all_tasks() - before if "rpc" in repr(task.get_coro())] == []


def test_the_mesh_imports_nothing_big():
    """A plugin installs grpcio and protobuf only."""
    script = "import hector_mesh, sys; print(*sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ
    )
    loaded = set(out.stdout.split())
    assert {"grpc", "google.protobuf.any_pb2"} <= loaded
    for foreign in ("google.rpc", "grpc_health.v1", "grpc_reflection.v1alpha"):
        assert foreign not in loaded
    for big in ("opentelemetry", "pydantic", "aiohttp", "a2a", "yaml", "numpy"):
        assert big not in loaded
