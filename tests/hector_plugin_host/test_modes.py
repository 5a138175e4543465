"""The ways to reach a plugin: by a fixed port, at an address, in a folder of sockets, under a debugger."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import pytest
from support.certificates import Authority
from support.fake_plugins import until

from hector.plugin.v1 import GetInfoRequest, PluginStub
from hector_plugin_host.host import PluginHost
from hector_plugin_host.launching import launched
from hector_plugin_host.modes.attach import is_local
from hector_plugin_host.plan import Limits, PluginPlan, Security, Tls
from hector_plugin_host.premises import Premises, attachments
from hector_plugin_host.process import PluginProcess
from hector_plugin_host.start_failed import AddressRefused, PluginStartFailed

from .conftest import UPPER, Write

SAMPLE = """
# As Hector's guide shows plugins: a plain gRPC server on a port of its own, and a line that is no handshake.
from concurrent import futures
import sys
import grpc
from hector.embedder.v1 import *

class Embedder(EmbedderProviderServicer):
    def GetDimensions(self, request, context):
        return GetDimensionsResponse(dimensions=768)

server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
add_EmbedderProviderServicer_to_server(Embedder(), server)
port = server.add_insecure_port(sys.argv[1])
server.start()
{says}
server.wait_for_termination()
"""


async def name_of(process: PluginProcess) -> str:
    info = await PluginStub(process.channel).GetInfo(GetInfoRequest(), metadata=process.metadata)
    return info.name


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def sample(program: Write, says: str = "", listen: str = "127.0.0.1:0", **settings: object) -> PluginPlan:
    plan = program(SAMPLE.format(says=says), "sample", **settings)
    return replace(plan, command=(*plan.command, listen))


@pytest.mark.parametrize("says", ["", "print('Plugin server started on port 8081', flush=True)"])
async def test_a_server_without_a_handshake_is_found_by_its_port(
    program: Write, premises: Premises, says: str
) -> None:
    async with asyncio.timeout(30), launched(sample(program, says), premises) as process:
        assert process.target.startswith("127.0.0.1:")
        assert not process.serves_health
        dimensions = process.channel.unary_unary("/hector.embedder.v1.EmbedderProvider/GetDimensions")
        assert await dimensions(b"") == bytes([8, 0x80, 6])


async def test_a_server_at_a_known_port_is_reached_as_soon_as_it_is_there(
    program: Write, premises: Premises
) -> None:
    port = free_port()
    plan = sample(program, listen=f"[::]:{port}", mode="listen", address=f":{port}")
    async with asyncio.timeout(30), launched(plan, premises) as process:
        assert process.target == f"127.0.0.1:{port}"
        assert process.ready_s < 20


async def test_a_known_port_on_which_nobody_listens_is_named(program: Write, premises: Premises) -> None:
    port = free_port()
    limits = Limits(start_timeout_s=1.5)
    plan = sample(program, mode="listen", address=f"127.0.0.1:{port}", limits=limits)
    with pytest.raises(PluginStartFailed, match=f"nothing speaks gRPC at 127.0.0.1:{port} after 1.5 s; mend"):
        async with asyncio.timeout(30), launched(plan, premises):
            pass


async def test_a_port_that_speaks_no_grpc_is_not_taken(program: Write, premises: Premises) -> None:
    source = """
        import http.server
        http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler).serve_forever()
        """
    plan = program(source, "web", limits=Limits(start_timeout_s=3.5))
    with pytest.raises(PluginStartFailed, match=r"it said within 3\.5 s not where it listens"):
        async with asyncio.timeout(30), launched(plan, premises):
            pass


@asynccontextmanager
async def standalone(plan: PluginPlan, address: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a plugin as a person would, beside the host."""
    process = await asyncio.create_subprocess_exec(
        *plan.command, "--standalone", address, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(30):
            await process.stderr.readline()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_plugin_that_somebody_runs_is_used_and_left_alone(
    program: Write, premises: Premises, short: Path
) -> None:
    address = f"unix:{short}/alone.sock"
    plan = program()
    async with asyncio.timeout(30), standalone(plan, address) as running:
        remote = PluginPlan("far", mode="attach", address=address)
        async with launched(remote, premises) as process:
            assert await name_of(process) == "upper"
            assert (process.pid, process.target, process.tail()) == (None, address, ())
        assert process.exited.result().wanted
        async with launched(remote, premises) as process:
            assert await name_of(process) == "upper"
        assert running.returncode is None


async def test_a_debugger_takes_the_place_of_any_plugin_and_of_its_sandbox_not_in_silence(
    program: Write, premises: Premises, short: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"unix:{short}/debugged.sock"
    plan = replace(program(), security=Security(sandbox="required"))
    debugged = replace(premises, attach=attachments(f" upper = {address} , other=dns:///x:1"))
    async with asyncio.timeout(30), standalone(plan, address), launched(plan, debugged) as process:
        assert (process.pid, process.target) == (None, address)
        assert await name_of(process) == "upper"
    assert "sandbox_missing" in [getattr(one, "event", "") for one in caplog.records]


def test_what_says_no_address_is_refused() -> None:
    with pytest.raises(AddressRefused, match="write name=address"):
        attachments("upper")
    assert attachments("") == {}


async def test_a_plugin_with_a_token_is_shown_it(
    program: Write, premises: Premises, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HECTOR_PLUGIN_TOKEN", "t0ken")
    address = f"unix:{short}/alone.sock"
    async with asyncio.timeout(30), standalone(program(), address):
        remote = PluginPlan("far", mode="attach", address=address, token="t0ken")
        async with launched(remote, premises) as process:
            assert await name_of(process) == "upper"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async with launched(replace(remote, token=""), premises) as process:
                await name_of(process)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_nobody_at_an_address_is_named(premises: Premises, short: Path) -> None:
    plan = PluginPlan("far", mode="attach", address=f"unix:{short}/x", limits=Limits(start_timeout_s=0.3))
    with pytest.raises(
        PluginStartFailed, match=r"nothing answers at unix:.*/x within 0\.3 s \(.*\); start it"
    ):
        async with asyncio.timeout(30), launched(plan, premises):
            pass


@pytest.mark.parametrize(
    "address", ["dns:///embed.internal:7443", "10.0.0.7:1", "embed:1", "[2001:db8::1]:1"]
)
async def test_plain_text_beyond_this_machine_has_to_be_meant(premises: Premises, address: str) -> None:
    plan = PluginPlan("far", mode="attach", address=address)
    with pytest.raises(AddressRefused) as refused:
        async with asyncio.timeout(30), launched(plan, premises):
            pass
    assert "nothing would be encrypted; add `tls: {ca: …}`" in str(refused.value)
    assert refused.value.final


@pytest.mark.parametrize(
    "address",
    [
        "unix:/x",
        "unix:///x",
        "localhost:1",
        "dns:///localhost:1",
        "127.0.0.1:1",
        "[::1]:1",
        "ipv4:127.0.0.1:1",
    ],
)
def test_what_is_on_this_machine_is_known(address: str) -> None:
    assert is_local(address)


SECURE = """
import asyncio, sys
from pathlib import Path
import grpc, grpc.aio
from hector.plugin.v1 import *
from hector_mesh import Health

class Plugin(PluginServicer):
    async def GetInfo(self, request, context):
        told = dict(context.invocation_metadata())
        return GetInfoResponse(name=told.get("authorization", "nobody"))

async def main():
    ca, cert, key = (Path(name).read_bytes() for name in sys.argv[1:4])
    server = grpc.aio.server()
    add_PluginServicer_to_server(Plugin(), server)
    credentials = grpc.ssl_server_credentials([(key, cert)], ca, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    print(port, file=sys.stderr, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@asynccontextmanager
async def secure(program: Write, tls: Tls) -> AsyncIterator[str]:
    """Run a server that wants certificates of both sides, and give its address."""
    plan = program(SECURE, "secure")
    process = await asyncio.create_subprocess_exec(
        *plan.command, *map(str, (tls.ca, tls.cert, tls.key)), stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        yield f"127.0.0.1:{int(await process.stderr.readline())}"
    finally:
        process.kill()
        await process.communicate()


async def test_a_plugin_elsewhere_is_known_by_its_certificate_and_knows_us(
    program: Write, premises: Premises, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    theirs, ours = authority.issue("server"), authority.issue("client", for_clients=True)
    tls = Tls(authority.file, ours.cert_file, ours.key_file)
    server = Tls(authority.file, theirs.cert_file, theirs.key_file)
    async with asyncio.timeout(30), secure(program, server) as address:
        limits = Limits(start_timeout_s=5)
        far = PluginPlan("far", mode="attach", address=address, tls=tls, bearer="b34rer", limits=limits)
        async with launched(far, premises) as process:
            assert await name_of(process) == "Bearer b34rer"
        nobody = replace(far, tls=Tls(authority.file), limits=Limits(start_timeout_s=0.5))
        with pytest.raises(
            PluginStartFailed, match=r"nothing answers at 127.0.0.1:.* or mend `address` or `tls`"
        ):
            async with launched(nobody, premises):
                pass
        stranger = replace(far, tls=Tls(), limits=Limits(start_timeout_s=0.5))
        with pytest.raises(PluginStartFailed, match="CERTIFICATE_VERIFY_FAILED"):
            async with launched(stranger, premises):
                pass


async def test_certificates_that_cannot_be_read_are_named(premises: Premises, tmp_path: Path) -> None:
    plan = PluginPlan("far", mode="attach", address="embed:1", tls=Tls(tmp_path / "no.pem"))
    for tls, said in (
        (Tls(tmp_path / "no.pem"), r"no\.pem cannot be read: No such file"),
        (Tls(cert=tmp_path / "no.pem"), "name both, or neither"),
    ):
        with pytest.raises(AddressRefused, match=said):
            async with launched(replace(plan, tls=tls), premises):
                pass


async def test_a_plugin_is_there_while_its_socket_is_in_the_folder(
    program: Write, premises: Premises, short: Path
) -> None:
    folder = short / "sockets"
    plan, watching = program(), PluginPlan("seen", mode="watch", address=str(folder))
    folder.mkdir(mode=0o700)
    async with asyncio.timeout(30):
        starting = launched(watching, premises)
        entering = asyncio.ensure_future(starting.__aenter__())
        async with standalone(plan, f"unix:{folder}/one.sock") as running:
            process = await entering
            assert process.target == f"unix:{folder}/one.sock"
            assert await name_of(process) == "upper"
            running.terminate()
            exit_info = await process.exited
        assert (exit_info.reason, exit_info.wanted, exit_info.final) == ("socket_removed", False, False)
        await starting.__aexit__(None, None, None)


async def test_the_newest_socket_of_a_folder_counts(program: Write, premises: Premises, short: Path) -> None:
    plan, watching = program(), PluginPlan("seen", mode="watch", address=str(short))
    async with asyncio.timeout(30):
        one, two = (standalone(plan, f"unix:{short}/{name}.sock") for name in ("one", "two"))
        async with one, two, launched(watching, premises) as process:
            assert process.target == f"unix:{short}/two.sock"


async def test_a_newer_socket_is_taken_while_an_older_one_serves(
    program: Write, premises: Premises, short: Path
) -> None:
    host = PluginHost([PluginPlan("seen", mode="watch", address=str(short))], premises)
    async with asyncio.timeout(30), standalone(program(), f"unix:{short}/one.sock"), host.running():
        await host.settled()
        assert host.status()[0].replicas[0].target == f"unix:{short}/one.sock"
        async with standalone(program(), f"unix:{short}/two.sock"):
            await until(lambda: host.status()[0].replicas[0].target == f"unix:{short}/two.sock")
            assert host.status()[0].restarts == 0  # it was replaced, and nothing ended


async def test_a_folder_without_a_socket_or_open_to_others_is_named(premises: Premises, short: Path) -> None:
    limits = Limits(start_timeout_s=0.1)
    watching = PluginPlan("seen", mode="watch", address=str(short / "none"), limits=limits)
    with pytest.raises(PluginStartFailed, match=r"no socket appeared in .*/none within 0\.1 s"):
        async with asyncio.timeout(30), launched(watching, premises):
            pass
    (short / "none").mkdir()
    (short / "none").chmod(0o777)
    with pytest.raises(AddressRefused, match="others than this user may write to"):
        async with asyncio.timeout(30), launched(watching, premises):
            pass


async def test_a_plugin_gets_what_hector_tells_it_and_nothing_else_of_the_hosts_environment(
    program: Write, premises: Premises, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-host")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:password@proxy:3128")
    monkeypatch.setenv("NO_PROXY", "localhost")
    for name in ("SSL_CERT_DIR", "SSL_CERT_FILE", "HTTP_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    source = "import json, os\njson.dump(dict(os.environ), open('environ', 'w'))\n" + UPPER
    plan = program(source, env={"MINE": "yes", "HECTOR_PLUGIN": "no"}, config_json='{"key": "s3cr3t-config"}')
    told = replace(premises, telemetry={"OTEL_SERVICE_NAME": "plugin"})
    async with asyncio.timeout(30), launched(plan, told) as process:
        assert process.pid is not None
        shown = everybody_sees(process.pid)
        got = json.loads((plan.folder / "environ").read_text())
        token = dict(process.metadata)["hector-token"]
        folder = str(Path(process.target.removeprefix("unix:")).parent)
        assert mode_of(folder) == 0o700
    assert "s3cr3t" not in shown
    assert "sk-of-the-host" not in shown
    assert "password" not in shown
    system = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
        if name in os.environ
    }
    python = {name: value for name, value in got.items() if name == "LC_CTYPE"}  # Python sets it by itself
    assert got == system | python | {
        "NO_PROXY": "localhost",
        "MINE": "yes",
        "OTEL_SERVICE_NAME": "plugin",
        "HECTOR_PLUGIN": "hector_plugin_v1",
        "PLUGIN_PROTOCOL_VERSIONS": "1",
        "PLUGIN_MIN_PORT": "10000",
        "PLUGIN_MAX_PORT": "25000",
        "PLUGIN_UNIX_SOCKET_DIR": folder,
        "TMPDIR": folder,
        "HECTOR_PLUGIN_TOKEN": token,
        "HECTOR_STDIN_WATCH": "1",
        "HECTOR_LOG_LEVEL": "debug",
        "HECTOR_LOG_FORMAT": "hclog",
        "HECTOR_DRAIN_S": "30",
    }
    assert len(token) == 64


async def test_the_hosts_socket_is_put_into_the_plugins_folder(
    program: Write, premises: Premises, short: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as host:
        host.bind(str(short / "host.sock"))
        host.listen()
        target = f"unix:{short}/host.sock"
        async with asyncio.timeout(30), launched(program(), premises, host_target=target) as process:
            folder = Path(process.target.removeprefix("unix:")).parent
            assert process.host_target == f"unix:{folder}/host.sock"
            with socket.socket(socket.AF_UNIX) as plugin:
                plugin.connect(str(folder / "host.sock"))
    assert (short / "host.sock").is_socket()


def everybody_sees(pid: int) -> str:
    """Return what other programs of the same user can read of a process."""
    return "".join(Path(f"/proc/{pid}/{name}").read_text() for name in ("environ", "cmdline"))


def mode_of(folder: str) -> int:
    return stat.S_IMODE(Path(folder).stat().st_mode)
