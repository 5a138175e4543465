"""Channels to roles in other processes."""

import json
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio
from grpc import ChannelConnectivity, StatusCode

from . import metrics
from .call_metrics import measure
from .calling import stream, unary
from .channel import Deserializer, Request, Response, Serializer
from .errors import HectorError
from .health_contract import SERVICE as HEALTH
from .limits import SHARED, Options
from .metadata import TOKEN, Pairs
from .unreachable import named
from .wire_call import Rename, WireStreamCall, WireUnaryCall

SCHEMES = ("dns", "unix", "xds", "ipv4", "ipv6")

# Client-side health checking needs nothing but this and round_robin: the first policy, pick_first,
# does not do it. A server without a health service counts as healthy.
_BALANCED = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": ""},
}

OPTIONS: Options = (
    *SHARED,
    ("grpc.enable_http_proxy", 0),
    # A role that comes back is used again within seconds, wherever it comes back.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.min_reconnect_backoff_ms", 4_000),  # misnamed: how long one attempt to connect may take
    ("grpc.dns_min_time_between_resolutions_ms", 2_000),
)


class InvalidTarget(HectorError):
    """The address of a role is none that grpc can dial."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "INVALID_TARGET"

    def __init__(self, target: str) -> None:
        allowed = "dns:///host:port, host:port, unix:///path, unix:path or xds:///name"
        super().__init__(f"cannot dial {target!r} (allowed: {allowed})", target=target)


def wire_channel(
    target: str,
    *,
    token: str | None = None,
    token_header: str = TOKEN,
    role: str = "",
    patient: bool = False,
) -> "WireChannel":
    """Return a channel to a role in another process; it connects when it is first used.

    Args:
        target: "dns:///llm:7010" (balanced over every address), "llm:7010" (the same), "unix:///run/llm.sock",
            "unix:llm.sock" or "xds:///llm" (handed to grpc as it is).
        token: The mesh's shared secret, sent with every call.
        token_header: The metadata that it goes in.
        role: What errors call the other side.
        patient: Calls wait, as long as they may take, for a process that is about to be there again.

    Raises:
        InvalidTarget: The target is none of these.
    """
    return WireChannel(_checked(target), ((token_header, token),) if token else (), role, patient=patient)


def options_for(target: str, *, healthy: bool = True) -> Options:
    """Return the channel options for a target, of whose backends only the healthy ones may be wanted."""
    scheme = _scheme(target)
    options = OPTIONS
    if scheme != "xds":  # there the control plane says how to balance and what is healthy
        config = _BALANCED if healthy else {**_BALANCED, "healthCheckConfig": {}}
        options = (*options, ("grpc.service_config", json.dumps(config)))
    if scheme == "unix":
        options = (*options, ("grpc.default_authority", "localhost"))
    return options


class WireChannel(grpc.aio.Channel):
    """A grpc.aio channel whose calls carry the mesh's token, and name the role when it is down."""

    def __init__(self, target: str, token: Pairs, role: str, *, patient: bool = False) -> None:
        self._target, self._patient = target, patient
        self._channel = grpc.aio.insecure_channel(target, options_for(target))
        self._unhealthy_too: grpc.aio.Channel | None = None
        self._token = token
        self._rename: Rename = partial(named, channel=self._channel, role=role, target=target)

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer[Request] | None = None,
        response_deserializer: Deserializer[Response] | None = None,
        _registered_method: bool | None = False,
    ) -> "grpc.aio.UnaryUnaryMultiCallable[Request, Response]":
        calls = self._for(method).unary_unary(method, request_serializer, response_deserializer)
        return unary(
            _Start(calls, self._token, self._rename, WireUnaryCall, method, patient=self._patient), method
        )

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer[Request] | None = None,
        response_deserializer: Deserializer[Response] | None = None,
        _registered_method: bool | None = False,
    ) -> "grpc.aio.UnaryStreamMultiCallable[Request, Response]":
        calls = self._for(method).unary_stream(method, request_serializer, response_deserializer)
        return stream(
            _Start(calls, self._token, self._rename, WireStreamCall, method, patient=self._patient), method
        )

    def stream_unary(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> Any:
        calls = self._channel.stream_unary(method, request_serializer, response_deserializer)
        return _Start(calls, self._token, self._rename, _as_it_is, method)

    def stream_stream(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> Any:
        calls = self._channel.stream_stream(method, request_serializer, response_deserializer)
        return _Start(calls, self._token, self._rename, _as_it_is, method)

    async def close(self, grace: float | None = None) -> None:
        await self._channel.close(grace)
        if self._unhealthy_too is not None:
            await self._unhealthy_too.close(grace)

    def get_state(self, try_to_connect: bool = False) -> ChannelConnectivity:
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: ChannelConnectivity) -> None:
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()

    def _for(self, method: str) -> grpc.aio.Channel:
        """Return the channel for a method: who is not healthy must still be heard saying so."""
        if not method.startswith(f"/{HEALTH}/"):
            return self._channel
        if self._unhealthy_too is None:
            options = options_for(self._target, healthy=False)
            self._unhealthy_too = grpc.aio.insecure_channel(self._target, options)
        return self._unhealthy_too


class _Start:
    """Starts one method's calls."""

    def __init__(
        self,
        calls: Any,
        token: Pairs,
        rename: Rename,
        shape: Callable[[Any, Rename], Any],
        method: str,
        *,
        patient: bool = False,
    ) -> None:
        self._calls = calls
        self._method = method
        self._measured = not method.startswith(f"/{HEALTH}/")
        self._patient = patient and self._measured  # who asks for health wants to know now
        self._token = token
        self._rename = rename
        self._shape = shape

    def __call__(
        self, request: Any = None, *, timeout: float | None = None, metadata: Any = None, **options: Any
    ) -> Any:
        metadata = (*(metadata or ()), *self._token)
        if self._patient:
            options.setdefault("wait_for_ready", True)
        rpc = self._calls(request, timeout=timeout, metadata=metadata, **options)
        if self._measured and metrics.enabled():
            measure(rpc, self._method)
        return self._shape(rpc, self._rename)


def _as_it_is(rpc: Any, rename: Rename) -> Any:
    return rpc


def _scheme(target: str) -> str:
    head, colon, _ = target.partition(":")
    return head if colon and head in SCHEMES else "dns"


def _checked(target: str) -> str:
    scheme, _, rest = target.partition(":")
    known = scheme in SCHEMES
    # "llm:7010" is a host and a port; "http://llm" is neither that nor a scheme of grpc's.
    host_and_port = not known and bool(scheme) and "/" not in target and rest.rpartition(":")[2].isdigit()
    if not (known and rest.strip("/")) and not host_and_port:
        raise InvalidTarget(target)
    return target
