"""What an author writes as a function, seen as a host sees it; in one process, by `hector_plugin.testing`."""

import asyncio
import dataclasses
import json
import threading
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from hector.common.v1 import Part
from hector.tool.v1 import (
    ExecuteToolRequest,
    ExecuteToolResponse,
    ListToolsRequest,
    StreamToolRequest,
    ToolContext,
    ToolProviderStub,
)
from hector_mesh import info_of, streaming
from hector_plugin import Invocation, ToolFailed, tool
from hector_plugin.testing import running


class Colour(Enum):
    RED = "red"
    GREEN = "green"


@dataclasses.dataclass
class Place:
    """Where something is.

    Attributes:
        name: What it is called.
        at: Its coordinates.
    """

    name: str
    at: list[float] = dataclasses.field(default_factory=list)


@tool
def everything(
    text: str,
    count: int = 3,
    share: float | None = None,
    colour: Colour = Colour.RED,
    mode: Literal["a", "b"] = "a",
    where: Place | None = None,
    tags: Annotated[dict[str, bool], "What it is tagged with."] = {},  # noqa: B006  never changed
) -> str:
    """Takes one of everything.

    It takes it twice.

    Args:
        text: Some text,
            on two lines.
        count: How many.

    Returns:
        What it got.
    """
    return f"{text} {count!r} {share!r} {colour!r} {mode} {where!r} {tags!r}"


async def test_the_schema_of_a_tool_is_made_of_its_hints_and_docstring() -> None:
    async with running(everything) as plugin:
        (listed,) = (await plugin.stub(ToolProviderStub).ListTools(ListToolsRequest())).tools
    assert listed.name == "everything"
    assert listed.description == "Takes one of everything.\n\nIt takes it twice."
    assert json.loads(listed.parameters_json) == {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "Some text, on two lines."},
            "count": {"type": "integer", "description": "How many.", "default": 3},
            "share": {"type": ["number", "null"]},
            "colour": {"enum": ["red", "green"]},
            "mode": {"enum": ["a", "b"], "default": "a"},
            "where": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string", "description": "What it is called."},
                            "at": {
                                "type": "array",
                                "items": {"type": "number"},
                                "description": "Its coordinates.",
                            },
                        },
                        "required": ["name"],
                        "additionalProperties": False,
                    },
                    {"type": "null"},
                ]
            },
            "tags": {
                "type": "object",
                "additionalProperties": {"type": "boolean"},
                "description": "What it is tagged with.",
            },
        },
        "required": ["text"],
        "additionalProperties": False,
    }


async def test_arguments_arrive_as_the_hints_promise() -> None:
    async with running(everything) as plugin:
        done = await plugin.call(
            "everything",
            text="x",
            share=1,
            colour="green",
            where={"name": "here", "at": [1]},
            tags={"t": True},
        )
    assert done.result == "x 3 1.0 <Colour.GREEN: 'green'> a Place(name='here', at=[1.0]) {'t': True}"


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("{", "no JSON"),
        ("[]", "found array"),
        ('{"count": 1}', "/text: is required"),
        ('{"text": 1}', "/text: found integer"),
        ('{"text": "x", "count": true}', "/count: found boolean"),
        ('{"text": "x", "count": 1.5}', "/count: found number"),
        ('{"text": "x", "colour": "blue"}', "/colour: allowed: 'red', 'green'"),
        ('{"text": "x", "where": {"at": []}}', "/where"),
        ('{"text": "x", "other": 1}', "/other: is not known; there are: text"),
        ("[" * 100_000, "no JSON"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_before_the_function_is_called(
    written: str, place: str
) -> None:
    async with running(everything) as plugin:
        with pytest.raises(AioRpcError) as refused:
            await plugin.stub(ToolProviderStub).ExecuteTool(
                ExecuteToolRequest(tool="everything", parameters_json=written)
            )
    assert refused.value.code() is StatusCode.INVALID_ARGUMENT
    assert info_of(refused.value).reason == "TOOL_ARGUMENTS_INVALID"
    assert place in (refused.value.details() or "")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1e999"])
async def test_a_number_that_is_none_is_refused_and_breaks_nothing(number: str) -> None:
    async with running(everything) as plugin:
        for argument in ("count", "share"):
            request = ExecuteToolRequest(
                tool="everything", parameters_json=f'{{"text": "a", "{argument}": {number}}}'
            )
            with pytest.raises(AioRpcError) as refused:
                await plugin.stub(ToolProviderStub).ExecuteTool(request)
            assert refused.value.code() is StatusCode.INVALID_ARGUMENT
            assert info_of(refused.value).reason == "TOOL_ARGUMENTS_INVALID"


async def test_a_number_too_large_for_its_hint_is_refused() -> None:
    async with running(everything) as plugin:
        request = ExecuteToolRequest(
            tool="everything", parameters_json=f'{{"text": "a", "share": {10**400}}}'
        )
        with pytest.raises(AioRpcError) as refused:
            await plugin.stub(ToolProviderStub).ExecuteTool(request)
    assert refused.value.code() is StatusCode.INVALID_ARGUMENT


async def test_what_a_dataclass_refuses_is_an_argument_that_is_refused() -> None:
    @dataclasses.dataclass
    class Span:
        begin: int
        end: int

        def __post_init__(self) -> None:
            if self.end < self.begin:
                raise ValueError("a span does not end before it begins")

    @tool
    def measured(span: Span) -> str:
        """Measures."""
        return str(span.end - span.begin)

    async with running(measured) as plugin:
        assert (await plugin.call("measured", span={"begin": 1, "end": 3})).result == "2"
        with pytest.raises(AioRpcError, match="measured: a span does not end before it begins") as refused:
            await plugin.call("measured", span={"begin": 3, "end": 1})
    assert refused.value.code() is StatusCode.INVALID_ARGUMENT


async def test_what_a_hint_can_say_can_be_returned() -> None:
    @dataclasses.dataclass
    class Painted:
        colour: Colour
        tags: set[str]

    @tool
    def paint() -> Painted:
        """Paints."""
        return Painted(Colour.GREEN, {"new"})

    async with running(paint) as plugin:
        painted = await plugin.call("paint")
    assert json.loads(painted.structured_json) == {"colour": "green", "tags": ["new"]}


async def test_a_tuple_has_its_places() -> None:
    @tool
    def placed(at: tuple[float, str], many: tuple[int, ...] = ()) -> str:
        """Places."""
        return f"{at!r} {many!r}"

    async with running(placed) as plugin:
        assert (await plugin.call("placed", at=[1, "m"], many=[1, 2, 3])).result == "(1.0, 'm') (1, 2, 3)"
        for wrong in (["m", 1], [1], [1, "m", 2]):
            with pytest.raises(AioRpcError) as refused:
                await plugin.call("placed", at=wrong)
            assert refused.value.code() is StatusCode.INVALID_ARGUMENT


async def test_what_a_tool_raises_for_the_model_is_an_answer() -> None:
    @tool
    async def fails(why: str) -> str:
        """Fails."""
        raise ToolFailed(why)

    async with running(fails) as plugin:
        done = await plugin.call("fails", why="no such city")
    assert (done.success, done.error, done.result) == (False, "no such city", "")


async def test_what_a_tool_raises_by_mistake_is_told_to_nobody_but_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @tool
    def breaks() -> str:
        """Breaks."""
        raise KeyError("hunter2")

    async with running(breaks) as plugin:
        with pytest.raises(AioRpcError) as refused:
            await plugin.call("breaks")
    assert refused.value.code() is StatusCode.INTERNAL
    assert "hunter2" not in (refused.value.details() or "")
    assert "hunter2" in caplog.text


@dataclasses.dataclass
class Weather:
    city: str
    degrees: float


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", ExecuteToolResponse(success=True, result="text")),
        (None, ExecuteToolResponse(success=True, result="done")),
        ([1, "ä"], ExecuteToolResponse(success=True, result='[1, "ä"]', structured_json='[1, "ä"]')),
        (Part(text="x"), ExecuteToolResponse(success=True, parts=[Part(text="x")])),
        ([Part(text="x")], ExecuteToolResponse(success=True, parts=[Part(text="x")])),
        (ExecuteToolResponse(result="r"), ExecuteToolResponse(success=True, result="r")),
        (ExecuteToolResponse(error="e"), ExecuteToolResponse(error="e")),
        (
            Weather("Rome", 31.5),
            ExecuteToolResponse(
                success=True,
                result='{"city": "Rome", "degrees": 31.5}',
                structured_json='{"city": "Rome", "degrees": 31.5}',
            ),
        ),
    ],
)
async def test_what_a_tool_returns_becomes_its_result(value: Any, expected: ExecuteToolResponse) -> None:
    @tool
    def returns() -> Any:
        """Returns it."""
        return value

    async with running(returns) as plugin:
        assert await plugin.call("returns") == expected


async def test_a_dataclass_that_a_tool_returns_is_its_result_schema() -> None:
    @tool
    def weather(city: str) -> Weather:
        """Looks out of the window."""
        return Weather(city, 20)

    assert json.loads(weather.message.result_schema_json)["required"] == ["city", "degrees"]
    assert weather("Rome") == Weather("Rome", 20)


async def test_a_tool_shows_how_far_it_is_and_changes_the_sessions_state() -> None:
    @tool(state_keys=("seen",))
    def reads(pages: int, invocation: Invocation) -> str:
        """Reads pages."""
        assert threading.current_thread() is not threading.main_thread()
        for page in range(pages):
            invocation.progress(page, pages, f"page {page}")
        invocation.output("some of it")
        invocation.set_state("seen", invocation.state["seen"] + pages)
        return f"{invocation.session} {invocation.effect_id} {invocation.state['seen']}"

    context = ToolContext(session="s1", effect_id="e1", state_json='{"seen": 40}')
    request = StreamToolRequest(tool="reads", parameters_json='{"pages": 2}', context=context)
    async with (
        asyncio.timeout(10),
        running(reads) as plugin,
        streaming(plugin.stub(ToolProviderStub).StreamTool(request)) as stream,
    ):
        events = [event async for event in stream]
    assert [event.progress.message for event in events[:2]] == ["page 0", "page 1"]
    assert events[2].output.text == "some of it"
    assert (events[3].result.result, events[3].result.state_delta_json) == ("s1 e1 42", '{"seen": 42}')
    assert len(events) == 4
    assert json.loads(reads.message.parameters_json)["required"] == ["pages"]


async def test_a_streamed_call_that_is_left_stops_the_tool() -> None:
    stopped = asyncio.Event()

    @tool
    async def waits(invocation: Invocation) -> str:
        """Waits."""
        invocation.progress(0)
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()
        return "waited"

    async with running(waits) as plugin, asyncio.timeout(10):
        call = plugin.stub(ToolProviderStub).StreamTool(StreamToolRequest(tool="waits"))
        async with streaming(call) as events:
            async for _ in events:
                break
        await stopped.wait()


async def test_a_dry_run_calls_nothing() -> None:
    @tool
    def launches() -> str:
        """Launches."""
        raise AssertionError("it was called")

    async with running(launches) as plugin:
        request = ExecuteToolRequest(tool="launches", dry_run=True)
        done = await plugin.stub(ToolProviderStub).ExecuteTool(request)
    assert (done.success, done.result) == (True, "would run launches")


def test_a_function_that_no_model_could_use_is_refused_where_it_is_written() -> None:
    def undocumented(text: str) -> str:
        return text

    def unhinted(text):
        """Has no hint."""

    def strange(text: object) -> str:
        """Has a strange hint."""

    for function, said in (
        (undocumented, "needs a docstring"),
        (unhinted, "unhinted(text) needs a type hint"),
        (strange, "strange(text) is annotated with <class 'object'>, which has no JSON Schema"),
    ):
        with pytest.raises(TypeError) as refused:
            tool(function)
        assert said in str(refused.value)
    with pytest.raises(TypeError, match="is no name for a tool"):
        tool(name="no name")(undocumented)


async def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="two tools have the same name: everything, everything"):
        async with running(everything, everything):
            pass
