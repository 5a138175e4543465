"""Both servers side by side, and one call to both: what each answers, in words that can be compared."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from a2a_rules.house import opened
from differential.theirs import AGENT, EXTENSION, served
from support.doors import Door, Place, Refused, place_at

from hector_agent.custom.handler_name import Named

PLACE = "hector.seq"
"""Where an event of Hector's stands in its log; nothing to compare with."""
NEEDY = "needy"
"""Hector's twin that demands an extension."""
KEYS = ("id", "taskId", "contextId", "messageId", "artifactId")
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+Z")
OPEN: dict[str, Any] = {"input_modes": ["*/*"], "output_modes": ["*/*"]}
ON: dict[str, Any] = {"push_notifications": True, "extended_card": True}

Scenario = Callable[[Door], Awaitable[dict[str, Any]]]
"""Asks something in a few steps; returns what was answered, by step."""


@dataclass(frozen=True)
class Twins:
    """Hector, and a2a-sdk's server, with the same agent."""

    ours: Place
    theirs: Place

    def doors(self, kind: type[Door]) -> tuple[Door, Door]:
        return self.ours.door(kind, AGENT, "key-of-ada"), self.theirs.door(kind, AGENT)


@asynccontextmanager
async def side_by_side() -> AsyncIterator[Twins]:
    agent = {**OPEN, "handler": Named("differential.ours", "answer", None)}
    need = {"uri": EXTENSION, "description": "Needed here.", "required": True}
    agents = {AGENT: {**agent, "a2a": ON}, NEEDY: {**agent, "a2a": {"extensions": [need]}}}
    async with (
        httpx.AsyncClient(trust_env=False) as http,
        opened("local", agents) as house,
        served(http) as (url, grpc_address),
        place_at(url, grpc_address) as theirs,
    ):
        yield Twins(house.place, theirs)


async def attempt(asked: Awaitable[Any]) -> Any:
    """Return an answer, or how it was refused; the words of a refusal are everybody's own."""
    try:
        return await asked
    except Refused as refused:
        return {"refused": refused.reason, "code": refused.code, "fields": sorted(refused.violations)}
    except Exception as error:  # of the strict readers: what cannot be read is an answer, too
        return {"unreadable": f"{type(error).__name__}: {str(error)[:200]}"}


async def events_of(stream: Any) -> Any:
    """Return what a stream says, as `summed` has it."""
    async with stream as events:
        return summed([event.found async for event in events])


def summed(events: list[Any]) -> Any:
    """Return the first and the last of some events, and those between, pieces of one text joined.

    How a text is cut is everybody's own. That it is at work a server may say, or not.
    """
    joined: list[Any] = []
    for event in events:
        update, before = event.get("artifactUpdate"), joined[-1].get("artifactUpdate") if joined else None
        if update and before and update.get("append") and _same(update, before):
            before["artifact"]["parts"][-1]["text"] += update["artifact"]["parts"][0]["text"]
            before["lastChunk"] = update.get("lastChunk", False)
        else:
            joined.append(event)
    between = [one for one in joined[1:-1] if not _is_at_work(one)]
    return {"first": joined[0], "between": between, "last": joined[-1]}


def _is_at_work(event: Any) -> bool:
    status = event.get("statusUpdate", {}).get("status", {})
    return status.get("state") == "TASK_STATE_WORKING" and "message" not in status


def _same(update: Any, before: Any) -> bool:
    one, other = update["artifact"], before["artifact"]
    texts = [part for part in (*one["parts"], *other["parts"]) if set(part) == {"text"}]
    same_artifact: bool = one["artifactId"] == other["artifactId"]
    return same_artifact and len(texts) == len(one["parts"]) + len(other["parts"])


def comparable(found: Any, names: dict[str, str] | None = None) -> Any:
    """Return an answer without what no two servers have in common: ids and times get names of their own."""
    names = {} if names is None else names
    if isinstance(found, list):
        return [comparable(one, names) for one in found]
    if isinstance(found, dict):
        named = {key: _named(key, value, names) for key, value in found.items() if key != PLACE}
        return {key: value for key, value in named.items() if (key, value) != ("metadata", {})}
    return found


def _named(key: str, value: Any, names: dict[str, str]) -> Any:
    if key in KEYS and isinstance(value, str) and re.search(r"[0-9a-f]{8}-?[0-9a-f]{4}", value):
        return names.setdefault(value, f"<{len(names) + 1}>")
    if key == "timestamp" and isinstance(value, str) and TIME.fullmatch(value):
        return "<time>"
    return comparable(value, names)


def differences(ours: Any, theirs: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Return what differs, by place: ours and theirs. What is missing is None."""
    if ours == theirs:
        return {}
    found: dict[str, tuple[Any, Any]] = {}
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            found |= differences(ours.get(key), theirs.get(key), f"{path}.{key}" if path else key)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            found |= differences(one, other, f"{path}[{index}]")
    else:
        found[path] = ours, theirs
    return found
