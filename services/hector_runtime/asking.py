"""Asks agents: those of a server over HTTP, or those of a mesh in this process."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

import hector_a2a as a2a
from hector_a2a.client import AgentEntry, Client
from hector_a2a.client_errors import BrokenAnswer, NoServerThere, Refused, SilentServer

RETRY_S = 0.2, 3.0  # first and longest wait between two attempts to pick up a stream that broke off
PICK_UP_S = 30.0  # how long a server may be away: it drains, and comes back
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
    """Asks the agents of a server.

    A stream that breaks off is picked up where it did, as long as that is worth trying. An agent that does
    not stream is asked and then looked after.
    """

    def __init__(self, client: Client, lost: Callable[[], None] | None = None) -> None:
        """Ask over a client; `lost` is called when a stream broke off, and it will be tried to pick it up."""
        self._client, self._lost = client, lost

    async def ask(self, request: "a2a.SendMessageRequest") -> AsyncGenerator["a2a.StreamResponse", None]:
        seen = Seen()
        try:
            async with aclosing(self._client.ask(request)) as responses:
                async for response in responses:
                    seen.take(response)
                    yield response
            return
        except Refused as refused:
            if refused.facts.get("reason") != "UNSUPPORTED_OPERATION":
                raise
        except BrokenAnswer as broken:
            if not seen.task:
                raise
            error = broken
        going_on = self._picked_up(seen, request.tenant, error) if seen.task else self._ask_and_look(request)
        async with aclosing(going_on) as responses:
            async for response in responses:
                yield response

    async def _picked_up(
        self, seen: "Seen", agent: str, error: BrokenAnswer
    ) -> AsyncGenerator["a2a.StreamResponse", None]:
        """Yield the rest of an answer whose stream broke off; a server that comes back is waited for."""
        if self._lost is not None:
            self._lost()
        clock, is_gone = asyncio.get_running_loop().time, False
        gives_up, (wait_s, longest_s) = clock() + PICK_UP_S, RETRY_S
        while clock() < gives_up:
            try:
                async with aclosing(self._client.subscribe(seen.task, agent, seen.place)) as responses:
                    async for response in responses:
                        seen.take(response)
                        gives_up, wait_s = clock() + PICK_UP_S, RETRY_S[0]
                        yield response
                return
            except (BrokenAnswer, NoServerThere, SilentServer) as again:
                is_gone = not isinstance(again, BrokenAnswer)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, longest_s)
            except Refused:  # it is over, or what came meanwhile is not kept as it came: then as it is now
                yield a2a.StreamResponse(task=await self._client.get(seen.task, agent))
                return
        if is_gone:
            url = str(error.facts.get("url", "there"))
            raise BrokenAnswer(url, f"the server stopped, or was lost, and is not back after {PICK_UP_S:g} s")
        raise error

    async def follow(self, task: str, agent: str) -> AsyncGenerator["a2a.StreamResponse", None]:
        """Yield a task as it is, and what changes until it is over; what breaks off is picked up."""
        seen = Seen(task)
        try:
            async with aclosing(self._client.subscribe(task, agent)) as responses:
                async for response in responses:
                    seen.take(response)
                    yield response
            return
        except BrokenAnswer as broken:
            error = broken
        except Refused:  # it is over by now
            yield a2a.StreamResponse(task=await self._client.get(task, agent))
            return
        async with aclosing(self._picked_up(seen, agent, error)) as responses:
            async for response in responses:
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


@dataclass(slots=True)
class Seen:
    """How far an answer has been read."""

    task: str = ""
    place: str = ""
    """Where its last event stands in the task's log, if the server says so."""

    def take(self, response: "a2a.StreamResponse") -> None:
        """Take note of an event."""
        kind = response.WhichOneof("payload")
        if kind is None:
            return
        payload = getattr(response, kind)
        if kind == "task":
            self.task = payload.id
        if PLACE in payload.metadata.fields:
            self.place = payload.metadata.fields[PLACE].string_value


PLACE = "hector.seq"
"""Metadata of an event, by which Hector servers take up a stream."""


def question(text: str, agent: str, session: str, llm: str = "", task: str = "") -> "a2a.SendMessageRequest":
    """Return the request that asks an agent something, in a session or in a new one.

    `llm` is the model to ask this once in place of the agent's own, by its key under `llms:`. `task` is one
    that waits, and to which this is the answer.
    """
    request = a2a.SendMessageRequest(tenant=agent)
    request.message.message_id = uuid.uuid4().hex
    request.message.role = a2a.ROLE_USER
    request.message.context_id, request.message.task_id = session, task
    request.message.parts.add(text=text)
    if llm:
        request.message.metadata["hector.llm"] = llm
    return request
