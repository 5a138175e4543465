"""Which tools an agent has, and one call of one of them."""

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import attrgetter

import grpc

from hector.agent.v1 import RunError, ToolFinished, ToolStarted
from hector.common.v1 import Tool, ToolCall
from hector.tool.v1 import (
    DocumentScope,
    ExecuteToolRequest,
    ExecuteToolResponse,
    ListToolsRequest,
    ToolContext,
    ToolProviderStub,
)
from hector_mesh import Mesh

from .failure import error_of
from .state import chosen, wrong_with

_DECLARED = '"effect_id"'
"""In the schema of a tool that wants its effect's id as an argument."""
LIST_S = 10.0
FRESH_S = 10.0  # how long a list of tools is good for; an older one serves while the tools are away


class Toolbox:
    """The tools of this mesh, as far as agents may use them."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._stubs: dict[str, ToolProviderStub] = {}
        self._lists: dict[str, _List] = {}

    async def listed(self, names: Sequence[str] | None) -> list[Tool]:
        """Return the tools an agent has, by name: all of them, or those of the entries it names.

        An entry that nobody names is not asked: what answers late there delays only those who use it.

        Raises:
            AioRpcError: The tools cannot be listed, and never could.
        """
        if names is None:
            every = self._list("")
            await every.renew()
            return list(every.known)
        instances = [f"tools.{name}" for name in dict.fromkeys(names)]
        lists = [self._list(instance) for instance in instances]
        stale = [each.renew() for each in lists if not each.is_fresh]
        for failure in await asyncio.gather(*stale, return_exceptions=True) if stale else ():
            if isinstance(failure, BaseException):
                raise failure
        known = [(name, tool) for name, each in zip(instances, lists, strict=True) for tool in each.known]
        return sorted([tool for name, tool in known if tool.instance == name], key=attrgetter("name"))

    async def run(self, started: ToolStarted, request: ExecuteToolRequest) -> ToolFinished:
        """Call a tool and return what came of it; a call that could not be made is a result too."""
        begin = time.monotonic()
        finished = ToolFinished(call_id=started.call.id, tool=started.call.name)
        try:
            response = await self._stub(started.instance).ExecuteTool(request)
            if wrong := wrong_with(response.state_delta_json):
                finished.error.CopyFrom(_nonsense(started.call.name, wrong))
            else:
                finished.result.CopyFrom(response)
        except grpc.aio.AioRpcError as error:
            finished.error.CopyFrom(error_of(error))
        finished.duration_ms = round((time.monotonic() - begin) * 1000)
        return finished

    def _list(self, instance: str) -> "_List":
        if instance not in self._lists:
            self._lists[instance] = _List(self._stub(instance))
        return self._lists[instance]

    def _stub(self, instance: str) -> ToolProviderStub:
        if instance not in self._stubs:
            mesh = self._mesh.at(instance) if instance else self._mesh
            self._stubs[instance] = ToolProviderStub(mesh)
        return self._stubs[instance]


class _List:
    """The tools of one entry, or of all, as they were listed last."""

    def __init__(self, stub: ToolProviderStub) -> None:
        self._stub = stub
        self.known: Sequence[Tool] = ()
        self._until = 0.0

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() < self._until

    async def renew(self) -> None:
        """Know them; where there is an older list, it serves all others while one asks for a new one."""
        if self.is_fresh:
            return
        before, self._until = self._until, time.monotonic() + FRESH_S if self._until else 0.0
        is_known = False
        try:
            self.known = (await self._stub.ListTools(ListToolsRequest(), timeout=LIST_S)).tools
            is_known = True
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:  # the entry is switched off
                self.known, is_known = (), True
            elif not before:
                raise
        finally:
            self._until = time.monotonic() + FRESH_S if is_known else before


def started(run: str, iteration: int, call: ToolCall, tools: Sequence[Tool]) -> ToolStarted:
    """Return the event that stands in the log before a call is made."""
    instance = next((tool.instance for tool in tools if tool.name == call.name), "")
    effect = hashlib.sha256(f"{run}/{iteration}/{call.id}".encode()).hexdigest()[:32]
    return ToolStarted(call=call, effect_id=effect, instance=instance)


def request(
    event: ToolStarted,
    context: ToolContext,
    state: Mapping[str, object],
    stores: Sequence[str] | None,
    tools: Sequence[Tool],
) -> ExecuteToolRequest:
    """Return the call of a tool: it gets the state that it declared, and the agent's documents."""
    keys = next((list(tool.state_keys) for tool in tools if tool.name == event.call.name), [])
    arguments = event.call.arguments_json
    if any(_DECLARED in tool.parameters_json for tool in tools if tool.name == event.call.name):
        arguments = _with_effect(arguments, event.effect_id)
    whom = ToolContext()
    whom.CopyFrom(context)
    whom.effect_id = event.effect_id
    whom.state_json = chosen(state, keys)
    if stores is not None:
        whom.documents.CopyFrom(DocumentScope(document_stores=stores))
    return ExecuteToolRequest(
        tool=event.call.name, parameters_json=arguments, call_id=event.call.id, context=whom
    )


def verification(event: ToolStarted, context: ToolContext, tool: str) -> ExecuteToolRequest:
    """Return the call of a tool that is to say whether an effect took place."""
    asked = {"effect_id": event.effect_id, "tool": event.call.name, "arguments": {}}
    with suppress(ValueError, RecursionError):
        asked["arguments"] = json.loads(event.call.arguments_json or "{}")
    whom = ToolContext()
    whom.CopyFrom(context)
    whom.effect_id = event.effect_id
    return ExecuteToolRequest(
        tool=tool, parameters_json=json.dumps(asked), call_id=event.call.id, context=whom
    )


def needs_approval(call: ToolCall, tools: Sequence[Tool]) -> bool:
    """A person must allow this call before it is made."""
    return any(tool.annotations.requires_approval for tool in tools if tool.name == call.name)


def not_approved(call: ToolCall) -> ToolFinished:
    """Return the result of a call that nobody can allow: this version cannot ask a person yet."""
    text = (
        f"{call.name} needs a person's approval, and this version of Hector cannot ask for it: it was not run"
    )
    error = RunError(reason="TOOL_NEEDS_APPROVAL", message=text)
    return ToolFinished(call_id=call.id, tool=call.name, result=ExecuteToolResponse(), error=error)


def unknown(call: ToolCall, tools: Sequence[Tool]) -> ToolFinished:
    """Return the result of a call of a tool that the agent has not got; the model may try another."""
    names = ", ".join(tool.name for tool in tools) or "none"
    error = RunError(
        reason="TOOL_NOT_FOUND", message=f"there is no tool named {call.name!r}; there are: {names}"
    )
    return ToolFinished(call_id=call.id, tool=call.name, result=ExecuteToolResponse(), error=error)


def _with_effect(arguments_json: str, effect: str) -> str:
    """Return arguments with the effect's id, for a tool that has declared such an argument."""
    try:
        arguments = json.loads(arguments_json or "{}")
    except (ValueError, RecursionError):
        return arguments_json  # the tool will say what is wrong with it
    if not isinstance(arguments, dict):
        return arguments_json
    return json.dumps({**arguments, "effect_id": effect}, ensure_ascii=False)


def _nonsense(tool: str, wrong: str) -> RunError:
    text = f"{tool} was run, but what it wants to keep in the session cannot be ({wrong}): its answer is void"
    return RunError(reason="TOOL_ANSWERED_WRONG", message=text, code=grpc.StatusCode.INTERNAL.value[0])
