"""A2A 0.3 over gRPC: its service `a2a.v1.A2AService`, and its messages as those of 1.0 and back, by table.

The gRPC port needs it from the start, for reflection; to load it takes a millisecond and 50 KiB.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from a2a.compat.v0_3 import a2a_v0_3_pb2 as old
from a2a.types import a2a_pb2 as a2a
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value

from hector_mesh.status import Status, info_in

from .card import V03
from .errors import DOMAIN, InvalidParams
from .twins import Twins
from .v03 import COMPAT, FINAL, STATES

SERVICE_DESCRIPTOR: ServiceDescriptor = old.DESCRIPTOR.services_by_name["A2AService"]
SERVICE: str = SERVICE_DESCRIPTOR.full_name

CARD_METHOD = "GetAgentCard"
"""The rpc that no rpc of 1.0 answers: it returns the public card."""

METHODS: Mapping[str, str] = MappingProxyType(
    {
        **{rpc.name: rpc.name for rpc in SERVICE_DESCRIPTOR.methods if rpc.name != CARD_METHOD},
        "TaskSubscription": "SubscribeToTask",
        "ListTaskPushNotificationConfig": "ListTaskPushNotificationConfigs",
    }
)
"""The rpcs of 0.3, and the rpc each of them is in 1.0."""


def request_to_v1(request: Message, kind: type[Message]) -> Any:
    """Return a request of a2a.v1 as the one of lf.a2a.v1 that is of a kind.

    Raises:
        InvalidParams: The name of a task or of a config is none.
    """
    found = kind()
    _twins.fill(request, found)
    return found


def answer_from_v1(answer: Message, kind: type[Message]) -> Any:
    """Return an answer or event of lf.a2a.v1 as the message of a2a.v1 that is of a kind."""
    found = kind()
    _twins.fill(answer, found)
    return found


def event_of_task(task: bytes) -> bytes:
    """Return a task of a2a.v1, as bytes, as the event that shows it."""
    return old.StreamResponse(task=old.Task.FromString(task)).SerializeToString()


def card_from_v1(card: a2a.AgentCard) -> Any:
    """Return an agent's card in a2a.v1."""
    return answer_from_v1(card, old.AgentCard)


def worded(status: Status) -> str:
    """Return a failure's message as clients of 0.3 read it: behind the error's name, if A2A has one."""
    info = info_in(status)
    if info.domain != DOMAIN:
        return status.message
    name = "".join(word.capitalize() for word in info.reason.split("_"))
    return f"{name}Error: {status.message}"


_task_name = re.compile(r"tasks/([^/]+)").fullmatch


def _name_to_id(request: Any, into: Any) -> None:
    match = _task_name(request.name)
    if match is None:
        raise InvalidParams({"name": '"tasks/" with the id of a task is needed here'})
    into.id = match[1]


_config_name = re.compile(r"tasks/([^/]+)/pushNotificationConfigs/([^/]+)").fullmatch


def _name_to_ids(request: Any, into: Any) -> None:
    match = _config_name(request.name)
    if match is None:
        raise InvalidParams({"name": '"tasks/TASK/pushNotificationConfigs/CONFIG" is needed here'})
    into.task_id, into.id = match.groups()


def _parent_to_task(request: Any, into: Any) -> None:
    match = _task_name(request.parent)
    if match is None:
        raise InvalidParams({"parent": '"tasks/" with the id of a task is needed here'})
    into.task_id = match[1]


def _created_to_v1(request: Any, into: Any) -> None:
    _twins.fill(request.config.push_notification_config, into)
    _parent_to_task(request, into)
    into.id = into.id or request.config_id


def _config_from_v1(config: Any, into: Any) -> None:
    into.name = f"tasks/{config.task_id}/pushNotificationConfigs/{config.id}"
    inner = into.push_notification_config
    inner.id, inner.url, inner.token = config.id, config.url, config.token
    if config.HasField("authentication"):
        inner.authentication.schemes[:] = [config.authentication.scheme]
        inner.authentication.credentials = config.authentication.credentials


def _configuration_to_v1(configuration: Any, into: Any) -> None:
    # Of a bool without presence nobody knows whether it was set: without a configuration, answers are whole.
    into.return_immediately = not configuration.blocking


def _authentication_to_v1(authentication: Any, into: Any) -> None:
    if authentication.schemes:
        into.scheme = authentication.schemes[0]  # 1.0 has one


def _part_to_v1(part: Any, into: Any) -> None:
    kind = part.WhichOneof("part")
    if kind == "data":
        if COMPAT in part.metadata and part.metadata[COMPAT] is True:
            into.data.CopyFrom(part.data.data.fields.get("value", Value(null_value=0)))  # type: ignore[arg-type]
            del into.metadata[COMPAT]
            if not into.metadata:
                into.ClearField("metadata")
        else:
            into.data.struct_value.CopyFrom(part.data.data)
    elif kind == "file":
        file = part.file
        if file.WhichOneof("file") == "file_with_uri":
            into.url = file.file_with_uri
        elif file.WhichOneof("file") == "file_with_bytes":
            into.raw = _plain(file.file_with_bytes)
        into.media_type, into.filename = file.mime_type, file.name


def _plain(data: bytes) -> bytes:
    """Return a file's bytes.

    The SDKs of 0.3 write base64 here, and expect it. Who does as the proto says is understood too, unless the
    bytes look like base64.
    """
    try:
        return b64decode(data, validate=True)
    except binascii.Error:
        return data


def _part_from_v1(part: Any, into: Any) -> None:
    kind = part.WhichOneof("content")
    if kind == "data":
        data = into.data.data
        data.SetInParent()
        if part.data.WhichOneof("kind") == "struct_value":
            data.CopyFrom(part.data.struct_value)
        else:
            data.fields["value"].CopyFrom(part.data)
            into.metadata[COMPAT] = True
    elif kind in ("raw", "url"):
        if kind == "raw":
            into.file.file_with_bytes = b64encode(part.raw)
        else:
            into.file.file_with_uri = part.url
        into.file.mime_type, into.file.name = part.media_type, part.filename


_FINAL = frozenset(a2a.TaskState.Value(name) for name, shown in STATES.items() if shown in FINAL)


def _mark_final(update: Any, into: Any) -> None:
    into.final = update.status.state in _FINAL


def _interfaces_from_v1(card: Any, into: Any) -> None:
    first, *more = [one for one in card.supported_interfaces if one.protocol_version == V03]
    into.protocol_version = "0.3.0"
    into.url, into.preferred_transport = first.url, first.protocol_binding
    for one in more:
        into.additional_interfaces.add(url=one.url, transport=one.protocol_binding)
    into.supports_authenticated_extended_card = card.capabilities.extended_agent_card


_twins = Twins(
    names={
        # Requests.
        "a2a.v1.SendMessageRequest.request": "message",
        "a2a.v1.SendMessageConfiguration.push_notification": "task_push_notification_config",
        "a2a.v1.Message.content": "parts",
        "a2a.v1.Part.data": "",
        # Answers.
        "lf.a2a.v1.SendMessageResponse.message": "msg",
        "lf.a2a.v1.StreamResponse.message": "msg",
        "lf.a2a.v1.TaskStatus.message": "update",
        "lf.a2a.v1.Message.parts": "content",
        "lf.a2a.v1.Part.data": "",
        # Cards.
        "lf.a2a.v1.AgentCard.signatures": "",  # they cover the card of 1.0
        "lf.a2a.v1.AgentCard.security_requirements": "security",
        "lf.a2a.v1.AgentSkill.security_requirements": "security",
    },
    also={
        "a2a.v1.GetTaskRequest": _name_to_id,
        "a2a.v1.CancelTaskRequest": _name_to_id,
        "a2a.v1.TaskSubscriptionRequest": _name_to_id,
        "a2a.v1.CreateTaskPushNotificationConfigRequest": _created_to_v1,
        "a2a.v1.GetTaskPushNotificationConfigRequest": _name_to_ids,
        "a2a.v1.DeleteTaskPushNotificationConfigRequest": _name_to_ids,
        "a2a.v1.ListTaskPushNotificationConfigRequest": _parent_to_task,
        "a2a.v1.SendMessageConfiguration": _configuration_to_v1,
        "a2a.v1.AuthenticationInfo": _authentication_to_v1,
        "a2a.v1.Part": _part_to_v1,
        "lf.a2a.v1.Part": _part_from_v1,
        "lf.a2a.v1.TaskPushNotificationConfig": _config_from_v1,
        "lf.a2a.v1.TaskStatusUpdateEvent": _mark_final,
        "lf.a2a.v1.AgentCard": _interfaces_from_v1,
    },
)
