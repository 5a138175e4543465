"""A peer of the border: a2a-sdk's own server around the bench's agent, over all three bindings.

python bench/peers/a2a_sdk_echo.py PORT GRPC_PORT FOLDER [--durable]
"""

import asyncio
import os
import sys

os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")  # it is on by default, and costs much

import grpc
import uvicorn
import uvloop
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.request_handlers import DefaultRequestHandler, GrpcHandler
from a2a.server.routes.jsonrpc_routes import create_jsonrpc_routes
from a2a.server.routes.rest_routes import create_rest_routes
from a2a.server.tasks import DatabaseTaskStore, InMemoryTaskStore, TaskUpdater
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    Part,
    Task,
    TaskState,
    TaskStatus,
)
from a2a.types.a2a_pb2_grpc import add_A2AServiceServicer_to_server
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


class Answering(AgentExecutor):
    """Says so many words as it is asked for."""

    async def execute(self, context: RequestContext, event_queue) -> None:
        await event_queue.enqueue_event(
            Task(
                id=context.task_id,
                context_id=context.context_id,
                status=TaskStatus(state=TaskState.TASK_STATE_SUBMITTED),
                history=[context.message],
            )
        )
        task = TaskUpdater(event_queue, context.task_id, context.context_id)
        await task.start_work()
        text = context.get_user_input()
        for number in range(1 if text == "wait" else int(text.rpartition(" ")[2])):
            await task.add_artifact([Part(text=f"w{number} ")], artifact_id="answer-1", append=number > 0)
        if text == "wait":
            await asyncio.Event().wait()
        await task.complete()

    async def cancel(self, context: RequestContext, event_queue) -> None:
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def store(folder: str) -> DatabaseTaskStore:
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/tasks.db")

    @event.listens_for(engine.sync_engine, "connect")
    def durable(connection, _record) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    return DatabaseTaskStore(engine)


async def main(port: int, grpc_port: int, folder: str, durable: bool) -> None:
    card = AgentCard(
        name="bench",
        description="bench",
        version="1",
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        capabilities=AgentCapabilities(streaming=True),
        skills=[AgentSkill(id="answer", name="answer", description="answers", tags=["bench"])],
        supported_interfaces=[
            AgentInterface(url="http://localhost/agents/bench", protocol_binding=one, protocol_version="1.0")
            for one in ("JSONRPC", "HTTP+JSON", "GRPC")
        ],
    )
    handler = DefaultRequestHandler(Answering(), store(folder) if durable else InMemoryTaskStore(), card)
    server = grpc.aio.server()
    add_A2AServiceServicer_to_server(GrpcHandler(handler), server)
    server.add_insecure_port(f"127.0.0.1:{grpc_port}")
    await server.start()
    routes = [
        Route("/ready", lambda _request: PlainTextResponse("ready")),
        *create_jsonrpc_routes(handler, "/agents/bench"),
        *create_rest_routes(handler, path_prefix="/agents/bench"),
    ]
    config = uvicorn.Config(
        Starlette(routes=routes),
        host="127.0.0.1",
        port=port,
        log_level="error",
        access_log=False,
        loop="none",
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], "--durable" in sys.argv))
