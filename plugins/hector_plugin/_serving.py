"""Serves a plugin's servicers until its host has enough of them."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from hector_mesh import Health, HectorError, wire_server

from ._contract import Contract, contract_of
from ._ending import Ending
from ._identity import Identity, add_go_plugin_controller
from ._launch import Launch, NotStartedByHector, line_for

PLUGIN = "plugin"
"""The name under which go-plugin's hosts ask for a plugin's health."""
TOKEN_HEADER = "hector-token"
IDENTITY = "hector.plugin.v1.Plugin"


def serve(*servicers: object, name: str = "", version: str = "0.0.0") -> None:
    """Serve until the host asks to end; what is printed meanwhile goes to standard error, the host's log.

    The host ends a plugin by its Shutdown rpc, by SIGTERM, or by closing its standard input; calls in
    flight get HECTOR_DRAIN_S seconds. `--standalone ADDRESS` on the command line serves without a host.

    Args:
        servicers: Instances of generated servicer classes, with `async` methods. A PluginServicer
            among them replaces the one that answers for a plugin with nothing to configure.
        name: What the plugin calls itself; its file's name if empty.
        version: Its version, as in semver.org.

    Raises:
        NotStartedByHector: The program was started by hand; a sentence on standard error says so.
        TypeError: A servicer extends no contract's.
    """
    try:
        launch = Launch.read()
    except NotStartedByHector as wrong:
        sys.stderr.write(wrong.sentence + "\n")
        raise
    contracts = [contract_of(servicer) for servicer in servicers]
    plugin = _Plugin(launch, contracts, name or Path(sys.argv[0]).stem, version)
    try:
        asyncio.run(plugin.run(_take_stdout()))
    except HectorError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


class _Plugin:
    def __init__(self, launch: Launch, contracts: Sequence[Contract], name: str, version: str) -> None:
        self._launch = launch
        self._contracts = list(contracts)
        self._name = name
        self._version = version

    async def run(self, stdout: TextIO) -> None:
        """Serve until the end is asked for."""
        end = Ending(self._launch.drain_s)
        # Ctrl-C is for the host, which then ends us; without a host it is for us.
        end.on_signals(interrupt=not self._launch.handshake)
        if self._launch.watch_stdin:
            end.on_end_of_stdin()
        health = Health()
        server = wire_server(
            self._launch.listen,
            token=self._launch.token,
            token_header=TOKEN_HEADER,
            health=health,
        )
        if not any(contract.service == IDENTITY for contract in self._contracts):
            self._contracts.append(contract_of(Identity(self._name, self._version, self._contracts, end)))
        for contract in self._contracts:
            contract.register(server)
        for service in (*server.services, PLUGIN):
            await health.set(service, True)
        add_go_plugin_controller(server, end)
        await server.start()
        try:
            if self._launch.handshake:
                stdout.write(line_for(server.address))
                stdout.flush()
            else:
                sys.stderr.write(f"{self._name} listens on {server.address}\n")
            await end.wait()
        finally:
            await server.stop(end.drain_s)


def _take_stdout() -> TextIO:
    """Keep standard output for the handshake: a stray print must not be taken for it."""
    kept = os.dup(1)
    os.dup2(2, 1)
    sys.stdout.flush()  # what was printed before and still waits goes where the rest will
    return os.fdopen(kept, "w")
