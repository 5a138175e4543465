"""The offline model's tools: chosen by schema and keywords, filled from the text, asked for once."""

import json

import pytest
from contracts.llm_provider import user

from hector.common.v1 import (
    ROLE_ASSISTANT,
    ROLE_TOOL,
    Message,
    Part,
    Tool,
    ToolAnnotations,
    ToolCall,
    ToolResult,
)
from hector.llm.v1 import FINISH_REASON_TOOL_CALLS, GenerateTextRequest, GenerationOptions, ToolChoice
from hector_llm import LLMConfig
from hector_llm.local import LocalProvider


def tool(name: str, description: str = "", required: list[str] | None = None, **properties) -> Tool:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }
    return Tool(name=name, description=description, parameters_json=json.dumps(schema))


STRING, INTEGER = {"type": "string"}, {"type": "integer"}
TODO = {
    "type": "object",
    "properties": {
        "id": STRING,
        "content": STRING,
        "status": {"enum": ["pending", "in_progress", "completed"]},
    },
    "required": ["id", "content", "status"],
}
TOOLS = [
    tool("search", "Searches the documents.", ["query"], query=STRING, limit=INTEGER),
    tool("read_file", "Reads a text file of the project.", ["path"], path=STRING, start_line=INTEGER),
    tool(
        "grep_search", "Finds lines in files that match a pattern.", ["pattern"], pattern=STRING, path=STRING
    ),
    tool(
        "todo_write", "Keeps a to-do list.", todos={"type": "array", "items": TODO}, merge={"type": "boolean"}
    ),
    tool(
        "get_weather",
        "Tells the weather of a city.",
        ["city"],
        city=STRING,
        unit={"enum": ["celsius", "kelvin"]},
    ),
    tool("add_numbers", "Adds two numbers.", a={"type": "number"}, b={"type": "number"}),
    tool("ask_user", "Asks the user a question.", question=STRING),
    tool("web_fetch", "Reads a page of the web.", url=STRING),
    tool("execute_command", "Runs a command.", command=STRING),
]


async def asked(*messages: Message, tools: list[Tool] | None = None, **options) -> ToolCall | None:
    request = GenerateTextRequest(
        messages=messages, tools=TOOLS if tools is None else tools, options=GenerationOptions(**options)
    )
    response = await LocalProvider(LLMConfig(provider="local")).GenerateText(request, None)
    calls = [part.tool_call for part in response.message.parts if part.HasField("tool_call")]
    assert len(calls) <= 1
    assert (response.finish_reason == FINISH_REASON_TOOL_CALLS) == bool(calls)
    return calls[0] if calls else None


@pytest.mark.parametrize(
    ("question", "name", "arguments"),
    [
        ("What is Hector?", "search", {"query": "What is Hector?"}),
        ("Please tell me about the run log", "search", {"query": "the run log"}),
        ("I need to know how leases work", "search", {"query": "how leases work"}),
        ("hector plugins", "search", {"query": "hector plugins"}),
        ("search the docs for leases", "search", {"query": "leases"}),
        ("read docs/x.md", "read_file", {"path": "docs/x.md"}),
        ("What does README.md say about tests?", "read_file", {"path": "README.md"}),
        ("grep for TODO in services/", "grep_search", {"pattern": "TODO", "path": "services/"}),
        ('search the files for "class Foo"', "grep_search", {"pattern": "class Foo"}),
        ("What is the weather in Paris?", "get_weather", {"city": "Paris"}),
        ("add numbers 2 and 3.5", "add_numbers", {"a": 2.0, "b": 3.5}),
        ("fetch https://example.com/a?b=c.", "web_fetch", {"url": "https://example.com/a?b=c"}),
        ("use execute_command to run `ls -l`", "execute_command", {"command": "ls -l"}),
        (
            "add buy milk and call Bob to my todo list",
            "todo_write",
            {
                "todos": [
                    {"id": "1", "content": "buy milk", "status": "pending"},
                    {"id": "2", "content": "call Bob", "status": "pending"},
                ],
                "merge": True,
            },
        ),
    ],
)
async def test_a_question_goes_to_the_tool_it_is_for(question: str, name: str, arguments: dict) -> None:
    call = await asked(user(question))
    assert call is not None
    assert (call.name, json.loads(call.arguments_json)) == (name, arguments)


@pytest.mark.parametrize(
    "text", ["hello", "thanks!", "My name is Ada.", "We use three servers.", "what is my name?"]
)
async def test_words_alone_need_no_tool(text: str) -> None:
    assert await asked(user(text)) is None


async def test_nothing_is_run_that_the_user_did_not_write_down() -> None:
    call = await asked(user("please run a command for me with execute_command"))
    assert call is None or call.name != "execute_command"


@pytest.mark.parametrize("failed", [False, True])
async def test_after_a_tool_has_answered_it_answers(failed: bool) -> None:
    """Ours: it cannot go round in circles."""
    result = ToolResult(tool_call_id="c1", name="search", parts=[Part(text="nothing")], error=failed)
    messages = [
        user("What is Hector?"),
        Message(role=ROLE_ASSISTANT, parts=[Part(tool_call=ToolCall(id="c1", name="search"))]),
        Message(role=ROLE_TOOL, parts=[Part(tool_result=result)]),
    ]
    assert await asked(*messages) is None


async def test_a_new_question_is_searched_anew() -> None:
    result = ToolResult(tool_call_id="call_1", name="search", parts=[Part(text="nothing")])
    call = await asked(
        user("What is Hector?"),
        Message(role=ROLE_ASSISTANT, parts=[Part(tool_call=ToolCall(id="call_1", name="search"))]),
        Message(role=ROLE_TOOL, parts=[Part(tool_result=result)]),
        Message(role=ROLE_ASSISTANT, parts=[Part(text="I found nothing.")]),
        user("How do plugins start?"),
    )
    assert call is not None
    assert json.loads(call.arguments_json) == {"query": "How do plugins start?"}
    assert call.id == "call_2"


async def test_what_a_tool_said_is_told() -> None:
    result = ToolResult(tool_call_id="c1", name="get_weather", parts=[Part(text="18 degrees, rain")])
    request = GenerateTextRequest(
        messages=[
            user("What is the weather in Paris?"),
            Message(role=ROLE_ASSISTANT, parts=[Part(tool_call=ToolCall(id="c1", name="get_weather"))]),
            Message(role=ROLE_TOOL, parts=[Part(tool_result=result)]),
        ],
        tools=TOOLS,
    )
    text = (await LocalProvider(LLMConfig(provider="local")).GenerateText(request, None)).text
    assert "18 degrees, rain" in text


async def test_what_a_file_says_is_quoted_with_its_lines() -> None:
    numbered = "    12\t## Leases\n    13\tA lease lasts ten seconds.\n    14\tNobody else may write."
    call = ToolCall(id="c1", name="read_file", arguments_json='{"path": "docs/log.md"}')
    result = ToolResult(tool_call_id="c1", name="read_file", parts=[Part(text=numbered)])
    request = GenerateTextRequest(
        messages=[
            user("What does docs/log.md say about how long a lease lasts?"),
            Message(role=ROLE_ASSISTANT, parts=[Part(tool_call=call)]),
            Message(role=ROLE_TOOL, parts=[Part(tool_result=result)]),
        ]
    )
    text = (await LocalProvider(LLMConfig(provider="local")).GenerateText(request, None)).text
    assert "A lease lasts ten seconds. [docs/log.md:12-14]" in text


async def test_a_choice_is_a_choice() -> None:
    named = ToolChoice(mode=ToolChoice.MODE_NAMED, names=["ask_user"])
    call = await asked(user("What is Hector?"), tool_choice=named)
    assert call is not None
    assert call.name == "ask_user"
    assert await asked(user("What is Hector?"), tool_choice=ToolChoice(mode=ToolChoice.MODE_NONE)) is None
    required = ToolChoice(mode=ToolChoice.MODE_REQUIRED)
    call = await asked(
        user("hello"), tools=[tool("noop", "Does nothing.", when={"type": "integer"})], tool_choice=required
    )
    assert call is not None
    assert json.loads(call.arguments_json) == {"when": 0}


async def test_a_tool_with_a_broken_schema_is_left_alone() -> None:
    broken = Tool(name="search", description="Searches.", parameters_json="{")
    assert await asked(user("What is Hector?"), tools=[broken]) is None


async def test_a_search_that_is_called_otherwise_is_found_by_its_schema() -> None:
    lookup = tool("knowledge_base", "Finds passages in the handbook.", ["query"], query=STRING)
    call = await asked(user("What is the holiday policy?"), tools=[lookup])
    assert call is not None
    assert call.name == "knowledge_base"


async def test_a_tool_that_changes_things_is_not_asked_on_a_hint() -> None:
    delete = tool("delete_file", "Deletes a file of the project for good.", path=STRING)
    delete.annotations.CopyFrom(ToolAnnotations(destructive=True))
    assert await asked(user("What is in notes/a.md, and who may delete it?"), tools=[delete]) is None
