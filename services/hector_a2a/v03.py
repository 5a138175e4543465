"""A2A 0.3 over JSON: requests become those of 1.0, answers and events become those of 0.3, dict to dict.

Nothing is checked here that the 1.0 reader checks afterwards; what has another shape in 0.3 is.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from . import v03_push
from .codes import INTERNAL
from .errors import InvalidParams
from .json_values import Json

Object = dict[str, Json]

CARD_METHOD = "agent/getAuthenticatedExtendedCard"

METHODS: Mapping[str, str] = MappingProxyType(
    {
        "message/send": "SendMessage",
        "message/stream": "SendStreamingMessage",
        "tasks/get": "GetTask",
        "tasks/cancel": "CancelTask",
        "tasks/resubscribe": "SubscribeToTask",
        v03_push.SET: "CreateTaskPushNotificationConfig",
        v03_push.GET: "GetTaskPushNotificationConfig",
        v03_push.LIST: "ListTaskPushNotificationConfigs",
        v03_push.DELETE: "DeleteTaskPushNotificationConfig",
        CARD_METHOD: "GetExtendedAgentCard",
    }
)
"""The methods of 0.3 that are served, and the rpc each of them is in 1.0."""

PUSH_METHODS = frozenset({v03_push.SET, v03_push.GET, v03_push.LIST, v03_push.DELETE})
"""Those that `v03_push` knows about."""

STATES: Mapping[str, str] = MappingProxyType(
    {
        "TASK_STATE_UNSPECIFIED": "unknown",
        "TASK_STATE_SUBMITTED": "submitted",
        "TASK_STATE_WORKING": "working",
        "TASK_STATE_COMPLETED": "completed",
        "TASK_STATE_FAILED": "failed",
        "TASK_STATE_CANCELED": "canceled",
        "TASK_STATE_INPUT_REQUIRED": "input-required",
        "TASK_STATE_REJECTED": "rejected",
        "TASK_STATE_AUTH_REQUIRED": "auth-required",
    }
)
FINAL = frozenset({"completed", "failed", "canceled", "rejected", "input-required"})
"""Where `final` is true: a 0.3 client stops reading there; its specification sets it where streams end."""
COMPAT = "data_part_compat"
"""Metadata of a part whose data is no object. 0.3 has objects only; this is how the SDK wraps the rest."""

_ROLES = {"user": "ROLE_USER", "agent": "ROLE_AGENT"}
_ROLES_BACK = {role: name for name, role in _ROLES.items()}


def request_to_v1(method: str, params: Json) -> Object:
    """Return the parameters of a method in `METHODS` as those of its 1.0 rpc.

    Raises:
        InvalidParams: Something has a shape that 0.3 does not know.
    """
    found = _object(params, "")
    if method in ("message/send", "message/stream"):
        result = _only(found, "metadata")
        if "message" in found:
            result["message"] = message_to_v1(found["message"], "message")
        if found.get("configuration") is not None:
            result["configuration"] = _configuration_to_v1(_object(found["configuration"], "configuration"))
        return result
    if method in PUSH_METHODS:
        return v03_push.request_to_v1(method, found)
    result = _only(found, "id", "metadata")
    return result | _history_length(found) if method == "tasks/get" else result


def message_to_v1(found: Json, path: str = "message") -> Object:
    """Return a 0.3 message as one of 1.0."""
    message = _object(found, path)
    if message.get("kind", "message") != "message":
        raise InvalidParams({f"{path}.kind": '"message" is needed here'})
    result = _only(
        message, "messageId", "contextId", "taskId", "metadata", "extensions", "referenceTaskIds", "role"
    )
    if "role" in message:
        role = message["role"]
        if role not in ("user", "agent"):
            raise InvalidParams({f"{path}.role": 'one of "user", "agent" is needed here'})
        result["role"] = _ROLES[role]
    if "parts" in message:
        parts = message["parts"]
        if not isinstance(parts, list):
            raise InvalidParams({f"{path}.parts": "an array is needed here"})
        result["parts"] = [_part_to_v1(part, f"{path}.parts[{at}]") for at, part in enumerate(parts)]
    return result


def _part_to_v1(found: Json, path: str) -> Object:
    part = _object(found, path)
    result = _only(part, "metadata")
    kind = part.get("kind")
    if kind == "text":
        result |= _needed(part, "text", path)
    elif kind == "data":
        result |= _needed(part, "data", path)
        metadata = part.get("metadata")
        if isinstance(metadata, dict) and metadata.get(COMPAT) is True:
            result["data"] = _object(part["data"], f"{path}.data").get("value")
            del result["metadata"]
            if others := {name: value for name, value in metadata.items() if name != COMPAT}:
                result["metadata"] = others
        else:
            _object(part["data"], f"{path}.data")
    elif kind == "file":
        file = _object(part.get("file"), f"{path}.file")
        if ("bytes" in file) == ("uri" in file):
            raise InvalidParams({f"{path}.file": "one of bytes, uri is needed here"})
        renamed = {"bytes": "raw", "uri": "url", "mimeType": "mediaType", "name": "filename"}
        result |= {new: file[old] for old, new in renamed.items() if file.get(old) is not None}
    else:
        raise InvalidParams({f"{path}.kind": 'one of "text", "file", "data" is needed here'})
    return result


def _configuration_to_v1(found: Object) -> Object:
    result = _only(found, "acceptedOutputModes") | _history_length(found)
    if found.get("blocking") is not None:
        if not isinstance(found["blocking"], bool):
            raise InvalidParams({"configuration.blocking": "true or false is needed here"})
        result["returnImmediately"] = not found["blocking"]
    push = found.get("pushNotificationConfig")
    if push is not None:
        path = "configuration.pushNotificationConfig"
        result["taskPushNotificationConfig"] = v03_push.config_to_v1(push, path)
    return result


def result_from_v1(method: str, found: Object) -> Json:
    """Return what the rpc behind a method in `METHODS` answered, or one event of it, as 0.3 shows it."""
    if method in PUSH_METHODS:
        return v03_push.result_from_v1(method, found)
    if method in ("tasks/get", "tasks/cancel"):
        return task_from_v1(found)
    if method == CARD_METHOD:
        from .card import card_v03  # brings orjson along

        return card_v03(found)
    for member, convert in _MEMBERS.items():
        if member in found:
            return convert(found[member])
    return {}


def tasks_from_v1(found: Object) -> Object:
    """Return a page of ListTasks with its tasks as 0.3 shows them. 0.3 lists over HTTP+JSON only."""
    return {**found, "tasks": [task_from_v1(task) for task in found.get("tasks", ())]}


def task_from_v1(found: Object) -> Object:
    result = _only(found, "id", "contextId", "metadata")
    result.setdefault("contextId", "")
    result["kind"] = "task"
    result["status"] = _status_from_v1(found.get("status", {}))
    if found.get("artifacts"):
        result["artifacts"] = [_artifact_from_v1(artifact) for artifact in found["artifacts"]]
    if found.get("history"):
        result["history"] = [message_from_v1(message) for message in found["history"]]
    return result


def message_from_v1(found: Object) -> Object:
    result = _only(found, "messageId", "contextId", "taskId", "metadata", "extensions", "referenceTaskIds")
    result["kind"] = "message"
    result["role"] = _ROLES_BACK.get(found.get("role", ""), "agent")
    result["parts"] = [_part_from_v1(part) for part in found.get("parts", ())]
    return result


def _status_update_from_v1(found: Object) -> Object:
    result = _only(found, "taskId", "contextId", "metadata")
    result["kind"] = "status-update"
    result["status"] = _status_from_v1(found.get("status", {}))
    result["final"] = result["status"]["state"] in FINAL
    return result


def _artifact_update_from_v1(found: Object) -> Object:
    result = _only(found, "taskId", "contextId", "metadata")
    result["kind"] = "artifact-update"
    result["artifact"] = _artifact_from_v1(found.get("artifact", {}))
    result["append"] = found.get("append", False)
    result["lastChunk"] = found.get("lastChunk", False)
    return result


def _status_from_v1(found: Object) -> Object:
    result = _only(found, "timestamp")
    result["state"] = STATES.get(found.get("state", ""), "unknown")
    if "message" in found:
        result["message"] = message_from_v1(found["message"])
    return result


def _artifact_from_v1(found: Object) -> Object:
    result = _only(found, "artifactId", "name", "description", "metadata", "extensions")
    result["parts"] = [_part_from_v1(part) for part in found.get("parts", ())]
    return result


def _part_from_v1(found: Object) -> Object:
    result = _only(found, "metadata")
    if "text" in found:
        return result | {"kind": "text", "text": found["text"]}
    if "data" in found:
        data = found["data"]
        if not isinstance(data, dict):
            result["metadata"] = result.get("metadata", {}) | {COMPAT: True}
            data = {"value": data}
        return result | {"kind": "data", "data": data}
    renamed = {"raw": "bytes", "url": "uri", "mediaType": "mimeType", "filename": "name"}
    file = {new: found[old] for old, new in renamed.items() if old in found}
    return result | {"kind": "file", "file": file}


_MEMBERS: dict[str, Callable[[Object], Object]] = {
    "artifactUpdate": _artifact_update_from_v1,
    "statusUpdate": _status_update_from_v1,
    "task": task_from_v1,
    "message": message_from_v1,
}

_KNOWN_CODES = frozenset({*range(-32007, -32000), -32009, -32052, -32700, -32600, -32601, -32602, -32603})


def error_code_from_v1(code: int) -> int:
    """Return a JSON-RPC error code that 0.3 knows.

    And -32009, a wrong version: only who names a version gets it, and who names one knows it. And -32052, too
    much at once, which A2A has no code for. "Internal error" would have people look for a fault of ours.
    """
    return code if code in _KNOWN_CODES else INTERNAL.jsonrpc


def _object(found: Json, path: str) -> Object:
    if not isinstance(found, dict):
        raise InvalidParams({path: "an object is needed here"})
    return found


def _history_length(found: Object) -> Object:
    """0.3 knows no zero here, as a number or in a query: it means "whatever the server likes"."""
    return {} if found.get("historyLength") in (0, "0") else _only(found, "historyLength")


def _only(found: Object, *names: str) -> Object:
    return {name: found[name] for name in names if found.get(name) is not None}


def _needed(found: Object, name: str, path: str) -> Object:
    if name not in found:
        raise InvalidParams({f"{path}.{name}": "required"})
    return {name: found[name]}
