"""What servers of A2A 0.3 answer, as those of 1.0 would have said it; the other way round than `v03`."""

from .json_values import Json
from .v03 import STATES, Object, message_from_v1, message_to_v1

_STATES = {name: state for state, name in STATES.items()}
_METHODS = {
    "SendMessage": "message/send",
    "SendStreamingMessage": "message/stream",
    "GetTask": "tasks/get",
    "CancelTask": "tasks/cancel",
    "SubscribeToTask": "tasks/resubscribe",
    "GetExtendedAgentCard": "agent/getAuthenticatedExtendedCard",
}


def method_in_v03(method: str) -> str | None:
    """Return what an operation of 1.0 is called in 0.3; None: it has none such."""
    return _METHODS.get(method)


def request_in_v03(found: Object) -> Object:
    """Return the parameters of 1.0 as those of 0.3."""
    result = {name: value for name, value in found.items() if name not in ("message", "configuration")}
    if "message" in found:
        result["message"] = message_from_v1(found["message"])
    configuration = dict(found.get("configuration") or {})
    if found.get("message") is not None:
        at_once = configuration.pop("returnImmediately", False)
        result["configuration"] = {**configuration, "blocking": not at_once}
    return result


def answer_in_v1(found: Json) -> Json:
    """Return an answer of 0.3, or one event, as 1.0 wraps it."""
    if not isinstance(found, dict):
        return found
    match found.get("kind"):
        case "task":
            return {"task": task_in_v1(found)}
        case "message":
            return {"message": message_to_v1(found)}
        case "status-update":
            return {"statusUpdate": _only(found) | {"status": _status(found.get("status"))}}
        case "artifact-update":
            kept = {name: found[name] for name in ("append", "lastChunk") if found.get(name) is not None}
            return {"artifactUpdate": _only(found) | kept | {"artifact": _artifact(found.get("artifact"))}}
    return found


def task_in_v1(found: Object) -> Object:
    """Return a task of 0.3 as one of 1.0."""
    result = {name: found[name] for name in ("id", "contextId", "metadata") if found.get(name) is not None}
    result["status"] = _status(found.get("status"))
    result["artifacts"] = [_artifact(one) for one in found.get("artifacts") or ()]
    result["history"] = [message_to_v1(one) for one in found.get("history") or ()]
    return result


def _status(found: Json) -> Object:
    status = found if isinstance(found, dict) else {}
    result: Object = {"state": _STATES.get(status.get("state", ""), "TASK_STATE_UNSPECIFIED")}
    if status.get("timestamp"):
        result["timestamp"] = _with_zone(str(status["timestamp"]))
    if status.get("message"):
        result["message"] = message_to_v1(status["message"])
    return result


def _artifact(found: Json) -> Object:
    artifact = found if isinstance(found, dict) else {}
    names = ("artifactId", "name", "description", "metadata", "extensions")
    result = {name: artifact[name] for name in names if artifact.get(name) is not None}
    # The parts of an artifact look like those of a message.
    result["parts"] = message_to_v1({"parts": artifact.get("parts") or []})["parts"]
    return result


def _only(found: Object) -> Object:
    return {name: found[name] for name in ("taskId", "contextId", "metadata") if found.get(name) is not None}


def _with_zone(moment: str) -> str:
    """Some servers of 0.3 leave the zone out, and mean UTC."""
    return moment if moment[-1:] == "Z" or "+" in moment or moment[-6:-5] == "-" else f"{moment}Z"
