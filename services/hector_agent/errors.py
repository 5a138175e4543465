"""What can go wrong with agents and their runs."""

from collections.abc import Collection

from grpc import StatusCode

import hector_a2a as a2a
from hector_mesh import HectorError


class AgentNotFound(HectorError):
    """No agent of that name is configured, or the caller may not see it."""

    code, reason = StatusCode.NOT_FOUND, "AGENT_NOT_FOUND"

    def __init__(self, agent: str, configured: Collection[str]) -> None:
        from difflib import get_close_matches  # only where somebody has mistyped

        near = get_close_matches(agent, configured, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        names = ", ".join(configured) or "none"
        super().__init__(f"no agent named {agent!r}; there are: {names}{hint}", agent=agent)


class PushConfigNotFound(a2a.TaskNotFound):
    """No such push notification config of the task, or it is somebody else's."""

    def __init__(self, task: str, config: str) -> None:
        HectorError.__init__(
            self, f"task {task!r} has no push notification config {config!r}", taskId=task, id=config
        )


class DeliveryNotFound(HectorError):
    """No such push notification config, or it is somebody else's."""

    code, reason = StatusCode.NOT_FOUND, "PUSH_CONFIG_NOT_FOUND"

    def __init__(self, run: str, config: str) -> None:
        super().__init__(
            f"no push notification config {config!r} of run {run!r}; `hector task push list` shows yours",
            run=run,
            id=config,
        )


class DeliveryOver(HectorError):
    """There is nothing left to deliver."""

    code, reason = StatusCode.FAILED_PRECONDITION, "PUSH_CONFIG_DONE"

    def __init__(self, run: str, config: str) -> None:
        super().__init__(
            f"everything was delivered to push notification config {config!r} of run {run!r}",
            run=run,
            id=config,
        )


class RunNotFound(HectorError):
    """No such run, or it is somebody else's."""

    code, reason = StatusCode.NOT_FOUND, "RUN_NOT_FOUND"

    def __init__(self, run: str) -> None:
        super().__init__(f"no task {run!r} of yours; `hector task list` shows those there are", run=run)


class SessionNotFound(HectorError):
    """No such session, or it is somebody else's."""

    code, reason = StatusCode.NOT_FOUND, "SESSION_NOT_FOUND"

    def __init__(self, session: str) -> None:
        super().__init__(
            f"no session {session!r} of yours; `ListSessions` shows those there are", session=session
        )


class SessionBusy(HectorError):
    """The session cannot be removed while it is being worked in."""

    code, reason = StatusCode.FAILED_PRECONDITION, "SESSION_BUSY"

    def __init__(self, session: str, run: str) -> None:
        super().__init__(
            f"session {session!r} has a run that is not over: cancel run {run!r} first",
            session=session,
            run=run,
        )


class RunOver(HectorError):
    """The run has ended; nothing more can be asked of it."""

    code, reason = StatusCode.FAILED_PRECONDITION, "RUN_OVER"

    def __init__(self, run: str, state: str) -> None:
        super().__init__(
            f"run {run!r} is {_plain(state)}; send a new message in its session instead", run=run, state=state
        )


class RunDoesNotWait(HectorError):
    """The run does not wait for what was sent to it."""

    code, reason = StatusCode.FAILED_PRECONDITION, "RUN_DOES_NOT_WAIT"

    def __init__(self, run: str, state: str) -> None:
        super().__init__(f"run {run!r} is {_plain(state)} and does not wait for this", run=run, state=state)


class WakeNotUsable(HectorError):
    """What was to wake a run is no JSON object."""

    code, reason = StatusCode.INVALID_ARGUMENT, "WAKE_NOT_USABLE"

    def __init__(self) -> None:
        super().__init__('wake_json must be a JSON object, as {"granted": true}')


class SignalNotSupported(HectorError):
    """This version cannot act on that signal yet."""

    code, reason = StatusCode.UNIMPLEMENTED, "SIGNAL_NOT_SUPPORTED"

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"a run cannot be sent {kind!r} in this version; it can be sent 'cancel', 'pause', 'resume', and "
            "'wake_json' where it waits for that",
            signal=kind,
        )


class ActionNotSupported(HectorError):
    """A strategy wants something that this version cannot do yet."""

    code, reason = StatusCode.UNIMPLEMENTED, "ACTION_NOT_SUPPORTED"

    def __init__(self, kind: str) -> None:
        super().__init__(f"the agent's strategy wants {kind!r}, which this version cannot do", action=kind)


class StrategyFailed(HectorError):
    """The strategy answered that it failed."""

    code, reason = StatusCode.INTERNAL, "STRATEGY_FAILED"

    def __init__(self, error: str) -> None:
        super().__init__(f"the reasoning strategy failed: {error}")


class ModelSaidNothing(HectorError):
    """The model's stream ended without its last message, or with an error in it."""

    code, reason = StatusCode.UNAVAILABLE, "MODEL_BROKE_OFF"

    def __init__(self, llm: str, why: str = "the stream ended without its last message") -> None:
        super().__init__(f"{llm} broke its answer off ({why}); ask again, or check the provider", llm=llm)


class StepTimedOut(HectorError):
    """A question to a model took longer than its agent allows; what the model had said before is void."""

    code, reason = StatusCode.DEADLINE_EXCEEDED, "STEP_TIMED_OUT"

    def __init__(self, llm: str, agent: str, limit_s: float) -> None:
        super().__init__(
            f"{llm} took longer than {limit_s:g} s for one answer; raise agents.{agent}.step_timeout, or "
            f"have it asked again with agents.{agent}.retry.model",
            llm=llm,
            timeout_s=f"{limit_s:g}",
        )


class AnswerTooLong(HectorError):
    """The model says more in one answer than the agent takes; what it had said before is kept."""

    code, reason = StatusCode.RESOURCE_EXHAUSTED, "ANSWER_TOO_LONG"

    def __init__(self, llm: str, agent: str, limit_bytes: int) -> None:
        super().__init__(
            f"{llm} said more than {limit_bytes:,} bytes in one answer and was stopped; "
            f"raise agents.{agent}.max_answer_size, or ask for less",
            llm=llm,
            agent=agent,
            limit_bytes=limit_bytes,
        )


class IterationLimit(HectorError):
    """The strategy wanted more questions to the model than the agent allows."""

    code, reason = StatusCode.RESOURCE_EXHAUSTED, "ITERATION_LIMIT"

    def __init__(self, agent: str, limit: int, said: str) -> None:
        text = said or (
            f"the agent stopped after {limit} questions to its model; "
            f"raise agents.{agent}.reasoning.max_iterations, or ask for less"
        )
        super().__init__(text, agent=agent, limit=limit)


class RunLost(HectorError):
    """The run stopped, and how it ended could not be written."""

    code, reason = StatusCode.UNAVAILABLE, "RUN_LOST"

    def __init__(self, run: str) -> None:
        super().__init__(
            f"run {run!r} stopped because its log could not be written, as the server's log says; "
            "what was committed is kept: ask again when the database is well",
            run=run,
        )


class RunReleased(HectorError):
    """The run stops here, with all that it did committed, and goes on elsewhere or after the next start."""

    code, reason = StatusCode.UNAVAILABLE, "RUN_RELEASED"

    def __init__(self, run: str) -> None:
        super().__init__(
            f"this server stops working on task {run!r}, which goes on at another one or after the next "
            "start: GetTask and SubscribeToTask tell what becomes of it",
            taskId=run,
        )


class RunElsewhere(HectorError):
    """The run is not at work in this process."""

    code, reason = StatusCode.FAILED_PRECONDITION, "RUN_ELSEWHERE"

    def __init__(self, run: str) -> None:
        super().__init__(
            f"run {run!r} is not at work in this process: it waits, is over, or is another one's; "
            "without `mirror` it is followed wherever it is",
            run=run,
        )


class HistoryPruned(a2a.UnsupportedOperation):
    """A reader wants events that are not kept any more; `cause` in its facts tells it from other reasons."""

    cause = "EVENT_HISTORY_PRUNED"

    def __init__(self, run: str, after: int, first_kept: int) -> None:
        super().__init__(
            f"task {run!r} cannot be followed from event {after} on: its events before {first_kept} are not "
            "kept any more; GetTask returns the task as it is, and SubscribeToTask without Last-Event-ID "
            "follows it from now on",
            cause=self.cause,
            after=after,
            firstKept=first_kept,
        )


class StillAtWork(HectorError):
    """The caller waits no longer, and the task goes on."""

    code, reason = StatusCode.DEADLINE_EXCEEDED, "STILL_AT_WORK"

    def __init__(self, task: str, context: str) -> None:
        super().__init__(
            f"there was no answer in time; task {task!r} goes on: GetTask and SubscribeToTask tell what "
            "becomes of it",
            taskId=task,
            contextId=context,
        )


class TooManyRuns(HectorError):
    """The server has as many runs at work as it takes; nothing was written."""

    code, reason = StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_RUNS"
    retry_after_s = 5.0

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} runs are at work here; ask again when some are over", limit=limit)


class ShuttingDown(HectorError):
    """The server takes no new work."""

    code, reason = StatusCode.UNAVAILABLE, "SHUTTING_DOWN"
    retry_after_s = 5.0

    def __init__(self) -> None:
        super().__init__("the server is shutting down; ask again in a moment")


class NoLease(HectorError):
    """This process has lost its lease on runs, and takes a new one: nothing was written."""

    code, reason = StatusCode.UNAVAILABLE, "NO_LEASE"
    retry_after_s = 1.0

    def __init__(self) -> None:
        super().__init__(
            "this server could not renew its lease in time, and is taking a new one; ask again in a moment"
        )


def _plain(state: str) -> str:
    """Return the name of a state as people say it: "completed"."""
    return state.removeprefix("RUN_STATE_").lower().replace("_", " ")
