"""The head of a request, as bytes."""

from hector_http.errors import BadUrl
from hector_http.request import Request
from hector_http.targets import Target

ODD = frozenset(
    (
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "transfer-encoding",
        "upgrade",
    )
)
"""Headers that change how a message is sent or read."""
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))


def head_of(request: Request, target: Target) -> bytes:
    """Return request line and headers, down to the empty line.

    Raises:
        BadUrl: One of them holds a line break.
    """
    headers = request.headers
    named = {name.lower() for name in headers}
    lines = [f"{request.method} {target.path} HTTP/1.1", f"Host: {target.origin.partition('://')[2]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if "accept" not in named:
        lines.append("Accept: */*")
    if "user-agent" not in named:
        lines.append("User-Agent: hector")
    if request.body is not None or request.method in _WITH_BODY:
        lines.append(f"Content-Length: {len(request.body or b'')}")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
        raise BadUrl("a line break cannot be part of a request", origin=target.origin)
    return (head + "\r\n\r\n").encode("utf-8", "surrogateescape")


def is_odd(request: Request) -> bool:
    """Whether the request carries headers that change how messages are sent or read."""
    for name, value in request.headers.items():
        lower = name.lower()
        if lower in ODD or (lower == "accept-encoding" and value != "identity"):
            return True
    return False
