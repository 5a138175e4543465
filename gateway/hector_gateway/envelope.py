"""JSON-RPC 2.0: what a request's envelope holds, and what is wrong with it."""

from dataclasses import dataclass
from typing import Any

import orjson

from hector_a2a.codes import INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, Codes
from hector_mesh.status import ErrorInfo, Status, packed

from .not_json import why_not_json
from .one_line import in_one_line

Id = str | int | float | None


_IDS = frozenset((str, int, float, type(None)))
_EXACT = 2.0**53
"""From here on a float may be what is left of a longer number, which could not be given back."""


class EnvelopeError(Exception):
    """A request that JSON-RPC itself refuses; it never gets as far as A2A."""

    def __init__(self, codes: Codes, reason: str, message: str, rpc_id: Id = None) -> None:
        super().__init__(message)
        self.codes, self.reason, self.rpc_id = codes, reason, rpc_id

    @property
    def status(self) -> Status:
        """The same as a google.rpc.Status."""
        number: int = self.codes.grpc.value[0]
        info = packed(ErrorInfo(reason=self.reason, domain="a2a-protocol.org"))
        return Status(code=number, message=str(self), details=[info])


@dataclass(slots=True)
class Request:
    """One request."""

    method: str
    params: Any
    """{} if left out; None once they are read and the answer a stream, which can take days."""
    rpc_id: Id
    wants_answer: bool
    """It has an id; without one it is a notification, and nobody waits for an answer."""


def opened(body: bytes) -> Request:
    """Return the request that a body holds.

    Raises:
        EnvelopeError: It is no JSON, or no JSON-RPC request.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise EnvelopeError(PARSE_ERROR, "PARSE_ERROR", why_not_json(body, error)) from None
    if not isinstance(found, dict):
        if isinstance(found, list):
            raise _invalid("batches are not supported; send one request at a time")
        raise _invalid("the request is not an object")
    rpc_id: Any = found.get("id")
    kind = type(rpc_id)
    if kind not in _IDS or (kind is float and abs(rpc_id) >= _EXACT):
        raise _invalid("id must be a string, null, or a number of at most 64 bits")
    if found.get("jsonrpc") != "2.0":
        raise _invalid('jsonrpc must be "2.0"', rpc_id)
    method = found.get("method")
    if not isinstance(method, str) or not method:
        raise _invalid("method must be the name of a method", rpc_id)
    params = found.get("params", {})
    return Request(method, {} if params is None else params, rpc_id, "id" in found)


def unknown_method(request: Request, known: list[str]) -> EnvelopeError:
    """Return the error for a method that there is not."""
    message = f"there is no method {request.method[:100]!r} (methods: {', '.join(known)})"
    return EnvelopeError(METHOD_NOT_FOUND, "METHOD_NOT_FOUND", message, request.rpc_id)


def result(rpc_id: Id, found: object) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": rpc_id, "result": found})


def result_head(rpc_id: Id) -> bytes:
    """Return how a result begins: its JSON follows, and a closing brace."""
    return b'{"jsonrpc":"2.0","id":%s,"result":' % in_one_line(orjson.dumps(rpc_id))


def error(rpc_id: Id, found: dict[str, Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": rpc_id, "error": found})


def _invalid(message: str, rpc_id: Id = None) -> EnvelopeError:
    return EnvelopeError(INVALID_REQUEST, "INVALID_REQUEST", message, rpc_id)
