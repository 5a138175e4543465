"""Where one plugin reaches its host: a socket in a private folder, there as long as something is granted."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from hector.plugin.v1 import add_HostServicesServicer_to_server
from hector_mesh import Mesh, wire_server
from hector_plugin_host.plan import PluginPlan
from hector_plugin_host.scratch import scratch_folder
from hector_plugin_host.visits import Visits

from .servicer import HostServicer, Tokens
from .state import PluginState

SOCKET = "host.sock"


class Door:
    """One plugin's. Opened when the first plan grants something, closed with the plugin."""

    def __init__(
        self,
        plan: Callable[[], PluginPlan],
        mesh: Mesh | None,
        state_dir: Path | None,
        visits: Visits,
        tokens: Tokens,
    ) -> None:
        """Prepare.

        Args:
            plan: Returns the present plan.
            mesh: Where models, tools and embedders are; None: none are.
            state_dir: Where files are kept; None: nowhere.
            visits: The calls that the plugin is at work on.
            tokens: Returns what its processes show.
        """
        self._plan, self._mesh, self._state_dir = plan, mesh, state_dir
        self._visits, self._tokens = visits, tokens
        self._open = AsyncExitStack()
        self._state: PluginState | None = None
        self.target = ""
        """The socket's address; empty while nothing is granted."""

    async def open_for(self, plan: PluginPlan) -> None:
        """See that a plan's plugin finds what it is granted."""
        self._visits.wanted = not plan.grants.nothing
        if plan.grants.nothing:
            return
        if self._state is not None:
            self._state.limit_bytes = plan.grants.state_bytes
            return
        file = self._state_dir / "state" / f"{plan.name}.db" if self._state_dir is not None else None
        self._state = PluginState(plan.name, file, plan.grants.state_bytes)
        self._open.push_async_callback(self._state.close)
        folder = self._open.enter_context(scratch_folder())
        server = wire_server(f"unix:{folder / SOCKET}", drain_s=0.5)
        servicer = HostServicer(self._plan, self._mesh, self._visits, self._state, self._tokens)
        add_HostServicesServicer_to_server(servicer, server)
        await self._open.enter_async_context(server)
        self.target = server.address

    async def close(self) -> None:
        """Serve nothing any more."""
        self.target = ""
        await self._open.aclose()
