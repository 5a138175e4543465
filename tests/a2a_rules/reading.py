"""What tests look for in tasks, events and refusals."""

from collections.abc import Awaitable
from typing import Any

import pytest
from support.doors import Event, Events, Refused

OVER = {"COMPLETED", "FAILED", "CANCELED", "REJECTED"}


def state_of(task: Any) -> str:
    """Return a task's state, as "COMPLETED"."""
    return str(task["status"]["state"]).removeprefix("TASK_STATE_")


def text_of(task: Any) -> str:
    """Return the text of a task's artifacts."""
    parts = [part for artifact in task.get("artifacts", ()) for part in artifact["parts"]]
    return "".join(part.get("text", "") for part in parts)


def known_by(task: Any) -> Any:
    """Return what the agent told that it knows."""
    return next(one for one in task["artifacts"] if one["artifactId"] == "known")["parts"][0]["data"]


def kind_of(event: Event) -> str:
    (kind,) = event.found
    return str(kind)


def states_in(events: list[Event]) -> list[str]:
    """Return the states that events tell, without repetitions."""
    found: list[str] = []
    for event in events:
        payload = event.found.get("task") or event.found.get("statusUpdate")
        if payload is not None and state_of(payload) not in found[-1:]:
            found.append(state_of(payload))
    return found


def text_in(events: list[Event]) -> str:
    """Return the text that events bring, the task's at the beginning and the pieces after it."""
    found = ""
    for event in events:
        if "task" in event.found:
            found = text_of(event.found["task"])
        elif "artifactUpdate" in event.found:
            parts = event.found["artifactUpdate"]["artifact"]["parts"]
            found += "".join(part.get("text", "") for part in parts)
    return found


async def until(events: Events, wanted: str) -> list[Event]:
    """Read until something that is told contains a word."""
    found: list[Event] = []
    async for event in events:
        found.append(event)
        if wanted in str(event.found):
            return found
    raise AssertionError(f"{wanted!r} did not come: {[event.found for event in found]}")


async def all_of(stream: Any, into: list[Event] | None = None) -> list[Event]:
    """Read a stream that ends by itself; what came before a refusal is in `into`."""
    found: list[Event] = [] if into is None else into
    async with stream as events:
        async for event in events:
            found.append(event)
    return found


async def refused_by(asking: Awaitable[Any]) -> Refused:
    """Return how a request is refused; it must be."""
    with pytest.raises(Refused) as refused:
        await asking
    return refused.value
