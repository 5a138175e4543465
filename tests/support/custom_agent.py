"""An agent service around handlers that a test writes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent

import hector_a2a as a2a
import hector_agent
from hector_agent.custom.handler_name import Named
from hector_agent.room import Config


def config_of(
    folder: Path, source: str, handler: str = "echo", database: str = "", **agent: object
) -> Config:
    """Return the config of one agent, `custom`, whose handler stands in `folder`/handlers.py."""
    (folder / "handlers.py").write_text(dedent(source), encoding="utf-8")
    return Config.model_validate(
        {
            "agents": {"custom": {"type": "custom", "handler": Named("handlers", handler, folder), **agent}},
            "storage": {"database": database or f"sqlite://{folder}/runs.db"},
        }
    )


@asynccontextmanager
async def answering(
    mesh_under_test, folder: Path, source: str, handler: str = "echo", **agent: object
) -> AsyncIterator["a2a.A2AServiceStub"]:
    """Run the agent service with this handler, and yield the way to it."""
    room = hector_agent.build(config_of(folder, source, handler, **agent), mesh_under_test.mesh)
    async with room.running():
        await mesh_under_test.serve(room.register)
        yield a2a.A2AServiceStub(mesh_under_test.mesh)


def said(text: str, context: str = "", task: str = "", **more: object) -> "a2a.SendMessageRequest":
    """Return a request that says something to the agent."""
    request = a2a.SendMessageRequest(tenant="custom", **more)
    request.message.message_id = f"m-{text}"
    request.message.role = a2a.ROLE_USER
    request.message.context_id, request.message.task_id = context, task
    request.message.parts.add(text=text)
    return request
