"""A notification as an HTTP request: what it says, who it is from, and which one it is."""

import os
import re
import time
from hashlib import blake2s

import hector_a2a as a2a
from hector_http import NO_RETRIES, Request, Timeouts
from hector_store import PushRow

from .notice import V03, Notice
from .secrets import revealed
from .signing import Signer

EVENT_ID = "X-A2A-Event-ID"
TOKEN = "X-A2A-Notification-Token"
MOST_ANSWER_BYTES = 64 * 1024
_traceparent = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})").fullmatch


def request_of(row: PushRow, notice: Notice, signer: Signer, timeout_s: float) -> Request:
    """Return a notification, ready to be sent. Its id and body are the same at every attempt."""
    event_id = f"{row.run_id}:{_named(row)}:{notice.seq}"
    body = body_of(notice.payload, row.dialect)
    headers = {
        "Content-Type": "application/json" if row.dialect == V03 else "application/a2a+json",
        "A2A-Version": row.dialect or "1.0",
        EVENT_ID: event_id,
        **signer.headers(event_id, int(time.time()), body),
    }
    secret = revealed(row.secret)
    if secret.token:
        headers[TOKEN] = secret.token
    if secret.authentication.credentials:
        headers["Authorization"] = f"{secret.authentication.scheme} {secret.authentication.credentials}"
    if trace := _traceparent(row.traceparent):
        headers["traceparent"] = f"00-{trace[1]}-{os.urandom(8).hex()}-{trace[2]}"
    return Request(
        "POST",
        row.url,
        headers,
        body,
        timeouts=Timeouts(connect_s=timeout_s, first_byte_s=timeout_s, stall_s=timeout_s, total_s=timeout_s),
        retries=NO_RETRIES,
        max_body_bytes=MOST_ANSWER_BYTES,
    )


def _named(row: PushRow) -> str:
    """Return what tells a config from others, and from those that it has replaced: it begins anew."""
    return blake2s(f"{row.created_time_us}:{row.id}".encode(), digest_size=4).hexdigest()


def body_of(payload: "a2a.StreamResponse", dialect: str) -> bytes:
    """Return what is posted: the event, or in 0.3 the task itself."""
    import orjson  # late, as all of this: most servers have no webhooks

    from hector_a2a.json_out import to_json

    found = to_json(payload)
    if dialect == V03:
        from hector_a2a import v03

        found = v03.result_from_v1("message/send", found)
    return orjson.dumps(found)
