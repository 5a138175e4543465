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
DOCUMENTS = "hector-documents"
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


def encoded_names(names: tuple[str, ...]) -> str:
    """Return names as one value; none at all are a value too, and not the same as no value."""
    return "".join([f"{encoded(name)}," for name in names]) or ","


def decoded_names(value: str | bytes) -> tuple[str, ...]:
    """Return what `encoded_names` was given."""
    text = value if isinstance(value, str) else value.decode("utf-8", "replace")
    return tuple([decoded(name) for name in text.split(",") if name])
