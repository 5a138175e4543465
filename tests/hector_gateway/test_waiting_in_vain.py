"""Ours: who stops waiting for an answer is told which task to ask for."""

import asyncio

import pytest
from support.doors import Refused
from support.open_doors import opened
from support.scripted_agent import ScriptedModel

from hector.llm.v1 import StreamTextResponse

LATE = {"JSONRPC": -32603, "HTTP+JSON": 504, "GRPC": "DEADLINE_EXCEEDED"}


async def endless(request):
    yield StreamTextResponse(text="on and on ")
    await asyncio.Event().wait()


async def test_an_answer_that_takes_too_long_names_its_task_at_every_door(mesh_under_test, tmp_path):
    server = {"request_timeout": 0.4}
    async with opened(mesh_under_test, tmp_path, ScriptedModel(*[endless] * 6), server=server) as place:
        for door in place.doors():
            with pytest.raises(Refused) as refused:
                await door.send("hi", contextId=f"für-{door}")
            assert refused.value.code == LATE[door.binding]
            assert (refused.value.reason, refused.value.domain) == ("STILL_AT_WORK", "hector")
            task = refused.value.facts["taskId"]
            assert refused.value.facts == {"taskId": task, "contextId": f"für-{door}"}
            assert task in refused.value.message
            assert (await door.get(task))["contextId"] == f"für-{door}"
            await door.cancel(task)


async def test_a_message_for_a_task_that_takes_too_long_names_that_task(mesh_under_test, tmp_path):
    """Nothing is told ahead by an agent that cannot be reached, or that has begun nothing yet."""
