"""The fake is checked with the vendor's own client: what our adapter is tested with is OpenAI's API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest
from support.model_server import calls, refuses, says
from support.scripted_server import Reply, scripted, whole

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@asynccontextmanager
async def asking(reply: Reply) -> AsyncIterator[openai.AsyncOpenAI]:
    """Return the vendor's client of a server that gives this reply."""
    async with asyncio.timeout(20), scripted(reply) as server:
        client = openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="key", max_retries=0, timeout=10)
        async with client:
            yield client


async def test_it_answers_whole_and_streamed() -> None:
    async with asking(says("Hello there you")) as client:
        answer = await client.chat.completions.create(**ASKED)
        stream = await client.chat.completions.create(
            **ASKED, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert answer.choices[0].message.content == "Hello there you"
    assert answer.usage.total_tokens == 18
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == "Hello there you"
    assert choices[-1].finish_reason == "stop"
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 3


async def test_it_asks_for_tools_whole_and_streamed() -> None:
    wanted = ("call_a", "look", '{"at": "the moon"}'), ("call_b", "look", "{}")
    async with asking(calls(*wanted)) as client:
        message = (await client.chat.completions.create(**ASKED)).choices[0].message
        async with client.chat.completions.stream(**ASKED) as stream:
            streamed = (await stream.get_final_completion()).choices[0]
    for found in (message, streamed.message):
        got = [(call.id, call.function.name, call.function.arguments) for call in found.tool_calls]
        assert got == list(wanted)
    assert streamed.finish_reason == "tool_calls"


async def test_its_refusals_are_the_vendors_own() -> None:
    async with asking(refuses(429, "slow down", "rate_limit_exceeded")) as client:
        with pytest.raises(openai.RateLimitError, match="slow down") as failed:
            await client.chat.completions.create(**ASKED)
    assert failed.value.code == "rate_limit_exceeded"


async def test_it_lists_models() -> None:
    entry = {"id": "m", "object": "model", "created": 1, "owned_by": "us"}
    async with asking(whole({"object": "list", "data": [entry]})) as client:
        assert [model.id async for model in client.models.list()] == ["m"]
