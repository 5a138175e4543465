"""RE: reasoning strategies."""

from collections.abc import Callable
from dataclasses import dataclass, field

from grpc import StatusCode

from hector.common.v1 import ROLE_ASSISTANT, Message, Part, Tool, ToolCall, ToolResult
from hector.llm.v1 import FINISH_REASON_STOP, FINISH_REASON_TOOL_CALLS
from hector.plugin.v1 import PLUGIN_KIND_REASONING_STRATEGY as REASONING
from hector.reasoning.v1 import (
    Action,
    FinalizeRequest,
    InitializeRequest,
    Observation,
    ProcessIterationRequest,
    ProcessIterationResponse,
    ReasoningStrategyStub,
    State,
)
from hector_plugin.conformance.checks import MUST, Broken, NotApplicable, check
from hector_plugin.conformance.connected import Plugin, short
from hector_plugin.conformance.kinds import user
from hector_plugin.conformance.stage import Stage

MIB = 1 << 20
LIMIT = 8
LOOK = Tool(
    name="look",
    description="Looks around.",
    parameters_json='{"type": "object", "properties": {"at": {"type": "integer"}}}',
)
CALLS = [
    ToolCall(id="a", name="look", arguments_json='{"at": 1}'),
    ToolCall(id="b", name="look", arguments_json="{not json"),
    ToolCall(id="c", name="no_such_tool", arguments_json=""),
]
Model = Callable[[int], Message]


@check(
    "RE1",
    MUST,
    "a run begins with a state",
    kind=REASONING,
    rule="Initialize succeeds and returns a state of at most 1 MiB, whatever the limits, tools and options "
    "are",
    mend="return a State, be it an empty one with a version",
)
async def begins(stage: Stage) -> None:
    plugin = await stage.shared()
    for request in (
        InitializeRequest(run="r1"),
        InitializeRequest(run="r2", max_iterations=1, tools=[LOOK], temperature=0, history_length=3),
    ):
        found = await plugin.call(ReasoningStrategyStub, "Initialize", request)
        if found.error:
            raise Broken(f"error: {found.error}")
        if not found.HasField("state") or len(found.state.data) > MIB:
            raise Broken(
                f"a state of {len(found.state.data):,} bytes" if found.HasField("state") else "no state"
            )


@check(
    "RE2",
    MUST,
    "its state survives its process",
    kind=REASONING,
    rule="a strategy keeps nothing between two calls: a run whose every iteration meets a fresh process "
    "comes to its end",
    mend="put all that you remember into State.data; a process may be replaced at any time",
)
async def fresh_process(stage: Stage) -> None:
    if not stage.subject.command:
        raise NotApplicable("needs a command to start it, not an endpoint")
    run = _Run(lambda turn: wants(CALLS[0]) if turn == 1 else says("done"))
    async with stage.connected() as plugin:
        await run.begin(plugin)
    while not run.over:
        async with stage.connected() as plugin:
            await run.step(plugin)


@check(
    "RE3",
    MUST,
    "a model that wants nothing ends the run",
    kind=REASONING,
    rule="a run ends with `done` and no actions, within its max_iterations, once the model has answered",
    mend="return done when the model's turn calls no tool",
)
async def ends(stage: Stage) -> None:
    run = await _played(stage, lambda _: says("done"))
    if run.decisions[-1].actions:
        raise Broken("done, and actions")
    if not run.asked and not run.decisions[-1].result:
        raise Broken("it ended without having asked a model or said anything")


@check(
    "RE4",
    MUST,
    "actions have ids of their own",
    kind=REASONING,
    rule="Action.id is not empty, and unique within the run, also when a model gives its calls the same id; "
    "`action` is set",
    mend="number the actions; do not take the ids of tool calls",
)
async def ids(stage: Stage) -> None:
    same = ToolCall(id="call_0", name="look", arguments_json="{}")
    run = await _played(stage, lambda turn: wants(same, same) if turn < 3 else says("done"))
    found = [action.id for action in run.actions]
    if not all(found) or len(set(found)) != len(found):
        raise Broken(f"the ids are {', '.join(map(repr, found))}", "a run in which the model calls tools")
    if any(action.WhichOneof("action") is None for action in run.actions):
        raise Broken("an action without anything to do", "a run in which the model calls tools")


@check(
    "RE5",
    MUST,
    "a model's calls are made as it wrote them",
    kind=REASONING,
    rule="a tool call in an action is the model's, unchanged, malformed arguments and unknown names too: who "
    "runs the tool "
    "tells the model",
    mend="hand tool calls on; do not parse their arguments",
)
async def as_written(stage: Stage) -> None:
    run = await _played(stage, lambda turn: wants(*CALLS) if turn == 1 else says("done"))
    made = [action.tool_call for action in run.actions if action.HasField("tool_call")]
    if not made:
        raise NotApplicable("it has no tools called")
    if made != CALLS:
        raise Broken(
            f"it has called {', '.join(short(call) for call in made)}", "a turn with three tool calls"
        )


@check(
    "RE6",
    MUST,
    "what it does not know does no harm",
    kind=REASONING,
    rule="an observation of a kind that is not known, none at all, or an error, leads to a decision or to "
    "ABORTED; "
    "never to a crash",
    mend="treat an observation without a result as nothing seen; give up with ABORTED and reason ASK_FAILED",
)
async def unknown_observation(stage: Stage) -> None:
    plugin = await stage.shared()
    run = _Run(lambda _: says("done"))
    await run.begin(plugin)
    await run.step(plugin)
    ids = [action.id for action in run.decisions[-1].actions]
    for seen in (
        [Observation(action_id=name) for name in ids],
        [
            Observation(action_id=name, error="the model is away", error_reason="MODEL_UNREACHABLE")
            for name in ids
        ],
        [],
    ):
        request = ProcessIterationRequest(state=run.state, observations=seen, iteration=2)
        found = await plugin.answer(ReasoningStrategyStub, "ProcessIteration", request)
        if found.code not in (StatusCode.OK, StatusCode.ABORTED, StatusCode.INVALID_ARGUMENT):
            raise Broken(str(found))
        await plugin.still_lives(plugin.sent)


@check(
    "RE7",
    MUST,
    "the same state and the same news lead to the same decision",
    kind=REASONING,
    rule="after a crash the agent asks again with the state that it saved, and must get the same actions "
    "with the same ids",
    mend="take clocks and random numbers out of decisions and ids",
)
async def same_decision(stage: Stage) -> None:
    plugin = await stage.shared()
    run = _Run(lambda _: says("done"))
    await run.begin(plugin)
    request = run.request()
    first = await plugin.call(ReasoningStrategyStub, "ProcessIteration", request)
    again = await plugin.call(ReasoningStrategyStub, "ProcessIteration", request)
    if list(first.actions) != list(again.actions) or first.done != again.done:
        raise Broken(f"first {short(first)}, then {short(again)}", "ProcessIteration, the same twice")


@check(
    "RE8",
    MUST,
    "a limit is an end like any other",
    kind=REASONING,
    rule="a model that never stops is asked at most max_iterations times; Finalize(truncated) succeeds",
    mend="answer Finalize from any state",
)
async def limit(stage: Stage) -> None:
    def never(turn: int) -> Message:
        return wants(ToolCall(id=f"c{turn}", name="look", arguments_json="{}"))

    run = await _played(stage, never, whole=False)
    if max((len(decision.state.data) for decision in run.decisions), default=0) > MIB:
        raise Broken("the state grew beyond 1 MiB", "a run of eight questions")


@dataclass
class _Run:
    """One run, played as the agent service plays it."""

    model: Model
    state: State = field(default_factory=State)
    decisions: list[ProcessIterationResponse] = field(default_factory=list)
    asked: int = 0
    over: bool = False

    @property
    def actions(self) -> list[Action]:
        return [action for decision in self.decisions for action in decision.actions]

    async def begin(self, plugin: Plugin) -> None:
        request = InitializeRequest(max_iterations=LIMIT, tools=[LOOK], run="r1")
        begun = await plugin.call(ReasoningStrategyStub, "Initialize", request)
        if begun.error:
            raise Broken(f"error: {begun.error}")
        self.state = begun.state

    def request(self) -> ProcessIterationRequest:
        number = len(self.decisions)
        request = ProcessIterationRequest(
            state=self.state, iteration=number + 1, remaining_iterations=max(0, LIMIT - self.asked)
        )
        if number:
            request.observations.extend(self._seen(action) for action in self.decisions[-1].actions)
        else:
            request.input.append(user("hello"))
        return request

    async def step(self, plugin: Plugin) -> None:
        request = self.request()
        decision = await plugin.call(ReasoningStrategyStub, "ProcessIteration", request)
        if decision.error:
            raise Broken(f"error: {decision.error}")
        self.decisions.append(decision)
        self.state = decision.state
        asks = sum(action.HasField("ask") for action in decision.actions)
        truncated = not decision.done and (self.asked + asks > LIMIT or len(self.decisions) > 50)
        if not decision.done and not decision.actions:
            raise Broken("neither done nor anything to do")
        if len(self.decisions) > 50:
            raise Broken("the run did not end within 50 iterations")
        if truncated or (decision.done and not decision.finalized):
            await plugin.call(
                ReasoningStrategyStub, "Finalize", FinalizeRequest(state=self.state, truncated=truncated)
            )
        self.over = decision.done or truncated

    def _seen(self, action: Action) -> Observation:
        if action.HasField("ask"):
            self.asked += 1
            turn = self.model(self.asked)
            wanted = any(part.HasField("tool_call") for part in turn.parts)
            reason = FINISH_REASON_TOOL_CALLS if wanted else FINISH_REASON_STOP
            return Observation(action_id=action.id, message=turn, finish_reason=reason)
        if action.HasField("tool_call"):
            call = action.tool_call
            result = ToolResult(tool_call_id=call.id, name=call.name, parts=[Part(text="seen")])
            return Observation(action_id=action.id, tool_result=result)
        return Observation(action_id=action.id, message=says("from somebody else"))


def says(text: str) -> Message:
    """Return a model's turn."""
    return Message(role=ROLE_ASSISTANT, parts=[Part(text=text)])


def wants(*calls: ToolCall) -> Message:
    """Return a model's turn that calls tools."""
    return Message(role=ROLE_ASSISTANT, parts=[Part(tool_call=call) for call in calls])


async def _played(stage: Stage, model: Model, *, whole: bool = True) -> _Run:
    plugin = await stage.shared()
    run = _Run(model)
    await run.begin(plugin)
    while not run.over:
        await run.step(plugin)
    if whole and not run.decisions[-1].done:
        raise Broken(f"not done after {run.asked} questions", "a run whose model answers")
    return run
