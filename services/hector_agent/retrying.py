"""Tries a step again that has failed, where that can help and repeats nothing that must not be repeated."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import grpc.aio

from hector.agent.v1 import RunError, RunEvent, StepRetried
from hector_mesh import HectorError
from hector_mesh.error_table import MAY_PASS
from hector_mesh.errors import status_of
from hector_mesh.status import retry_after_s

from .commands.timers import asleep, timer_in
from .errors import RunReleased, StepTimedOut
from .failure import error_of
from .measuring import step_retried
from .model import Turn as Answer

if TYPE_CHECKING:
    from hector.agent.v1 import ToolFinished, ToolStarted

    from .retry_config import RetryConfig
    from .turn import Turn

PARKED_FROM_S = 10.0
"""A longer pause is a timer: it holds no process."""
MODEL, TOOL = "model", "tool"

_HELPS = frozenset(code.value[0] for code in MAY_PASS)
"""Codes of failures that may be over a little later."""
_NEVER = frozenset(
    {
        *("ANSWER_TOO_LONG", "ITERATION_LIMIT", "EFFECT_IN_DOUBT"),
        *("RUN_FENCED", "RUN_LOST", "RUN_OVER", "RUN_RELEASED", "SHUTTING_DOWN"),
    }
)


class Failure(NamedTuple):
    """How a step failed."""

    error: RunError
    retry_after_s: float = 0.0
    """When whoever failed wants to be asked again."""


def failure_of(error: HectorError | grpc.aio.AioRpcError) -> Failure:
    """Return what is known of a failure."""
    return Failure(error_of(error), retry_after_s(status_of(error)))


def is_worth_it(failure: Failure, policy: "RetryConfig") -> bool:
    """Say whether a step that failed so may succeed a little later."""
    reason = failure.error.reason
    return failure.error.code in _HELPS and reason not in _NEVER and reason not in policy.non_retryable


def delay_s(policy: "RetryConfig", attempt: int, retry_after_s: float = 0.0) -> float:
    """Return how long to pause after an attempt, counted from 1."""
    grown_s = policy.initial_delay * 2.0 ** min(attempt - 1, 64)
    pause_s: float = min(policy.max_delay, grown_s)
    if policy.jitter:
        pause_s *= random.uniform(0.5, 1.0)
    return max(pause_s, min(retry_after_s, policy.max_delay))


def attempts_in(own: Sequence[RunEvent]) -> int:
    """Return how often the question to a model has failed that a run was at when it was left."""
    failed = 0
    for event in own:
        kind = event.WhichOneof("event")
        if kind == "step_retried" and event.step_retried.step == MODEL:
            failed = event.step_retried.attempt
        elif kind in ("model_answered", "tool_started", "message_received"):
            failed = 0
    return failed


async def asked(turn: "Turn", llm: str, artifact: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask a model, and again where that may help.

    Args:
        turn: Whose question it is.
        llm: The model.
        artifact: Where its text is shown; "" if nowhere.
        ask: Asks once.

    Raises:
        HectorError: It came to nothing, as often as it was tried. RunReleased: it is tried again later.
        AioRpcError: Likewise.
    """
    policy, limit_s, run = turn.agent.config.retry.model, turn.agent.config.step_timeout, turn.run
    while True:
        try:
            answer = await _within(limit_s, llm, turn.agent.name, ask)
        except (HectorError, grpc.aio.AioRpcError) as error:
            turn.failed_before += 1
            failure = failure_of(error)
            if not is_worth_it(failure, policy):
                raise
            if turn.failed_before >= policy.max_attempts:
                run.tried = turn.failed_before if policy.max_attempts > 1 else 0
                raise
            pause_s = delay_s(policy, turn.failed_before, failure.retry_after_s)
            retried = _retried(MODEL, llm, turn.failed_before, policy, failure, pause_s)
            step_retried(run.place, retried)
            await _pause(turn, retried, pause_s)
            if artifact:
                run.void |= {artifact}  # what the failed attempt had said
        else:
            run.tried = turn.failed_before = 0
            return answer


async def called(
    turn: "Turn", started: "ToolStarted", call: Callable[[], Awaitable["ToolFinished"]], *, may_repeat: bool
) -> "ToolFinished":
    """Make a call of a tool, and again where that may help and nothing happens twice.

    Raises:
        HectorError: As `Run.commit` does.
    """
    policy, attempt = turn.agent.config.retry.tools, 0
    while True:
        finished, attempt = await call(), attempt + 1
        failure = Failure(finished.error)
        is_last = attempt >= policy.max_attempts or not may_repeat
        if not finished.HasField("error") or is_last or not is_worth_it(failure, policy):
            return finished
        pause_s = delay_s(policy, attempt)
        retried = _retried(TOOL, started.call.name, attempt, policy, failure, pause_s)
        retried.call_id = started.call.id
        step_retried(turn.run.place, retried)
        await turn.run.commit([RunEvent(step_retried=retried)])
        await asyncio.sleep(pause_s)


async def _within(
    limit_s: float | None, llm: str, agent: str, ask: Callable[[], Awaitable[Answer]]
) -> Answer:
    if limit_s is None:
        return await ask()
    try:
        async with asyncio.timeout(limit_s) as limit:
            return await ask()
    except TimeoutError:
        if not limit.expired():
            raise
        raise StepTimedOut(llm, agent, limit_s) from None


async def _pause(turn: "Turn", retried: StepRetried, pause_s: float) -> None:
    """Let time pass; where that is long, the run is somebody's again when it is over.

    Raises:
        RunReleased: It goes on later.
    """
    event = RunEvent(step_retried=retried)
    if pause_s <= PARKED_FROM_S:
        await turn.commit(event)
        await asyncio.sleep(pause_s)
        await turn.may_go_on()
        return
    timer, wake_us = await timer_in(turn.run, f"retry-{turn.asked}-{retried.attempt}", pause_s)
    turn.asked -= 1  # the question is asked anew
    await turn.commit(event, timer, asleep(), until_us=wake_us)
    raise RunReleased(turn.run.place.run)


def _retried(
    step: str, name: str, attempt: int, policy: "RetryConfig", failure: Failure, pause_s: float
) -> StepRetried:
    return StepRetried(
        step=step,
        name=name,
        attempt=attempt,
        max_attempts=policy.max_attempts,
        error=failure.error,
        delay_ms=round(pause_s * 1000),
    )
