"""A tool plugin with nothing but gRPC: no SDK, only stubs that protoc made of the contracts."""

import asyncio
import json
import os
import signal
import sys
import threading

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from hector.common.v1 import tool_pb2 as common
from hector.plugin.v1 import plugin_pb2, plugin_pb2_grpc
from hector.tool.v1 import tool_pb2, tool_pb2_grpc

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
UPPER = common.Tool(
    name="upper", description="Turns a text into upper case.", parameters_json=json.dumps(SCHEMA)
)


class Tools(tool_pb2_grpc.ToolProviderServicer):
    async def ListTools(self, request, context):
        return tool_pb2.ListToolsResponse(tools=[UPPER], revision="1")

    async def GetToolSchema(self, request, context):
        if request.tool != UPPER.name:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no tool {request.tool!r}")
        return tool_pb2.GetToolSchemaResponse(tool=UPPER)

    async def ExecuteTool(self, request, context):
        if request.tool != UPPER.name:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no tool {request.tool!r}")
        text = text_of(request.parameters_json)
        if text is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, 'upper wants {"text": "..."}')
        return tool_pb2.ExecuteToolResponse(success=True, result=text.upper())


def text_of(parameters_json):
    """Return the one argument of the tool; None if that is not what a model wrote."""
    try:
        arguments = json.loads(parameters_json)
    except ValueError:
        return None
    text = arguments.get("text") if isinstance(arguments, dict) else None
    return text if isinstance(text, str) else None


def problems_of(config_json):
    """Return what is wrong with a configuration of this plugin, which has no settings."""
    error = plugin_pb2.Diagnostic.SEVERITY_ERROR
    try:
        config = json.loads(config_json or "{}")
    except ValueError:
        config = None
    if not isinstance(config, dict):
        return [plugin_pb2.Diagnostic(severity=error, summary="the configuration is no JSON object")]
    return [
        plugin_pb2.Diagnostic(severity=error, summary=f"there is no setting {name!r}", path=f"/{name}")
        for name in config
    ]


class Plugin(plugin_pb2_grpc.PluginServicer):
    def __init__(self, end):
        self.end = end

    async def GetInfo(self, request, context):
        tools = plugin_pb2.Component(
            kind=plugin_pb2.PLUGIN_KIND_TOOL_PROVIDER,
            service="hector.tool.v1.ToolProvider",
            rpcs=["ListTools", "GetToolSchema", "ExecuteTool"],
        )
        return plugin_pb2.GetInfoResponse(name="bare", version="1.0.0", components=[tools])

    async def ValidateConfig(self, request, context):
        return plugin_pb2.ValidateConfigResponse(diagnostics=problems_of(request.config_json))

    async def Configure(self, request, context):
        return plugin_pb2.ConfigureResponse(diagnostics=problems_of(request.config_json))

    async def Shutdown(self, request, context):
        self.end.set()
        return plugin_pb2.ShutdownResponse()


class Token(grpc.aio.ServerInterceptor):
    """Answers only who shows the token of this start; health is for everybody."""

    async def intercept_service(self, go_on, details):
        shown = dict(details.invocation_metadata).get("hector-token")
        if shown == os.environ.get("HECTOR_PLUGIN_TOKEN", shown) or "grpc.health" in details.method:
            return await go_on(details)
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "hector-token is missing or wrong"
            )
        )


async def serve(line):
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C is the host's, which then ends us
    if os.environ.get("HECTOR_STDIN_WATCH") == "1":  # the end of standard input is the end of the host
        threading.Thread(
            target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(end.set)), daemon=True
        ).start()
    server = grpc.aio.server(interceptors=[Token()])
    tool_pb2_grpc.add_ToolProviderServicer_to_server(Tools(), server)
    plugin_pb2_grpc.add_PluginServicer_to_server(Plugin(end), server)
    status = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    path = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], "bare.sock")
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    for service in ("", "plugin"):
        await status.set(service, health_pb2.HealthCheckResponse.SERVING)
    os.write(line, f"1|1|unix|{path}|grpc|\n".encode())
    await end.wait()
    await server.stop(float(os.environ.get("HECTOR_DRAIN_S", "5")))  # calls in flight are finished


if os.environ.get("HECTOR_PLUGIN") != "hector_plugin_v1":
    sys.exit("this is a plugin of Hector: name it under `plugins:` in hector.yaml")
if "1" not in os.environ.get("PLUGIN_PROTOCOL_VERSIONS", "1").split(","):
    sys.stderr.write("this plugin speaks version 1 of the protocol\n")
    sys.exit(78)
stdout = os.dup(1)
os.dup2(2, 1)  # from here on a stray print goes to the log, and not into the handshake
asyncio.run(serve(stdout))
