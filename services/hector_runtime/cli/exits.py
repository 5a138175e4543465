"""Exit codes: how a script tells what happened without reading what was said."""

from collections.abc import Mapping
from enum import IntEnum


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    DENIED = 4
    INPUT_NEEDED = 5
    UNSOUND = 6
    TIMED_OUT = 124
    INTERRUPTED = 130


USUAL: Mapping[Exit, str] = {
    Exit.DONE: "it worked",
    Exit.FAILED: "it did not, and the message says why",
    Exit.USAGE: "the command was not understood",
}
"""Of every command."""

ASKING: Mapping[Exit, str] = {
    **USUAL,
    Exit.UNREACHABLE: "no server answers there, or the connection to it was lost",
    Exit.DENIED: "the server wants a credential, another one, or one with another role",
}
"""Of commands that ask a server."""

ANSWERING: Mapping[Exit, str] = {
    **ASKING,
    Exit.DONE: "the agent answered",
    Exit.FAILED: "the task failed, or was cancelled by somebody else",
    Exit.INPUT_NEEDED: "the agent waits for more: go on with --task",
    Exit.TIMED_OUT: "--timeout was over before the answer; the task was cancelled",
    Exit.INTERRUPTED: "Ctrl-C (143: SIGTERM); the task was cancelled",
}
"""Of a command that waits for one answer."""

_REASONS: Mapping[str, Exit] = {
    "NO_SERVER_THERE": Exit.UNREACHABLE,
    "NOT_AN_A2A_SERVER": Exit.UNREACHABLE,
    "BROKEN_ANSWER": Exit.UNREACHABLE,
    "HTTP_FAILED": Exit.UNREACHABLE,
    "HTTP_UNREACHABLE": Exit.UNREACHABLE,
    "HTTP_TIMED_OUT": Exit.UNREACHABLE,
    "HTTP_BROKE_OFF": Exit.UNREACHABLE,
    "TOKEN_REFUSED": Exit.DENIED,
    "UNAUTHENTICATED": Exit.DENIED,
    "STRANGE_ORIGIN": Exit.DENIED,
    "LLM_OVERRIDE_REFUSED": Exit.DENIED,
    "PERMISSION_DENIED": Exit.DENIED,
    "BAD_URL": Exit.USAGE,
    "NO_SUCH_ADDRESS": Exit.USAGE,
    "NO_PAGES": Exit.USAGE,
    "TRANSPORT_NOT_OFFERED": Exit.USAGE,
    "SILENT_SERVER": Exit.UNREACHABLE,
    "SERVER_NOT_TRUSTED": Exit.UNREACHABLE,
    "ANSWER_TIMED_OUT": Exit.TIMED_OUT,
}


def exit_for(reason: str) -> Exit:
    """Return the exit code of an error by its reason."""
    return _REASONS.get(reason, Exit.FAILED)
