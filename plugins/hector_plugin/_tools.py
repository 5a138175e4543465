"""Functions as tools: `@tool`, and what a function may know of its call."""

import asyncio
import dataclasses
import inspect
import json
import re
import typing
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, overload

from hector.common.v1 import Artifact, Part, ToolAnnotations
from hector.common.v1 import Tool as ToolMessage
from hector.tool.v1 import ExecuteToolRequest, ExecuteToolResponse, StreamToolRequest, ToolProgress
from hector_mesh import Principal, current_call

from ._docstring import documented
from ._json_schema import problems
from ._registry import declare
from ._threads import in_thread
from ._types import object_schema, schema_of, value_of, written
from .errors import ArgumentsInvalid

Function = TypeVar("Function", bound=Callable[..., Any])
Show = Callable[[ToolProgress | Part], None]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Invocation:
    """One call of a tool. A tool with a parameter of this type gets it."""

    def __init__(self, request: ExecuteToolRequest | StreamToolRequest, show: Show | None = None) -> None:
        self.request = request
        """The call as the host made it."""
        self.artifacts: list[Artifact] = []
        """Things made for the user; add to it."""
        self._changed: dict[str, Any] = {}
        self._show = show
        self._loop = asyncio.get_running_loop()
        self.cancelled = False
        """Whether nobody waits any more; for functions without `async`, which cannot be interrupted."""

    @property
    def session(self) -> str:
        """The session it is for."""
        return self.request.context.session

    @property
    def effect_id(self) -> str:
        """Stays the same when the host makes the call again after a crash: an idempotency key."""
        return self.request.context.effect_id

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return current_call.get().principal

    @property
    def state(self) -> Mapping[str, Any]:
        """The keys of the session's state that the tool declared as `state_keys`."""
        text = self.request.context.state_json
        return {**(json.loads(text) if text else {}), **self._changed}

    def set_state(self, key: str, value: Any) -> None:
        """Change a key of the session's state, when the call succeeds; None takes it away."""
        self._changed[key] = value

    def progress(self, done: float, total: float = 0, message: str = "") -> None:
        """Say how far the call is."""
        self._send(ToolProgress(progress=done, total=total, message=message))

    def output(self, text: str) -> None:
        """Show a piece of output before the result is there; the result has to have it all."""
        self._send(Part(text=text))

    def _send(self, event: ToolProgress | Part) -> None:
        if self._show is not None:
            self._loop.call_soon_threadsafe(self._show, event)

    def finished(self, response: ExecuteToolResponse) -> ExecuteToolResponse:
        """Return a response with what was collected meanwhile."""
        response.artifacts.extend(self.artifacts)
        if self._changed and not response.error:
            response.state_delta_json = json.dumps(self._changed)
        return response


class Tool:
    """A function with its schema. Calling it calls the function."""

    def __init__(self, function: Callable[..., Any], message: ToolMessage, *, blocking: bool) -> None:
        self.function = function
        self.message = message
        """What models and hosts are told."""
        self.name = message.name
        self.schema: Mapping[str, Any] = json.loads(message.parameters_json)
        self._hints = _hints(function)
        self._invocation = next((name for name, hint in self._hints.items() if hint is Invocation), None)
        self._is_async = inspect.iscoroutinefunction(function)
        self._in_thread = blocking and not self._is_async

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)

    def arguments(self, written: str) -> dict[str, Any]:
        """Read what a model wrote.

        Raises:
            ArgumentsInvalid: It is not what the schema says.
        """
        try:
            found = json.loads(written) if written else {}
        except (ValueError, RecursionError):
            raise ArgumentsInvalid(f"{self.name}: the arguments are no JSON", tool=self.name) from None
        wrong = problems(found, self.schema)
        if wrong:
            raise ArgumentsInvalid(f"{self.name}: {'; '.join(map(str, wrong))}", tool=self.name)
        try:
            return {name: value_of(self._hints[name], value) for name, value in found.items()}
        except (ValueError, OverflowError) as error:
            raise ArgumentsInvalid(f"{self.name}: {error}", tool=self.name) from None

    async def run(self, arguments: dict[str, Any], invocation: Invocation) -> ExecuteToolResponse:
        """Call the function; what it raises is the caller's."""
        if self._invocation is not None:
            arguments[self._invocation] = invocation
        if self._in_thread:
            try:
                returned = await in_thread(self.function, **arguments)
            except asyncio.CancelledError:
                invocation.cancelled = True
                raise
        else:
            returned = self.function(**arguments)
            if isinstance(returned, Awaitable):
                returned = await returned
        return invocation.finished(_response(returned))


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *,
    name: str = ...,
    title: str = ...,
    read_only: bool = ...,
    idempotent: bool = ...,
    destructive: bool = ...,
    open_world: bool = ...,
    requires_approval: bool = ...,
    timeout_s: int = ...,
    state_keys: tuple[str, ...] = ...,
    blocking: bool = ...,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    title: str = "",
    read_only: bool = False,
    idempotent: bool = False,
    destructive: bool = False,
    open_world: bool = False,
    requires_approval: bool = False,
    timeout_s: int = 0,
    state_keys: tuple[str, ...] = (),
    blocking: bool = True,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a function a tool: its docstring says when to use it, its type hints what it takes.

    A function without `async` runs in a thread. It returns a text, anything that is JSON, a `Part` or a list
    of them, or an ExecuteToolResponse; what it raises as `ToolFailed`, the model sees.

    Args:
        name: Another name than the function's.
        title: A name to show to people.
        read_only: It changes nothing.
        idempotent: Calling twice does the same as calling once, so the host may.
        destructive: It may destroy something.
        open_world: It reaches into the world outside.
        requires_approval: A person must allow each call.
        timeout_s: How long a call usually may take.
        state_keys: Keys of the session's state that it reads.
        blocking: False: it never waits, and needs no thread.

    Raises:
        TypeError: It has no docstring, its name is none for a tool, or a hint has no JSON Schema.
    """
    annotations = ToolAnnotations(
        read_only=read_only,
        idempotent=idempotent,
        destructive=destructive,
        open_world=open_world,
        requires_approval=requires_approval,
    )

    def decorate(wrapped: Callable[..., Any]) -> Tool:
        about = documented(wrapped)
        called = name or wrapped.__name__
        if not _NAME.fullmatch(called):
            message = f"{called!r} is no name for a tool: letters, digits, '_' and '-', at most 64"
            raise TypeError(message)
        if not about.description:
            raise TypeError(f"{called} needs a docstring: models choose tools by what it says")
        message_ = ToolMessage(
            name=called,
            description=about.description,
            parameters_json=json.dumps(_parameters(wrapped, about.arguments), separators=(",", ":")),
            title=title,
            annotations=annotations,
            timeout_s=timeout_s,
            state_keys=state_keys,
        )
        returned = _hints(wrapped).get("return")
        if dataclasses.is_dataclass(returned):
            message_.result_schema_json = json.dumps(schema_of(returned), separators=(",", ":"))
        return declare(Tool(wrapped, message_, blocking=blocking))

    return decorate(function) if function is not None else decorate


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    return typing.get_type_hints(function, include_extras=True)


def _parameters(function: Callable[..., Any], about: Mapping[str, str]) -> dict[str, Any]:
    hints = _hints(function)
    properties, required = {}, []
    for parameter in inspect.signature(function).parameters.values():
        if hints.get(parameter.name) is Invocation:
            continue
        what = f"{function.__name__}({parameter.name})"
        if parameter.name not in hints or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{what} needs a type hint, from which its JSON Schema is made")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"{what} must not be positional only: models give arguments by name")
        schema = schema_of(hints[parameter.name], what)
        if parameter.name in about:
            schema.setdefault("description", about[parameter.name])
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        elif isinstance(parameter.default, str | int | float | bool):
            schema["default"] = parameter.default
        properties[parameter.name] = schema
    return object_schema(properties, required)


def _response(returned: Any) -> ExecuteToolResponse:
    if isinstance(returned, ExecuteToolResponse):
        returned.success = not returned.error
        return returned
    if returned is None:
        return ExecuteToolResponse(success=True, result="done")
    if isinstance(returned, str):
        return ExecuteToolResponse(success=True, result=returned)
    if isinstance(returned, Part):
        returned = [returned]
    if isinstance(returned, list) and returned and all(isinstance(one, Part) for one in returned):
        return ExecuteToolResponse(success=True, parts=returned)
    text = written(returned, ensure_ascii=False)
    return ExecuteToolResponse(success=True, result=text, structured_json=text)
