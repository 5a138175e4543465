"""One rpc of a v1.9.9 plugin."""

from typing import Any

from grpc import StatusCode
from grpc.aio import UnaryStreamCall, UnaryUnaryCall

from hector_mesh import HectorError, current_call
from hector_plugin_host.process import PluginProcess

from .wire import PACKAGE, message

DEFAULT_S = 600.0


class PluginSaidNo(HectorError):
    """It answered with an error in words, as all failures of v1.9.9's plugins do; nobody knows more."""

    code, reason = StatusCode.INTERNAL, "PLUGIN_ERROR"
    domain = "hector.plugin"

    def __init__(self, error: str) -> None:
        super().__init__(error)


class Service:
    """One of a plugin's services."""

    def __init__(self, process: PluginProcess, name: str) -> None:
        self._process, self._name = process, name

    def ask(self, rpc: str, request: Any, answer: str) -> UnaryUnaryCall[Any, Any]:
        """Call an rpc with one answer, within the caller's time."""
        decode = message(answer).FromString
        method = f"/{PACKAGE}.{self._name}/{rpc}"
        call: Any = self._process.channel.unary_unary(method, _encoded, decode)
        left_s = current_call.get().remaining(DEFAULT_S)
        return call(request, timeout=left_s, metadata=self._process.metadata)  # type: ignore[no-any-return]

    def stream(self, rpc: str, request: Any, answer: str) -> UnaryStreamCall[Any, Any]:
        """Call an rpc with many answers."""
        decode = message(answer).FromString
        method = f"/{PACKAGE}.{self._name}/{rpc}"
        call: Any = self._process.channel.unary_stream(method, _encoded, decode)
        left_s = current_call.get().remaining(DEFAULT_S)
        return call(request, timeout=left_s, metadata=self._process.metadata)  # type: ignore[no-any-return]


def _encoded(request: Any) -> bytes:
    encoded: bytes = request.SerializeToString()
    return encoded


async def done(call: UnaryUnaryCall[Any, Any]) -> Any:
    """Return an answer that does not say that it failed.

    Raises:
        PluginSaidNo: It does.
    """
    answer = await call
    if answer.error:
        raise PluginSaidNo(answer.error)
    return answer
