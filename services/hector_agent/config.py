"""The keys of `agents:`: who answers, with which model, instruction, tools and documents."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from hector_config import ByteSize, Duration, Misfit, Off, OneOf, RefersTo, Section, Settings
from hector_config.offer_config import MediaType

from .context_config import ContextConfig
from .custom.handler_name import HandlerName
from .offer_config import OfferConfig
from .retry_config import StepRetryConfig

AgentType = Annotated[
    str,
    OneOf(
        "llm",
        "custom",
        "plugin:*",
        later=["remote", "sequential", "parallel", "loop", "conditional", "runner"],
        decides=True,
    ),
]
ReasoningStrategy = Annotated[str, OneOf("default", "plugin:*", later=["chain-of-thought", "supervisor"])]
_OF_REMOTE = "it belongs to agents of type remote"
_OF_CONDITIONAL = "it belongs to agents of type conditional"


def _usable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        allowed = 'letters, digits, "_", "-" and ".", at most 64, a letter or a digit first'
        raise Misfit(f"the name of an agent stands in URLs: {allowed}")
    return name


AgentName = Annotated[str, AfterValidator(_usable)]


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
    """The strategy: "default" asks the model and runs the tools it wants until it wants none. Others are
    plugins, `plugin:NAME`."""
    max_iterations: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Most questions to the model in one run; reaching it ends the run and says so."""
    options: dict[str, Any] = {}
    """The strategy's own options."""
    enable_exit_tool: Off = False
    """Give the model a tool that ends the run: in a later version."""
    enable_escalate_tool: Off = False
    """Give the model a tool that hands the task upwards: in a later version."""

    later = {
        "termination_conditions": "a run ends when the model wants no more tools",
        "completion_instruction": "say it in the instruction",
        "enable_goal_extraction": "",
    }


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
    input_modes: list[MediaType] = []
    """Media types it reads, as the card says; the agent takes messages with any that one of its skills reads.
    Left out: the agent's."""
    output_modes: list[MediaType] = []
    """Media types it writes, likewise. Left out: the agent's."""
    visibility: Literal["public", "internal"] = "public"
    """Who may know of it: everybody, or authenticated callers, who find it in the extended card."""
    roles: list[Literal["viewer", "user", "operator", "admin"]] = []
    """Of an internal skill: only callers with one of these roles, or admin, find it. []: all of them."""

    @model_validator(mode="after")
    def _hide_from_whom(self) -> Self:
        if self.roles and self.visibility == "public":
            raise Misfit("everybody finds a public skill", at=("roles",), hint="write visibility: internal")
        return self


class AgentConfig(Section):
    """One entry of `agents:`. Its key is the agent's name in URLs and on the command line."""

    type: AgentType = "llm"
    """What kind of agent it is: "llm" asks a model, "custom" is code of your own, `plugin:NAME` a plugin."""
    handler: HandlerName | None = None
    """type custom: what answers, as `package.module:name`. The module stands beside this file, or is
    installed; what is named is an async generator (or a coroutine) that takes the turn."""
    config: Settings = Settings()
    """For a plugin: settings of its own for this agent."""
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
    """What the model is told before anything else. `{key}`, `{user:key}`, `{app:key}`, `{temp:key}` and
    `{artifact.name}` stand for what the session knows; `{key?}` may be missing. Other braces stay."""
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
    """Longest time for one run, all its steps together; also where several processes work on it one after the
    other. Time in which it waits for somebody, is paused or sleeps does not count."""
    step_timeout: Duration | None = None
    """Longest time for one question to the model; then it has failed, and may be asked again. Left out: as
    `llms.<name>.timeout` says. For tools there is `tools.<name>.timeout`."""
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    """Runs of agents with a higher one go on first, when there are more to go on with than processes have
    room for: after a restart, when timers end. Within a priority, apps take turns."""
    retry: StepRetryConfig = StepRetryConfig()
    """Which steps are tried again when they fail."""
    max_answer_size: Annotated[ByteSize, Field(ge=1024, le=32 << 20)] = 4 << 20
    """Most that the model may say in one answer: text, thoughts, tool calls and pictures together. A model
    that says more is stopped, and the run fails; what it had said is kept."""
    context: ContextConfig = ContextConfig()
    """How much of what was said before in a session it is shown."""
    concurrent_turns: Literal["queue", "reject", "interrupt"] = "queue"
    """What becomes of a message to a session in which a turn is at work. `queue`: it waits. `reject`: it is
    refused (TURN_IN_PROGRESS). `interrupt`: the turn at work is cancelled, and this one goes on."""
    skills: list[SkillConfig] = []
    """What it is good at, as its card says. Left out: one skill made from name and description."""
    a2a: OfferConfig = OfferConfig()
    """What it offers A2A clients, where that is not as `server.a2a` says."""
    input_modes: Annotated[list[MediaType], Field(min_length=1)] | None = None
    """Media types it reads; messages with others are refused. `image/*` is every picture, `*/*` everything.
    Left out: as `server.a2a.input_modes` says."""
    output_modes: Annotated[list[MediaType], Field(min_length=1)] | None = None
    """Media types it writes; who accepts none of them is refused. Left out: as `server.a2a.output_modes`
    says."""
    include_context: Off = False
    """Show the model passages before it asks for them: in a later version."""

    later = {
        "sub_agents": "agents do not call each other yet",
        "agent_tools": "agents do not call each other yet",
        "memory": "past sessions cannot be searched yet; hector call --session goes on with one",
        "structured_output": "ask for JSON in the instruction",
        "guardrails": "plugins of this kind can be written and tested, and nothing asks them yet",
        "trigger": "",
        "notifications": "",
        "include_context_limit": "give the agent the tool search",
        "include_context_max_length": "give the agent the tool search",
        **dict.fromkeys(("url", "agent_card_url", "agent_card_file", "headers"), _OF_REMOTE),
        **dict.fromkeys(("credentials", "target_agent_id"), _OF_REMOTE),
        "max_iterations": "it belongs to agents of type loop; see reasoning.max_iterations",
        **dict.fromkeys(("condition_agent", "condition_field"), _OF_CONDITIONAL),
        **dict.fromkeys(("on_true_agent", "on_false_agent"), _OF_CONDITIONAL),
        **dict.fromkeys(("on_true_response", "on_false_response"), _OF_CONDITIONAL),
        "search": "how documents are searched stands at document_stores.<name>.search",
        "output_key": "",
        "input_schema": "",
        "task": "a run is written to storage.database at every step in any case",
        "session_store": "sessions are kept in storage.database",
        "security": "who may call stands under server.auth",
        "vector_store": "it stands at document_stores.<name>.vector_store",
        "embedder": "it stands at document_stores.<name>.embedder",
        "vector_store_config": "declare it under vector_stores",
        "embedder_config": "declare it under embedders",
        "mcp_parser_tool": "files are read as text",
        "enable_tools": "declare tools under tools; an agent has all of them unless it names some",
    }

    @field_validator("skills")
    @classmethod
    def _tell_skills_apart(cls, skills: list[SkillConfig]) -> list[SkillConfig]:
        seen: dict[str, int] = {}
        for index, skill in enumerate(skills):
            if skill.id in seen:
                raise Misfit(f"the same id as entry {seen[skill.id]}", at=(index, "id"))
            seen[skill.id] = index
        return skills

    @model_validator(mode="after")
    def _keys_belong_to_the_type(self) -> Self:
        is_plugin = self.type.startswith("plugin:")
        if self.config and not is_plugin:
            raise Misfit("only plugins read it", at=("config",), hint="write type: plugin:NAME")
        if self.type != "custom":
            if self.handler is not None:
                raise Misfit(
                    "it belongs to agents of type custom", at=("handler",), hint="write type: custom"
                )
            if not is_plugin:
                return self
        elif self.handler is None:
            raise Misfit('required with type custom, as "package.module:name"', at=("handler",))
        strange = [
            Misfit("it belongs to agents of type llm", at=(key,), hint="here something else decides")
            for key in sorted(self.model_fields_set & OF_LLM)
        ]
        if strange:
            raise Misfit(strange[0].message, at=strange[0].at, hint=strange[0].hint, also=strange[1:])
        return self


OF_LLM = frozenset(
    {
        "llm",
        "allow_llm_override",
        "instruction",
        "global_instruction",
        "prompt",
        "tools",
        "document_stores",
        "reasoning",
        "retry",
        "step_timeout",
        "include_context",
    }
)
"""Keys that mean nothing where no model is asked."""


class AgentSection(Section):
    """What hector_agent reads of a configuration. The first agent answers where none is named."""

    agents: dict[AgentName, AgentConfig] = {}
    """The agents, by name: letters, digits, "_", "-" and ".", as they stand in URLs."""
