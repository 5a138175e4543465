"""Another model for one run: a caller may name one, where its role or the agent allows it.

The wish is the message's metadata `hector.llm`. It stays with the message in the run's log, so that whoever
goes on with the run goes on with the same model.
"""

import re

from grpc import StatusCode

import hector_a2a as a2a
from hector_mesh import HectorError, Principal

from .agent import Agent

KEY = "hector.llm"
MAY_ALWAYS = frozenset({"operator", "admin"})
_NAME = re.compile(r"[^\x00-\x1f]{1,128}")


class OverrideRefused(HectorError):
    """The caller may not choose the model of this agent."""

    code, reason = StatusCode.PERMISSION_DENIED, "LLM_OVERRIDE_REFUSED"

    def __init__(self, agent: str, llm: str) -> None:
        super().__init__(
            f"only callers with role operator or admin may choose the model ({llm!r}) of agent {agent!r}: "
            f"ask without it, show such a credential, or set agents.{agent}.allow_llm_override: true",
            agent=agent,
            llm=llm,
        )


def llm_of(message: "a2a.Message") -> str:
    """Return the model that a message asks for, by its key under `llms:`; empty for the agent's own."""
    fields = message.metadata.fields
    return fields[KEY].string_value if KEY in fields else ""


def check_override(agent: Agent, message: "a2a.Message", principal: Principal) -> None:
    """Let a message pass whose sender may choose the model that it names.

    Raises:
        InvalidParams: What it names cannot be a model.
        OverrideRefused: The sender may not.
    """
    if KEY not in message.metadata.fields:
        return
    llm = llm_of(message)
    if not _NAME.fullmatch(llm):
        raise a2a.InvalidParams({f"message.metadata.{KEY}": "must be the name of a model under llms:"})
    if not (agent.config.allow_llm_override or principal.roles & MAY_ALWAYS):
        raise OverrideRefused(agent.name, llm)
