"""The whole configuration: every service's section, and what is filled in where a file is silent."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, PrivateAttr

from hector_agent.config import AgentConfig, AgentSection
from hector_config import Loaded, Misfit, Secret, Section, Text, load, project_dir_for
from hector_document.config import DocumentSection
from hector_embedder.config import EmbedderSection
from hector_gateway.config import GatewaySection
from hector_llm.config import LLMConfig, LLMSection
from hector_store.config import StorageSection
from hector_tool.config import LATER, ToolSection, default_tools
from hector_vector.config import VectorSection

from .agent_names import shadowed, undeclared
from .aliases import ALIASES
from .circles import circles
from .defaults_config import DefaultsSection
from .detect import detected
from .extended_cards import unheard
from .logger_config import LoggerSection
from .mesh_config import MeshSection
from .plugins.checking import passed_over
from .plugins.config import PluginsSection
from .plugins.references import checked_in
from .tracing_config import ObservabilitySection

INSTRUCTION = "You are a helpful assistant. Answer from the documents you are given, and name your sources."
VERSIONS = ("1", "1.0", "2", "2.0")
DEFAULT = "default"  # the model an agent asks when it names none


def _known_version(version: str) -> str:
    if version not in VERSIONS:
        raise Misfit(f"there is no version {version!r} of this format", hint=f"known: {', '.join(VERSIONS)}")
    return version


class FileSection(Section):
    """What a file says of itself."""

    version: Annotated[Text, AfterValidator(_known_version)] = "2"
    """The version of this format."""
    name: str = ""
    """A name for the project."""
    description: str = ""
    """What the project is for."""
    metadata: dict[str, Text] = {}
    """Labels of your own; Hector shows them with the config and does nothing else with them."""


# Pydantic collects fields from the last base to the first: this is the order of files, backwards.
class Config(
    PluginsSection,
    MeshSection,
    LoggerSection,
    ObservabilitySection,
    GatewaySection,
    DefaultsSection,
    EmbedderSection,
    VectorSection,
    DocumentSection,
    StorageSection,
    ToolSection,
    LLMSection,
    AgentSection,
    FileSection,
):
    """One YAML file."""

    _file: Path | None = PrivateAttr(None)

    @property
    def file(self) -> Path | None:
        """Where it was read from; None: from no file."""
        return self._file

    later = {
        "config": "the config is a file: hector serve --config FILE",
        "databases": 'everything is kept in one: storage: {database: "postgresql://USER:PASSWORD@HOST/NAME"}',
        "global": "what stood in it is now in logger, server and observability; the rest is not there yet",
        "guardrails": "plugins of this kind can be written and tested, and nothing asks them yet",
        "rate_limiting": "let a proxy in front limit requests",
        "session_stores": "sessions are kept in storage.database",
    }


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> Loaded[Config]:
    """Read a config file.

    Raises:
        ConfigInvalid: Everything that is wrong with it, at once.
    """
    loaded = load(
        path,
        Config,
        environment=environment,
        aliases=ALIASES,
        known=known_names(),
        later={"tools": LATER},
        checks=(circles, checked_in(project_dir_for(path))),
    )
    loaded.config._file = path.absolute()
    warnings = (
        *loaded.warnings,
        *unheard(loaded),
        *shadowed(loaded),
        *undeclared(loaded),
        *passed_over(loaded),
    )
    return replace(loaded, warnings=warnings)


def known_names() -> dict[str, set[str]]:
    """Return what a file may refer to without declaring it, by section."""
    return {"llms": {DEFAULT}, "tools": set(default_tools(has_documents=True))}


async def completed(config: Config, environment: Mapping[str, str]) -> tuple[Config, list[str]]:
    """Fill in what the file leaves open, and say in sentences what was chosen.

    An agent where there is none, a model where one is needed and none is configured (the provider whose
    key is in the environment, else a reachable Ollama, else the offline model), the safe tools.

    Args:
        config: What was read.
        environment: The process's, completed from `.env` files: a provider's key may stand in one.
    """
    changes: dict[str, object] = {}
    notes: list[str] = []
    agents = config.agents_with_defaults(
        config.agents
        or {"assistant": AgentConfig(description="A helpful assistant.", instruction=INSTRUCTION)}
    )
    changes["agents"] = agents
    changes["document_stores"] = config.stores_with_defaults(config.document_stores)
    llms = dict(config.llms)
    if DEFAULT not in llms and any(agent.type == "llm" and agent.llm == DEFAULT for agent in agents.values()):
        if len(llms) == 1:
            llms[DEFAULT] = next(iter(llms.values()))
        else:
            found, note = await detected(environment)
            notes.append(note)
            llms[DEFAULT] = LLMConfig(**found)
    changes["llms"] = {name: _with_key(llm, environment) for name, llm in llms.items()}
    usual = default_tools(has_documents=bool(config.document_stores))
    wanted = {tool for agent in agents.values() for tool in agent.tools or ()}
    if config.tools is None:
        changes["tools"] = usual
    elif missing := wanted - config.tools.keys():
        changes["tools"] = config.tools | {name: usual[name] for name in usual if name in missing}
    return config.model_copy(update=changes), notes


def _with_key(llm: LLMConfig, environment: Mapping[str, str]) -> LLMConfig:
    """Give a model of OpenAI's own the key that stands in `.env`, where the provider would not look."""
    key = environment.get("OPENAI_API_KEY")
    elsewhere = llm.base_url and urlsplit(llm.base_url).hostname != "api.openai.com"
    if llm.provider != "openai" or llm.api_key or elsewhere or not key:
        return llm
    return llm.model_copy(update={"api_key": Secret(key)})
