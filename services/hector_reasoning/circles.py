"""Notices a model that goes in circles: the same calls with the same outcome, turn after turn."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from hector.common.v1 import ToolCall, ToolResult
from hector_reasoning.errors import GoesInCircles
from hector_reasoning.state import Memory

WARNED_AFTER = 3
"""Equal turns in a row after which the model is told."""
STOPPED_AFTER = 6
"""Equal turns in a row after which the run ends, if the calls fail."""
STOPPED_AFTER_GOOD = 12
"""The same for calls that succeed: something may have been waited for."""


def asked_for(memory: Memory, calls: Sequence[ToolCall]) -> Memory:
    """Remember what a turn wants done."""
    return replace(memory, calls=_hash(*(f"{call.name}\0{call.arguments_json}" for call in calls)))


def came_of_it(memory: Memory, results: Sequence[ToolResult]) -> tuple[Memory, str]:
    """Remember what came of it, and return what the model should be told about that; nothing as a rule.

    Raises:
        GoesInCircles: It has happened often enough.
    """
    if not memory.calls or not results:
        return memory, ""
    failed = all(result.error for result in results)
    # A failure's words may hold the time of day; that it failed is enough.
    what = ["failed"] if failed else [_said(result) for result in results]
    outcome = _hash(memory.calls, *what)
    times = memory.times + 1 if outcome == memory.outcome else 1
    memory = replace(memory, calls="", outcome=outcome, times=times)
    names = ", ".join(dict.fromkeys(result.name for result in results))
    if times >= (STOPPED_AFTER if failed else STOPPED_AFTER_GOOD):
        raise GoesInCircles(names, times, failed=failed)
    if times < WARNED_AFTER:
        return memory, ""
    how = "failed" if failed else "brought the same"
    return memory, (
        f"Calling {names} with these arguments has now {how} {times} times in a row. "
        "Do not call it so again: try something else, or answer with what there is."
    )


def _said(result: ToolResult) -> str:
    return "\0".join(
        [str(result.error), *(part.SerializeToString(deterministic=True).hex() for part in result.parts)]
    )


def _hash(*parts: str) -> str:
    found = blake2b(digest_size=12)
    for part in parts:
        found.update(f"{len(part)}:{part}".encode("utf-8", "replace"))
    return found.hexdigest()
