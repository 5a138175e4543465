"""What the documents' `/v1/agents/...` paths forgive, and no other path does."""

import uuid
from typing import Any

from .versions import Version

_KINDS = ("text", "data", "file")


def completed(params: Any, version: Version) -> Any:
    """Return a send's parameters with what old clients leave out: message id, role, the kind of a part."""
    message = params.get("message") if isinstance(params, dict) else None
    if not isinstance(message, dict):
        return params
    message = {"messageId": uuid.uuid4().hex, "role": "user" if version == "0.3" else "ROLE_USER", **message}
    if version == "0.3" and isinstance(message.get("parts"), list):
        message["parts"] = [_with_kind(part) for part in message["parts"]]
    return {**params, "message": message}


def _with_kind(part: Any) -> Any:
    if not isinstance(part, dict) or "kind" in part:
        return part
    kind = next((kind for kind in _KINDS if kind in part), None)
    return {"kind": kind, **part} if kind else part
