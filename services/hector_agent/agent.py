"""A configured agent, with everything it reaches through the mesh."""

import json

from hector.common.v1 import Message
from hector.llm.v1 import LLMProviderStub
from hector.reasoning.v1 import ReasoningStrategyStub
from hector_mesh import Mesh

from .beginning import Beginning
from .config import AgentConfig
from .conversation import system
from .tools import Toolbox


class Agent:
    """One entry of `agents:`, ready to work."""

    def __init__(self, name: str, config: AgentConfig, mesh: Mesh, toolbox: Toolbox) -> None:
        self.name, self.config, self.toolbox = name, config, toolbox
        self.strategy = ReasoningStrategyStub(mesh.at(f"agents.{name}"))
        self.beginning = Beginning(self.strategy)
        self.instruction = instruction_of(config)
        self.options_json = json.dumps({"strategy": config.reasoning.strategy, **config.reasoning.options})
        self._mesh = mesh
        self._models: dict[str, LLMProviderStub] = {}

    def model(self, name: str) -> tuple[str, LLMProviderStub]:
        """Return a model by its key under `llms:`, with its instance name; "" is the agent's own."""
        instance = f"llms.{name or self.config.llm}"
        if instance not in self._models:
            self._models[instance] = LLMProviderStub(self._mesh.at(instance))
        return instance, self._models[instance]


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
