"""What can go wrong with sessions and artifacts."""

from grpc import StatusCode

from hector_mesh import HectorError


class TurnInProgress(HectorError):
    """A turn is at work in the session, and the agent takes no other one until it is over."""

    code, reason = StatusCode.ABORTED, "TURN_IN_PROGRESS"
    retry_after_s = 1.0

    def __init__(self, context: str, agent: str, task: str) -> None:
        super().__init__(
            f"agent {agent!r} is at work in context {context!r} on task {task!r}, and takes one message at a "
            "time: send this one when that is over, or cancel it",
            contextId=context,
            taskId=task,
            agent=agent,
        )


class ArtifactNotFound(HectorError):
    """No such artifact, no such version of it, or it is somebody else's."""

    code, reason = StatusCode.NOT_FOUND, "ARTIFACT_NOT_FOUND"

    def __init__(self, session: str, name: str, version: int) -> None:
        which = f"version {version} of artifact {name!r}" if version else f"artifact {name!r}"
        where = f" in session {session!r}" if session else ""
        super().__init__(
            f"there is no {which} of yours{where}; `ListArtifacts` shows those there are",
            session=session,
            name=name,
            version=version,
        )


class InstructionKeyMissing(HectorError):
    """An instruction has a place for something that the session does not know."""

    code, reason = StatusCode.FAILED_PRECONDITION, "INSTRUCTION_KEY_MISSING"

    def __init__(self, agent: str, key: str) -> None:
        super().__init__(
            f"the instruction of agents.{agent} says {{{key}}}, and there is no {key!r} in this session: "
            f"set it, or write {{{key}?}} where it may be missing",
            agent=agent,
            key=key,
        )


class NotToBeKept(HectorError):
    """What is to be kept in a session cannot be."""

    code, reason = StatusCode.INVALID_ARGUMENT, "NOT_TO_BE_KEPT"

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}", field=field)
