"""Calls as grpcurl makes them: with nothing but JSON, and what reflection says of the messages."""

import asyncio
from typing import Any

import grpc
import pytest
from a2a_rules import house as houses
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SAID = {
    "lf.a2a.v1.A2AService": {
        "tenant": "actor",
        "message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "pieces"}]},
    },
    "a2a.v1.A2AService": {
        "request": {"messageId": "m", "role": "ROLE_USER", "content": [{"text": "pieces"}]},
        "configuration": {"blocking": True},
    },
}


def called(address: str, service: str, rpc: str, said: Any) -> list[Any]:
    """Call a method with JSON, and return what comes as JSON; knows no message in advance."""
    with grpc.insecure_channel(address) as channel:
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        method = pool.FindServiceByName(service).FindMethodByName(rpc)
        request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        make: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
        call = make(f"/{service}/{rpc}", request.SerializeToString, response.FromString)
        found = call(ParseDict(said, request()), timeout=20)
        return [MessageToDict(one) for one in (found if method.server_streaming else [found])]


@pytest.mark.parametrize("service", SAID)
async def test_messages_are_sent_and_streamed_by_reflection_alone(service: str) -> None:
    async with houses.opened("local", {"actor": houses.ANY}, auth={"enabled": False}) as house:
        address = house.grpc_address
        (sent,) = await asyncio.to_thread(called, address, service, "SendMessage", SAID[service])
        events = await asyncio.to_thread(called, address, service, "SendStreamingMessage", SAID[service])
    assert sent["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert [one["artifactId"] for one in sent["task"]["artifacts"]] == ["report", "list"]
    assert [*events[0]] == ["task"]
    assert events[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert len([one for one in events if "artifactUpdate" in one]) == 5
