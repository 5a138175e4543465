"""Ours: code of the operator's own answers over A2A, with everything that A2A knows of an answer."""

from support.custom_agent import answering, said
from support.scripted_agent import as_ada, text_of

import hector_a2a as a2a


async def test_what_a_handler_yields_is_the_answer(mesh_under_test, tmp_path):
    source = """
        async def echo(turn):
            yield "You said: "
            yield turn.text
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            task = (await agent.SendMessage(said("hello"))).task
            assert task.status.state == a2a.TASK_STATE_COMPLETED
            assert text_of(task) == "You said: hello"
            assert await agent.GetTask(a2a.GetTaskRequest(id=task.id)) == task


async def test_a_coroutine_returns_its_answer(mesh_under_test, tmp_path):
    source = """
        async def echo(turn):
            return turn.text.upper()
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            assert text_of((await agent.SendMessage(said("hello"))).task) == "HELLO"
