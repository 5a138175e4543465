"""The servicer: it picks the strategy, carries the state, and keeps nothing."""

import asyncio

import grpc
import pytest
from contracts.reasoning_strategy import Played, never_stops, says
from grpc import StatusCode

from hector.reasoning.v1 import (
    FinalizeRequest,
    InitializeRequest,
    ProcessIterationRequest,
    ReasoningStrategyStub,
)
from hector_mesh import info_of
from hector_reasoning.service import ReasoningServicer
from hector_reasoning.state import Memory, written


class FreshProcess:
    """Every call meets a servicer that has never seen one before."""

    def __getattr__(self, method):
        return lambda request: getattr(ReasoningServicer(), method)(request, None)


async def test_the_first_decision_comes_with_the_first_state():
    begun = await FreshProcess().Initialize(InitializeRequest())
    asked = await FreshProcess().ProcessIteration(ProcessIterationRequest(state=begun.state, iteration=1))
    assert begun.first == asked
    assert [action.ask.may_conclude for action in begun.first.actions] == [True]


async def test_a_fresh_process_continues_from_any_state():
    def model(question):
        return never_stops(question) if question < 4 else says("done")

    async with asyncio.timeout(5):
        run = await Played(FreshProcess, model, limit=10).play()
    assert run.asked == 4
    assert [action.id for action in run.actions] == [
        "ask-1", "tool-1-1", "ask-2", "tool-2-1", "ask-3", "tool-3-1", "ask-4",
    ]  # fmt: skip


async def test_a_model_that_never_stops_is_asked_exactly_as_often_as_allowed(
    reasoning: ReasoningStrategyStub,
):
    async with asyncio.timeout(10):
        run = await Played(lambda: reasoning, never_stops, limit=3).play()
    assert run.asked == 3
    assert run.truncated
    assert "limit of 3 iterations" in run.conclusion


async def test_no_limit_means_no_limit(reasoning: ReasoningStrategyStub):
    async with asyncio.timeout(10):
        run = await Played(
            lambda: reasoning, lambda question: never_stops(question) if question < 90 else says("done")
        ).play()
    assert (run.asked, run.truncated) == (90, False)


async def test_the_last_sentence_names_the_agent_that_was_called_for(mesh_under_test, reasoning):
    begun = await reasoning.Initialize(InitializeRequest(max_iterations=1))
    helper = ReasoningStrategyStub(mesh_under_test.mesh.at("agents.helper"))
    end = await helper.Finalize(FinalizeRequest(state=begun.state, truncated=True))
    assert "`agents.helper.reasoning.max_iterations`" in end.result
    assert "limit of 1 iteration " in end.result


@pytest.mark.parametrize(
    ("options", "code", "reason", "says"),
    [
        ('{"strategy": "nonsense"}', StatusCode.NOT_FOUND, "STRATEGY_NOT_FOUND", "available: default"),
        ('{"strategy": "chain-of-thought"}', StatusCode.NOT_FOUND, "STRATEGY_NOT_AVAILABLE", "is known"),
        ('{"strategy": "supervisor"}', StatusCode.NOT_FOUND, "STRATEGY_NOT_AVAILABLE", "available: default"),
        ('{"strategy": "plugin:mine"}', StatusCode.UNIMPLEMENTED, "PLUGIN_NOT_FOUND", "no plugin 'mine'"),
        ('{"strategy": 3}', StatusCode.INVALID_ARGUMENT, "STRATEGY_OPTIONS_INVALID", "no string"),
        ('{"depth": 3}', StatusCode.INVALID_ARGUMENT, "STRATEGY_OPTIONS_INVALID", "depth"),
        ("[]", StatusCode.INVALID_ARGUMENT, "STRATEGY_OPTIONS_INVALID", "no JSON object"),
        ("{", StatusCode.INVALID_ARGUMENT, "STRATEGY_OPTIONS_INVALID", "not JSON"),
    ],
)  # fmt: skip
async def test_a_strategy_that_is_not_here_says_what_is(reasoning, options, code, reason, says):
    with pytest.raises(grpc.aio.AioRpcError, match=says) as failed:
        await reasoning.Initialize(InitializeRequest(options_json=options))
    assert failed.value.code() is code
    assert info_of(failed.value).reason == reason


@pytest.mark.parametrize("options", ["", "{}", '{"strategy": "default"}'])
async def test_without_a_name_it_is_the_default_strategy(reasoning, options):
    begun = await reasoning.Initialize(InitializeRequest(options_json=options))
    decision = await reasoning.ProcessIteration(ProcessIterationRequest(state=begun.state))
    assert decision.actions[0].HasField("ask")


async def test_a_call_without_a_state_says_to_initialise(reasoning):
    with pytest.raises(grpc.aio.AioRpcError, match="initialise again"):
        await reasoning.ProcessIteration(ProcessIterationRequest())


async def test_a_state_of_a_strategy_that_is_not_here_is_unreadable(reasoning):
    state = written(Memory("tree"))
    with pytest.raises(grpc.aio.AioRpcError, match="'tree'") as failed:
        await reasoning.ProcessIteration(ProcessIterationRequest(state=state))
    assert info_of(failed.value).reason == "STATE_UNREADABLE"
