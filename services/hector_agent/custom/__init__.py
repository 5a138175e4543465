"""Agents answered by code of the operator's own: `type: custom` with `handler: package.module:name`.

What a handler needs is here. `str` alone is an answer, so most need nothing but `Turn`.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hector_a2a import Artifact, Message, Part, Task

    from .once import StepInDoubt
    from .programs import program
    from .saying import (
        Said,
        artifact,
        auth_required,
        completed,
        data,
        failed,
        file,
        input_required,
        message,
        metadata,
        piece,
        rejected,
        spent,
        text,
        working,
    )
    from .turn import Turn

__all__ = [
    "Artifact",
    "Message",
    "Part",
    "Said",
    "StepInDoubt",
    "Task",
    "Turn",
    "artifact",
    "auth_required",
    "completed",
    "data",
    "failed",
    "file",
    "input_required",
    "message",
    "metadata",
    "piece",
    "program",
    "rejected",
    "spent",
    "text",
    "working",
]

_ELSEWHERE = {
    "Turn": "hector_agent.custom.turn",
    "StepInDoubt": "hector_agent.custom.once",
    "program": "hector_agent.custom.programs",
    **dict.fromkeys(("Artifact", "Message", "Part", "Task"), "hector_a2a"),
}


def __getattr__(name: str) -> object:
    # A config's keys are read with this package; what answers is loaded where something does.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_ELSEWHERE.get(name, "hector_agent.custom.saying"))
    found = globals()[name] = getattr(module, name)  # once: handlers ask for it with every word
    return found
