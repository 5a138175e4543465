"""A peer: a one-node LangGraph graph, checkpointed in SQLite, with LangChain's OpenAI client.

    python bench/peers/langgraph_graph.py PORT MODEL_URL FOLDER

LangGraph's own A2A server does not run without a licence. One plain route speaks just enough of A2A to be
asked by the same clients, and costs as little as it can.
"""

import json
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosqlite
import uvicorn
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route


def app(model_url: str, folder: str) -> Starlette:
    model = ChatOpenAI(base_url=model_url, api_key="none", model="mock", streaming=True)

    async def ask(state: MessagesState):
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", END)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with aiosqlite.connect(f"{folder}/checkpoints.db") as connection:
            saver = AsyncSqliteSaver(connection)
            await saver.setup()
            await connection.execute("PRAGMA synchronous = FULL")
            app.state.graph = builder.compile(checkpointer=saver)
            yield

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/agents/bench", answer, methods=["POST"]),
            Route("/ready", lambda _request: PlainTextResponse("ready")),
        ],
    )


async def answer(request: Request) -> Response:
    asked = json.loads(await request.body())
    graph = request.app.state.graph
    given = {"messages": [{"role": "user", "content": asked["params"]["message"]["parts"][0]["text"]}]}
    thread = {"configurable": {"thread_id": str(uuid.uuid4())}}
    if asked["method"] == "SendMessage":
        ended = await graph.ainvoke(given, thread)
        return JSONResponse(_reply(asked, ended["messages"][-1].content))

    async def events() -> AsyncIterator[str]:
        async for piece, _about in graph.astream(given, thread, stream_mode="messages"):
            yield f"data: {json.dumps(_reply(asked, piece.content), separators=(',', ':'))}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


def _reply(asked: dict, text: str) -> dict:
    return {"jsonrpc": "2.0", "id": asked["id"], "result": {"artifact": {"parts": [{"text": text}]}}}


if __name__ == "__main__":
    port, model_url, folder = sys.argv[1:]
    uvicorn.run(app(model_url, folder), host="127.0.0.1", port=int(port), log_level="error", access_log=False)
