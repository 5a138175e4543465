"""The keys of `defaults:`: what agents and document stores use that do not say."""

from typing import Annotated, TypeVar

from hector_agent.config import AgentConfig
from hector_config import RefersTo, Section
from hector_document.config import DocumentStoreConfig

S = TypeVar("S", bound=Section)


class DefaultsConfig(Section):
    """What is used where an entry does not say."""

    llm: Annotated[str, RefersTo("llms")] | None = None
    """The model of agents that name none."""
    embedder: Annotated[str, RefersTo("embedders")] | None = None
    """The embedder of document stores that name none."""
    vector_store: Annotated[str, RefersTo("vector_stores")] | None = None
    """The vector store of document stores that name none."""

    later = {"session_store": "sessions are kept in storage.database"}


class DefaultsSection(Section):
    """What the runtime reads of a configuration to complete it."""

    defaults: DefaultsConfig = DefaultsConfig()
    """What agents and document stores use that do not say."""

    def agents_with_defaults(self, agents: dict[str, AgentConfig]) -> dict[str, AgentConfig]:
        """Return agents with the default model where they name none."""
        if self.defaults.llm is None:
            return agents
        return {name: _filled(agent, llm=self.defaults.llm) for name, agent in agents.items()}

    def stores_with_defaults(self, stores: dict[str, DocumentStoreConfig]) -> dict[str, DocumentStoreConfig]:
        """Return document stores with the default embedder and vector store where they name none."""
        given = {"embedder": self.defaults.embedder, "vector_store": self.defaults.vector_store}
        return {name: _filled(store, **given) for name, store in stores.items()}


def _filled(section: S, **given: str | None) -> S:
    missing = {key: value for key, value in given.items() if value and key not in section.model_fields_set}
    return section.model_copy(update=missing) if missing else section
