"""A plugin without a process, for its author's tests: `async with running(upper) as plugin`.

Calls go through the same code as in a process, and through bytes; there is no socket and nothing to wait for.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import grpc.aio

from hector.plugin.v1 import (
    ConfigureRequest,
    Diagnostic,
    HostServicesServicer,
    Instance,
    PluginStub,
    add_HostServicesServicer_to_server,
)
from hector_mesh import LocalChannel, LocalServer, Mesh, interceptors

from ._caller import Caller
from ._config import Config
from ._contract import contract_of
from ._ending import Ending
from ._host import host as the_host
from ._identity import About, Identity
from ._parts import config_of, servicers_of

if TYPE_CHECKING:
    from hector.tool.v1 import ExecuteToolResponse

Stub = TypeVar("Stub")


class Refused(AssertionError):
    """The plugin did not take the configuration."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__("; ".join(f"{one.path}: {one.summary}" for one in diagnostics))
        self.diagnostics = diagnostics


class Running:
    """A plugin under test."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        """Takes any rpc of the plugin."""

    def stub(self, make: Callable[[grpc.aio.Channel], Stub], instance: str = "") -> Stub:
        """Return a generated stub, as `plugin.stub(LLMProviderStub)`, perhaps for one configured entry."""
        return make(Mesh(_Everything(self.channel), instance=instance))

    async def call(self, tool: str, /, **arguments: Any) -> "ExecuteToolResponse":
        """Call a tool as a model would."""
        from hector.tool.v1 import ExecuteToolRequest, ToolProviderStub

        request = ExecuteToolRequest(tool=tool, parameters_json=json.dumps(arguments), call_id="1")
        response: ExecuteToolResponse = await self.stub(ToolProviderStub).ExecuteTool(request)
        return response

    async def configure(
        self, config: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        """Hand over another configuration.

        Args:
            config: What stands under `config:` of the plugin.
            entries: What stands under `config:` of the entries that refer to it, as {"tools.shout": {…}}.

        Raises:
            Refused: The plugin does not take it.
        """
        instances = [
            Instance(name=name, config_json=json.dumps(dict(entry)))
            for name, entry in (entries or {}).items()
        ]
        request = ConfigureRequest(config_json=json.dumps(dict(config)), instances=instances)
        response = await PluginStub(self.channel).Configure(request)
        if response.diagnostics:
            raise Refused(list(response.diagnostics))


@asynccontextmanager
async def running(
    *parts: object,
    config: Mapping[str, Any] | None = None,
    settings: Config[Any] | None = None,
    host: HostServicesServicer | None = None,
) -> AsyncIterator[Running]:
    """Serve a plugin's parts in this process.

    Args:
        parts: As `serve` takes them.
        config: What to configure it with.
        settings: What `serve` would be given as `config`.
        host: Stands for the host's services.

    Raises:
        Refused: The plugin does not take the configuration.
    """
    servicers = servicers_of(parts)
    # Two servers side by side in one process, as the host and the plugin are in two.
    server, hosts = LocalServer([Caller(), *interceptors()]), LocalServer()
    contracts = [contract_of(servicer) for servicer in servicers]
    identity = Identity(About("under-test"), contracts, config_of(settings), Ending(0), the_host)
    for contract in (*contracts, contract_of(identity)):
        contract.register(server)
    if host is not None:
        add_HostServicesServicer_to_server(host, hosts)
        the_host.use(LocalChannel(hosts))
    plugin = Running(LocalChannel(server))
    try:
        await plugin.configure(config or {})
        yield plugin
    finally:
        await server.stop(None)
        await hosts.stop(None)
        await the_host.leave()


class _Everything(dict[str, grpc.aio.Channel]):
    """One channel for every service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        super().__init__()
        self._channel = channel

    def __missing__(self, service: str) -> grpc.aio.Channel:
        return self._channel
