"""A peer: a2a-sdk's own server with its SQL task store on SQLite, asking the mock model over aiohttp.

python bench/peers/a2a_sdk.py PORT MODEL_URL FOLDER
"""

import json
import sys

import aiohttp
import uvicorn
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes.jsonrpc_routes import create_jsonrpc_routes
from a2a.server.tasks import DatabaseTaskStore, TaskUpdater
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
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


class Answering(AgentExecutor):
    """Streams the model's answer into one artifact, as an agent would."""

    def __init__(self, model_url: str) -> None:
        self.model_url = model_url
        self.session: aiohttp.ClientSession | None = None

    async def execute(self, context: RequestContext, event_queue) -> None:
        self.session = self.session or aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
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
        body = {
            "model": "mock",
            "messages": [{"role": "user", "content": context.get_user_input()}],
            "stream": True,
        }
        appended = False
        async with self.session.post(f"{self.model_url}/chat/completions", json=body) as answer:
            async for line in answer.content:
                if not line.startswith(b"data: ") or b"[DONE]" in line:
                    continue
                text = json.loads(line[6:])["choices"][0]["delta"].get("content")
                if text:
                    await task.add_artifact([Part(text=text)], artifact_id="answer", append=appended)
                    appended = True
        await task.complete()

    async def cancel(self, context: RequestContext, event_queue) -> None:
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def app(model_url: str, folder: str) -> Starlette:
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/tasks.db")

    @event.listens_for(engine.sync_engine, "connect")
    def durable(connection, _record) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    card = AgentCard(
        name="bench",
        description="bench",
        version="1",
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        capabilities=AgentCapabilities(streaming=True),
        skills=[AgentSkill(id="answer", name="answer", description="answers", tags=["bench"])],
        supported_interfaces=[
            AgentInterface(
                url="http://localhost/agents/bench", protocol_binding="JSONRPC", protocol_version="1.0"
            )
        ],
    )
    handler = DefaultRequestHandler(Answering(model_url), DatabaseTaskStore(engine), card)
    routes = create_jsonrpc_routes(handler, "/agents/bench")
    return Starlette(routes=[*routes, Route("/ready", lambda _request: PlainTextResponse("ready"))])


if __name__ == "__main__":
    port, model_url, folder = sys.argv[1:]
    uvicorn.run(app(model_url, folder), host="127.0.0.1", port=int(port), log_level="error", access_log=False)
