"""Where confined plugins get to: every form of `allowed_networks`, with real processes and sockets."""

import asyncio
import logging
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from support.confinement import confined

from hector_plugin_host.plan import Grants
from hector_plugin_host.sandbox import SandboxRefused, connections, networks, outward
from hector_plugin_host.sandbox.inside import OuterGate

from .conftest import Run, needs

TRIES = """
for host, port in PLACES:
    attempt(f"{host}:{port}", lambda: greeted(host, port))
    attempt(f"socks {host}:{port}", lambda: by_socks(host, port))
def send():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("203.0.113.1", 53))
attempt("datagram", send)
tell()
"""
THERE = "here"


@asynccontextmanager
async def greeting(words: str = THERE, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words.encode())
        await outward.hang_up(writer)

    server = await asyncio.start_server(greet, host, port)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A port of this machine's loopback, at which somebody says "here"."""
    async with greeting() as found:
        yield found


@pytest.fixture
async def other_port() -> AsyncIterator[int]:
    async with greeting() as found:
        yield found


@pytest.fixture
def leads(monkeypatch: pytest.MonkeyPatch) -> object:
    """Lets names and addresses lead to this machine, as if they were other ones."""

    def led(*names: str) -> None:
        loop = asyncio.get_running_loop()
        resolve, connect = loop.getaddrinfo, asyncio.open_connection

        async def resolved(host: str, *arguments: object, **settings: object) -> object:
            return await resolve("203.0.113.7" if host in names else host, *arguments, **settings)  # type: ignore[arg-type]

        async def connected(host: str, *arguments: object, **settings: object) -> object:
            here = host in names or host == "203.0.113.7"
            return await connect("127.0.0.1" if here else host, *arguments, **settings)  # type: ignore[arg-type]

        monkeypatch.setattr(loop, "getaddrinfo", resolved)
        monkeypatch.setattr(outward.asyncio, "open_connection", connected)

    return led


def reached(told: dict[str, object]) -> set[str]:
    return {name for name, value in told.items() if value == THERE}


def tries(*places: tuple[str, int]) -> str:
    return TRIES.replace("PLACES", repr(places))


@pytest.mark.parametrize("networks", [None, ()])
async def test_a_plugin_without_networks_reaches_nothing(
    run: Run, port: int, networks: tuple[str, ...] | None
) -> None:
    outcome = await run(tries(("127.0.0.1", port), ("localhost", port)), allowed_networks=networks)
    assert {str(value)[0] for value in outcome.told.values()} == {"!"}


async def test_a_plugin_with_all_networks_reaches_this_machine_s(run: Run, port: int) -> None:
    outcome = await run(tries(("127.0.0.1", port)), allowed_networks=("*",))
    assert reached(outcome.told) == {f"127.0.0.1:{port}"}


async def test_a_port_of_this_machine_is_reached_and_no_other(
    bubblewrap: Run, port: int, other_port: int
) -> None:
    outcome = await bubblewrap(
        tries(("localhost", port), ("127.0.0.1", port), ("localhost", other_port), ("127.0.0.2", port)),
        allowed_networks=(f"localhost:{port}",),
    )
    assert reached(outcome.told) == {f"localhost:{port}", f"127.0.0.1:{port}"}
    assert str(outcome.told["datagram"])[0] == "!"


@pytest.mark.parametrize("form", ["127.0.0.2/32", "127.0.0.2", "127.0.0.2:{port}"])
async def test_one_address_of_this_machine_opens_no_other(bubblewrap: Run, form: str) -> None:
    async with greeting() as port, greeting(host="127.0.0.2", port=port):
        outcome = await bubblewrap(
            tries(("127.0.0.2", port), ("127.0.0.1", port), ("localhost", port)),
            allowed_networks=(form.format(port=port),),
        )
    way = "" if "port" in form else "socks "
    assert reached(outcome.told) == {f"{way}127.0.0.2:{port}"}


async def test_all_ports_of_this_machine_are_reached_by_proxy(
    bubblewrap: Run, port: int, other_port: int
) -> None:
    outcome = await bubblewrap(
        tries(("localhost", port), ("localhost", other_port)), allowed_networks=("localhost",)
    )
    assert reached(outcome.told) == {f"socks localhost:{port}", f"socks localhost:{other_port}"}


async def test_a_host_and_port_are_reached_by_name_and_no_other(
    bubblewrap: Run, port: int, other_port: int, leads: object
) -> None:
    leads("vectors.internal", "other.internal")  # type: ignore[operator]
    outcome = await bubblewrap(
        tries(("vectors.internal", port), ("vectors.internal", other_port), ("other.internal", port)),
        allowed_networks=(f"vectors.internal:{port}",),
    )
    assert reached(outcome.told) == {f"vectors.internal:{port}"}


async def test_a_host_without_a_port_is_reached_at_any_by_proxy(
    bubblewrap: Run, port: int, leads: object
) -> None:
    leads("api.example.com")  # type: ignore[operator]
    outcome = await bubblewrap(
        tries(("api.example.com", port), ("evil.example.com", port)), allowed_networks=("api.example.com",)
    )
    assert reached(outcome.told) == {f"socks api.example.com:{port}"}


async def test_a_domain_is_reached_by_proxy(bubblewrap: Run, port: int, leads: object) -> None:
    leads("api.example.com", "example.org")  # type: ignore[operator]
    outcome = await bubblewrap(
        tries(("api.example.com", port), ("example.org", port)), allowed_networks=("*.example.com",)
    )
    assert reached(outcome.told) == {f"socks api.example.com:{port}"}


async def test_an_address_and_port_stand_for_themselves(bubblewrap: Run, port: int, leads: object) -> None:
    leads("10.20.30.40", "10.20.30.41")  # type: ignore[operator]
    outcome = await bubblewrap(
        tries(("10.20.30.40", port), ("10.20.30.41", port)), allowed_networks=(f"10.20.30.40:{port}",)
    )
    assert reached(outcome.told) == {f"10.20.30.40:{port}"}


async def test_a_network_is_reached_by_proxy(bubblewrap: Run, port: int, leads: object) -> None:
    leads("10.20.30.40", "11.20.30.40")  # type: ignore[operator]
    outcome = await bubblewrap(
        tries(("10.20.30.40", port), ("11.20.30.40", port)), allowed_networks=("10.20.0.0/16",)
    )
    assert reached(outcome.told) == {f"socks 10.20.30.40:{port}"}


async def test_the_cloud_s_credentials_are_out_of_reach_whatever_is_listed(
    bubblewrap: Run, caplog: pytest.LogCaptureFixture, leads: object
) -> None:
    leads("169.254.169.254")  # type: ignore[operator]
    outcome = await bubblewrap(
        tries(("169.254.169.254", 80)), allowed_networks=("0.0.0.0/0", "*.example.com", "localhost")
    )
    assert reached(outcome.told) == set()
    refused = [record for record in caplog.records if record.__dict__.get("event") == "network_refused"]
    assert [record.__dict__["host"] for record in refused] == ["169.254.169.254"]
    assert all(record.levelno == logging.WARNING for record in refused)


async def test_the_cloud_s_credentials_are_reached_by_who_lists_them(
    bubblewrap: Run, port: int, leads: object
) -> None:
    leads("169.254.169.254")  # type: ignore[operator]
    outcome = await bubblewrap(
        tries(("169.254.169.254", port)), allowed_networks=(f"169.254.169.254:{port}",)
    )
    assert reached(outcome.told) == {f"169.254.169.254:{port}"}


async def test_a_name_that_leads_back_to_this_machine_is_hung_up_on(
    bubblewrap: Run, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def rebound(host: str, *arguments: object, **settings: object) -> object:
        there = "127.0.0.1" if host == "api.example.com" else host
        return await resolve(there, *arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "getaddrinfo", rebound)
    outcome = await bubblewrap(
        tries(("api.example.com", port)), allowed_networks=(f"api.example.com:{port}", "*.example.com")
    )
    assert reached(outcome.told) == set()


async def test_sockets_of_this_machine_without_a_file_are_out_of_reach(run: Run) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0hector-sandbox-test")
        listener.listen()
        outcome = await run(
            """
            line = socket.socket(socket.AF_UNIX)
            attempt("abstract", lambda: line.connect(chr(0) + "hector-sandbox-test"))
            tell()
            """
        )
    assert str(outcome.told["abstract"])[0] == "!"


async def test_sockets_of_this_machine_with_a_file_are_out_of_reach(run: Run, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        outcome = await run(
            f"""
            line = socket.socket(socket.AF_UNIX)
            attempt("file", lambda: line.connect({str(tmp_path / "socket")!r}))
            tell()
            """
        )
    assert str(outcome.told["file"])[0] == "!"


@pytest.mark.parametrize("networks", [None, ("*",)])
async def test_no_unix_socket_of_this_machine_is_reached_whatever_the_networks(
    run: Run, tmp_path: Path, port: int, networks: tuple[str, ...] | None
) -> None:
    named, datagrams = str(tmp_path / "socket"), str(tmp_path / "datagrams")
    abstract = f"\0hector-sandbox-test-{port}"
    with ExitStack() as stack:
        lines = [stack.enter_context(socket.socket(socket.AF_UNIX, kind)) for kind in (1, 1, 2)]
        for line, address in zip(lines, (named, abstract, datagrams), strict=True):
            line.bind(address)
            line.setblocking(False)
        lines[0].listen()
        lines[1].listen()
        outcome = await run(
            f"""
            def connect(address, kind=socket.SOCK_STREAM):
                socket.socket(socket.AF_UNIX, kind).connect(address)
            def send(address, kind):
                return socket.socketpair(socket.AF_UNIX, kind)[0].sendto(b"x", address)
            attempt("file", lambda: connect({named!r}))
            attempt("abstract", lambda: connect({abstract!r}))
            attempt("datagrams", lambda: connect({datagrams!r}, socket.SOCK_DGRAM))
            attempt("pair", lambda: send({datagrams!r}, socket.SOCK_DGRAM))
            attempt("raw pair", lambda: send({datagrams!r}, socket.SOCK_RAW))
            tell()
            """,
            allowed_networks=networks,
        )
        with pytest.raises(BlockingIOError):
            lines[2].recv(1)
    assert {str(value)[0] for value in outcome.told.values()} == {"!"}, outcome.told


async def test_a_plugin_with_all_networks_connects_in_every_way_that_there_is(run: Run, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket() as nobody:
        datagrams.bind(("127.0.0.1", 0))
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        outcome = await run(
            f"""
            import select
            closed, datagrams = {nobody.getsockname()[1]}, {datagrams.getsockname()[1]}
            def blocking(port):
                with socket.socket() as line:
                    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    line.bind(("127.0.0.1", 0))
                    mine = line.getsockname()
                    line.connect(("127.0.0.1", port))
                    kept = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                    same = line.getsockname() == mine
                    return [line.recv(100).decode(), bool(kept), same, line.getblocking()]
            def unblocked():
                with socket.socket() as line:
                    line.setblocking(False)
                    begun = line.connect_ex(("127.0.0.1", {port}))
                    select.select([], [line], [], 5)
                    select.select([line], [], [], 5)
                    return [begun == 115 or not begun, line.recv(100).decode(), line.getblocking()]
            def by_datagram():
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
                    line.connect(("127.0.0.1", datagrams))
                    return line.send(b"x")
            def own():
                place = os.environ["TMPDIR"] + "/own"
                with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as line:
                    listener.bind(place)
                    listener.listen()
                    line.connect(place)
                    line.sendall(b"words")
                    return listener.accept()[0].recv(5).decode()
            attempt("blocking", lambda: blocking({port}))
            attempt("closed", lambda: blocking(closed))
            attempt("unblocked", unblocked)
            attempt("datagram", by_datagram)
            attempt("own", own)
            tell()
            """,
            allowed_networks=("*",),
        )
    assert outcome.told == {
        "blocking": [THERE, True, True, True],
        "closed": "!ConnectionRefusedError",
        "unblocked": [True, THERE, False],
        "datagram": 1,
        "own": "words",
    }


async def test_landlock_leaves_a_list_of_hosts_to_a_proxy_where_that_is_meant(
    tmp_path: Path, port: int, other_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    needs("landlock")
    security = {"sandbox": "landlock", "allowed_networks": (f"localhost:{port}",), "proxy_only": True}
    outcome = await confined(
        f"""
        from urllib.parse import urlsplit
        proxy = urlsplit(os.environ["HTTPS_PROXY"])
        def by_proxy(port):
            with socket.create_connection((proxy.hostname, proxy.port), 5) as line:
                line.sendall(b"CONNECT localhost:%d HTTP/1.1\\r\\n\\r\\n" % port)
                answer = b""
                while piece := line.recv(1000):
                    answer += piece
                return answer.decode().split("\\r\\n")[-1]
        attempt("allowed", lambda: by_proxy({port}))
        attempt("other", lambda: by_proxy({other_port}))
        attempt("around", lambda: greeted("127.0.0.1", {port}))
        attempt("elsewhere", lambda: greeted("203.0.113.7", proxy.port))
        attempt("datagram", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        tell()
        """,
        tmp_path,
        security=security,
    )
    assert outcome.tier == "landlock"
    assert outcome.told["allowed"] == THERE
    assert outcome.told["other"] == f"localhost:{other_port} is not in allowed_networks of plugin tried\n"
    assert {outcome.told[name] for name in ("around", "elsewhere", "datagram")} == {"!PermissionError"}
    refused = [record.__dict__ for record in caplog.records if "event" in record.__dict__]
    assert [(one["host"], one["port"]) for one in refused][:2] == [
        ("localhost", other_port),
        ("127.0.0.1", port),
    ]


async def test_nobody_else_gets_through_a_plugin_s_proxy(port: int) -> None:
    gate = OuterGate("p", networks.policy((f"localhost:{port}",)), lambda _: False)
    place = await gate.start()
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*place)
        assert await reader.read() == b""
        writer.close()
        await gate.close()


async def test_a_plugin_with_grants_connects_to_what_is_in_its_own_folder_alone(
    run: Run, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        outcome = await run(
            f"""
            own = os.environ["TMPDIR"] + "/own"
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(own)
            listener.listen()
            os.symlink({str(tmp_path / "socket")!r}, own + "-link")
            def connect(path):
                line = socket.socket(socket.AF_UNIX)
                line.connect(path)
                line.sendall(b"words")
                return listener.accept()[0].recv(5).decode()
            attempt("own", lambda: connect(own))
            attempt("other", lambda: connect({str(tmp_path / "socket")!r}))
            attempt("link", lambda: connect(own + "-link"))
            attempt("abstract", lambda: connect(chr(0) + "x"))
            attempt("missing", lambda: connect(own + "-missing"))
            tell()
            """,
            {"grants": Grants(log=True)},
        )
    assert outcome.told.pop("own") == "words"
    assert {value[0] for value in outcome.told.values()} == {"!"}
    assert outcome.told["missing"] == "!FileNotFoundError"


async def test_a_plugin_keeps_nobody_waiting_with_sockets_and_addresses_of_its_own(tmp_path: Path) -> None:
    needs("landlock")
    outcome = await confined(
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.environ["TMPDIR"] + "/own")
        listener.listen(0)
        lines = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        def connect(line):
            line.connect(os.environ["TMPDIR"] + "/own")
        for number, line in enumerate(lines):
            attempt(number, lambda: connect(line))
        def connect_to(place):
            result = libc.connect(lines[-1].fileno(), ctypes.c_void_p(place), 16)
            return (result, os.strerror(ctypes.get_errno()))
        attempt("place", lambda: connect_to(2**64 - 4096))
        tell()
        """,
        tmp_path,
        security={"sandbox": "landlock"},
        grants=Grants(log=True),
    )
    assert outcome.told.pop("place") == [-1, "Bad address"]
    assert outcome.told["0"] is None
    assert outcome.told["3"] == "!BlockingIOError"  # its line is full, and that is told at once


async def test_a_plugin_has_only_so_many_connections_at_once(
    port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "MOST", 2)
    gate = OuterGate("p", networks.policy((f"localhost:{port}",)), lambda _: True)
    place = await gate.start()
    async with asyncio.timeout(10):
        lines = [await asyncio.open_connection(*place) for _ in range(3)]
        assert await lines[2][0].read() == b""
        for reader, writer in lines[:2]:
            writer.write(b"\x05\x01\x00")
            assert await reader.readexactly(2) == b"\x05\x00"
        for _, writer in lines:
            await outward.hang_up(writer)
        await gate.close()
    assert [record.__dict__["limit"] for record in caplog.records if "event" in record.__dict__] == [
        "connections"
    ]


async def test_landlock_refuses_a_list_of_hosts(tmp_path: Path) -> None:
    needs("landlock")
    with pytest.raises(SandboxRefused, match="only bubblewrap can enforce"):
        await confined(
            "tell()", tmp_path, security={"sandbox": "landlock", "allowed_networks": ("a.example",)}
        )


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
async def test_a_program_for_node_reaches_what_is_listed(
    tmp_path: Path, port: int, other_port: int, leads: object
) -> None:
    needs("bubblewrap")
    leads("vectors.internal")  # type: ignore[operator]
    node = shutil.which("node")
    assert node is not None
    script = tmp_path / "plugin.js"
    script.write_text(
        """
        const net = require("net");
        const told = {};
        const attempt = (host, port) => new Promise(done => {
            const line = net.connect(port, host);
            let words = "";
            line.setTimeout(5000, () => line.destroy(new Error("late")));
            line.on("data", data => words += data);
            line.on("error", error => { told[`${host}:${port}`] = "!" + error.code; done(); });
            line.on("end", () => { told[`${host}:${port}`] = words; done(); });
        });
        (async () => {
            for (const [host, port] of PLACES) await attempt(host, port);
            console.log(JSON.stringify(told));
        })();
        """.replace(
            "PLACES", f'[["vectors.internal", {port}], ["localhost", {port}], ["localhost", {other_port}]]'
        )
    )
    allowed = (f"vectors.internal:{port}", f"localhost:{other_port}")
    outcome = await confined(
        "",
        tmp_path,
        command=(node, str(script)),
        security={"sandbox": "bubblewrap", "allowed_networks": allowed},
    )
    assert reached(outcome.told) == {f"vectors.internal:{port}", f"localhost:{other_port}"}, outcome.printed


def test_every_form_that_is_named_in_errors_is_understood() -> None:
    for form in ("host.example", "host.example:1", "*.domain.example", "10.0.0.0/8", "localhost:5432", "*"):
        assert not networks.policy((form,)).nowhere
