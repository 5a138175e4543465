"""What is added to a session by hand: as a run of its own, that is over when it is written."""

import json
from collections.abc import Sequence
from hashlib import sha256
from uuid import uuid4

from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    MessageReceived,
    MessageSent,
    RunEvent,
    StateChanged,
    StatusChanged,
)
from hector.common.v1 import ROLE_ASSISTANT, ROLE_USER, Message
from hector_agent.packing import packed
from hector_agent.rows import row_of
from hector_mesh import Call
from hector_store import Created, NewRun, RunLog

from .errors import NotToBeKept
from .scopes import complaint, kept_of, lasting

DONE = "RUN_STATE_COMPLETED"
MOST_KEY = 255
"""Characters of an idempotency key."""


async def begin(log: RunLog, call: Call, session: str, agent: str, state_json: str) -> None:
    """Begin a session.

    Raises:
        ContextExists: There is one of that id.
        NotToBeKept: Its state cannot be kept.
    """
    events = _events((), _delta("state_json", state_json), session)
    new = NewRun(
        app=call.app, owner=call.principal.id, agent=agent, context_id=session, kind="session", state=DONE,
        is_task=False, context_rule="new",
    )  # fmt: skip
    await _written(log, new, events)


async def append(
    log: RunLog,
    call: Call,
    session: str,
    agent: str,
    messages: Sequence[Message],
    state_delta_json: str,
    key: str,
) -> int:
    """Add to the end of a session, and return the position there; 0 for a change of state alone.

    Raises:
        ContextNotFound: There is no such session.
        IdempotencyMismatch: The key stands for something else.
        NotToBeKept: It cannot be kept.
    """
    delta = _delta("state_delta_json", state_delta_json)
    if not (messages or delta):
        raise NotToBeKept("messages", "there is nothing to append: neither a message nor a change of state")
    if len(key) > MOST_KEY:
        raise NotToBeKept("idempotency_key", f"it has {len(key)} characters (allowed: {MOST_KEY})")
    said = b"".join(message.SerializeToString(deterministic=True) for message in messages)
    new = NewRun(
        app=call.app, owner=call.principal.id, agent=agent, context_id=session, state=DONE, is_task=False,
        kind="session" if messages else "state", context_rule="there",
        idempotency_key=sha256(f"{session}\nappend\n{key}".encode()).hexdigest() if key else "",
        idempotency_hash=sha256(said + json.dumps(delta, sort_keys=True).encode()).hexdigest() if key else "",
    )  # fmt: skip
    return (await _written(log, new, _events(messages, delta, session))).context_position


async def _written(log: RunLog, new: NewRun, events: Sequence[RunEvent]) -> Created:
    events = [*lasting(events), RunEvent(status_changed=StatusChanged(state=RUN_STATE_COMPLETED))]
    kept = kept_of(events, new.app, new.owner, new.context_id)
    return await log.create(new, [row_of(event) for event in events], kept)


def _events(messages: Sequence[Message], delta: dict[str, object], session: str) -> list[RunEvent]:
    events = []
    for number, message in enumerate(messages):
        told = packed(_to_a2a(message, session, f"messages[{number}]"))
        if message.role == ROLE_USER:
            events.append(RunEvent(message_received=MessageReceived(message=told)))
        else:
            events.append(RunEvent(message_sent=MessageSent(message=told)))
    if delta:
        changed = StateChanged(delta_json=json.dumps(delta, ensure_ascii=False))
        events.append(RunEvent(state_changed=changed))
    return events


def _to_a2a(message: Message, session: str, field: str) -> "a2a.Message":
    if message.role not in (ROLE_USER, ROLE_ASSISTANT):
        raise NotToBeKept(f"{field}.role", "ROLE_USER or ROLE_ASSISTANT is needed here")
    role = a2a.ROLE_USER if message.role == ROLE_USER else a2a.ROLE_AGENT
    told = a2a.Message(message_id=str(uuid4()), role=role, context_id=session)
    for number, part in enumerate(message.parts):
        kind = part.WhichOneof("content")
        if kind == "text":
            told.parts.add(text=part.text)
        elif kind == "data_json":
            try:
                value = json.loads(part.data_json)
            except ValueError:
                raise NotToBeKept(f"{field}.parts[{number}].data_json", "it is no JSON") from None
            told.parts.add().data.MergeFrom(ParseDict(value, Value()))
        elif kind == "blob" and part.blob.uri:
            told.parts.add(url=part.blob.uri, media_type=part.blob.media_type, filename=part.blob.name)
        elif kind == "blob":
            told.parts.add(raw=part.blob.data, media_type=part.blob.media_type, filename=part.blob.name)
        else:
            raise NotToBeKept(f"{field}.parts[{number}]", "text, a blob or data_json is needed here")
    if not told.parts:
        raise NotToBeKept(f"{field}.parts", "a message has one part or more")
    return told


def _delta(field: str, delta_json: str) -> dict[str, object]:
    try:
        delta = json.loads(delta_json or "{}", parse_constant=_refuse)
    except (ValueError, RecursionError):
        delta = None
    if not isinstance(delta, dict):
        raise NotToBeKept(field, 'a JSON object is needed here, as {"answers": 42}')
    if why := complaint(delta):
        raise NotToBeKept(field, why)
    return delta


def _refuse(constant: str) -> object:
    raise ValueError(constant)
