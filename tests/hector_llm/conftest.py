"""Models behind a mesh, on both transports, and a scripted server behind the models."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from support.scripted_server import Reply, ScriptedServer, scripted

from hector.llm.v1 import LLMProviderStub
from hector_llm import LLMConfig, LLMSection, build

QUICK: dict[str, Any] = {"max_retries": 3, "retry_delay": 0.01}


@pytest.fixture
async def serve_models(mesh_under_test) -> AsyncIterator[Callable[..., Any]]:
    """Call it with configurations by name; it returns the stub of the first."""
    async with AsyncExitStack() as stack:

        async def serve(environ: dict[str, str] | None = None, **llms: LLMConfig) -> LLMProviderStub:
            room = build(LLMSection(llms=llms), mesh_under_test.mesh, environ=environ or {})
            await mesh_under_test.serve(room.register)
            await stack.enter_async_context(room.running())
            return LLMProviderStub(mesh_under_test.mesh.at(f"llms.{next(iter(llms), 'default')}"))

        yield serve


@pytest.fixture
async def serve_scripted(serve_models) -> AsyncIterator[Callable[..., Any]]:
    """Call it with replies; it returns a server that gives them, and the stub of a model that asks it."""
    async with AsyncExitStack() as stack:

        async def serve(*replies: Reply, **config: Any) -> tuple[ScriptedServer, LLMProviderStub]:
            server = await stack.enter_async_context(scripted(*replies))
            model = LLMConfig(base_url=f"{server.url}/v1", model="m", **(QUICK | config))
            return server, await serve_models(mock=model)

        yield serve
