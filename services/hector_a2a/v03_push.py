"""Push notification configs in A2A 0.3: over JSON-RPC, and both dialects of its HTTP+JSON, dict to dict.

0.3 names a config by its task where the client does not: then there is one, and setting it again replaces it.
"""

import re

from .errors import InvalidParams
from .json_values import Json

Object = dict[str, Json]

SET, GET, LIST, DELETE = (f"tasks/pushNotificationConfig/{verb}" for verb in ("set", "get", "list", "delete"))

_NESTED = ("pushNotificationConfig", "push_notification_config")
_name = re.compile(r"tasks/([^/]+)(?:/pushNotificationConfigs(?:/([^/]+))?)?").fullmatch


def config_to_v1(found: Json, path: str) -> Object:
    """Return a PushNotificationConfig as 1.0's config, which has the same in one level less.

    Raises:
        InvalidParams: Something has a shape that 0.3 does not know.
    """
    config = _object(found, path)
    flat = _only(config, "id", "url", "token")
    if config.get("authentication") is not None:
        where = f"{path}.authentication"
        authentication = _object(config["authentication"], where)
        schemes = authentication.get("schemes")
        if not isinstance(schemes, list) or not schemes:
            raise InvalidParams({f"{where}.schemes": "an array with a scheme is needed here"})
        flat["authentication"] = {"scheme": schemes[0], **_only(authentication, "credentials")}  # 1.0 has one
    return flat


def config_from_v1(found: Object) -> Object:
    """Return 1.0's config as a PushNotificationConfig."""
    config = _only(found, "id", "url", "token")
    authentication = found.get("authentication")
    if authentication:
        scheme = authentication.get("scheme")
        config["authentication"] = {
            "schemes": [scheme] if scheme else [],
            **_only(authentication, "credentials"),
        }
    return config


def request_to_v1(method: str, found: Object) -> Object:
    """Return the parameters of one of the four methods as those of its rpc in 1.0.

    Raises:
        InvalidParams: Something has a shape that 0.3 does not know.
    """
    if method == SET:
        return _set_to_v1(found)
    if "id" in found:
        task, config = found["id"], found.get("pushNotificationConfigId")
        if method == LIST:
            return {"taskId": task}
        return {"taskId": task, "id": task if config is None else config}
    return _only(found, "pageSize", "pageToken")  # HTTP+JSON has the ids in the path


def result_from_v1(method: str, found: Object) -> Json:
    """Return what the rpc of one of the four methods answered as 0.3's objects have it."""
    if method == DELETE:
        return None
    if method == LIST:
        return [_shown(config) for config in found.get("configs", ())]
    return _shown(found)


def as_proto(method: str, found: Object) -> Json:
    """Return the same in the JSON of 0.3's proto, which its SDKs speak over HTTP+JSON."""
    if method == DELETE:
        return {}
    if method == LIST:
        listed = [_named(config) for config in found.get("configs", ())]
        return {"configs": listed, **_only(found, "nextPageToken")}
    return _named(found)


def is_proto(found: Object) -> bool:
    """Say whether the body of a config that is to be set is in that JSON."""
    return bool({"config", "parent", "name"} & found.keys())


def _set_to_v1(found: Object) -> Object:
    outer = _object(found.get("config", found), "config")
    inner = next((outer[name] for name in _NESTED if name in outer), None)
    if inner is None:
        raise InvalidParams({"pushNotificationConfig": "required"})
    flat = config_to_v1(inner, "pushNotificationConfig")
    task, config = _ids(outer.get("name"))
    task = task or _ids(found.get("parent"))[0] or outer.get("taskId") or found.get("taskId")
    config = flat.get("id") or found.get("configId") or found.get("config_id") or config
    return flat | ({"taskId": task} if task else {}) | ({"id": config} if config else {})


def _ids(name: Json) -> tuple[Json, Json]:
    match = _name(name) if isinstance(name, str) else None
    return (match[1], match[2]) if match else (None, None)


def _shown(found: Object) -> Object:
    return {"taskId": found.get("taskId", ""), "pushNotificationConfig": config_from_v1(found)}


def _named(found: Object) -> Object:
    name = f"tasks/{found.get('taskId', '')}/pushNotificationConfigs/{found.get('id', '')}"
    return {"name": name, "pushNotificationConfig": config_from_v1(found)}


def _object(found: Json, path: str) -> Object:
    if not isinstance(found, dict):
        raise InvalidParams({path: "an object is needed here"})
    return found


def _only(found: Object, *names: str) -> Object:
    return {name: found[name] for name in names if found.get(name) is not None}
