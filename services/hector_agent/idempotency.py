"""Sending again safely: a key that the client chooses makes one run of a message, however often it is sent.

A key belongs to its caller and to the agent it was sent to, and is good for as long as its run is kept. The
id of a message is no key: clients use one for many messages.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson
from grpc import StatusCode

import hector_a2a as a2a
from hector_a2a.json_out import to_json
from hector_a2a.parameters import IDEMPOTENCY_KEY, Parameters
from hector_mesh import Context, HectorError
from hector_store import RunLog

from .following import HEADER
from .ledger import events_of

if TYPE_CHECKING:
    from .run import Run

METADATA = "hector.idempotency_key"
"""Where a key may stand in a request's metadata, for clients that cannot send headers."""

OPENING = 2
"""Events that every run begins with, in one commit: the message, and the first state."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_ALLOWED = "a key is 1 to 255 visible ASCII characters, as a UUID"
_NO_PLACE = (
    "on a message it needs an Idempotency-Key, that of the first time, or the message would be taken anew; "
    "SubscribeToTask goes on with a stream by the task's id"
)
_HEARD = frozenset({"message_received"})
_AS_TO_WAITING = ("historyLength", "returnImmediately")


class IdempotencyKeyReused(HectorError):
    """The key stands for another message."""

    code, reason = StatusCode.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED"

    def __init__(self, key: str, task: str) -> None:
        super().__init__(
            f"idempotency key {key!r} was sent with another message, which became task {task!r}; "
            "send the same message again, or this one with a new key",
            key=key,
            task=task,
        )


@dataclass(frozen=True, slots=True)
class Once:
    """A message that is to be taken only once."""

    key: str
    """As the client says it."""
    name: str
    """What the log knows it by: key and agent."""
    hash: str
    """Of what is asked. Not of how the client waits for it, nor of the message's id."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What became of a message that was sent before."""

    run: str
    live: "Run | None" = None
    """The run, where it is at work here."""
    after: int = OPENING
    """The event behind which the answer stands."""


def once_of(request: "a2a.SendMessageRequest", agent: str, context: Context) -> Once | None:
    """Return by which key a message is to be taken only once; None: it has none.

    Raises:
        InvalidParams: A key that is none, or two of them. Or none, and yet a place in a stream.
    """
    has_metadata = request.HasField("metadata")
    if not has_metadata and getattr(context, "bare", False):  # as most are
        return None
    beside = Parameters.of(context)
    said = _unquoted(beside.idempotency_key)
    if beside.last_event_id and not said and METADATA not in request.metadata.fields:
        raise a2a.InvalidParams({HEADER: _NO_PLACE})
    if not said and not has_metadata:
        return None
    fields = request.metadata.fields
    if METADATA in fields:
        written = fields[METADATA].string_value
        if not _KEY.fullmatch(written):
            raise a2a.InvalidParams({f"metadata.{METADATA}": _ALLOWED})
        if said and said != written:
            raise a2a.InvalidParams({f"metadata.{METADATA}": f"{IDEMPOTENCY_KEY} says another one"})
        said = written
    elif not said:
        return None
    if not _KEY.fullmatch(said):
        raise a2a.InvalidParams({IDEMPOTENCY_KEY: _ALLOWED})
    return Once(said, sha256(f"{agent}\n{said}".encode()).hexdigest(), hash_of(request))


async def heard(log: RunLog, app: str, owner: str, run: str, once: Once) -> int:
    """Return where in a run's log a message with a key stands; 0: nowhere.

    Raises:
        IdempotencyKeyReused: Another message stands there with that key.
    """
    found = await log.story(app, owner, run, _HEARD)
    for event in events_of(found[1] if found is not None else ()):
        message = event.message_received
        if message.idempotency_key == once.name:
            if message.idempotency_hash != once.hash:
                raise IdempotencyKeyReused(once.key, run)
            return event.seq
    return 0


def hash_of(request: "a2a.SendMessageRequest") -> str:
    """Return the same for what means the same, through whichever binding and version it came."""
    found = to_json(request)
    found.pop("tenant", None)  # the agent, which is part of the key
    message = found["message"]
    message.pop("messageId", None)
    for name in _AS_TO_WAITING:
        found.get("configuration", {}).pop(name, None)
    found.get("metadata", {}).pop(METADATA, None)
    return sha256(orjson.dumps(_filled(found), option=orjson.OPT_SORT_KEYS)).hexdigest()


def _filled(found: dict[str, object]) -> dict[str, object]:
    """Return the message and what stands beside it, without objects that say nothing."""
    message = found.pop("message")
    assert isinstance(message, dict)
    kept = {name: value for name, value in message.items() if value not in ({}, [])}
    return {"message": kept, **{name: value for name, value in found.items() if value not in ({}, [])}}


def _unquoted(key: str) -> str:
    """Return a key as it is meant; the draft of the header's standard puts it in quotes."""
    return key[1:-1] if len(key) > 2 and key[0] == key[-1] == '"' else key
