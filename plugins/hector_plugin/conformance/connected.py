"""A plugin that can be called, and remembers what it was asked last."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import grpc
import grpc.aio
from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message
from grpc import StatusCode

from hector.plugin.v1 import (
    ConfigureRequest,
    Diagnostic,
    GetInfoRequest,
    GetInfoResponse,
    Instance,
    PluginKind,
    PluginStub,
    ShutdownRequest,
)
from hector_mesh import info_of
from hector_mesh.health_contract import SERVING, HealthCheckRequest, HealthCheckResponse, HealthStub

from .checks import Broken
from .launching import Process
from .subject import name_of

MESSAGE_BYTES = 64 * 1024 * 1024
OPTIONS = (
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.default_authority", "localhost"),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
INSTANCE = "conformance.test"
"""The entry of the configuration that all calls are for."""


class Answer(NamedTuple):
    """What a call came to."""

    code: StatusCode
    details: str = ""
    reason: str = ""
    """Of its google.rpc.ErrorInfo."""
    response: Any = None

    def __str__(self) -> str:
        if self.code is StatusCode.OK:
            return f"OK {short(self.response)}" if self.response is not None else "OK"
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.code.name}{reason}: {self.details[:300]}"


class Plugin:
    """A connection to a plugin."""

    def __init__(self, target: str, token: str, timeout_s: float, process: Process | None) -> None:
        self.target, self.process, self.timeout_s = target, process, timeout_s
        self.token = token
        self.channel = grpc.aio.insecure_channel(target, OPTIONS)
        self._sent: str | tuple[str, Message] = "nothing yet"
        self.info: GetInfoResponse | None = None
        """What it says that it is; None: it does not."""

    @property
    def sent(self) -> str:
        """The last call, for the report."""
        # Put into words only for who reads it: some requests hold thousands of numbers.
        return self._sent if isinstance(self._sent, str) else f"{self._sent[0]} {short(self._sent[1])}"

    @sent.setter
    def sent(self, words: str) -> None:
        self._sent = words

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries."""
        token = (("hector-token", self.token),) if self.token else ()
        return (*token, ("hector-instance", INSTANCE), ("hector-request-id", "conformance"))

    async def call(
        self,
        stub: Callable[[grpc.aio.Channel], Any],
        rpc: str,
        request: Message,
        *,
        timeout_s: float | None = None,
    ) -> Any:
        """Make a unary call, and return its response; a status is raised."""
        self.note(rpc, request)
        method = getattr(stub(self.channel), rpc)
        return await method(request, timeout=timeout_s or self.timeout_s, metadata=self.metadata)

    async def answer(
        self,
        stub: Callable[[grpc.aio.Channel], Any],
        rpc: str,
        request: Message,
        *,
        timeout_s: float | None = None,
    ) -> Answer:
        """Make a unary call, and return what it came to, whatever that is."""
        try:
            return Answer(StatusCode.OK, response=await self.call(stub, rpc, request, timeout_s=timeout_s))
        except grpc.aio.AioRpcError as error:
            return answer_of(error)

    async def stream(
        self,
        stub: Callable[[grpc.aio.Channel], Any],
        rpc: str,
        request: Message,
        *,
        timeout_s: float | None = None,
    ) -> list[Any]:
        """Make a call that streams, and return all of its messages; a status is raised."""
        async with self.streaming(stub, rpc, request, timeout_s=timeout_s) as messages:
            return [message async for message in messages]

    @asynccontextmanager
    async def streaming(
        self,
        stub: Callable[[grpc.aio.Channel], Any],
        rpc: str,
        request: Message,
        *,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Any]:
        """Make a call that streams; it is cancelled on the way out."""
        self.note(rpc, request)
        method = getattr(stub(self.channel), rpc)
        call = method(request, timeout=timeout_s or self.timeout_s, metadata=self.metadata)
        try:
            yield call
        finally:
            call.cancel()

    async def streamed(self, stub: Callable[[grpc.aio.Channel], Any], rpc: str, request: Message) -> Answer:
        """Make a call that streams, and return what it came to; `response` is the list of messages."""
        try:
            return Answer(StatusCode.OK, response=await self.stream(stub, rpc, request))
        except grpc.aio.AioRpcError as error:
            return answer_of(error)

    async def raw(self, method: str, request: bytes, *, token: str | None = None) -> Answer:
        """Send bytes to a unary method by its whole name, with another token than its own if that is said."""
        self.sent = f"{method} with {len(request)} bytes" + ("" if token is None else ", and another token")
        metadata = self.metadata
        if token is not None:
            metadata = (*((("hector-token", token),) if token else ()), *metadata[1 if self.token else 0 :])
        try:
            calls: Any = self.channel.unary_unary(method)
            response = await calls(request, timeout=self.timeout_s, metadata=metadata)
            return Answer(StatusCode.OK, response=response)
        except grpc.aio.AioRpcError as error:
            return answer_of(error)

    def note(self, rpc: str, request: Message) -> None:
        """Remember what is sent."""
        self._sent = rpc, request

    async def healthy(self, service: str = "plugin") -> Answer:
        """Ask for its health; OK only if it serves."""
        self.sent = f'grpc.health.v1.Health/Check "{service}"'
        try:
            said = await HealthStub(self.channel).Check(
                HealthCheckRequest(service=service), timeout=self.timeout_s
            )
        except grpc.aio.AioRpcError as error:
            return answer_of(error)
        if said.status == SERVING:
            return Answer(StatusCode.OK)
        word = HealthCheckResponse.ServingStatus.Name(said.status)
        return Answer(StatusCode.UNAVAILABLE, word)

    async def still_lives(self, after: str) -> None:
        """Go on only if it is well.

        Raises:
            Broken: It is not.
        """
        found = await self.healthy()
        if found.code not in (StatusCode.OK, StatusCode.UNIMPLEMENTED):
            gone = self.process is not None and await self.process.wait(0.2) is not None
            came = f"it is gone: {self.process.tail()}" if gone and self.process else f"health is {found}"
            raise Broken(came, after)

    async def get_info(self) -> Answer:
        """Ask what it is."""
        found = await self.answer(PluginStub, "GetInfo", GetInfoRequest(host_name="hector-conformance"))
        if found.code is StatusCode.OK:
            self.info = found.response
        return found

    async def configure(self, config_json: str, entry_json: str = "") -> list[Diagnostic]:
        """Configure it for one entry of each of its kinds."""
        instances = [
            Instance(name=INSTANCE, kind=kind, config_json=entry_json) for kind in self.component_kinds()
        ]
        request = ConfigureRequest(config_json=config_json, instances=instances)
        response = await self.call(PluginStub, "Configure", request)
        return list(response.diagnostics)

    def component_kinds(self) -> list["PluginKind.ValueType"]:
        """Return the kinds that it says it is."""
        return [component.kind for component in self.info.components] if self.info else []

    def kind_names(self) -> list[str]:
        """Name the kinds that it says it is."""
        return [name_of(kind) for kind in self.component_kinds()]

    async def shut_down(self, grace_s: int) -> Answer:
        """Ask it to end."""
        return await self.answer(PluginStub, "Shutdown", ShutdownRequest(grace_s=grace_s), timeout_s=3.0)

    async def close(self) -> None:
        """Hang up."""
        await self.channel.close()


def answer_of(error: grpc.aio.AioRpcError) -> Answer:
    """Return a failed call as what it came to."""
    try:
        reason = info_of(error).reason
    except (DecodeError, UnicodeDecodeError):  # its trailers hold something else under that name
        reason = ""
    return Answer(error.code(), error.details() or "", reason)


def short(message: Any, length: int = 400) -> str:
    """Say a message on one line."""
    if isinstance(message, list):
        return f"{len(message)} messages: " + ", ".join(short(one, 120) for one in message[:4])
    if isinstance(message, bytes):
        return f"{len(message)} bytes"
    text = text_format.MessageToString(message, as_one_line=True, as_utf8=True) if message else ""
    text = text.strip() or "{}"
    return text if len(text) <= length else f"{text[:length]}…"


async def within(timeout_s: float, work: Any) -> Any:
    """Wait for something that must not take longer.

    Raises:
        Broken: It does.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await work
    except TimeoutError:
        raise Broken(f"nothing within {timeout_s:g} s") from None
