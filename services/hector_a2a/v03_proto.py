"""The other JSON of A2A 0.3: that of its a2a.proto, in which its SDKs speak HTTP+JSON.

Messages have `content` and no `kind`, enums are spelled as in the proto. These functions turn that into the
JSON of 0.3's own objects and back; `v03` does the rest.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from types import MappingProxyType

from .json_values import Json
from .v03 import STATES, Object

_STATES: Mapping[str, str] = MappingProxyType(
    {state: name for name, state in STATES.items()} | {"canceled": "TASK_STATE_CANCELLED"}  # spelled so there
)
_ROLES = MappingProxyType({"user": "ROLE_USER", "agent": "ROLE_AGENT"})
_ROLES_BACK = MappingProxyType({name: role for role, name in _ROLES.items()})
_MEMBERS = MappingProxyType(
    {
        "task": "task",
        "message": "message",
        "status-update": "statusUpdate",
        "artifact-update": "artifactUpdate",
    }
)


def is_spoken(params: Json) -> bool:
    """Say whether the parameters of a send are in this JSON."""
    if not isinstance(params, dict):
        return False
    message = params.get("message")
    if not isinstance(message, dict):
        return "request" in params
    role = message.get("role")
    return "content" in message or (isinstance(role, str) and role in _ROLES_BACK)


def request_to_v03(params: Object) -> Object:
    """Return the parameters of a send as 0.3's JSON-RPC has them. What cannot be read stays as it is."""
    found = {name: params[name] for name in ("metadata",) if name in params}
    message = params.get("message", params.get("request"))
    if message is not None:
        found["message"] = _message_to_v03(message) if isinstance(message, dict) else message
    configuration = params.get("configuration")
    if isinstance(configuration, dict):
        names = {
            "accepted_output_modes": "acceptedOutputModes",
            "history_length": "historyLength",
            "push_notification": "pushNotificationConfig",
            "pushNotification": "pushNotificationConfig",
        }
        # A proto leaves out what is false.
        found["configuration"] = {"blocking": False, **_renamed(configuration, names)}
    elif configuration is not None:
        found["configuration"] = configuration
    return found


def result_from_v03(found: Object) -> Object:
    """Return a task, message or event of 0.3 in this JSON."""
    kind = found.get("kind")
    if kind == "message":
        return _message_from_v03(found)
    result = _without_kind(found)
    if "status" in result:
        status = dict(result["status"])
        status["state"] = _STATES.get(status.get("state", ""), "TASK_STATE_UNSPECIFIED")
        if "message" in status:
            status["message"] = _message_from_v03(status["message"])
        result["status"] = status
    if "artifact" in result:
        result["artifact"] = _artifact_from_v03(result["artifact"])
    if "artifacts" in result:
        result["artifacts"] = [_artifact_from_v03(one) for one in result["artifacts"]]
    if "history" in result:
        result["history"] = [_message_from_v03(one) for one in result["history"]]
    return result


def payload_from_v03(found: Object) -> Object:
    """Return the same as one member of an answer or event, as `{"task": …}`."""
    return {_MEMBERS.get(found.get("kind", ""), "task"): result_from_v03(found)} if found else found


def _message_to_v03(message: Object) -> Object:
    names = {
        "message_id": "messageId",
        "context_id": "contextId",
        "task_id": "taskId",
        "content": "parts",
    }
    found = _renamed(message, names)
    role = found.get("role")
    if isinstance(role, str):
        found["role"] = _ROLES_BACK.get(role, role)
    if isinstance(found.get("parts"), list):
        found["parts"] = [_part_to_v03(part) for part in found["parts"]]
    return found


def _part_to_v03(part: Json) -> Json:
    if not isinstance(part, dict) or "kind" in part:
        return part
    kind = next((kind for kind in ("text", "file", "data") if kind in part), None)
    if kind is None:
        return part
    found = {"kind": kind, **part}
    inner = part[kind]
    if kind == "file" and isinstance(inner, dict):
        names = {
            "fileWithUri": "uri",
            "file_with_uri": "uri",
            "fileWithBytes": "bytes",
            "file_with_bytes": "bytes",
            "mime_type": "mimeType",
        }
        found["file"] = file = _renamed(inner, names)
        if "bytes" in file:
            file["bytes"] = _once_encoded(file["bytes"])
    if kind == "data" and isinstance(inner, dict) and isinstance(inner.get("data"), dict):
        found["data"] = inner["data"]
    return found


def _once_encoded(found: Json) -> Json:
    """Return a file's bytes in base64.

    The SDKs of 0.3 write base64 into the proto's bytes, which are base64 once more in JSON, and expect that.
    Who does as the proto says is understood too, unless the bytes look like base64.
    """
    try:
        inner = b64decode(found, validate=True)
        b64decode(inner, validate=True)
        return inner.decode("ascii")
    except (ValueError, TypeError):
        return found


def _message_from_v03(message: Object) -> Object:
    found = _without_kind(message)
    found["role"] = _ROLES.get(found.get("role", ""), "ROLE_AGENT")
    found["content"] = [_part_from_v03(part) for part in found.pop("parts", ())]
    return found


def _artifact_from_v03(artifact: Object) -> Object:
    return {**artifact, "parts": [_part_from_v03(part) for part in artifact.get("parts", ())]}


def _part_from_v03(part: Object) -> Object:
    found = _without_kind(part)
    if "file" in found:
        file = found["file"] = _renamed(found["file"], {"uri": "fileWithUri", "bytes": "fileWithBytes"})
        if "fileWithBytes" in file:  # see `_once_encoded`
            file["fileWithBytes"] = b64encode(file["fileWithBytes"].encode()).decode()
    if "data" in found:
        found["data"] = {"data": found["data"]}
    return found


def _without_kind(found: Object) -> Object:
    return {name: value for name, value in found.items() if name != "kind"}


def _renamed(found: Object, names: Mapping[str, str]) -> Object:
    return {names.get(name, name): value for name, value in found.items()}
