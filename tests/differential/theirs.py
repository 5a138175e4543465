"""The same agent in a2a-sdk's own server, with all that it offers switched on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import uuid4

import grpc.aio
import uvicorn
from a2a.compat.v0_3 import a2a_v0_3_pb2_grpc as old_grpc
from a2a.compat.v0_3.grpc_handler import CompatGrpcHandler
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.request_handlers import DefaultRequestHandler, GrpcHandler
from a2a.server.routes.agent_card_routes import create_agent_card_routes
from a2a.server.routes.jsonrpc_routes import create_jsonrpc_routes
from a2a.server.routes.rest_routes import create_rest_routes
from a2a.server.tasks import (
    BasePushNotificationSender,
    InMemoryPushNotificationConfigStore,
    InMemoryTaskStore,
    TaskUpdater,
)
from a2a.types import a2a_pb2 as pb
from a2a.types import a2a_pb2_grpc as pb_grpc
from differential.ours import SECRET
from starlette.applications import Starlette
from support.processes import free_port

AGENT = "twin"
EXTENSION = "https://extensions.test/needed/v1"
"""The SDK's card calls it required, which has no effect there."""


class Answering(AgentExecutor):
    """Does what the first word of a message says."""

    async def execute(self, context: RequestContext, event_queue: Any) -> None:
        assert context.message is not None
        word, _, rest = context.message.parts[0].text.partition(" ")
        if word == "plain":
            part = pb.Part(text="just this")
            await event_queue.enqueue_event(
                pb.Message(
                    message_id=str(uuid4()), context_id=context.context_id, role=pb.ROLE_AGENT, parts=[part]
                )
            )
            return
        if word == "begin-late":
            task = TaskUpdater(event_queue, context.task_id, context.context_id)
            await task.start_work(_said(task, "soon"))
            await _piece(task, "answer-1", "done", append=False)
            return await task.complete()
        if context.current_task is None:
            state = pb.TaskStatus(state=pb.TASK_STATE_SUBMITTED)
            await event_queue.enqueue_event(
                pb.Task(
                    id=context.task_id,
                    context_id=context.context_id,
                    status=state,
                    history=[context.message],
                )
            )
        task = TaskUpdater(event_queue, context.task_id, context.context_id)
        await task.start_work()
        match word:
            case "count":
                for number in range(int(rest)):
                    last = number == int(rest) - 1
                    await _piece(task, "answer-1", f"{number} ", append=number > 0, last=last, name="answer")
                    await asyncio.sleep(0.02)
            case "give-back":
                parts = list(context.message.parts[1:])
                await task.add_artifact(parts, "back", "Back", append=False, last_chunk=True)
            case "pieces":
                await _piece(task, "report", "one", append=False, name="Report")
                await _piece(task, "list", "a", append=False)
                await _piece(task, "report", "two", append=True, last=True)
            case "ask":
                return await task.requires_input(_said(task, "what do you want?"))
            case "login":
                return await task.requires_auth(_said(task, "who are you?"))
            case "fail":
                return await task.failed(_said(task, "it cannot be done"))
            case "reject":
                return await task.reject(_said(task, "not for you"))
            case "break":
                raise RuntimeError(SECRET)
            case "hold":
                await _piece(task, "answer-1", "first ", append=False, name="answer")
                await asyncio.Event().wait()
            case _:
                said = f"you said: {context.get_user_input()}"
                await _piece(task, "answer-1", said, append=False, name="answer")
        await task.complete()

    async def cancel(self, context: RequestContext, event_queue: Any) -> None:
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


async def _piece(
    task: TaskUpdater, artifact: str, text: str, *, append: bool, last: bool = False, name: str | None = None
) -> None:
    part = pb.Part(text=text)
    await task.add_artifact([part], artifact, name, append=append, last_chunk=last or None)


def _said(task: TaskUpdater, text: str) -> pb.Message:
    return task.new_agent_message([pb.Part(text=text)])


class _Server(uvicorn.Server):
    """uvicorn's own, without its signal handlers."""

    @contextmanager
    def capture_signals(self) -> Any:
        yield


@asynccontextmanager
async def served(http: Any) -> AsyncIterator[tuple[str, str]]:
    """Run the SDK's server on free ports; give its URL, and host:port of its gRPC port.

    Args:
        http: The httpx client that sends push notifications.
    """
    port, rpc = free_port(), grpc.aio.server()
    grpc_port = rpc.add_insecure_port("127.0.0.1:0")
    url = f"http://127.0.0.1:{port}"
    card = _card(url, f"127.0.0.1:{grpc_port}")
    configs = InMemoryPushNotificationConfigStore()
    handler = DefaultRequestHandler(
        Answering(),
        InMemoryTaskStore(),
        card,
        push_config_store=configs,
        push_sender=BasePushNotificationSender(http, configs),
        extended_agent_card=card,
    )
    pb_grpc.add_A2AServiceServicer_to_server(GrpcHandler(handler), rpc)
    old_grpc.add_A2AServiceServicer_to_server(CompatGrpcHandler(handler), rpc)
    prefix = f"/agents/{AGENT}"
    routes = [
        *create_agent_card_routes(card, card_url=f"{prefix}/.well-known/agent-card.json"),
        *create_jsonrpc_routes(handler, prefix, enable_v0_3_compat=True),
        *create_rest_routes(handler, path_prefix=prefix, enable_v0_3_compat=True),
    ]
    app = Starlette(routes=routes)
    # Uvicorn's own logging would be the whole process's, and stay.
    config = uvicorn.Config(app, "127.0.0.1", port, log_config=None, lifespan="off", ws="none")
    server = _Server(config)
    await rpc.start()
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(20):
            while not server.started:  # noqa: ASYNC110 - it has no event to wait for
                await asyncio.sleep(0.01)
        yield url, f"127.0.0.1:{grpc_port}"
    finally:
        server.should_exit = server.force_exit = True
        await serving
        await rpc.stop(None)
        await handler.aclose()


def _card(url: str, grpc_address: str) -> pb.AgentCard:
    places = (("JSONRPC", url), ("HTTP+JSON", url), ("GRPC", grpc_address))
    return pb.AgentCard(
        name="Twin",
        description="Does what it is told.",
        version="1",
        default_input_modes=["*/*"],
        default_output_modes=["*/*"],
        capabilities=pb.AgentCapabilities(
            streaming=True,
            push_notifications=True,
            extended_agent_card=True,
            extensions=[pb.AgentExtension(uri=EXTENSION, required=True)],
        ),
        skills=[pb.AgentSkill(id="answer", name="Answer", description="Answers.", tags=["test"])],
        supported_interfaces=[
            pb.AgentInterface(url=place, protocol_binding=binding, protocol_version=version)
            for binding, place in places
            for version in ("1.0", "0.3")
        ],
    )
