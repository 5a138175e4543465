"""One run from its message to its answer: the strategy decides, this acts and comes back.

Each step is committed once, before the next begins: a model's turn together with the tool calls it
led to, each tool's result by itself, and the end with what was said last. With each goes the decision in
hand, so that whoever takes the run over goes on from there and repeats nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import grpc.aio

from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    RUN_STATE_INPUT_REQUIRED,
    RunEvent,
    StatusChanged,
    TextAppended,
    ToolFinished,
    ToolStarted,
    TurnParked,
)
from hector.common.v1 import Message, Tool, ToolCall
from hector.reasoning.v1 import (
    Action,
    FinalizeRequest,
    InitializeRequest,
    Observation,
    ProcessIterationRequest,
    ProcessIterationResponse,
    State,
)
from hector.tool.v1 import RequireInput
from hector_mesh import HectorError, info_of
from hector_store import NEVER, Effect

from . import calling, memory, questioning
from . import tools as toolbox
from .agent import Agent
from .asking import answered, asked_for, decision_of, observations_after, observed, parking
from .commands.deciding import paused
from .commands.standing import again
from .commands.timers import asleep, timer_in
from .concluding import concludes
from .conversation import messages_of
from .errors import ActionNotSupported, IterationLimit, RunReleased, StrategyFailed
from .in_doubt import Verdict, question_of, understood
from .memory import InHand
from .moment import Also
from .resuming import NOTHING, Known, before_results, known_of, without
from .run import Run


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
    decision: ProcessIterationResponse | None = None
    """The decision in hand."""
    iteration: int = 0
    """Its number."""
    seen: dict[str, Observation] = field(default_factory=dict)
    """What its questions to models gave, by action."""
    pending: list[RunEvent] = field(default_factory=list)
    failure: HectorError | grpc.aio.AioRpcError | None = None
    """Why the last question to a model came to nothing."""
    failed_before: int = 0
    """How often the question to a model has failed that it is at."""
    kept: bytes = b""
    """How far it was when that was last written."""

    async def work(self, said: Sequence[Message], history_length: int, iteration: int = 1) -> None:
        """Work until the strategy is done, and commit that.

        Args:
            said: What the user said.
            history_length: How much of the conversation was there before.
            iteration: The number of the first decision; not 1 where the run was at work before, but nobody
                can tell how far.

        Raises:
            HectorError: The run failed; what was committed stays. RunReleased: it goes on elsewhere.
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
        first = begun.first if begun.HasField("first") else await self._decide(request, iteration)
        self._take(first, iteration)
        await self._carry_on(NOTHING)

    async def resume(
        self,
        before: Sequence[RunEvent],
        own: Sequence[RunEvent],
        hand: InHand,
        verdicts: Mapping[str, Verdict] | None = None,
    ) -> None:
        """Go on with a decision that another process, or this one, had in hand.

        Args:
            before: What happened in the session before this run.
            own: What happened in this run.
            hand: The decision.
            verdicts: What a person said of calls in doubt.

        Raises:
            HectorError: As `work` does.
            AioRpcError: Likewise.
        """
        self._hold(hand)
        self.tools = await self.agent.toolbox.listed(self.agent.config.tools)
        calls = [action.tool_call for action in hand.decision.actions if action.HasField("tool_call")]
        known = known_of(own, [self._started(call) for call in calls])
        told = messages_of([*before, *without(own, self.run.void)])
        self.conversation = before_results(told, [call.id for call in calls])
        await self._carry_on(replace(known, verdicts=verdicts or {}, again=again(own)))

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
        hand = InHand(decision_of(parked), parked.iteration, parked.asked, tuple(observed(parked)))
        said = self.run.said()[-1]
        if parked.in_doubt:
            await self._decided_by(said, parked, hand, before, own)
            return
        self._hold(hand)
        events = [RunEvent(tool_finished=end) for end in answered(parked, said)]
        for event in events:
            event.run = self.run.place.run
        self.conversation = [*messages_of([*before, *own, *events]), *([] if parked.calls else [said])]
        self.tools = await self.agent.toolbox.listed(self.agent.config.tools)
        if events:
            calls = [one.tool_call for one in hand.decision.actions if one.tool_call.id in parked.calls]
            ended = calling.answered_effects(self, [self._started(call) for call in calls])
            await self.commit(*events, effects=ended)
        seen = observations_after(parked, said)
        request = ProcessIterationRequest(observations=seen, input=[] if parked.calls else [said])
        self._take(await self._decide(request, self.iteration + 1), self.iteration + 1)
        await self._carry_on(NOTHING)

    async def commit(
        self,
        *events: RunEvent,
        last: bool = False,
        effects: Sequence[Effect] = (),
        parked: bool = False,
        keeps: bool = True,
        until_us: int | None = None,
    ) -> None:
        """Commit what is pending, and these events, with how far the turn is.

        Raises:
            HectorError: As `Run.commit` does.
        """
        pending, self.pending = self.pending, []
        strategy = None
        if keeps and self.decision is not None:
            seen = self.seen.values()
            now = memory.written(self.decision, self.iteration, self.asked, seen, parked=parked)
            if now != self.kept:
                strategy = (self.agent.config.reasoning.strategy, self.memory.version, now)
        also = Also(effects=effects, until_us=until_us) if effects or until_us is not None else None
        await self.run.commit([*pending, *events], strategy=strategy, last=last, also=also)
        if strategy is not None:
            self.kept = strategy[2]

    async def may_go_on(self) -> None:
        """Return if the next step may begin here.

        Raises:
            RunReleased: It is for somebody else; all that was done is committed.
        """
        run = self.run
        if run.pausing is not None:
            await self.commit(paused(run.pausing), last=True, until_us=NEVER)
            raise RunReleased(run.place.run)
        if run.leaving:
            if self.pending:
                await self.commit(last=True)
            raise RunReleased(run.place.run)

    def _hold(self, hand: InHand) -> None:
        self.decision, self.iteration, self.asked = hand.decision, hand.iteration, hand.asked
        self.memory = hand.decision.state
        self.seen = {seen.action_id: seen for seen in hand.seen}

    async def _decided_by(
        self,
        said: Message,
        parked: TurnParked,
        hand: InHand,
        before: Sequence[RunEvent],
        own: Sequence[RunEvent],
    ) -> None:
        """Go on with what a person said of calls in doubt, or ask once more."""
        verdicts = understood(said, parked.in_doubt)
        if verdicts is not None:
            await self.resume(before, own, hand, verdicts)
            return
        self._hold(hand)
        known = known_of(own, [self._started(one.tool_call) for one in hand.decision.actions])
        await self._ask_about([known.begun[call] for call in parked.in_doubt], misunderstood=True)

    async def _carry_on(self, known: Known) -> None:
        """Do what was decided, and what is decided then, until it is done or a person must answer."""
        assert self.decision is not None
        while not self.decision.done:
            if not self.decision.actions:
                raise StrategyFailed("it neither answered nor wanted anything done")
            observations = await self._act(self.decision, known)
            if observations is None:
                return
            if concludes(self.decision.actions, observations):
                break
            known = NOTHING
            request = ProcessIterationRequest(observations=observations)
            self._take(await self._decide(request, self.iteration + 1), self.iteration + 1)
        if self.decision.done and not self.decision.finalized:
            await self._finalize(truncated=False)
        completed = RunEvent(status_changed=StatusChanged(state=RUN_STATE_COMPLETED))
        await self.commit(completed, last=True, keeps=False)

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
        self.decision, self.iteration, self.memory = decision, iteration, decision.state
        self.seen = {}
        if decision.result:
            self._note(f"note-{iteration}", decision.result)

    async def _act(self, decision: ProcessIterationResponse, known: Known) -> list[Observation] | None:
        """Do what was decided, and return what came of it; None: a person must answer, and the turn waits."""
        asks, calls, questions = _sorted(decision.actions)
        new = [action for action in asks if action.id not in self.seen]
        if new and self.asked + len(new) > self.agent.config.reasoning.max_iterations:
            limit = self.agent.config.reasoning.max_iterations
            raise IterationLimit(
                self.run.place.agent, limit, await self._finalize(truncated=True, show=False)
            )
        for action in new:
            self.seen[action.id] = await questioning.put(self, action.id, action.ask)
        seen, waiting = dict(self.seen), list[ToolFinished]()
        if calls:
            called = await calling.call(self, calls, known, side_by_side=not decision.sequential)
            if called.again:
                await self._call_again(called.again)
            if called.in_doubt:
                await self._ask_about(called.in_doubt)
                return None
            seen |= called.seen
            waiting = called.waiting
        questions += [end.result.require_input for end in waiting]
        if questions:
            await self._park(questions, seen.values(), [end.call_id for end in waiting])
            return None
        return [seen[action.id] for action in decision.actions]

    async def _park(
        self,
        questions: Sequence[RequireInput],
        seen: Iterable[Observation],
        calls: Sequence[str] = (),
        in_doubt: Sequence[str] = (),
    ) -> None:
        assert self.decision is not None
        parked = parking(self.decision, self.iteration, self.asked, seen, calls, in_doubt)
        asking = StatusChanged(state=RUN_STATE_INPUT_REQUIRED, message=asked_for(questions))
        events = RunEvent(turn_parked=parked), RunEvent(status_changed=asking)
        await self.commit(*events, last=True, parked=True)

    async def _call_again(self, calls: Sequence[ToolFinished]) -> None:
        """Let calls be made once more when their tools want that, and hold nothing until then.

        Raises:
            RunReleased: It goes on later.
        """
        place, timers = self.run.place, list[tuple[RunEvent, int]]()
        for end in calls:
            delay_s = end.result.call_again_after.ToNanoseconds() / 1e9
            name = f"call-{self.iteration}-{end.call_id}-{place.epoch}"
            timers.append(await timer_in(self.run, name, delay_s, end.call_id))
        until_us = min(wake_us for _, wake_us in timers)
        await self.commit(*(event for event, _ in timers), asleep(), last=True, until_us=until_us)
        raise RunReleased(place.run)

    async def _ask_about(self, calls: Sequence[ToolStarted], *, misunderstood: bool = False) -> None:
        """Have a person say what becomes of calls in doubt, and wait."""
        question = question_of(calls, misunderstood=misunderstood)
        await self._park(question, self.seen.values(), in_doubt=[each.call.id for each in calls])

    def _started(self, call: ToolCall) -> ToolStarted:
        return toolbox.started(self.run.effects_of, self.iteration, call, self.tools)

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


def _sorted(actions: Iterable[Action]) -> tuple[list[Action], list[Action], list[RequireInput]]:
    """Return questions to models, calls of tools, and questions to the user."""
    asks: list[Action] = []
    calls: list[Action] = []
    questions: list[RequireInput] = []
    for action in actions:
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
    return asks, calls, questions
