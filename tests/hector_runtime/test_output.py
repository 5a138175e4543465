"""What stands beside an answer: a line for each tool, as long as the terminal is wide."""

import io
import sys

import pytest

from hector_runtime.cli.answer import ToolUse
from hector_runtime.cli.output import Writer, columns, prepare_streams, sized, tool_line, wants_color

USE = ToolUse("search", '{"query":\n "runs  and   events"}', 1234.0, 4567)


def test_a_tool_is_its_name_arguments_duration_and_size_on_one_line():
    assert tool_line(USE) == '[search {"query": "runs and events"} · 1.23 s · 4.6k chars]'


def test_a_tool_without_arguments_or_with_an_error_says_so():
    assert tool_line(ToolUse("todo_write", "{}", 0.4, 12)) == "[todo_write · 0.00 s · 12 chars]"
    assert (
        tool_line(ToolUse("read_file", "", None, 0, "no such file")) == "[read_file · 0.00 s · no such file]"
    )


@pytest.mark.parametrize("width", [20, 30, 40, 60, 200])
def test_a_line_is_never_wider_than_the_terminal(width):
    long = ToolUse("a_tool_with_a_name", "x" * 500, 1.0, 1, "an error " * 50)
    for use in (USE, long):
        line = tool_line(use, width)
        assert len(line) <= width
        assert line.endswith("]")


def test_sizes_are_said_as_people_do():
    assert [sized(size) for size in (0, 999, 1000, 65536)] == [
        "0 chars",
        "999 chars",
        "1.0k chars",
        "65.5k chars",
    ]


def test_a_terminal_of_no_width_is_taken_for_a_narrow_one(monkeypatch):
    monkeypatch.setenv("COLUMNS", "3")
    assert columns() == 20


@pytest.mark.parametrize(("value", "color"), [("1", False), ("", None), (None, None)])
def test_no_color_is_respected(monkeypatch, value, color):
    monkeypatch.delenv("NO_COLOR", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    assert wants_color() is color


def test_what_a_terminal_cannot_show_is_shown_as_a_question_mark(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    prepare_streams()
    terminal.write("ü…")
    terminal.flush()
    assert terminal.buffer.getvalue() == b"??"


def test_a_line_that_was_begun_is_ended_once(capsys):
    writer = Writer()
    writer.text("half a ")
    writer.text("line")
    writer.end()
    writer.end()
    writer.text("whole\n")
    writer.end()
    assert capsys.readouterr().out == "half a line\nwhole\n"


def test_tools_can_be_left_out(capsys):
    Writer(tools=False).tool(USE)
    Writer().tool(USE)
    assert capsys.readouterr().err.count("[search") == 1
