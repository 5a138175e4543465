"""The offline model's answers: quoted, cited, honest, and the same every time."""

import json
import time

import pytest
from contracts.llm_provider import user

from hector.common.v1 import (
    ROLE_ASSISTANT,
    ROLE_SYSTEM,
    ROLE_TOOL,
    Blob,
    Message,
    Part,
    Tool,
    ToolCall,
    ToolResult,
)
from hector.llm.v1 import (
    FINISH_REASON_LENGTH,
    FINISH_REASON_TOOL_CALLS,
    GenerateTextRequest,
    GenerationOptions,
    StreamTextRequest,
)
from hector_llm import LLMConfig
from hector_llm.local import LocalProvider
from hector_llm.local.talking import NOTE

QUICKSTART = """# Quickstart

Hector is a platform for running AI agents in production. One YAML file describes
agents, models and tools. It needs Python 3.11, e.g. the one of your system.

## Start it

With the package installed, one command is enough:

```sh
mkdir try && cd try
hector serve
```

Stop it with Ctrl-C. Nothing is lost.
"""
STORAGE = """## Storage

State is kept in SQLite by default. Backups are the operator's business.

| key | default | meaning |
|---|---|---|
| database | sqlite | where runs are kept |
| retention | 30d | how long runs are kept |

Steps to move to PostgreSQL:

1. Stop the server.
2. Set `storage.database`.
3. Start the server.
"""
SEARCH = Tool(
    name="search",
    description="Searches the documents.",
    parameters_json=json.dumps(
        {
            "type": "object",
            "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
            "required": ["query"],
        }
    ),
)


def hits(*passages: tuple[str, str]) -> str:
    return "\n\n".join(f"[{citation}] A title\n{text}" for citation, text in passages)


BOTH = hits(("docs/quickstart.md:1-16", QUICKSTART), ("docs/storage.md:1-14", STORAGE))


async def answer(*messages: Message, tools: list[Tool] | None = None, **options) -> str:
    request = GenerateTextRequest(messages=messages, tools=tools or [], options=GenerationOptions(**options))
    response = await LocalProvider(LLMConfig(provider="local")).GenerateText(request, None)
    assert response.finish_reason != FINISH_REASON_TOOL_CALLS, response.message
    return response.text.removesuffix(NOTE).strip()


def found(question: str, result: str = BOTH, *, failed: bool = False, **call) -> list[Message]:
    """Return a conversation in which a tool has answered."""
    asked = ToolCall(
        id="c1", name=call.pop("tool", "search"), arguments_json=json.dumps(call or {"query": "x"})
    )
    told = ToolResult(tool_call_id="c1", name=asked.name, parts=[Part(text=result)], error=failed)
    return [
        user(question),
        Message(role=ROLE_ASSISTANT, parts=[Part(tool_call=asked)]),
        Message(role=ROLE_TOOL, parts=[Part(tool_result=told)]),
    ]


def says(text: str) -> Message:
    return Message(role=ROLE_ASSISTANT, parts=[Part(text=text)])


# From documents


async def test_a_definition_is_quoted_with_its_citation() -> None:
    text = await answer(*found("What is Hector?"))
    first = "Hector is a platform for running AI agents in production."
    assert text.startswith(f"{first} [docs/quickstart.md:1-16]") or text.startswith(first)
    assert "[docs/quickstart.md:1-16]" in text
    assert "Backups" not in text


async def test_how_to_is_answered_with_the_whole_command() -> None:
    text = await answer(*found("How do I start Hector?"))
    assert "```sh\nmkdir try && cd try\nhector serve\n```" in text
    assert "one command is enough: [docs/quickstart.md:1-16]" in text


@pytest.mark.parametrize(
    ("question", "quoted", "citation"),
    [
        ("Where is state kept?", "State is kept in SQLite by default.", "docs/storage.md:1-14"),
        ("how can I stop it", "Stop it with Ctrl-C.", "docs/quickstart.md:1-16"),
        (
            "Which Python does it need?",
            "It needs Python 3.11, e.g. the one of your system.",
            "docs/quickstart.md:1-16",
        ),
        ("What is the retention?", "retention: 30d; how long runs are kept", "docs/storage.md:1-14"),
        (
            "How do I move to PostgreSQL?",
            "1. Stop the server.\n2. Set `storage.database`.",
            "docs/storage.md:1-14",
        ),
    ],
)
async def test_what_fits_is_quoted_and_cited(question: str, quoted: str, citation: str) -> None:
    text = await answer(*found(question))
    assert quoted in text
    assert f"[{citation}]" in text


@pytest.mark.parametrize("result", [BOTH, "No passages found.", ""])
async def test_what_nothing_fits_is_said_plainly(result: str) -> None:
    text = await answer(*found("How do I bake sourdough bread?", result))
    assert text == "I found nothing in the documents that answers “How do I bake sourdough bread?”."


async def test_overlapping_passages_are_quoted_once() -> None:
    twice = hits(("a.md:1-9", QUICKSTART), ("a.md:3-12", QUICKSTART))
    text = await answer(*found("What is Hector?", twice))
    assert text.count("Hector is a platform") == 1


async def test_a_passage_cut_inside_a_block_of_code_does_not_turn_prose_into_code() -> None:
    cut = "hector serve --role llm\n```\n\nA role that is down gives callers an error with its name."
    text = await answer(*found("What happens when a role is down?", hits(("mesh.md:4-9", cut))))
    assert text == "A role that is down gives callers an error with its name. [mesh.md:4-9]"


async def test_passages_in_the_instructions_are_answered_from_too() -> None:
    """An agent may put documents into the system text instead of offering a tool."""
    system = Message(role=ROLE_SYSTEM, parts=[Part(text=f"Answer from these.\n\n{BOTH}")])
    assert "[docs/storage.md:1-14]" in await answer(system, user("Where is state kept?"))


async def test_an_attached_file_is_answered_from() -> None:
    blob = Blob(media_type="text/markdown", data=STORAGE.encode(), name="storage.md")
    message = Message(role=2, parts=[Part(text="Where is state kept?"), Part(blob=blob)])
    assert await answer(message) == "State is kept in SQLite by default. [storage.md:1-14]"


async def test_a_long_message_is_a_question_and_its_material() -> None:
    text = "What is Hector?\n" + "Nobody knows what the weather brings. " * 40 + "\nHector is a dog. "
    assert (await answer(user(text))).startswith("Hector is a dog.")


async def test_a_follow_up_is_searched_with_the_subject_of_the_question_before() -> None:
    before = [*found("What is Hector?"), says("Hector is a platform.")]
    request = GenerateTextRequest(messages=[*before, user("and where is it kept?")], tools=[SEARCH])
    response = await LocalProvider(LLMConfig(provider="local")).GenerateText(request, None)
    query = json.loads(response.message.parts[0].tool_call.arguments_json)["query"]
    assert query == "where is it kept hector"


# From the conversation


@pytest.mark.parametrize(
    ("told", "asked", "expected"),
    [
        ("Hi! My name is Ada.", "What is my name?", "Your name is Ada."),
        ("I am Ada Lovelace, by the way.", "who am I?", "Your name is Ada Lovelace."),
        (
            "My favourite colour is green.",
            "Do you remember my favourite colour?",
            "Your favourite colour is green.",
        ),
        (
            "I live in Paris with two cats.",
            "Where do I live?",
            "You told me: “I live in Paris with two cats.”",
        ),
    ],
)
async def test_what_was_told_is_remembered(told: str, asked: str, expected: str) -> None:
    assert await answer(user(told), says("Noted."), user(asked)) == expected
    assert await answer(user(told), says("Noted."), user(asked), tools=[SEARCH]) == expected


async def test_the_newest_of_two_facts_wins() -> None:
    messages = [user("My name is Ada."), says("Noted."), user("My name is Eve."), says("Noted.")]
    assert await answer(*messages, user("What is my name?")) == "Your name is Eve."


async def test_what_was_not_told_is_not_made_up() -> None:
    assert await answer(user("What is my name?"), tools=[SEARCH]) == "You have not told me."


@pytest.mark.parametrize("text", ["hello", "Hi there!", "thanks", "who are you?", "ping"])
async def test_small_talk_needs_no_tool(text: str) -> None:
    assert await answer(user(text), tools=[SEARCH])


async def test_without_documents_and_tools_it_says_that_it_knows_nothing() -> None:
    assert "no knowledge of my own" in await answer(user("What is the capital of France?"))


# What it is


async def test_it_says_once_per_conversation_what_it_is() -> None:
    model = LocalProvider(LLMConfig(provider="local"))
    messages = [user("hello")]
    first = (await model.GenerateText(GenerateTextRequest(messages=messages), None)).text
    messages += [says(first), user("thanks")]
    second = (await model.GenerateText(GenerateTextRequest(messages=messages), None)).text
    assert first.endswith(NOTE)
    assert "offline model" in NOTE
    assert "OPENAI_API_KEY" in NOTE
    assert "offline" not in second


async def test_the_same_conversation_gets_the_same_answer() -> None:
    model = LocalProvider(LLMConfig(provider="local"))
    request = GenerateTextRequest(messages=[user("What is Hector?")], tools=[SEARCH])
    answers = [await model.GenerateText(request, None) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]


async def test_a_stream_is_a_few_pieces_that_break_between_words() -> None:
    model = LocalProvider(LLMConfig(provider="local"))
    request = StreamTextRequest(messages=found("How do I start Hector?"))
    pieces = [piece async for piece in model.StreamText(request, None)]
    text = "".join(piece.text for piece in pieces)
    assert 3 <= len(pieces) <= len(text) / 40
    assert all(piece.text[-1].isspace() for piece in pieces[:-1])


async def test_limits_of_the_request_are_kept() -> None:
    model = LocalProvider(LLMConfig(provider="local"))
    options = GenerationOptions(max_tokens=5)
    cut = await model.GenerateText(GenerateTextRequest(prompt="hello", options=options), None)
    assert len(cut.text) == 20
    assert cut.finish_reason == FINISH_REASON_LENGTH
    assert await answer(user("hello"), stop=["!"]) == "Hello"


@pytest.mark.parametrize(
    "text",
    [
        "a" * 300_000,
        "what is " * 40_000,
        "my my my " * 30_000,
        "| " * 100_000,
        "[" * 100_000,
        "`" * 100_000,
        "x@" * 100_000,
        "a/" * 100_000 + "?",
        "(" * 50_000 + "?" + ")" * 50_000,
        "```\n" * 50_000,
        "\n" * 100_000,
        "- \n" * 50_000,
    ],
)
async def test_no_text_keeps_it_busy_for_long(text: str) -> None:
    """Ours: it runs in the server's own loop."""
    begun = time.process_time()
    await answer(user("What is Hector? " + text), tools=[])
    await answer(*found("What is Hector?", hits(("a.md:1-2", text))))
    assert time.process_time() - begun < 3
