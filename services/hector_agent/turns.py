"""Takes a run's turn: with a model, or with code of the operator's own."""

from collections.abc import Sequence
from itertools import takewhile

from hector.agent.v1 import RUN_STATE_SUBMITTED, RUN_STATE_WORKING, RunEvent, StatusChanged
from hector_mesh import Call, scope
from hector_store import RunLog

from .agent import Agent
from .beside import Beside
from .conversation import messages_of
from .ledger import events_of
from .run import Run
from .state import state_of_session
from .turn import Turn


async def take_turn(
    log: RunLog, agent: Agent, run: Run, call: Call, beside: Beside, own: Sequence[RunEvent], wake_json: str
) -> None:
    """Work until the run is over, or waits for somebody.

    Args:
        log: Where the session's other runs are.
        agent: Who answers.
        run: The run, opened or taken up again.
        call: The call that it is.
        beside: What the client said beside its message.
        own: What happened in the run before it waited; empty for a new one.
        wake_json: What it was woken with, in place of a message.
    """
    if run.state == RUN_STATE_SUBMITTED:
        await run.commit([RunEvent(status_changed=StatusChanged(state=RUN_STATE_WORKING))])
    session = await _session(log, run, is_new=not own)
    state = state_of_session(session, run.place.run)
    with scope(call):
        if agent.handler is not None:
            from .custom.work import answer

            others = [event for event in session if event.run != run.place.run]
            await answer(agent, run, call, beside, others, state, log, wake_json, resumes=bool(own))
        else:
            await _ask_model(log, agent, run, session, own, state)


async def _session(log: RunLog, run: Run, *, is_new: bool) -> list[RunEvent]:
    """Return what happened in the session: before this run, or in all of it where the run has waited."""
    place = run.place
    if is_new and place.position == 1:
        return []
    before = place.position if is_new else None
    rows = await log.conversation(place.app, place.owner, place.context, before_position=before)
    return events_of(rows)


async def _ask_model(
    log: RunLog,
    agent: Agent,
    run: Run,
    session: Sequence[RunEvent],
    own: Sequence[RunEvent],
    state: dict[str, object],
) -> None:
    before = list(takewhile(lambda event: event.run != run.place.run, session)) if own else session
    if any(event.HasField("turn_parked") for event in own):
        await Turn(agent, run, [], state).go_on(before, own)
        return
    # Of what waited under code of the operator's own, a model has been told nothing yet.
    history, said = messages_of([*before, *own]), run.said()[-1:] if own else run.said()
    if any(message.reference_task_ids for message in run.task.history):
        from .references import referred_to

        said = [*await referred_to(log, run.place, run.task.history), *said]
    turn = Turn(agent, run, [*history, *said], state)
    await turn.work(said, len(history))
