"""What every call carries, as gRPC metadata: names, and text that survives the wire."""

import re
from urllib.parse import quote, unquote

PRINCIPAL = "hector-principal"
ROLES = "hector-roles"
APP = "hector-app"
TRACEPARENT = "traceparent"
REQUEST_ID = "hector-request-id"
INSTANCE = "hector-instance"
REVISION = "hector-revision"
TOKEN = "hector-mesh-token"

Pairs = tuple[tuple[str, str | bytes], ...]

_plain = re.compile(r"[!-$&-+\--~]*").fullmatch
"""Matches what travels as it is: visible ASCII but the percent sign and the comma, which separates roles."""


def encoded(text: str) -> str:
    """Return `text` with everything percent-encoded that metadata cannot carry."""
    return text if _plain(text) else quote(text, safe="")


def decoded(value: str | bytes) -> str:
    """Return what `encoded` was given."""
    text = value if isinstance(value, str) else value.decode("utf-8", "replace")
    return unquote(text) if "%" in text else text
