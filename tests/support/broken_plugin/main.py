"""A plugin of plain gRPC that keeps every rule but those it is told to break: main.py KIND [RULE]...

It is made of no SDK, so that the kit is not tried on what was written beside it.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from servicers import KINDS, Limits, fragile, serve_kind

from hector.plugin.v1 import (
    Component,
    ConfigureResponse,
    Diagnostic,
    GetInfoResponse,
    PluginServicer,
    ShutdownResponse,
    ValidateConfigResponse,
    add_PluginServicer_to_server,
)

KIND, BROKEN = sys.argv[1], frozenset(sys.argv[2:])
SCHEMA = {
    "type": "object",
    "properties": {"suffix": {"type": "string"}, "api_key": {"type": "string", "writeOnly": True}},
    "additionalProperties": False,
}
OPTIONS = (("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20))


def say(stream, line):
    stream.write(line + "\n")
    stream.flush()


def log(message, **facts):
    if "L1" in BROKEN:
        say(sys.stderr, f"{message} and {facts}\nin so many\nwords")
        return
    line = {"@level": "debug", "@message": message, **facts}
    say(sys.stderr, json.dumps(line))


class Identity(PluginServicer):
    def __init__(self, end):
        self.end = end
        self.asked = 0
        self.configured = 0

    async def GetInfo(self, request, context):
        self.asked += 1
        kind, service, rpcs = KINDS[KIND]
        schema = {"type": "strng"} if "I3" in BROKEN else SCHEMA
        return GetInfoResponse(
            name=f"broken-{self.asked}" if "I7" in BROKEN else "broken",
            version="one" if "I1" in BROKEN else "1.0.0",
            components=[
                Component(kind=kind, service=service, rpcs=[*rpcs, *(["NoSuch"] if "I2" in BROKEN else [])])
            ],
            config_schema_json=json.dumps(schema),
            max_concurrency=16 if "C2" in BROKEN else 0,
        )

    async def ValidateConfig(self, request, context):
        return ValidateConfigResponse(diagnostics=self.wrong(request.config_json))

    async def Configure(self, request, context):
        self.configured += 1
        if "I6" in BROKEN:
            log("configured", config=request.config_json)
        wrong = self.wrong(request.config_json)
        if ("I5" in BROKEN and self.configured > 1) or "I8" in BROKEN:
            wrong.append(Diagnostic(severity=Diagnostic.SEVERITY_ERROR, summary="not now"))
        return ConfigureResponse(diagnostics=wrong)

    def wrong(self, text):
        if "I4" in BROKEN:
            return []
        try:
            told = json.loads(text or "{}")
        except ValueError:
            return [Diagnostic(severity=Diagnostic.SEVERITY_ERROR, summary="no JSON")]
        return [
            Diagnostic(severity=Diagnostic.SEVERITY_ERROR, summary="not so", path=f"/{name}")
            for name, value in told.items()
            if name not in SCHEMA["properties"] or not isinstance(value, str)
        ]

    async def Shutdown(self, request, context):
        self.end.set()
        return ShutdownResponse()


class Door(grpc.aio.ServerInterceptor):
    """Wants the token."""

    async def intercept_service(self, continuation, details):
        shown = dict(details.invocation_metadata).get("hector-token")
        health_rpc = details.method.startswith("/grpc.health")
        if not health_rpc and not BROKEN & {"H6", "H9"} and shown != os.environ["HECTOR_PLUGIN_TOKEN"]:

            async def refuse(request, context):
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, "show the token")

            return grpc.unary_unary_rpc_method_handler(refuse)
        handler = await continuation(details)
        if BROKEN & {"E3", "E4"} and details.method.endswith("/ListTools"):
            return fragile(handler, BROKEN)
        return handler


class Everything(grpc.GenericRpcHandler):
    """Serves what nobody knows."""

    def service(self, details):
        async def answer(request, context):
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


async def main(stdout):
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    loop.add_signal_handler(signal.SIGTERM, (lambda: None) if "S3" in BROKEN else end.set)
    if "S6" in BROKEN:
        loop.add_signal_handler(signal.SIGCONT, lambda: os._exit(9))
    if "S4" not in BROKEN:
        threading.Thread(target=watch_stdin, args=(loop, end), daemon=True).start()
    server = grpc.aio.server(interceptors=[Door()], options=OPTIONS)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    serving = health_pb2.HealthCheckResponse.SERVING
    await checks.set("plugin", serving)
    await checks.set("", health_pb2.HealthCheckResponse.NOT_SERVING if "H5" in BROKEN else serving)
    limits = Limits(BROKEN, checks)
    identity = Identity(end)
    add_PluginServicer_to_server(identity, server)
    serve_kind(KIND, server, BROKEN, limits)
    if "U1" in BROKEN:
        server.add_generic_rpc_handlers((Everything(),))
    folder = Path(os.environ["PLUGIN_UNIX_SOCKET_DIR"])
    if "H3" in BROKEN:
        folder = Path(tempfile.mkdtemp(prefix="astray-", dir=folder))
    if "H7" in BROKEN:
        folder = folder / "a-folder-of-its-own"
        folder.mkdir()
    path = folder / "plugin.sock"
    if BROKEN & {"H4", "H6"}:
        port = server.add_insecure_port("127.0.0.1:0")
        line = f"1|1|tcp|127.0.0.1:{port}|grpc|"
    else:
        server.add_insecure_port(f"unix:{path}")
        line = f"1|1|unix|{path}|grpc|"
    await server.start()
    if "L2" in BROKEN:
        say(stdout, "hello, I am a plugin")
    say(stdout, "hello" if "H2" in BROKEN else line)
    log("serving", address=line)
    if "S5" in BROKEN:
        subprocess.Popen(  # noqa: ASYNC220  it is broken
            ["sleep", "60"], start_new_session=True, stdout=2, stdin=subprocess.DEVNULL
        )
    await end.wait()
    limits.leaving = True
    await server.stop(0 if "S1" in BROKEN else 10)
    if "D2" in BROKEN:
        await limits.work_is_done()
    if "S2" in BROKEN:
        await leave_a_socket(folder / "left.sock")


async def leave_a_socket(path):
    import socket

    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


def watch_stdin(loop, end):
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(end.set)


def begin():
    if os.environ.get("HECTOR_PLUGIN") != "hector_plugin_v1":
        if "H1" not in BROKEN:
            say(sys.stderr, "this is a plugin; a host starts it")
            sys.exit(64)
        sys.exit(0)
    if "1" not in os.environ.get("PLUGIN_PROTOCOL_VERSIONS", "1").split(",") and "H8" not in BROKEN:
        say(sys.stderr, "another version")
        sys.exit(78)
    if "H8" in BROKEN and "97" in os.environ.get("PLUGIN_PROTOCOL_VERSIONS", ""):
        sys.exit(1)
    if "X1" in BROKEN:
        Path("/var/tmp/hector-broken-plugin").write_text("written")
    if "X2" in BROKEN:
        import mmap

        globals()["taken"] = mmap.mmap(-1, 600 << 20, flags=mmap.MAP_PRIVATE)
    stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    asyncio.run(main(stdout))
    if "S1" in BROKEN:
        sys.exit(3)


begin()
