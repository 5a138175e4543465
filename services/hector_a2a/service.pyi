"""Types of `service`, in the manner of the contracts' generated stubs."""

from collections.abc import AsyncIterator
from typing import Any

from a2a.types import a2a_pb2 as a2a
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.empty_pb2 import Empty
from grpc.aio import Channel, Server, ServicerContext, UnaryStreamMultiCallable, UnaryUnaryMultiCallable

SERVICE_DESCRIPTOR: ServiceDescriptor
SERVICE: str

class A2AServiceStub:
    def __init__(self, channel: Channel) -> None: ...
    SendMessage: UnaryUnaryMultiCallable[a2a.SendMessageRequest, a2a.SendMessageResponse]
    SendStreamingMessage: UnaryStreamMultiCallable[a2a.SendMessageRequest, a2a.StreamResponse]
    GetTask: UnaryUnaryMultiCallable[a2a.GetTaskRequest, a2a.Task]
    ListTasks: UnaryUnaryMultiCallable[a2a.ListTasksRequest, a2a.ListTasksResponse]
    CancelTask: UnaryUnaryMultiCallable[a2a.CancelTaskRequest, a2a.Task]
    SubscribeToTask: UnaryStreamMultiCallable[a2a.SubscribeToTaskRequest, a2a.StreamResponse]
    CreateTaskPushNotificationConfig: UnaryUnaryMultiCallable[
        a2a.TaskPushNotificationConfig, a2a.TaskPushNotificationConfig
    ]
    GetTaskPushNotificationConfig: UnaryUnaryMultiCallable[
        a2a.GetTaskPushNotificationConfigRequest, a2a.TaskPushNotificationConfig
    ]
    ListTaskPushNotificationConfigs: UnaryUnaryMultiCallable[
        a2a.ListTaskPushNotificationConfigsRequest, a2a.ListTaskPushNotificationConfigsResponse
    ]
    GetExtendedAgentCard: UnaryUnaryMultiCallable[a2a.GetExtendedAgentCardRequest, a2a.AgentCard]
    DeleteTaskPushNotificationConfig: UnaryUnaryMultiCallable[
        a2a.DeleteTaskPushNotificationConfigRequest, Empty
    ]

class A2AServiceServicer:
    async def SendMessage(
        self, request: a2a.SendMessageRequest, context: ServicerContext[Any, Any]
    ) -> a2a.SendMessageResponse: ...
    def SendStreamingMessage(
        self, request: a2a.SendMessageRequest, context: ServicerContext[Any, Any]
    ) -> AsyncIterator[a2a.StreamResponse]: ...
    async def GetTask(self, request: a2a.GetTaskRequest, context: ServicerContext[Any, Any]) -> a2a.Task: ...
    async def ListTasks(
        self, request: a2a.ListTasksRequest, context: ServicerContext[Any, Any]
    ) -> a2a.ListTasksResponse: ...
    async def CancelTask(
        self, request: a2a.CancelTaskRequest, context: ServicerContext[Any, Any]
    ) -> a2a.Task: ...
    def SubscribeToTask(
        self, request: a2a.SubscribeToTaskRequest, context: ServicerContext[Any, Any]
    ) -> AsyncIterator[a2a.StreamResponse]: ...
    async def CreateTaskPushNotificationConfig(
        self, request: a2a.TaskPushNotificationConfig, context: ServicerContext[Any, Any]
    ) -> a2a.TaskPushNotificationConfig: ...
    async def GetTaskPushNotificationConfig(
        self, request: a2a.GetTaskPushNotificationConfigRequest, context: ServicerContext[Any, Any]
    ) -> a2a.TaskPushNotificationConfig: ...
    async def ListTaskPushNotificationConfigs(
        self, request: a2a.ListTaskPushNotificationConfigsRequest, context: ServicerContext[Any, Any]
    ) -> a2a.ListTaskPushNotificationConfigsResponse: ...
    async def GetExtendedAgentCard(
        self, request: a2a.GetExtendedAgentCardRequest, context: ServicerContext[Any, Any]
    ) -> a2a.AgentCard: ...
    async def DeleteTaskPushNotificationConfig(
        self, request: a2a.DeleteTaskPushNotificationConfigRequest, context: ServicerContext[Any, Any]
    ) -> Empty: ...

def add_A2AServiceServicer_to_server(servicer: A2AServiceServicer, server: Server) -> None: ...
