"""A gateway on real sockets, with real agents behind it whose model a test has written, and doors to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.doors import Place, place_at
from support.scripted_agent import ScriptedModel, serving

from hector_gateway.config import GatewaySection
from hector_gateway.room import Border

Keys = dict[str, Any]


@asynccontextmanager
async def opened(
    mesh_under_test: Any,
    folder: Path,
    model: ScriptedModel | None = None,
    *,
    server: Keys | None = None,
    others: dict[str, Keys] | None = None,
    **agent: Any,
) -> AsyncIterator[Place]:
    """Run agents and a gateway before them.

    Args:
        mesh_under_test: The fixture.
        folder: Where the database is.
        model: What the agents' model says; None: it has nothing left to say.
        server: Keys of `server:`.
        others: More entries of `agents:`.
        agent: Keys of the agent `assistant`, the default one.
    """
    keys = {"port": 0, "grpc_port": 0, "shutdown_timeout": 1, **(server or {})}
    keys["auth"] = {"secret_file": folder / "secret", **keys.get("auth", {})}
    border = Border(GatewaySection.model_validate({"server": keys}), mesh_under_test.mesh, lambda made: None)
    model = model or ScriptedModel()
    async with serving(mesh_under_test, folder, model, others=others, **agent), border.running():
        # Where it really listens, whatever its cards say.
        url = border.addresses["HTTP"].replace("localhost", "127.0.0.1")
        address = border.addresses["gRPC"].replace("localhost", "127.0.0.1")
        async with place_at(url, address) as place:
            yield place
