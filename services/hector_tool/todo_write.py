"""The tool `todo_write`: an agent's to-do list, kept in the session's state and nowhere else."""

from typing import Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from hector.common.v1 import ToolAnnotations
from hector.tool.v1 import ExecuteToolResponse, ToolContext
from hector_tool.arguments import Arguments
from hector_tool.builtin import BuiltIn
from hector_tool.errors import ToolFailed

KEY = "todos"
"""The state key that holds the list."""
MOST = 200
"""Items in a list; it travels with every call."""
Status = Literal["pending", "in_progress", "completed", "canceled"]
SIGNS: dict[Status, str] = {"pending": "[ ]", "in_progress": "[>]", "completed": "[x]", "canceled": "[-]"}


class Todo(BaseModel):
    """One thing to do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=64, description="Unique within the list.")
    content: str = Field(min_length=1, max_length=1000, description="What is to be done.")
    status: Status = Field(description="How far it is; have one in progress at a time.")


class TodoWriteArguments(Arguments):
    """A list, or changes to it."""

    merge: bool = Field(
        False, description="true: change and add these items. false: these are the whole list."
    )
    todos: list[Todo] = Field(min_length=1, max_length=MOST, description="The items.")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [todo.id for todo in self.todos]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f'argument "todos": each id once (twice: {", ".join(twice)})')
        return self


_KEPT = TypeAdapter(dict[str, list[Todo]])


def todo_write() -> BuiltIn[TodoWriteArguments]:
    """Return the tool; it has no settings."""
    return BuiltIn(
        title="Write the to-do list",
        description=(
            "Keeps a to-do list for work of several steps: "
            "write it down first, then update it after every step. "
            "The answer is the whole list."
        ),
        arguments=TodoWriteArguments,
        run=_run,
        annotations=ToolAnnotations(idempotent=True),
        state_keys=(KEY,),
    )


async def _run(arguments: TodoWriteArguments, context: ToolContext) -> ExecuteToolResponse:
    todos = {todo.id: todo for todo in (_kept(context.state_json) if arguments.merge else ())}
    todos |= {todo.id: todo for todo in arguments.todos}
    if len(todos) > MOST:
        raise ToolFailed(
            f"the list would have {len(todos)} items, the limit is {MOST}; leave out what is done"
        )
    listed = {KEY: [todo.model_dump() for todo in todos.values()]}
    text = orjson.dumps(listed).decode()
    return ExecuteToolResponse(
        result=shown(list(todos.values())), structured_json=text, state_delta_json=text
    )


def shown(todos: list[Todo]) -> str:
    """Return a list for models and people."""
    done = sum(todo.status in ("completed", "canceled") for todo in todos)
    lines = [f"{SIGNS[todo.status]} {todo.id}: {todo.content}" for todo in todos]
    return "\n".join([f"{done} of {len(todos)} done:", *lines])


def _kept(state_json: str) -> list[Todo]:
    """Return the list that the session's state holds."""
    if not state_json:
        return []
    try:
        return _KEPT.validate_json(state_json).get(KEY, [])
    except ValidationError as error:
        raise ToolFailed(
            f"the session's state holds no to-do list under {KEY!r}; write the whole list with merge false"
        ) from error
