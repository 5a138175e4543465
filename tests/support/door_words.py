"""Requests in the words of each version, and answers read by strict readers: protobuf's and the SDK's.

A2A 0.3 is read by a2a-sdk: its models of 0.3's objects refuse what the schema does not allow (`published`),
and its conversions make 1.0's of them.
"""

from collections.abc import Mapping
from typing import Any

from a2a.compat.v0_3 import a2a_v0_3_pb2 as old_pb
from a2a.compat.v0_3 import conversions, proto_utils
from a2a.compat.v0_3 import types as old
from a2a.types import a2a_pb2 as pb
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from support.published import read_event_v03, read_v03, read_v1

Json = Any


def kind_of(descriptor: Any) -> Any:
    return GetMessageClass(descriptor)


RESPONSES: Mapping[str, Any] = {
    rpc.name: kind_of(rpc.output_type) for rpc in pb.DESCRIPTOR.services_by_name["A2AService"].methods
}

PATHS: Mapping[str, tuple[str, str]] = {
    "SendMessage": ("POST", "/message:send"),
    "SendStreamingMessage": ("POST", "/message:stream"),
    "GetTask": ("GET", "/tasks/{id}"),
    "ListTasks": ("GET", "/tasks"),
    "CancelTask": ("POST", "/tasks/{id}:cancel"),
    "SubscribeToTask": ("POST", "/tasks/{id}:subscribe"),
    "CreateTaskPushNotificationConfig": ("POST", "/tasks/{taskId}/pushNotificationConfigs"),
    "GetTaskPushNotificationConfig": ("GET", "/tasks/{taskId}/pushNotificationConfigs/{id}"),
    "ListTaskPushNotificationConfigs": ("GET", "/tasks/{taskId}/pushNotificationConfigs"),
    "DeleteTaskPushNotificationConfig": ("DELETE", "/tasks/{taskId}/pushNotificationConfigs/{id}"),
    "GetExtendedAgentCard": ("GET", "/extendedAgentCard"),
}
"""A2A 1.0, section 5.3, as the text has it."""

METHODS_V03: Mapping[str, str] = {
    "SendMessage": "message/send",
    "SendStreamingMessage": "message/stream",
    "GetTask": "tasks/get",
    "CancelTask": "tasks/cancel",
    "SubscribeToTask": "tasks/resubscribe",
    "CreateTaskPushNotificationConfig": "tasks/pushNotificationConfig/set",
    "GetTaskPushNotificationConfig": "tasks/pushNotificationConfig/get",
    "ListTaskPushNotificationConfigs": "tasks/pushNotificationConfig/list",
    "DeleteTaskPushNotificationConfig": "tasks/pushNotificationConfig/delete",
    "GetExtendedAgentCard": "agent/getAuthenticatedExtendedCard",
}
RPCS_V03: Mapping[str, str] = {
    "SubscribeToTask": "TaskSubscription",
    "ListTaskPushNotificationConfigs": "ListTaskPushNotificationConfig",
    "GetExtendedAgentCard": "GetAgentCard",
}
RESPONSES_V03: Mapping[str, Any] = {
    "SendMessage": old_pb.SendMessageResponse,
    "GetTask": old_pb.Task,
    "CancelTask": old_pb.Task,
    "CreateTaskPushNotificationConfig": old_pb.TaskPushNotificationConfig,
    "GetTaskPushNotificationConfig": old_pb.TaskPushNotificationConfig,
    "ListTaskPushNotificationConfigs": old_pb.ListTaskPushNotificationConfigResponse,
    "DeleteTaskPushNotificationConfig": None,
}


def strict(found: Json, kind: Any) -> Json:
    """Return 1.0's JSON as protobuf writes it. What the schema does not know, or misses, is an error."""
    return plain(read_v1(found, kind))


def plain(message: Any) -> Json:
    return MessageToDict(message)


def parsed(found: Json, kind: Any) -> Any:
    return ParseDict(found, kind())


def metadata_of(*pairs: Any) -> dict[str, str]:
    found = {name: value for some in pairs for name, value in some or ()}
    return {name: value for name, value in found.items() if isinstance(value, str)}


# Requests.


def params_v03(rpc: str, params: Json) -> Json:
    """Return 1.0's parameters as 0.3's JSON-RPC has them; what is wrong with them stays wrong."""
    if rpc.startswith("Send"):
        found = {name: value for name, value in params.items() if name == "metadata"}
        if "message" in params:
            found["message"] = _message(params["message"])
        if "configuration" in params:
            found["configuration"] = _configuration(params["configuration"])
        return found
    if rpc == "CreateTaskPushNotificationConfig":
        return {"taskId": params["taskId"], "pushNotificationConfig": _push(params)}
    if "PushNotification" in rpc:
        more = {"pushNotificationConfigId": params["id"]} if "id" in params else {}
        return {"id": params["taskId"], **more}
    return dict(params)


def _message(found: Json) -> Json:
    message = {"kind": "message", **found}
    if "role" in found:
        message["role"] = {"ROLE_USER": "user", "ROLE_AGENT": "agent"}.get(found["role"], found["role"])
    if "parts" in found:
        message["parts"] = [_part(part) for part in found["parts"]]
    return message


def _part(part: Json) -> Json:
    more = {"metadata": part["metadata"]} if "metadata" in part else {}
    if "text" in part:
        return {"kind": "text", "text": part["text"], **more}
    if "data" in part:
        return {"kind": "data", "data": part["data"], **more}
    names = {"raw": "bytes", "url": "uri", "mediaType": "mimeType", "filename": "name"}
    return {"kind": "file", "file": {names[name]: part[name] for name in part if name in names}, **more}


def _configuration(found: Json) -> Json:
    kept = {name: found[name] for name in ("acceptedOutputModes", "historyLength") if name in found}
    if "returnImmediately" in found:
        kept["blocking"] = not found["returnImmediately"]
    if "taskPushNotificationConfig" in found:
        kept["pushNotificationConfig"] = _push(found["taskPushNotificationConfig"])
    return kept


def _push(found: Json) -> Json:
    kept = {name: found[name] for name in ("id", "url", "token") if name in found}
    if "authentication" in found:
        authentication = found["authentication"]
        kept["authentication"] = {"schemes": [authentication["scheme"]]}
        if "credentials" in authentication:
            kept["authentication"]["credentials"] = authentication["credentials"]
    return kept


def proto_v03(rpc: str, params: Json) -> Any:
    """Return 1.0's parameters as a message of a2a.v1."""
    if rpc.startswith("Send"):
        asked = params_v03(rpc, params)
        request = old_pb.SendMessageRequest()
        if "message" in asked:
            message = {name: value for name, value in asked["message"].items() if name != "kind"}
            message["role"] = params["message"].get("role", "ROLE_UNSPECIFIED")
            message["content"] = [_part_of_proto(part) for part in message.pop("parts", ())]
            ParseDict(message, request.request)
        if "configuration" in asked:
            configuration = dict(asked["configuration"])
            configuration.setdefault("blocking", True)  # in 1.0 that is what nothing means
            if "pushNotificationConfig" in configuration:
                configuration["pushNotification"] = configuration.pop("pushNotificationConfig")
            ParseDict(configuration, request.configuration)
        if "metadata" in asked:
            ParseDict(asked["metadata"], request.metadata)
        return request
    if rpc == "CreateTaskPushNotificationConfig":
        parent, name = f"tasks/{params['taskId']}", params.get("id", "")
        request = old_pb.CreateTaskPushNotificationConfigRequest(parent=parent, config_id=name)
        request.config.name = f"{parent}/pushNotificationConfigs/{name}"
        ParseDict(_push(params), request.config.push_notification_config)
        return request
    name = RPCS_V03.get(rpc, rpc)
    kind = kind_of(old_pb.DESCRIPTOR.services_by_name["A2AService"].methods_by_name[name].input_type)
    if rpc == "ListTaskPushNotificationConfigs":
        return kind(parent=f"tasks/{params['taskId']}")
    if "PushNotification" in rpc:
        return kind(name=f"tasks/{params['taskId']}/pushNotificationConfigs/{params['id']}")
    if rpc == "GetExtendedAgentCard":
        return kind()
    more = {"history_length": params["historyLength"]} if "historyLength" in params else {}
    return kind(name=f"tasks/{params['id']}", **more)


def _part_of_proto(part: Json) -> Json:
    """Return a part of 0.3's objects as its proto has it. The SDKs write base64 into the proto's bytes."""
    found = {name: value for name, value in part.items() if name != "kind"}
    if part["kind"] == "data":
        found["data"] = {"data": part["data"]}
    if part["kind"] == "file":
        file = dict(part["file"])
        if "uri" in file:
            file["fileWithUri"] = file.pop("uri")
        if "bytes" in file:
            from base64 import b64encode

            file["fileWithBytes"] = b64encode(file.pop("bytes").encode()).decode()
        found["file"] = file
    return found


# Answers.


def object_to_v1(rpc: str, found: Json) -> Json:
    """Return an answer of 0.3, in the JSON of its objects, as 1.0 has it."""
    if found is None or rpc == "DeleteTaskPushNotificationConfig":
        return {}
    if rpc == "SendMessage":
        return event_to_v1(found)
    if rpc in ("GetTask", "CancelTask"):
        return plain(conversions.to_core_task(read_v03(found, old.Task)))
    if rpc == "GetExtendedAgentCard":
        return plain(conversions.to_core_agent_card(read_v03(found, old.AgentCard)))
    convert = conversions.to_core_task_push_notification_config
    if rpc == "ListTaskPushNotificationConfigs":
        return {"configs": [plain(convert(read_v03(one, old.TaskPushNotificationConfig))) for one in found]}
    return plain(convert(read_v03(found, old.TaskPushNotificationConfig)))


def event_to_v1(found: Json) -> Json:
    """Return a result or event of 0.3, in the JSON of its objects, as 1.0 has it."""
    made = old.SendStreamingMessageSuccessResponse(id=1, result=read_event_v03(found))
    return plain(conversions.to_core_stream_response(made))


_from_proto = proto_utils.FromProto


def proto_to_v1(rpc: str, answer: Any) -> Json:
    """Return an answer of a2a.v1 as 1.0 has it."""
    if rpc == "SendMessage":
        if answer.WhichOneof("payload") == "msg":
            return {"message": plain(conversions.to_core_message(_from_proto.message(answer.msg)))}
        return {"task": plain(conversions.to_core_task(_from_proto.task(answer.task)))}
    if rpc in ("GetTask", "CancelTask"):
        return plain(conversions.to_core_task(_from_proto.task(answer)))
    if rpc == "GetExtendedAgentCard":
        return plain(conversions.to_core_agent_card(_from_proto.agent_card(answer)))
    if rpc == "ListTaskPushNotificationConfigs":
        return {"configs": [_config_to_v1(one) for one in answer.configs]}
    return {} if rpc == "DeleteTaskPushNotificationConfig" else _config_to_v1(answer)


def _config_to_v1(config: Any) -> Json:
    found = _from_proto.task_push_notification_config(config)
    return plain(conversions.to_core_task_push_notification_config(found))


def proto_event_to_v1(event: Any) -> Json:
    """Return an event of a2a.v1 as 1.0 has it."""
    made = old.SendStreamingMessageSuccessResponse(id=1, result=_from_proto.stream_response(event))
    return plain(conversions.to_core_stream_response(made))
