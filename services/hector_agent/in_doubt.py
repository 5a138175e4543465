"""Calls of which nobody knows whether they took effect: what becomes of them, and what a person is asked.

A call is in doubt when it was written down, its process died, and no result is in the log. What its tool says
decides (`tools.<name>.after_crash`); where that is "ask", a person does.
"""

import json
import re
from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple

from grpc import StatusCode

from hector.agent.v1 import ToolFinished, ToolStarted
from hector.common.v1 import Message, Tool
from hector.tool.v1 import ExecuteToolResponse, RequireInput
from hector_mesh import HectorError

REPLAY, ASK, FAIL, VERIFY = "replay", "ask", "fail", "verify_with:"
"""The policies; the last one goes on with the name of a tool."""
SHORT = 500


class Decision(Enum):
    """What becomes of a call in doubt."""

    AGAIN = "again"
    """It is made once more, with the same effect id."""
    HAPPENED = "happened"
    """It has taken effect, and is not made again."""
    GIVE_UP = "give up"
    """The run ends here."""


class Verdict(NamedTuple):
    """What was said of a call in doubt."""

    decision: Decision
    result: str = ""
    """What the call gave, as far as whoever says that it happened knows."""


class EffectInDoubt(HectorError):
    """Nobody knows whether a tool's effect took place, and nobody is to find out."""

    code, reason = StatusCode.ABORTED, "EFFECT_IN_DOUBT"

    def __init__(self, tool: str, effect: str, *, given_up: bool = False) -> None:
        why = "and it was given up" if given_up else f"and tools.{tool}.after_crash is fail"
        super().__init__(
            f"the server stopped while {tool} was being run: nobody knows whether it took effect, {why}. "
            f"Look at what it works on (effect id {effect}) before you ask for it again",
            tool=tool,
            effect_id=effect,
        )


def policy_of(name: str, tools: Sequence[Tool]) -> str:
    """Return what becomes of calls of a tool that are in doubt."""
    tool = next((tool for tool in tools if tool.name == name), None)
    if tool is None:
        return ASK  # it is gone, and with it all that it said of itself
    if tool.after_crash:
        return tool.after_crash
    return REPLAY if tool.annotations.read_only or tool.annotations.idempotent else ASK


def question_of(calls: Sequence[ToolStarted], *, misunderstood: bool = False) -> list[RequireInput]:
    """Return what a person is asked about calls in doubt."""
    lines = [f"{each.call.name}({_short(each.call.arguments_json)})" for each in calls]
    which = "\n".join(f"- {line}" for line in lines) if len(lines) > 1 else lines[0]
    them = "them" if len(lines) > 1 else "it"
    again, done = f'"again" to run {them} again', '"happened" if the effect is there'
    prompt = (
        f"The server stopped while this was being run, and nobody knows whether it took effect:\n{which}\n"
        f'Answer {again}, {done}, or "give up" to end the task.'
    )
    if misunderstood:
        prompt = f"That is none of the three answers that there are.\n{prompt}"
    decision = {"enum": [one.value for one in Decision]}
    schema = {"anyOf": [decision, {"type": "object", "additionalProperties": decision}]}
    details = [
        {"call": each.call.id, "tool": each.call.name, "effect_id": each.effect_id, "in_doubt": True}
        for each in calls
    ]
    found = RequireInput(prompt=prompt, schema_json=json.dumps(schema))
    found.details_json = json.dumps({"calls": details})
    return [found]


def understood(said: Message, calls: Sequence[str]) -> dict[str, Verdict] | None:
    """Return what a person said of calls in doubt, by their ids; None: it cannot be understood.

    One word is for all of them. JSON may name each, as `{"call_1": "again", "call_2": "happened"}`.
    """
    for part in said.parts:
        if part.WhichOneof("content") == "data_json":
            found: Any = json.loads(part.data_json)
            if isinstance(found, dict) and set(calls) <= found.keys():
                each = {call: _verdict(str(found[call])) for call in calls}
                return {call: one for call, one in each.items() if one} if all(each.values()) else None
            if isinstance(found, dict) and len(found) == 1:
                [found] = found.values()
            one = _verdict(str(found))
            return dict.fromkeys(calls, one) if one else None
    one = _verdict("".join(part.text for part in said.parts))
    return dict.fromkeys(calls, one) if one else None


def verdict_of(answer: ExecuteToolResponse) -> Verdict | None:
    """Return what a tool says that was asked whether an effect took place; None: it does not know.

    It says so in JSON, `{"happened": true, "result": "..."}`, or in a word.
    """
    if answer.error or answer.HasField("require_input"):
        return None
    text = (answer.structured_json or answer.result).strip()
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return _verdict(text)
    if isinstance(found, dict):
        found, result = found.get("happened"), found.get("result", "")
        result = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    else:
        result = ""
    if found is True:
        return Verdict(Decision.HAPPENED, result)
    return Verdict(Decision.AGAIN) if found is False else None


def end_of(call: ToolStarted, verdict: Verdict) -> ToolFinished:
    """Return the end of a call that has happened, as somebody says."""
    text = verdict.result or "It was done. Its result was lost with the server that waited for it."
    result = ExecuteToolResponse(success=True, result=text)
    return ToolFinished(call_id=call.call.id, tool=call.call.name, result=result)


_WORDS = {
    Decision.AGAIN: "again|run (?:it|them) again|do (?:it|them) again|run again|rerun|replay|retry|repeat|"
    "not happened|(?:it )?did not happen|(?:it )?didn't happen",
    Decision.HAPPENED: "(?:it )?happened|(?:it )?has happened|(?:it is |it's )?done|confirmed",
    Decision.GIVE_UP: "give (?:it )?up|giveup|give_up|abort|stop|cancel",
}
_SAID = [
    (decision, re.compile(rf"(?:{words})\b\s*[.!]?(?:\s*[:,;]\s*(?P<result>.*))?", re.I | re.S))
    for decision, words in _WORDS.items()
]


def _verdict(text: str) -> Verdict | None:
    text = text.strip().strip("\"'").strip()
    for decision, pattern in _SAID:
        if found := pattern.fullmatch(text):
            result = (found["result"] or "").strip() if decision is Decision.HAPPENED else ""
            return Verdict(decision, result)
    return None


def _short(text: str) -> str:
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"
