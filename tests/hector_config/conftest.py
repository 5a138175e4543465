"""A root config like the real one, small; and two ways to load into it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from hector_config import (
    ByteSize,
    ConfigInvalid,
    Duration,
    Loaded,
    ProjectPath,
    RefersTo,
    Secret,
    Section,
    Text,
    load,
)


class LLM(Section):
    """A model that agents can ask."""

    provider: Literal["openai", "anthropic", "ollama"] = "openai"
    """Who serves it."""
    model: str
    """The provider's name for it."""
    api_key: Secret | None = None
    base_url: str | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int = 4096
    timeout: Duration = 60.0
    headers: dict[str, Secret] = {}


class Command(Section):
    type: Literal["command"]
    command: str
    limit: ByteSize = 100


class Function(Section):
    type: Literal["function"]
    handler: str
    schema_: dict[str, object] = Field({}, alias="schema")
    """What the function takes."""


class Agent(Section):
    llm: Annotated[str, RefersTo("llms")] | None = None
    tools: list[Annotated[str, RefersTo("tools", also=("bash",))]] | None = None
    instruction: str = ""
    streaming: bool = True
    effort: int | Literal["auto"] = "auto"
    inline: LLM | str | None = None


class Storage(Section):
    path: ProjectPath = Path(".hector/data")
    backups: tuple[ProjectPath, ...] = ()


class Root(Section):
    version: Text = "2"
    llms: dict[str, LLM] = {}
    tools: dict[str, Annotated[Command | Function, Field(discriminator="type")]] = {}
    agents: dict[str, Agent] = {}
    storage: Storage = Storage()
    env: dict[str, Text] = {}
    free: dict[str, Any] = {}


Loads = Callable[..., Loaded[Root]]
Refused = Callable[..., list[str]]


@pytest.fixture
def root_model() -> type[Root]:
    return Root


@pytest.fixture
def loads() -> Loads:
    """Load a text, with no variables unless they are given."""

    def run(text: str, environment: Mapping[str, str] | None = None, **options: Any) -> Loaded[Root]:
        return load(text, Root, environment=environment or {}, name="h.yaml", **options)

    return run


@pytest.fixture
def refused(loads: Loads) -> Refused:
    """Load a text that is wrong; return its problems, one line each."""

    def run(text: str, environment: Mapping[str, str] | None = None, **options: Any) -> list[str]:
        with pytest.raises(ConfigInvalid) as caught:
            loads(text, environment, **options)
        assert str(caught.value) == "\n".join(map(str, caught.value.problems))
        return [str(problem) for problem in caught.value.problems]

    return run


@pytest.fixture
def errors_of() -> Callable[[str, type[Section]], list[str]]:
    """Load a text that is wrong into any model."""

    def run(text: str, model: type[Section]) -> list[str]:
        with pytest.raises(ConfigInvalid) as caught:
            load(text, model, environment={}, name="h.yaml")
        return [str(problem) for problem in caught.value.problems]

    return run
