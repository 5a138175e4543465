"""How much one request may hold, beside its size: asked before anything is made of it, which is what costs.

Both versions of A2A are looked at as they came, in either kind of JSON and as protobuf.
"""

from typing import Any

import orjson

import hector_a2a as a2a
from hector_a2a.json_fields import is_map, is_repeated

from .config import LimitsConfig

_SMALL = 1_000
"""Bytes of a request that can hold too much of nothing but parts, of which each takes three."""

_CONTENT = ("text", "raw", "url", "data", "file")
"""What the content of a part is called, in one version or the other."""


def check_json(params: Any, body: bytes, limits: LimitsConfig) -> None:
    """Let the parameters of an operation pass.

    Args:
        params: What was read from the body.
        body: As it came.
        limits: What they may hold.

    Raises:
        InvalidParams: There is more of something than allowed; names the limit.
    """
    if len(body) <= _SMALL and len(body) < 3 * limits.max_parts:
        return
    if not isinstance(params, dict):
        return  # refused by those who know what should be there
    found = params.get("message") or params.get("request")
    message = found if isinstance(found, dict) else {}
    parts = message.get("parts") or message.get("content")
    if isinstance(parts, list) and len(parts) > limits.max_parts:
        raise _too_many_parts(len(parts), limits)
    if (
        len(body) > limits.max_values
        and _may_have_more(body, limits)
        and _has_more(params, limits.max_values)
    ):
        raise _too_many_values(limits)
    if len(body) > limits.max_metadata_size:
        beside = {name: value for name, value in params.items() if value is not message}
        more = {name: value for name, value in message.items() if value is not parts}
        size = _size_bytes([beside, more])
        if isinstance(parts, list):
            size += sum(_size_bytes(_without_content(part)) for part in parts)
        if size > limits.max_metadata_size:
            raise _too_much_beside(limits)


def check_message(request: Any, size_bytes: int, limits: LimitsConfig) -> None:
    """Let a request pass that came as protobuf; `size_bytes` is what it took. Raises as `check_json`."""
    found = _message_in(request)
    parts = () if found is None else found.parts if hasattr(found, "parts") else found.content
    if len(parts) > limits.max_parts:
        raise _too_many_parts(len(parts), limits)
    if size_bytes > 2 * limits.max_values and _holds_more(request, limits.max_values):
        raise _too_many_values(limits)
    if size_bytes > limits.max_metadata_size:
        contents = sum(_content_bytes(part) for part in parts)
        if size_bytes - contents > limits.max_metadata_size:
            raise _too_much_beside(limits)


def _size_bytes(found: Any) -> int:
    try:
        return len(orjson.dumps(found))
    except orjson.JSONEncodeError:  # of what was read this one thing cannot be written
        raise a2a.InvalidParams({"": "it is nested too deep, far deeper than A2A's messages are"}) from None


def _may_have_more(body: bytes, limits: LimitsConfig) -> bool:
    """Say whether there could be too many values: each has one of these signs before it; so have texts."""
    return sum(map(body.count, (b",", b":", b"["))) > limits.max_values


def _has_more(found: Any, most: int) -> bool:
    """Say whether a JSON value holds more than so many others."""
    count, waiting = 0, [found]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            value = value.values()
        elif not isinstance(value, list):
            continue
        count += len(value)
        if count > most:
            return True
        waiting.extend(value)
    return False


def _holds_more(found: Any, most: int) -> bool:
    """Say whether a message holds more than so many others, and values of maps and lists."""
    count, waiting = 0, [found]
    while waiting:
        for field, value in waiting.pop().ListFields():
            if field.message_type is None:
                continue
            several = is_map(field) or is_repeated(field)
            count += len(value) if several else 1
            if count > most:
                return True
            if is_map(field):
                value = [value[key] for key in value]
            waiting.extend(value if several else [value])
    return False


def _message_in(request: Any) -> Any:
    """Return the message that is sent; None: the operation is another one."""
    if isinstance(request, a2a.SendMessageRequest):
        return request.message
    fields = request.DESCRIPTOR.fields_by_name
    return request.request if "request" in fields and "configuration" in fields else None


def _without_content(part: Any) -> Any:
    return (
        {name: value for name, value in part.items() if name not in _CONTENT} if isinstance(part, dict) else 0
    )


def _content_bytes(part: Any) -> int:
    """Return the size of what a part is there for."""
    size = part.ByteSize()
    rest = type(part)()
    for field, value in part.ListFields():
        if field.name not in _CONTENT:
            if field.message_type is not None:
                getattr(rest, field.name).CopyFrom(value)
            else:
                setattr(rest, field.name, value)
    return int(size - rest.ByteSize())


def _too_many_parts(found: int, limits: LimitsConfig) -> a2a.InvalidParams:
    return a2a.InvalidParams(
        {
            "message.parts": f"there are {found:,} of them, and at most {limits.max_parts:,} are taken; send "
            "more than one message (an operator can raise server.limits.max_parts)"
        }
    )


def _too_many_values(limits: LimitsConfig) -> a2a.InvalidParams:
    wrong = (
        f"data and metadata hold more than {limits.max_values:,} values; send such data as a file, raw or "
        "by url (an operator can raise server.limits.max_values)"
    )
    return a2a.InvalidParams({"": wrong})


def _too_much_beside(limits: LimitsConfig) -> a2a.InvalidParams:
    wrong = (
        f"metadata, ids and the like have more than {limits.max_metadata_size:,} bytes, beside what parts "
        "hold; send more of it in parts (an operator can raise server.limits.max_metadata_size)"
    )
    return a2a.InvalidParams({"": wrong})
