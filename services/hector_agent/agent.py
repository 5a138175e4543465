"""A configured agent, with everything it reaches through the mesh."""

import json
from typing import TYPE_CHECKING

from hector.common.v1 import Message
from hector.llm.v1 import LLMProviderStub
from hector.reasoning.v1 import ReasoningStrategyStub
from hector_config.plugin_word import plugin_word
from hector_mesh import Mesh

from .beginning import Beginning
from .config import AgentConfig
from .conversation import system
from .sessions.instructions import Instruction
from .tools import Toolbox

if TYPE_CHECKING:
    from .custom.loading import Handler


class Agent:
    """One entry of `agents:`, ready to work.

    Raises:
        HandlerNotUsable: It is to be answered by code, and that cannot be loaded.
    """

    def __init__(
        self, name: str, config: AgentConfig, mesh: Mesh, toolbox: Toolbox, revision: str = ""
    ) -> None:
        self.name, self.config, self.toolbox = name, config, toolbox
        self.revision = revision
        """Of the config that it is an entry of; its runs say so. Empty: as their calls say."""
        stores = config.document_stores
        self.documents = None if stores is None else tuple(stores)
        """What it may search, and whoever it asks."""
        self.strategy = ReasoningStrategyStub(mesh.at(f"agents.{name}"))
        self.beginning = Beginning(self.strategy)
        self.instruction = Instruction(instruction_of(config))
        self.options_json = json.dumps({"strategy": config.reasoning.strategy, **config.reasoning.options})
        self.handler = _handler_of(name, config, mesh)
        self.answers_plainly = self.handler is not None and _promises_message(self.handler)
        """Its answers are plain messages, and no tasks."""
        self._mesh = mesh
        self._models: dict[str, LLMProviderStub] = {}

    def model(self, name: str) -> tuple[str, LLMProviderStub]:
        """Return a model by its key under `llms:`, with its instance name; "" is the agent's own."""
        instance = f"llms.{name or self.config.llm}"
        if instance not in self._models:
            self._models[instance] = LLMProviderStub(self._mesh.at(instance))
        return instance, self._models[instance]


def _handler_of(name: str, config: AgentConfig, mesh: Mesh) -> "Handler | None":
    """Return the code that answers in place of a model; None where a model does."""
    if (word := plugin_word(config.type)) is not None:
        from .custom.plugin import handler_of

        return handler_of(name, word, mesh)
    if config.handler is None:
        return None
    from .custom.loading import load

    return load(config.handler)


def _promises_message(handler: "Handler") -> bool:
    from .custom.loading import promises_message

    return promises_message(handler)


def instruction_of(config: AgentConfig) -> list[Message]:
    """Return what the model is told before anything else; nothing when nothing is configured."""
    prompt = config.prompt
    return system(
        config.global_instruction,
        prompt.role and f"You are {prompt.role}."
        if not prompt.role.lower().startswith("you ")
        else prompt.role,
        prompt.system_prompt,
        config.instruction,
        prompt.guidance,
    )
