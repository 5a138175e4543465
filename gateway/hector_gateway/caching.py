"""Answers that a client may keep, and is not sent again while they are the same."""

import hashlib
from email.utils import formatdate, parsedate_to_datetime

from .errors import Headers
from .exchange import JSON, Exchange


async def cacheable(
    exchange: Exchange, body: bytes, control: bytes, *, kind: bytes = JSON, modified: float | None = None
) -> None:
    """Answer with a body and its ETag, or with 304 where the client has it already.

    Args:
        exchange: Who asks.
        body: The answer.
        control: How long, and by whom, it may be kept.
        kind: Its media type.
        modified: When it became what it is, in Unix time, if that is known.
    """
    tag = b'"' + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'
    headers: Headers = ((b"etag", tag), (b"cache-control", control), (b"vary", b"A2A-Version, Authorization"))
    if modified is not None:
        headers = (*headers, (b"last-modified", formatdate(modified, usegmt=True).encode()))
    if _has_it(exchange, tag.decode(), modified):
        await exchange.reply(304, b"", kind=b"", headers=headers)
    else:
        await exchange.reply(200, body, kind=kind, headers=headers)


def _has_it(exchange: Exchange, tag: str, modified: float | None) -> bool:
    """Say whether the client has this very body. Its tags count more than its clock, as RFC 9110 says."""
    tags = exchange.header(b"if-none-match")
    if tags is not None:
        known = [one.strip().removeprefix("W/") for one in tags.split(",")]
        return tag in known or "*" in known
    since = exchange.header(b"if-modified-since")
    if since is None or modified is None:
        return False
    try:
        return int(modified) <= parsedate_to_datetime(since).timestamp()
    except (ValueError, OverflowError):
        return False
