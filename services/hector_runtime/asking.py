"""Asks agents: those of a server over HTTP, or those of a mesh in this process."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

import hector_a2a as a2a
from hector_a2a.client import AgentEntry, Client
from hector_a2a.client_errors import Refused

POLL_S = 0.1, 2.0  # first and longest wait between two looks at a task that cannot be streamed
GOES_ON = {a2a.TASK_STATE_SUBMITTED, a2a.TASK_STATE_WORKING}


class Asker(Protocol):
    """Somebody who can be asked."""

    def ask(self, request: "a2a.SendMessageRequest") -> AsyncGenerator["a2a.StreamResponse", None]:
        """Send a message and yield what comes back. Leaving early stops nothing: see `cancel`."""

    async def cancel(self, task: str, agent: str) -> None:
        """Stop a task."""

    async def agents(self) -> list[AgentEntry]:
        """Return the agents that can be asked."""


class ServerAsker:
    """Asks the agents of a server; those that do not stream are asked and then looked after."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ask(self, request: "a2a.SendMessageRequest") -> AsyncGenerator["a2a.StreamResponse", None]:
        try:
            async with aclosing(self._client.ask(request)) as responses:
                async for response in responses:
                    yield response
        except Refused as refused:
            if refused.facts.get("reason") != "UNSUPPORTED_OPERATION":
                raise
        else:
            return
        async for response in self._ask_and_look(request):
            yield response

    async def cancel(self, task: str, agent: str) -> None:
        await self._client.cancel(task, agent)

    async def agents(self) -> list[AgentEntry]:
        return await self._client.agents()

    async def _ask_and_look(
        self, request: "a2a.SendMessageRequest"
    ) -> AsyncGenerator["a2a.StreamResponse", None]:
        # Not to wait in the request itself: who waits for an answer does not know the task to cancel.
        request.configuration.return_immediately = True
        answer = await self._client.send(request)
        if answer.WhichOneof("payload") == "message":
            yield a2a.StreamResponse(message=answer.message)
            return
        task, (wait_s, longest_s) = answer.task, POLL_S
        yield a2a.StreamResponse(task=task)
        if task.status.state not in GOES_ON:
            return
        while task.status.state in GOES_ON:
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 1.5, longest_s)
            task = await self._client.get(task.id, request.tenant, history_length=0)
        yield a2a.StreamResponse(task=task)


def question(text: str, agent: str, session: str, llm: str = "") -> "a2a.SendMessageRequest":
    """Return the request that asks an agent something, in a session or in a new one.

    `llm` is the model to ask this once in place of the agent's own, by its key under `llms:`.
    """
    request = a2a.SendMessageRequest(tenant=agent)
    request.message.message_id = uuid.uuid4().hex
    request.message.role = a2a.ROLE_USER
    request.message.context_id = session
    request.message.parts.add(text=text)
    if llm:
        request.message.metadata["hector.llm"] = llm
    return request
