"""One running house for all rules: agents from code behind a gateway on real sockets, over either mesh."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.doors import Door, Place, place_at
from support.mesh import MeshUnderTest

import hector_agent
from hector_agent.custom.handler_name import Named
from hector_agent.room import Config
from hector_gateway.config import GatewaySection
from hector_gateway.room import Border

CALLERS = ("ada", "bob", *(f"newcomer-{number}" for number in range(100)))
ACTOR = Named("a2a_rules.actor", "act", None)
EXTENSION = "https://extensions.test/needed/v1"
OFFERED = "https://extensions.test/offered/v1"

ANY: dict[str, Any] = {"input_modes": ["*/*"], "output_modes": ["*/*"]}
OFFER = {"uri": OFFERED, "description": "Known here.", "params": {"depth": 3}}
NEED = {"uri": EXTENSION, "description": "Needed here.", "required": True}
SKILL = {"id": "outer", "name": "Outer", "description": "For all.", "tags": ["x"]}
INTERNAL = {"id": "inner", "name": "Inner", "tags": ["x"], "visibility": "internal"}

AGENTS: dict[str, dict[str, Any]] = {
    "actor": {
        "description": "Does what it is told.",
        **ANY,
        "a2a": {"extensions": [OFFER], "push_notifications": False},
    },
    "whole": {**ANY, "a2a": {"streaming": False}},
    "pusher": {**ANY, "a2a": {"push_notifications": True}},
    "needy": {**ANY, "a2a": {"extensions": [NEED, OFFER]}},
    "carded": {**ANY, "a2a": {"extended_card": True}, "skills": [SKILL, INTERNAL]},
    "picky": {"input_modes": ["text/plain", "image/*"], "output_modes": ["text/plain"]},
}
"""Entries of `agents:`; all of them act."""
PUSH = {
    "allowed_networks": ["127.0.0.0/8"],
    "allow_http": True,
    "retry_delay": "20ms",
    "max_delay": "50ms",
}


@dataclass(frozen=True)
class House:
    """A running server, as clients reach it."""

    place: Place
    grpc_address: str
    """host:port, for who brings a client of its own."""

    def door(self, kind: type[Door], agent: str = "actor", caller: str = "ada") -> Door:
        return self.place.door(kind, agent, key_of(caller))


def key_of(caller: str) -> str:
    return f"key-of-{caller}" if caller else ""


@asynccontextmanager
async def opened(
    transport: str, agents: dict[str, dict[str, Any]] | None = None, **server: Any
) -> AsyncIterator[House]:
    """Run the house with more keys of `server:`."""
    # Not tmp_path: a unix socket's path has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="hector-"))
    mesh = MeshUnderTest(transport, folder)
    entries = {
        name: {"type": "custom", "handler": ACTOR, "visibility": "public", **keys}
        for name, keys in (AGENTS if agents is None else agents).items()
    }
    config = Config.model_validate(
        {
            "agents": entries,
            "storage": {"database": f"sqlite://{folder}/runs.db"},
            "server": {"a2a": {"push": PUSH}},
        }
    )
    keys = [{"name": caller, "key": key_of(caller)} for caller in CALLERS]
    auth = {"secret": "key-of-admin", "api_keys": keys}
    section = {"port": 0, "grpc_port": 0, "shutdown_timeout": 1, "auth": auth, **server}
    try:
        async with serving(config, mesh, GatewaySection.model_validate({"server": section})) as house:
            yield house
    finally:
        await mesh.close()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def serving(config: Config, mesh: MeshUnderTest, section: GatewaySection) -> AsyncIterator[House]:
    agents = hector_agent.build(config, mesh.mesh)
    border = Border(section, mesh.mesh, lambda made: None)
    async with agents.running():
        await mesh.serve(agents.register)
        async with border.running():
            url = border.addresses["HTTP"].replace("localhost", "127.0.0.1")
            address = border.addresses["gRPC"].replace("localhost", "127.0.0.1")
            async with place_at(url, address) as place:
                yield House(place, address)
