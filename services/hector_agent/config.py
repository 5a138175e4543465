"""The keys of `agents:`: who answers, with which model, instruction, tools and documents."""

from typing import Annotated, Any, Literal

from pydantic import Field

from hector_config import ByteSize, Duration, RefersTo, Section

ReasoningStrategy = Literal["default"]


AgentName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class PromptConfig(Section):
    """Parts of an agent's instruction, for those who like them apart."""

    system_prompt: str = ""
    """The whole instruction; the same as `instruction`."""
    role: str = ""
    """Who the agent is, in a sentence."""
    guidance: str = ""
    """How it should go about its work."""


class ReasoningConfig(Section):
    """How an agent decides what to do next."""

    strategy: ReasoningStrategy = "default"
    """The strategy: "default" asks the model and runs the tools it wants until it wants none."""
    max_iterations: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Most questions to the model in one run; reaching it ends the run and says so."""
    options: dict[str, Any] = {}
    """The strategy's own options."""


class SkillConfig(Section):
    """Something an agent is good at, as its card says."""

    id: str
    """Unique within the agent."""
    name: str = ""
    """A name to show; the id when left out."""
    description: str = ""
    """What it does."""
    tags: list[str] = []
    """Words to find it by."""
    examples: list[str] = []
    """Things to ask."""


class AgentConfig(Section):
    """One entry of `agents:`. Its key is the agent's name in URLs and on the command line."""

    type: Literal["llm"] = "llm"
    """What kind of agent it is."""
    name: str = ""
    """A name to show; the key when left out."""
    description: str = ""
    """What the agent does, as its card says."""
    visibility: Literal["public", "internal", "private"] = "public"
    """Who may see and call it: everybody, authenticated callers, or other agents only."""
    llm: Annotated[str, RefersTo("llms")] = "default"
    """The model that answers, by its key under `llms:`."""
    allow_llm_override: bool = False
    """Let every caller choose another model for one message (`hector call --llm NAME`, or the message's
    metadata `hector.llm`). false: only callers with role operator or admin."""
    instruction: str = ""
    """What the model is told before anything else."""
    global_instruction: str = ""
    """Told before `instruction`; what a group of agents has in common."""
    prompt: PromptConfig = PromptConfig()
    """Parts of the instruction, for those who like them apart."""
    tools: list[Annotated[str, RefersTo("tools")]] | None = None
    """Tools it may use, by their keys under `tools:`. Left out: every enabled one. []: none."""
    document_stores: list[Annotated[str, RefersTo("document_stores")]] | None = None
    """Stores its `search` tool may look in. Left out: all of them. []: none."""
    reasoning: ReasoningConfig = ReasoningConfig()
    """How it decides what to do next."""
    streaming: bool = True
    """Ask the model for a streamed answer. false: answers come whole."""
    timeout: Duration = 3600.0
    """Longest time for one run, all its steps together."""
    max_answer_size: Annotated[ByteSize, Field(ge=1024, le=32 << 20)] = 4 << 20
    """Most that the model may say in one answer: text, thoughts, tool calls and pictures together. A model
    that says more is stopped, and the run fails; what it had said is kept."""
    skills: list[SkillConfig] = []
    """What it is good at, as its card says. Left out: one skill made from name and description."""
    input_modes: list[str] = ["text/plain"]
    """Media types it reads."""
    output_modes: list[str] = ["text/plain"]
    """Media types it writes."""


class AgentSection(Section):
    """What hector_agent reads of a configuration. The first agent answers where none is named."""

    agents: dict[AgentName, AgentConfig] = {}
    """The agents, by name: letters, digits, "_", "-" and ".", as they stand in URLs."""
