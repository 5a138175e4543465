"""Ours: an operator says what becomes of a tool's call whose process died in the middle of it."""

import pytest
from pydantic import ValidationError

from hector_tool.builtin import BuiltInProvider
from hector_tool.config import ToolSection
from hector_tool.todo_write import todo_write


def tools(**entries):
    return ToolSection.model_validate({"tools": entries}).tools


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("replay", "replay"),
        ("ask", "ask"),
        ("fail", "fail"),
        ({"verify_with": "todo_write"}, "verify_with:todo_write"),
        ("verify_with: todo_write", "verify_with:todo_write"),
    ],
)
def test_each_policy_can_be_written(written, read):
    assert tools(search={"after_crash": written}, todo_write={})["search"].after_crash == read


@pytest.mark.parametrize("written", ["perhaps", "verify_with:", {"verify_with": 1}, {"ask": "x"}, True])
def test_what_is_none_is_refused(written):
    with pytest.raises(ValidationError, match="replay, ask, fail"):
        tools(search={"after_crash": written}, todo_write={})


@pytest.mark.parametrize("other", [{}, {"todo_write": {"enabled": False}}])
def test_a_tool_that_verifies_must_be_there(other):
    with pytest.raises(ValidationError, match="no tool here"):
        tools(search={"after_crash": {"verify_with": "todo_write"}}, **other)


async def test_a_tool_says_its_policy_in_the_list():
    entry = tools(todo_write={"after_crash": "fail"})["todo_write"]
    [listed] = (await BuiltInProvider("todo_write", entry, todo_write()).ListTools(None, None)).tools
    assert listed.after_crash == "fail"
