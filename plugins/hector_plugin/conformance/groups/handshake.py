"""H: how a plugin is started, and who may call it."""

import asyncio
from pathlib import Path

from grpc import StatusCode

from hector.plugin.v1 import GetInfoRequest
from hector_plugin.conformance.checks import MUST, SHOULD, Broken, NotApplicable, check
from hector_plugin.conformance.stage import Stage

GET_INFO = "/hector.plugin.v1.Plugin/GetInfo"


@check(
    "H1",
    MUST,
    "started by hand, it leaves with a sentence",
    rule="without HECTOR_PLUGIN=hector_plugin_v1 in its environment a plugin prints nothing to standard "
    "output, "
    "says on standard error what it is, and exits with another code than 0 within 5 s",
    mend="look at the cookie before anything else is done; write the sentence to stderr; exit with 64; "
    "print() nothing before the SDK is told to serve",
)
async def started_by_hand(stage: Stage) -> None:
    async with stage.process(cookie=False) as process:
        code = await process.wait(5.0)
        if code is not None:
            await process.drained()
        sent = "started it without HECTOR_PLUGIN in the environment"
        if code is None:
            raise Broken("it still runs after 5 s", sent)
        if code == 0:
            raise Broken("it ended with 0, as if all were well", sent)
        if process.printed.strip():
            raise Broken(f"on standard output: {bytes(process.printed[:200])!r}", sent)
        if not process.log().strip():
            raise Broken(f"it ended with {code}, and said nothing on standard error", sent)


@check(
    "H2",
    MUST,
    "it prints go-plugin's line",
    rule='within start_timeout one line "1|1|unix|PATH|grpc|" or "1|1|tcp|127.0.0.1:PORT|grpc|" on standard '
    "output",
    mend="listen first, then print the line, end it with \\n, and flush",
)
async def prints_its_line(stage: Stage) -> None:
    await stage.first()


@check(
    "H3",
    MUST,
    "it listens where it was told to",
    rule="a unix socket in PLUGIN_UNIX_SOCKET_DIR, or a TCP port of the loopback interface",
    mend="put the socket into the folder that PLUGIN_UNIX_SOCKET_DIR names; on TCP listen on 127.0.0.1:0",
)
async def listens_where_it_should(stage: Stage) -> None:
    process = await stage.first()
    assert process.handshake is not None
    network, address = process.handshake.network, process.handshake.address
    sent = f"PLUGIN_UNIX_SOCKET_DIR={process.folder}"
    if network == "unix":
        if not _is_in(address, process.folder):
            raise Broken(f"the socket is {address}", sent)
    elif address.rpartition(":")[0] not in ("127.0.0.1", "[::1]", "localhost"):
        raise Broken(f"it listens on {address}, which others can reach", sent)


@check(
    "H4",
    SHOULD,
    "it listens on a unix socket",
    rule="a unix socket in a private folder is for nobody else; a TCP port is protected by the token alone",
    mend="listen on a unix socket where the operating system has them",
)
async def listens_on_a_unix_socket(stage: Stage) -> None:
    process = await stage.first()
    assert process.handshake is not None
    if process.handshake.network != "unix":
        raise Broken(process.handshake.line, "read its line")


@check(
    "H5",
    MUST,
    "its health is true",
    rule='grpc.health.v1.Health says SERVING for "plugin" and for "" when calls are served, and not before',
    mend='serve grpc.health.v1.Health; set "plugin" and "" to SERVING once everything is ready',
)
async def health_is_true(stage: Stage) -> None:
    async with stage.connected(configure=False) as plugin:
        for service in ("plugin", ""):
            found = await plugin.healthy(service)
            if found.code is not StatusCode.OK:
                raise Broken(str(found))
        first = await plugin.get_info()
        if first.code not in (StatusCode.OK, StatusCode.UNIMPLEMENTED):
            raise Broken(f"healthy, and GetInfo is {first}")
        if first.code is StatusCode.OK:
            config = await plugin.configure(stage.config_json(plugin), stage.entry_json())
            found = await plugin.healthy("")
            if not config and found.code is not StatusCode.OK:
                raise Broken(f"configured, and its health is {found}")


@check(
    "H6",
    MUST,
    "on TCP it wants the token",
    rule="with HECTOR_PLUGIN_TOKEN in its environment a plugin on TCP refuses calls that do not show it as "
    "metadata "
    '"hector-token": UNAUTHENTICATED',
    mend="compare the metadata of every call but those of grpc.health.v1 with HECTOR_PLUGIN_TOKEN",
)
async def wants_the_token_on_tcp(stage: Stage) -> None:
    await _wants_the_token(stage, "tcp")


@check(
    "H7",
    MUST,
    "a long path is no trouble",
    rule="a folder of 84 bytes is short enough for a socket: its path must stay below 108 bytes",
    mend="give the socket a name of at most 22 characters, and do not make folders in PLUGIN_UNIX_SOCKET_DIR",
)
async def long_path(stage: Stage) -> None:
    async with stage.connected(configure=False, folder_bytes=84):
        return


@check(
    "H8",
    MUST,
    "it refuses a host of another version",
    rule="where PLUGIN_PROTOCOL_VERSIONS has no version that it speaks, it exits with 78, or prints its line "
    "with its own",
    mend="look for 1 in the comma-separated PLUGIN_PROTOCOL_VERSIONS; exit with 78 if it is not there",
)
async def another_version(stage: Stage) -> None:
    async with stage.process(versions="97,98") as process:
        sent = "started it with PLUGIN_PROTOCOL_VERSIONS=97,98"
        ended = asyncio.ensure_future(process.wait(10.0))
        said = asyncio.ensure_future(process.said.wait())
        await asyncio.wait({ended, said}, timeout=10.0, return_when=asyncio.FIRST_COMPLETED)
        said.cancel()
        code = await process.wait(1.0)
        ended.cancel()
        line = bytes(process.printed).decode(errors="replace").split("\n", 1)[0]
        if code is None and not line:
            raise Broken("it neither ended nor printed its line within 10 s", sent)
        if line:
            fields = line.split("|")
            if len(fields) < 5 or fields[1] in ("97", "98"):
                raise Broken(f"it printed {line[:200]!r}", sent)
        elif code != 78 and stage.hopeless:
            raise NotApplicable(stage.hopeless)  # it does not come as far as to look at versions
        elif code != 78:
            raise Broken(f"it ended with {code}", sent)


@check(
    "H9",
    SHOULD,
    "on a unix socket it wants the token too",
    rule="a folder may be readable for others by mistake; a call without the token is UNAUTHENTICATED there "
    "too",
    mend="compare the metadata of every call but those of grpc.health.v1 with HECTOR_PLUGIN_TOKEN",
)
async def wants_the_token_everywhere(stage: Stage) -> None:
    await _wants_the_token(stage, "unix")


def _is_in(address: str, folder: Path) -> bool:
    """Tell whether a socket is there, right in its folder."""
    path = Path(address)
    return path.is_socket() and path.parent.resolve() == folder.resolve()


async def _wants_the_token(stage: Stage, network: str) -> None:
    async with stage.connected() as plugin:
        handshake = plugin.process.handshake if plugin.process else None
        if handshake is None or handshake.network != network:
            raise NotApplicable(f"it does not listen on {'TCP' if network == 'tcp' else 'a unix socket'}")
        request = GetInfoRequest().SerializeToString()
        for token in ("", "wrong"):
            found = await plugin.raw(GET_INFO, request, token=token)
            if found.code is not StatusCode.UNAUTHENTICATED:
                raise Broken(f"{'no' if not token else 'a wrong'} token: {found}")
        found = await plugin.raw(GET_INFO, request)
        if found.code is StatusCode.UNAUTHENTICATED:
            raise Broken(f"the right token: {found}")
