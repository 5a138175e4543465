"""Builds the room: every configured model behind one router."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

from hector.llm.v1 import LLMProviderServicer, add_LLMProviderServicer_to_server
from hector_llm.config import LLMConfig, LLMSection
from hector_llm.router import LLMRouter
from hector_mesh import Mesh, Room


def build(config: LLMSection, mesh: Mesh, *, environ: Mapping[str, str] | None = None) -> Room:
    """Return the models of a configuration, served as LLMProvider.

    Args:
        config: The whole configuration, seen as the section of models.
        mesh: Not used: models call nobody in the mesh.
        environ: Where default keys and addresses are looked up; the process's environment if not given.
    """
    environ = os.environ if environ is None else environ
    providers = {f"llms.{name}": provider(name, entry, environ) for name, entry in config.llms.items()}

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for each in providers.values():
                if isinstance(each, AbstractAsyncContextManager):
                    await stack.enter_async_context(each)
            yield

    return Room(register=partial(add_LLMProviderServicer_to_server, LLMRouter(providers)), running=running)


def provider(name: str, config: LLMConfig, environ: Mapping[str, str]) -> LLMProviderServicer:
    """Return the servicer of one entry; what it needs is imported here, for the providers that are used."""
    if config.provider == "local":
        from hector_llm.local import LocalProvider

        return LocalProvider(config)
    from hector_llm.openai import OpenAIProvider, endpoint_of

    return OpenAIProvider(config, endpoint_of(name, config, environ))
