"""Builds the room: every configured model behind one router."""

import os
from collections.abc import Mapping
from functools import partial

from hector.llm.v1 import LLMProviderServicer, add_LLMProviderServicer_to_server
from hector_config.plugin_word import plugin_word
from hector_llm.config import LLMConfig, LLMSection
from hector_llm.models import Models
from hector_llm.router import LLMRouter
from hector_mesh import Mesh, Room


def build(config: LLMSection, mesh: Mesh, *, environ: Mapping[str, str] | None = None) -> Room:
    """Return the models of a configuration, served as LLMProvider.

    Args:
        config: The whole configuration, seen as the section of models.
        mesh: Where plugins are; models call nobody else.
        environ: Where default keys and addresses are looked up; the process's environment if not given.
    """
    environ = os.environ if environ is None else environ
    models = Models(config, lambda name, entry: provider(name, entry, environ, mesh))
    return Room(
        register=partial(add_LLMProviderServicer_to_server, LLMRouter(models.generations)),
        running=models.running,
        prepare=models.prepare,
    )


def provider(name: str, config: LLMConfig, environ: Mapping[str, str], mesh: Mesh) -> LLMProviderServicer:
    """Return the servicer of one entry; what it needs is imported here, for the providers that are used."""
    if (word := plugin_word(config.provider)) is not None:
        from hector_llm.plugin import PluginModel

        return PluginModel(name, config, word, mesh)
    if config.provider == "local":
        from hector_llm.local import LocalProvider

        return LocalProvider(config)
    from hector_llm.openai import OpenAIProvider, endpoint_of

    return OpenAIProvider(config, endpoint_of(name, config, environ))
