"""A caller chooses another model for one message, where its role or the agent allows it."""

import asyncio

import grpc
import pytest
from support.scripted_agent import ScriptedModel, ask, serving, text_of

import hector_a2a as a2a
from hector_mesh import Call, Principal, current_call, info_of, scope

USER = Principal("ada", frozenset({"user"}))
OPERATOR = Principal("olga", frozenset({"operator"}))
ADMIN = Principal("admin", frozenset({"admin"}))


class Named(ScriptedModel):
    """Says which model it is asked as."""

    async def StreamText(self, request, context):
        self.answers = [current_call.get().instance]
        async for piece in super().StreamText(request, context):
            yield piece


async def answer_to(mesh, caller, llm, context=""):
    request = ask("hi", context)
    request.message.metadata["hector.llm"] = llm
    with scope(Call(principal=caller)):
        async with asyncio.timeout(10):
            return (await a2a.A2AServiceStub(mesh).SendMessage(request)).task


@pytest.mark.parametrize("caller", [OPERATOR, ADMIN])
async def test_an_operator_may_choose_the_model_of_one_message(mesh_under_test, tmp_path, caller):
    """Decisions, "Security defaults"."""
    async with serving(mesh_under_test, tmp_path, Named()):
        chosen = await answer_to(mesh_under_test.mesh, caller, "fast")
        with scope(Call(principal=caller)):
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            usual = (await stub.SendMessage(ask("and now?", chosen.context_id))).task
    assert text_of(chosen) == "llms.fast "
    assert text_of(usual) == "llms.default "


async def test_a_user_may_not_and_nothing_is_begun(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, Named()):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await answer_to(mesh_under_test.mesh, USER, "fast")
        with scope(Call(principal=USER)):
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            assert not (await stub.ListTasks(a2a.ListTasksRequest())).tasks
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert info_of(refused.value).reason == "LLM_OVERRIDE_REFUSED"
    assert "agents.assistant.allow_llm_override" in (refused.value.details() or "")


async def test_a_user_may_where_the_agent_says_so(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, Named(), allow_llm_override=True):
        assert text_of(await answer_to(mesh_under_test.mesh, USER, "fast")) == "llms.fast "


@pytest.mark.parametrize("llm", ["", "a\nb", "x" * 129, 7, True])
async def test_what_is_no_name_is_refused(mesh_under_test, tmp_path, llm):
    async with serving(mesh_under_test, tmp_path, Named(), allow_llm_override=True):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await answer_to(mesh_under_test.mesh, ADMIN, llm)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
