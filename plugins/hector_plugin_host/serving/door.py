"""Where one plugin reaches its host: a socket in a private folder, there as long as something is granted."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from hector.plugin.v1 import add_HostServicesServicer_to_server
from hector_mesh import Mesh, wire_server
from hector_plugin_host.plan import PluginPlan
from hector_plugin_host.scratch import scratch_folder
from hector_plugin_host.visits import Visits

from .servicer import HostServicer, Tokens
from .state import PluginState, Values

SOCKET = "host.sock"


class Door:
    """One plugin's. Opened when the first plan grants something, closed with the plugin."""

    def __init__(
        self,
        plan: Callable[[], PluginPlan],
        mesh: Mesh | None,
        values: Values | None,
        visits: Visits,
        tokens: Tokens,
    ) -> None:
        """Prepare.

        Args:
            plan: Returns the present plan.
            mesh: Where models, tools and embedders are; None: none are.
            values: Where it keeps things; None: in memory only.
            visits: The calls that the plugin is at work on.
            tokens: Returns what its processes show.
        """
        self._plan, self._mesh, self._values = plan, mesh, values
        self._visits, self._tokens = visits, tokens
        self._open = AsyncExitStack()
        self._turn, self._is_closed = asyncio.Lock(), False
        self._state: PluginState | None = None
        self.target = ""
        """The socket's address; empty while nothing is granted."""

    async def open_for(self, plan: PluginPlan) -> None:
        """See that a plan's plugin finds what it is granted."""
        async with self._turn:
            if not self._is_closed:
                await self._open_for(plan)

    async def close(self) -> None:
        """Serve nothing any more, whoever is about to open it."""
        async with self._turn:
            self.target, self._is_closed = "", True
            await self._open.aclose()

    async def _open_for(self, plan: PluginPlan) -> None:
        self._visits.wanted = not plan.grants.nothing
        if plan.grants.nothing:
            return
        if self._state is not None:
            self._state.limit_bytes = plan.grants.state_bytes
            return
        state = PluginState(plan.name, self._values, plan.grants.state_bytes)
        async with AsyncExitStack() as opening:  # all of it, or nothing
            opening.push_async_callback(state.close)
            folder = opening.enter_context(scratch_folder())
            server = wire_server(f"unix:{folder / SOCKET}", drain_s=0.5)
            servicer = HostServicer(self._plan, self._mesh, self._visits, state, self._tokens)
            add_HostServicesServicer_to_server(servicer, server)
            await opening.enter_async_context(server)
            self._open, self._state, self.target = opening.pop_all(), state, server.address
