"""Serves a plugin's parts until its host has enough of them."""

import asyncio
import io
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from hector_mesh import Health, HectorError, interceptors, wire_server

from ._caller import Caller
from ._config import Config
from ._contract import Contract, contract_of
from ._ending import Ending
from ._host import host
from ._identity import About, Identity, add_go_plugin_controller
from ._launch import Launch, NotStartedByHector, line_for
from ._logging import log_to_host
from ._parts import config_of, servicers_of
from ._threads import busy

log = logging.getLogger(__package__)

PLUGIN = "plugin"
"""The name under which go-plugin's hosts ask for a plugin's health."""
TOKEN_HEADER = "hector-token"
IDENTITY = "hector.plugin.v1.Plugin"


def serve(
    *parts: object,
    name: str = "",
    version: str = "0.0.0",
    config: Config[Any] | None = None,
    vendor: str = "",
    license: str = "",  # noqa: A002  as in GetInfoResponse
    documentation_url: str = "",
    max_concurrency: int = 0,
    metrics: Callable[[], str | Awaitable[str]] | None = None,
) -> None:
    """Serve until the host asks to end; what is printed meanwhile goes to standard error, the host's log.

    The host ends a plugin by its Shutdown rpc, by SIGTERM, or by closing its standard input; calls in
    flight get HECTOR_DRAIN_S seconds. `--standalone ADDRESS` on the command line serves without a host.

    Args:
        parts: Tools, models and the like, as the decorators return them, and instances of generated
            servicer classes with `async` methods. Without any: everything that was decorated. A
            PluginServicer among them replaces the one that answers for the plugin.
        name: What the plugin calls itself; its file's name if empty.
        version: Its version, as in semver.org.
        config: What it may be told; by default what `config` was called with.
        vendor: Who made it.
        license: The SPDX name of its licence.
        documentation_url: Where to read about it.
        max_concurrency: Calls it takes at once; zero is no limit.
        metrics: Returns its own metrics in Prometheus's text format.

    Raises:
        NotStartedByHector: The program was started by hand; a sentence on standard error says so.
        TypeError: A part is none, or there is none.
    """
    try:
        launch = Launch.read()
    except NotStartedByHector as wrong:
        sys.stderr.write(wrong.sentence + "\n")
        raise
    contracts = [contract_of(servicer) for servicer in servicers_of(parts)]
    about = About(
        name or Path(sys.argv[0]).stem,
        version,
        vendor,
        license,
        documentation_url,
        max_concurrency,
        metrics,
    )
    plugin = _Plugin(launch, contracts, about, config_of(config))
    stdout = _take_stdout()
    log_to_host(about.name, launch.log_level, launch.log_format)
    try:
        asyncio.run(plugin.run(stdout))
    except HectorError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    if busy():  # the interpreter would wait for a function that cannot be interrupted
        logging.shutdown()
        os._exit(0)


class _Plugin:
    def __init__(
        self, launch: Launch, contracts: Sequence[Contract], about: About, config: Config[Any]
    ) -> None:
        self._launch = launch
        self._contracts = list(contracts)
        self._about = about
        self._config = config

    async def run(self, stdout: TextIO) -> None:
        """Serve until the end is asked for."""
        launch = self._launch
        end = Ending(launch.drain_s)
        # Ctrl-C is for the host, which then ends us; without a host it is for us.
        end.on_signals(interrupt=not launch.handshake)
        if launch.watch_stdin:
            end.on_end_of_stdin()
        health = Health()
        server = wire_server(
            launch.listen,
            token=launch.token,
            token_header=TOKEN_HEADER,
            health=health,
            interceptors=[Caller(), *interceptors()],
        )
        if not any(contract.service == IDENTITY for contract in self._contracts):
            identity = Identity(self._about, self._contracts, self._config, end, host, launch.token)
            self._contracts.append(contract_of(identity))
        for contract in self._contracts:
            contract.register(server)
        for service in (*server.services, PLUGIN):
            await health.set(service, True)
        add_go_plugin_controller(server, end)
        if not launch.handshake:
            # Nobody configures a plugin that is tried by hand.
            await self._config.take("")
        await server.start()
        try:
            if launch.handshake:
                stdout.write(line_for(server.address))
                stdout.flush()
            else:
                sys.stderr.write(f"{self._about.name} listens on {server.address}\n")
            log.debug("serving", extra={"address": server.address})
            await end.wait()
        finally:
            await server.stop(end.drain_s)
            await host.leave()


def _take_stdout() -> TextIO:
    """Keep standard output for the handshake: a stray print must not be taken for it."""
    kept = os.dup(1)
    os.dup2(2, 1)
    sys.stdout.flush()  # what was printed before and still waits goes where the rest will
    if isinstance(sys.stdout, io.TextIOWrapper):  # each line when it is printed: it is a line of the log
        sys.stdout.reconfigure(line_buffering=True)
    return os.fdopen(kept, "w")
