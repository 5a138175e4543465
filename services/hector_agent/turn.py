"""One run from its message to its answer: the strategy decides, this acts and comes back.

Each step is committed once, before the next begins: a model's turn together with the tool calls it
led to, each tool's result by itself, and the end with what was said last.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc.aio

from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    RUN_STATE_INPUT_REQUIRED,
    ArtifactSaved,
    MessagesAdded,
    ModelAnswered,
    RunEvent,
    StateChanged,
    StatusChanged,
    TextAppended,
    ToolFinished,
    ToolStarted,
)
from hector.common.v1 import ROLE_TOOL, Message, Part, Tool
from hector.reasoning.v1 import (
    Action,
    Ask,
    FinalizeRequest,
    InitializeRequest,
    Observation,
    ProcessIterationRequest,
    ProcessIterationResponse,
    State,
)
from hector.tool.v1 import RequireInput, ToolContext
from hector_mesh import HectorError, info_of

from . import tools as toolbox
from .agent import Agent
from .artifacts import to_a2a
from .asking import answered, asked_for, decision_of, observations_after, parking
from .concluding import concludes
from .conversation import messages_of, result_of
from .errors import ActionNotSupported, IterationLimit, StrategyFailed
from .failure import error_of
from .measuring import ask, tool_called
from .override import llm_of
from .run import Run
from .state import change


@dataclass(slots=True)
class Turn:
    """A run at work: what the agent knows, and what is decided but not yet committed."""

    agent: Agent
    run: Run
    conversation: list[Message]
    state: dict[str, object]
    tools: list[Tool] = field(default_factory=list)
    memory: State = field(default_factory=State)
    asked: int = 0
    pending: list[RunEvent] = field(default_factory=list)
    failure: HectorError | grpc.aio.AioRpcError | None = None
    """Why the last question to a model came to nothing."""

    async def work(self, said: Sequence[Message], history_length: int) -> None:
        """Work until the strategy is done, and commit that.

        Raises:
            HectorError: The run failed; what was committed stays.
            AioRpcError: A service failed, likewise.
        """
        config = self.agent.config
        self.tools = await self.agent.toolbox.listed(config.tools)
        wanted = InitializeRequest(
            max_iterations=config.reasoning.max_iterations,
            tools=self.tools,
            options_json=self.agent.options_json,
        )
        begun = await self.agent.beginning.begin(wanted, self.run.place.run, history_length)
        if begun.error:
            raise StrategyFailed(begun.error)
        self.memory = begun.state
        history = self.conversation[:history_length] if begun.wants_history else []
        request = ProcessIterationRequest(input=said, history=history)
        await self._go(begun.first if begun.HasField("first") else await self._decide(request, 1), 1)

    async def go_on(self, before: Sequence[RunEvent], own: Sequence[RunEvent]) -> None:
        """Go on where the turn waited, with what the user said since.

        Args:
            before: What happened in the session before this run.
            own: What happened in this run until it waited.

        Raises:
            HectorError: As `work` does.
            AioRpcError: Likewise.
        """
        parked = next(event.turn_parked for event in reversed(own) if event.HasField("turn_parked"))
        self.memory, self.asked = decision_of(parked).state, parked.asked
        said = self.run.said()[-1]
        events = [RunEvent(tool_finished=end) for end in answered(parked, said)]
        for event in events:
            event.run = self.run.place.run
        self.conversation = [*messages_of([*before, *own, *events]), *([] if parked.calls else [said])]
        self.tools = await self.agent.toolbox.listed(self.agent.config.tools)
        if events:
            await self._commit(*events)
        seen = observations_after(parked, said)
        request = ProcessIterationRequest(observations=seen, input=[] if parked.calls else [said])
        await self._go(await self._decide(request, parked.iteration + 1), parked.iteration + 1)

    async def _go(self, decision: ProcessIterationResponse, iteration: int) -> None:
        """Do what was decided, and what is decided then, until it is done or a person must answer."""
        while True:
            self._take(decision, iteration)
            if decision.done:
                break
            if not decision.actions:
                raise StrategyFailed("it neither answered nor wanted anything done")
            observations = await self._act(decision, iteration)
            if observations is None:
                return
            if concludes(decision.actions, observations):
                break
            request = ProcessIterationRequest(observations=observations)
            iteration += 1
            decision = await self._decide(request, iteration)
        if decision.done and not decision.finalized:
            await self._finalize(truncated=False)
        await self._commit(RunEvent(status_changed=StatusChanged(state=RUN_STATE_COMPLETED)), last=True)

    async def _decide(self, request: ProcessIterationRequest, iteration: int) -> ProcessIterationResponse:
        request.state.CopyFrom(self.memory)
        request.iteration = iteration
        request.remaining_iterations = max(0, self.agent.config.reasoning.max_iterations - self.asked)
        try:
            return await self.agent.strategy.ProcessIteration(request)
        except grpc.aio.AioRpcError as error:
            if self.failure is not None and info_of(error).reason == "ASK_FAILED":
                raise self.failure from None
            raise

    def _take(self, decision: ProcessIterationResponse, iteration: int) -> None:
        if decision.error:
            raise StrategyFailed(decision.error)
        self.memory = decision.state
        if decision.result:
            self._note(f"note-{iteration}", decision.result)

    async def _act(self, decision: ProcessIterationResponse, iteration: int) -> list[Observation] | None:
        """Do what was decided, and return what came of it; None: a person must answer, and the turn waits."""
        asks: list[Action] = []
        calls: list[Action] = []
        questions: list[RequireInput] = []
        for action in decision.actions:
            kind = action.WhichOneof("action")
            if kind == "ask":
                asks.append(action)
            elif kind == "tool_call":
                calls.append(action)
            elif kind == "ask_user":
                user = action.ask_user
                questions.append(RequireInput(prompt=user.prompt, schema_json=user.schema_json))
            else:
                raise ActionNotSupported(kind or "something unknown")
        if asks and self.asked + len(asks) > self.agent.config.reasoning.max_iterations:
            limit = self.agent.config.reasoning.max_iterations
            raise IterationLimit(
                self.run.place.agent, limit, await self._finalize(truncated=True, show=False)
            )
        seen = {action.id: await self._ask(action.id, action.ask, iteration) for action in asks}
        waiting: list[ToolFinished] = []
        if calls:
            done, waiting = await self._call(calls, iteration, side_by_side=not decision.sequential)
            seen |= done
        questions += [end.result.require_input for end in waiting]
        if questions:
            calls_waiting = [end.call_id for end in waiting]
            parked = parking(decision, iteration, self.asked, seen.values(), calls_waiting)
            asking = StatusChanged(state=RUN_STATE_INPUT_REQUIRED, message=asked_for(questions))
            await self._commit(RunEvent(turn_parked=parked), RunEvent(status_changed=asking), last=True)
            return None
        return [seen[action.id] for action in decision.actions]

    async def _ask(self, action: str, question: Ask, iteration: int) -> Observation:
        if self.pending or self.failure:  # of a question that failed, text may be open
            await self._commit(last=True)
        self.asked += 1
        extra = list(question.messages)
        messages = extra
        if question.conversation != Ask.CONVERSATION_REPLACE:
            messages = [*self.agent.instruction, *self.conversation, *extra]
        if question.conversation == Ask.CONVERSATION_APPEND and extra:
            self.conversation += extra
            self.pending.append(RunEvent(messages_added=MessagesAdded(messages=extra)))
        name, llm = self.agent.model(question.llm or self._wanted_model())
        artifact = "" if question.hidden else f"answer-{self.asked}"
        offered = [] if question.without_tools else self._offered(question.tools)
        options = question.options if question.HasField("options") else None
        try:
            turn = await ask(
                llm,
                name,
                messages,
                offered,
                options,
                (lambda text: self.run.show(artifact, text)) if artifact else _nowhere,
                stream=self.agent.config.streaming,
                agent=self.agent.name,
                limit_bytes=self.agent.config.max_answer_size,
            )
        except (HectorError, grpc.aio.AioRpcError) as error:
            self.failure, told = error, error_of(error)
            return Observation(action_id=action, error=told.message, error_reason=told.reason)
        self.failure = None
        self.run.tokens += turn.usage.total_tokens
        message = turn.message(with_text=True)
        shown = artifact if turn.text else ""
        answered = ModelAnswered(
            iteration=iteration,
            message=turn.message(with_text=False) if shown else message,
            artifact_id=shown,
            llm=name,
            model=turn.model,
            usage=turn.usage,
            finish_reason=turn.finish_reason,
            hidden=question.hidden,
        )
        self.pending.append(RunEvent(model_answered=answered))
        if not question.hidden:
            self.conversation.append(message)
        return Observation(
            action_id=action, message=message, usage=turn.usage, finish_reason=turn.finish_reason
        )

    async def _call(
        self, actions: Sequence[Action], iteration: int, *, side_by_side: bool
    ) -> tuple[dict[str, Observation], list[ToolFinished]]:
        """Call tools; return what came of them, and those calls that a person must answer."""
        place = self.run.place
        begun = [toolbox.started(place.run, iteration, action.tool_call, self.tools) for action in actions]
        await self._commit(*(RunEvent(tool_started=event) for event in begun), last=True)
        context = ToolContext(session=place.context, run=place.run, agent=place.agent)
        if side_by_side and len(begun) > 1:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(self._call_one(event, context)) for event in begun]
            finished = [task.result() for task in running]
        else:
            finished = [await self._call_one(event, context) for event in begun]
        seen, waiting = dict[str, Observation](), list[ToolFinished]()
        for action, end in zip(actions, finished, strict=True):
            if end.result.HasField("require_input"):
                waiting.append(end)
                continue
            result = result_of(end)
            self.conversation.append(Message(role=ROLE_TOOL, parts=[Part(tool_result=result)]))
            seen[action.id] = Observation(action_id=action.id, tool_result=result)
        return seen, waiting

    async def _call_one(self, event: ToolStarted, context: ToolContext) -> ToolFinished:
        if toolbox.needs_approval(event.call, self.tools):
            finished = toolbox.not_approved(event.call)
        elif event.instance:
            stores = self.agent.config.document_stores
            request = toolbox.request(event, context, self.state, stores, self.tools)
            finished = await self.agent.toolbox.run(event, request)
        else:
            finished = toolbox.unknown(event.call, self.tools)
        tool_called(self.run.place, finished, event.instance)
        if finished.result.HasField("transfer"):
            raise ActionNotSupported("transfer")
        result = finished.result
        # A call that a person must answer has not ended.
        events = [] if result.HasField("require_input") else [RunEvent(tool_finished=finished)]
        if result.state_delta_json:
            change(self.state, result.state_delta_json)
            events.append(RunEvent(state_changed=StateChanged(delta_json=result.state_delta_json)))
        for number, artifact in enumerate(result.artifacts):
            saved = ArtifactSaved(artifact=to_a2a(artifact, f"{event.call.id}-{number}"), last=True)
            events.append(RunEvent(artifact_saved=saved))
        if events:
            await self._commit(*events)
        return finished

    async def _finalize(self, *, truncated: bool, show: bool = True) -> str:
        end = await self.agent.strategy.Finalize(FinalizeRequest(state=self.memory, truncated=truncated))
        if end.error:
            raise StrategyFailed(end.error)
        if end.result and show:
            self._note("conclusion", end.result)
        return end.result

    def _note(self, artifact: str, text: str) -> None:
        """Say something that no model said; it goes into the log with what comes next."""
        self.pending.append(RunEvent(text_appended=TextAppended(artifact_id=artifact, text=text, last=True)))

    async def _commit(self, *events: RunEvent, last: bool = False) -> None:
        pending, self.pending = self.pending, []
        kept = (self.agent.config.reasoning.strategy, self.memory.version, self.memory.data)
        await self.run.commit([*pending, *events], strategy=kept, last=last)

    def _wanted_model(self) -> str:
        """Return the model that the run's first message asks for in place of the agent's own."""
        history = self.run.task.history
        return llm_of(history[0]) if history else ""

    def _offered(self, names: Sequence[str]) -> list[Tool]:
        return [tool for tool in self.tools if tool.name in names] if names else self.tools


def _nowhere(_: str) -> None:
    """Take text that nobody is to see."""
