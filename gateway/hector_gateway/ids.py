"""What names a request from one end to the other: the client's own ids if they make sense, else ours."""

import os
import re

_request_id = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII).fullmatch
_traceparent = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}").fullmatch


def request_id_of(given: str | None) -> str:
    """Return the client's x-request-id, or a new one; it names the request in logs and errors."""
    return given if given and _request_id(given) else os.urandom(8).hex()


def traceparent_of(given: str | None) -> str:
    """Return the client's W3C trace context; empty if there is none."""
    return given if given and _traceparent(given) else ""
