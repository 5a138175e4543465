"""Contract: a tool that needs a person makes its agent ask, and the answer is the tool's result."""

from support.custom_agent import answering, said
from support.scripted_agent import ScriptedModel, ScriptedTools, as_ada, ask, serving, text_of

import hector_a2a as a2a
from hector.agent.v1 import AgentServiceStub, GetSessionRequest
from hector.common.v1 import ROLE_TOOL, ROLE_USER
from hector.reasoning.v1 import (
    Action,
    AskUser,
    InitializeResponse,
    ProcessIterationResponse,
    ReasoningStrategyServicer,
    State,
)
from hector.tool.v1 import ExecuteToolResponse, RequireInput

ASKING = RequireInput(prompt="Which colour?", schema_json='{"type": "string"}')


class AskingTools(ScriptedTools):
    """`echo` asks a person."""

    async def ExecuteTool(self, request, context):
        if request.tool == "echo":
            self.calls.append(request)
            return ExecuteToolResponse(success=True, require_input=ASKING)
        return await super().ExecuteTool(request, context)


def answer(text: str, task: str) -> "a2a.SendMessageRequest":
    request = ask(text)
    request.message.task_id = task
    return request


def told(request):
    """Return what a model was told: results of tools, and what users said."""
    kinds = {ROLE_TOOL: "tool", ROLE_USER: "user"}
    return [
        (kinds[message.role], part.tool_result.parts[0].text if part.HasField("tool_result") else part.text)
        for message in request.messages
        if message.role in kinds
        for part in message.parts
    ]


async def test_a_tool_that_needs_a_person_is_answered_by_one(mesh_under_test, tmp_path):
    model = ScriptedModel([("echo", {}), ("count", {})], "It is blue.")
    tools = AskingTools()
    async with serving(mesh_under_test, tmp_path, model, tools):
        agent = a2a.A2AServiceStub(mesh_under_test.mesh)
        with as_ada():
            asked = (await agent.SendMessage(ask("paint it", "c"))).task
            assert asked.status.state == a2a.TASK_STATE_INPUT_REQUIRED
            assert asked.status.message.parts[0].text == "Which colour?"
            assert asked.status.message.metadata["hector.schema"]["type"] == "string"
            done = (await agent.SendMessage(answer("blue", asked.id))).task
            assert (done.status.state, text_of(done)) == (a2a.TASK_STATE_COMPLETED, "It is blue. ")
            session = await AgentServiceStub(mesh_under_test.mesh).GetSession(GetSessionRequest(session="c"))
    assert told(model.requests[1]) == [("user", "paint it"), ("tool", "blue"), ("tool", "1")]
    assert len(tools.calls) == 2
    assert [message.role for message in session.session.messages][1:4].count(ROLE_TOOL) == 2


async def test_the_question_waits_through_a_restart(mesh_under_test, tmp_path):
    with as_ada():
        async with serving(mesh_under_test, tmp_path, ScriptedModel([("echo", {})]), AskingTools()):
            agent = a2a.A2AServiceStub(mesh_under_test.mesh)
            asked = (await agent.SendMessage(ask("paint it", "c"))).task
        model = ScriptedModel("It is red.", "Still red.")
        async with serving(mesh_under_test, tmp_path, model, AskingTools()):
            agent = a2a.A2AServiceStub(mesh_under_test.mesh)
            done = (await agent.SendMessage(answer("red", asked.id))).task
            assert text_of(done) == "It is red. "
            await agent.SendMessage(ask("and now?", "c"))
    assert told(model.requests[0]) == [("user", "paint it"), ("tool", "red")]
    assert told(model.requests[1]) == [("user", "paint it"), ("tool", "red"), ("user", "and now?")]


async def test_a_tool_may_ask_again(mesh_under_test, tmp_path):
    model = ScriptedModel([("echo", {})], [("echo", {"n": 2})], "done")
    async with serving(mesh_under_test, tmp_path, model, AskingTools()):
        agent = a2a.A2AServiceStub(mesh_under_test.mesh)
        with as_ada():
            task = (await agent.SendMessage(ask("paint it"))).task
            for colour in ("blue", "green"):
                assert task.status.state == a2a.TASK_STATE_INPUT_REQUIRED
                task = (await agent.SendMessage(answer(colour, task.id))).task
            assert text_of(task) == "done "
    assert told(model.requests[2]) == [("user", "paint it"), ("tool", "blue"), ("tool", "green")]


class AskingStrategy(ReasoningStrategyServicer):
    """Asks the user twice, and is done."""

    def __init__(self) -> None:
        self.requests = []

    async def Initialize(self, request, context):
        return InitializeResponse(success=True, state=State(data=b"0"))

    async def ProcessIteration(self, request, context):
        self.requests.append(request)
        asked = int(request.state.data)
        if asked == 2:
            text = " and ".join(part.text for seen in request.observations for part in seen.message.parts)
            return ProcessIterationResponse(done=True, finalized=True, result=text, state=request.state)
        action = Action(id=f"q-{asked}", ask_user=AskUser(prompt=f"Question {asked}?"))
        return ProcessIterationResponse(actions=[action], state=State(data=str(asked + 1).encode()))


async def test_a_strategy_asks_the_user(mesh_under_test, tmp_path):
    strategy = AskingStrategy()
    async with serving(mesh_under_test, tmp_path, ScriptedModel(), strategy=strategy):
        agent = a2a.A2AServiceStub(mesh_under_test.mesh)
        with as_ada():
            task = (await agent.SendMessage(ask("begin"))).task
            for number in range(2):
                assert task.status.message.parts[0].text == f"Question {number}?"
                task = (await agent.SendMessage(answer(f"answer {number}", task.id))).task
            assert text_of(task) == "answer 1"
    assert [request.input[0].parts[0].text for request in strategy.requests] == [
        "begin",
        "answer 0",
        "answer 1",
    ]
    assert [request.iteration for request in strategy.requests] == [1, 2, 3]


async def test_a_model_goes_on_with_what_code_of_the_operators_own_had_asked(mesh_under_test, tmp_path):
    """Ours: an agent may become another kind of agent while its tasks wait."""
    source = """
        from hector_agent.custom import input_required

        async def echo(turn):
            yield input_required("Which colour?")
    """
    with as_ada():
        async with answering(mesh_under_test, tmp_path, source) as agent:
            asked = (await agent.SendMessage(said("paint it"))).task
            assert asked.status.state == a2a.TASK_STATE_INPUT_REQUIRED
        model = ScriptedModel("It is blue.")
        async with serving(mesh_under_test, tmp_path, model, others={"custom": {}}):
            agent = a2a.A2AServiceStub(mesh_under_test.mesh)
            done = (await agent.SendMessage(said("blue", task=asked.id))).task
    assert (done.status.state, text_of(done)) == (a2a.TASK_STATE_COMPLETED, "It is blue. ")
    assert told(model.requests[0]) == [("user", "paint it"), ("user", "blue")]
