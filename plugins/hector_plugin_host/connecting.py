"""Opens the connection to one life of a plugin, and waits until it says that it serves."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio
from grpc import StatusCode

from hector_mesh.health_contract import SERVING, HealthCheckRequest, HealthStub

from .plan import PluginPlan

PLUGIN = "plugin"
"""The name under which go-plugin's hosts ask for a plugin's health."""
METADATA_BYTES = 64 * 1024
AGAIN_S = 0.1
LAST_S = 1.0

Metadata = Sequence[tuple[str, str]]


class NotServing(Exception):
    """A plugin answers, and says that it does not serve yet."""


class Unanswered(Exception):
    """Nobody answers; its text is what gRPC knows of the reason, and may be empty."""


def open_channel(
    target: str,
    plan: PluginPlan,
    credentials: grpc.ChannelCredentials | None = None,
    server_name: str = "",
) -> grpc.aio.Channel:
    """Return a channel to a plugin; it connects when it is used."""
    size = plan.limits.max_message_bytes
    options: list[tuple[str, Any]] = [
        ("grpc.max_send_message_length", size),
        ("grpc.max_receive_message_length", size),
        ("grpc.max_metadata_size", METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", 2 * METADATA_BYTES),
        ("grpc.enable_http_proxy", 0),
        ("grpc.use_local_subchannel_pool", 1),  # each life has connections of its own
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        # No keepalive: servers in Go take pings more than every five minutes for an attack.
    ]
    if target.startswith("dns:"):
        options.append(("grpc.lb_policy_name", "round_robin"))
    if target.startswith("unix:"):
        # gRPC would send the path as the server's name, and servers in Rust and Node refuse that.
        options.append(("grpc.default_authority", "localhost"))
    if credentials is None:
        return grpc.aio.insecure_channel(target, options)
    if server_name:
        options.append(("grpc.ssl_target_name_override", server_name))
    return grpc.aio.secure_channel(target, credentials, options)


async def until_serving(channel: grpc.aio.Channel, metadata: Metadata, limit_s: float) -> bool:
    """Wait until a plugin serves. Return whether it serves grpc.health.v1; who does not, counts as serving.

    Raises:
        NotServing: At the end of the time it still said that it does not.
        AioRpcError: It cannot be reached, or answers with an error.
        Unanswered: It did not answer.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + limit_s
    health = HealthStub(channel)
    services = [PLUGIN, ""]
    answered = False
    while (left := until - loop.time()) > 0:
        request = HealthCheckRequest(service=services[0])
        try:
            said = await health.Check(request, timeout=left, metadata=tuple(metadata), wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            if error.code() is StatusCode.UNIMPLEMENTED:
                return False
            if error.code() is StatusCode.NOT_FOUND and len(services) > 1:
                services.pop(0)
                continue
            if error.code() is StatusCode.DEADLINE_EXCEEDED:
                break
            if error.code() not in (StatusCode.UNAVAILABLE, StatusCode.NOT_FOUND):
                raise
        else:
            answered = True
            if said.status == SERVING:
                return True
        await asyncio.sleep(min(AGAIN_S, max(0.0, until - loop.time())))
    if answered:
        raise NotServing
    raise Unanswered(await _why_not(channel))


async def _why_not(channel: grpc.aio.Channel) -> str:
    """Return what keeps a channel from connecting, as gRPC says it to those who do not want to wait."""
    try:
        request = HealthCheckRequest(service=PLUGIN)
        await HealthStub(channel).Check(request, timeout=LAST_S)
    except grpc.aio.AioRpcError as error:
        if error.code() is StatusCode.UNAVAILABLE:
            return (error.details() or "").rpartition("last error: ")[2]
    return ""
