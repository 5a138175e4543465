"""Clients that read streams, lose them, and go on at another replica where they were."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import aiohttp

HEADERS = {"A2A-Version": "1.0", "Content-Type": "application/json"}
OVER = {"TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED", "TASK_STATE_REJECTED"}
WAITS = "TASK_STATE_INPUT_REQUIRED"
LOST = (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError)
SILENCE_S = 30.0
PAUSE_S = 0.05

Place = tuple[int, int]
NOTHING_LEFT: Place = (1 << 62, 0)


def place_of(text: str) -> Place:
    """Return where an event stands: how many whole ones a reader has then, and characters of the next."""
    seq, _, offset = text.partition(".")
    return (int(seq) - 1, int(offset)) if offset else (int(seq), 0)


@dataclass
class Client:
    """Asks one question, or only looks on, and remembers all that it was shown."""

    session: aiohttp.ClientSession
    urls: Sequence[str]
    """Agents at replicas, the one to begin with first."""
    question: str
    kind: str = "plain"
    context: str = ""
    says: Callable[["Client"], Awaitable[str]] | None = None
    """What the user says where the task waits for that; None: the client stops there."""
    looks_on: bool = False
    """Somebody else asks and answers."""
    silence_s: float = SILENCE_S
    """How long a replica may say nothing before another one is asked."""
    task: str = ""
    place: str = ""
    state: str = ""
    said: str = ""
    """What the agent said with its last state."""
    reason: str = ""
    """Why it failed, for programs."""
    artifacts: dict[str, str] = field(default_factory=dict)
    shown: set[int] = field(default_factory=set)
    """Events of which at least a part was shown, by number."""
    seen_from: int = 0
    """The number behind which every event was shown."""
    streams: int = 0
    refusals: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """What the agent wanted to know."""
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)
    _at: int = 0
    _whole_at: Place = NOTHING_LEFT
    _whole: dict[str, str] = field(default_factory=dict)
    """What the artifacts were where there was only whole events: to there a stream may take text back."""

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    @property
    def waits(self) -> bool:
        """The task waits for this client."""
        return self.state == WAITS and not self.looks_on

    @property
    def agent(self) -> str:
        return self.urls[self._at % len(self.urls)]

    @property
    def text(self) -> str:
        return "|".join(text for text in self.artifacts.values() if text)

    async def ask(self) -> None:
        """Ask, and read until it is over, or waits and nobody answers."""
        async with asyncio.timeout(3 * SILENCE_S):
            while not self.task and not self.is_over:
                await self._read(self._sent(self._message(f"{self.question} {self.kind}"), key=self.question))
            await self._until_over()

    async def watch(self, task: str) -> None:
        """Read the stream of a task that somebody else has asked for."""
        async with asyncio.timeout(3 * SILENCE_S):
            self.task = task
            await self._until_over()

    async def answer(self, text: str) -> None:
        """Say something to a task that waits, and read on until it is over."""
        async with asyncio.timeout(3 * SILENCE_S):
            await self._say(text)
            await self._until_over()

    async def get(self) -> dict[str, Any]:
        """Return the task as any replica has it."""
        while True:
            try:
                async with self.session.get(f"{self.agent}/tasks/{self.task}", headers=HEADERS) as answer:
                    found: dict[str, Any] = await answer.json()
                    if answer.status == 200:
                        return found
                    self.refusals.append(f"GetTask: {found}")
            except LOST:
                pass
            self._at += 1
            await asyncio.sleep(PAUSE_S)

    async def _until_over(self) -> None:
        while not self.is_over:
            if self.waits:
                if self.says is None:
                    return
                await self._say(await self.says(self))
            else:
                await self._read(self._subscribed())

    async def _say(self, text: str) -> None:
        """Say something to a task that waits, as often as it takes until somebody has heard it."""
        key, self.state = f"{self.question}-{len(self.asked)}", ""
        while not await self._read(self._sent(self._message(text, taskId=self.task), key=key)):
            pass

    def _message(self, text: str, **more: str) -> dict[str, Any]:
        if self.context and "taskId" not in more:
            more["contextId"] = self.context
        message = {"messageId": self.question, "role": "ROLE_USER", "parts": [{"text": text}], **more}
        return {"message": message}

    def _sent(self, params: dict[str, Any], *, key: str) -> "aiohttp.client._RequestContextManager":
        headers = {**HEADERS, "Idempotency-Key": key}
        return self.session.post(
            f"{self.agent}/message:stream", data=json.dumps(params), headers=headers, timeout=self._patience
        )

    @property
    def _patience(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=None, sock_connect=self.silence_s, sock_read=self.silence_s)

    def _subscribed(self) -> "aiohttp.client._RequestContextManager":
        headers = {**HEADERS, **({"Last-Event-ID": self.place} if self.place else {})}
        return self.session.get(
            f"{self.agent}/tasks/{self.task}:subscribe", headers=headers, timeout=self._patience
        )

    async def _read(self, request: "aiohttp.client._RequestContextManager") -> bool:
        """Read a stream to its end, whatever that is, and say whether it began.

        The next one is asked of another replica.
        """
        is_first = True
        try:
            async with request as answer:
                if answer.status != 200 and self._came_late(body := await answer.text()):
                    self._begin(await self.get(), (0, 0), NOTHING_LEFT)
                elif answer.status != 200:
                    self._refused(answer.status, body)
                else:
                    self.streams += 1
                    async with aclosing(_events(answer)) as events:
                        async for name, event in events:
                            self._take(event, name, is_first=is_first)
                            is_first = False
                            if self.waits:  # subscriptions stay open, for the answer may come from elsewhere
                                return True
        except LOST:
            pass
        if not self.is_over and not self.waits:
            self._at += 1
            await asyncio.sleep(PAUSE_S)
        return not is_first

    def _came_late(self, body: str) -> bool:
        """Say whether the task was over before this client, which only looks on, had seen anything of it."""
        return self.looks_on and not self.place and "UNSUPPORTED_OPERATION" in body

    def _refused(self, status: int, body: str) -> None:
        self.refusals.append(f"{status}: {body[:600]}")
        assert status in (409, 429, 503, 504) or "UNAVAILABLE" in body, f"{self.question}: {status} {body}"

    def _take(self, event: dict[str, Any], name: str, *, is_first: bool) -> None:
        if "error" in event:
            self.refusals.append(json.dumps(event)[:600])
            return
        before, now = place_of(self.place or "0"), place_of(name)
        if is_first:
            assert "task" in event, f"{self.question}: a stream begins with {event}"
            self._begin(event["task"], before, now)
        else:
            told = f"{self.question}: {name} was shown after {self.place}: {event}"
            assert now > before or self._takes_back(event, before, now), told
            self.shown.add(now[0] + bool(now[1]))
        self.place = name
        if update := event.get("artifactUpdate"):
            self._grow(update)
        elif (update := event.get("statusUpdate")) and "hector.call" not in update.get("metadata", {}):
            self._be(update["status"])
        if not now[1]:
            self._whole_at, self._whole = now, dict(self.artifacts)

    def _begin(self, task: dict[str, Any], before: Place, now: Place) -> None:
        """Take the task that a stream begins with: what was shown before, but for text that was lost."""
        artifacts = {one["artifactId"]: _text(one) for one in task.get("artifacts", [])}
        if self.place:
            self._begins_where_it_was(artifacts, before, now)
        else:
            self.seen_from = now[0]
        self.task, self.artifacts = task["id"], artifacts
        self.context = task.get("contextId", self.context)
        self.acknowledged.set()
        self._be(task["status"])

    def _begins_where_it_was(self, artifacts: dict[str, str], before: Place, now: Place) -> None:
        if now > before:  # an answer's stream begins with the task as it is; what lies between was not shown
            self.shown |= set(range(before[0] + 1, now[0] + 1 + bool(now[1])))
            return
        told = f"{self.question} goes on at {now} after {before}: {artifacts}, and it had {self.artifacts}"
        assert now == before or before[1], told
        mine = {name: text for name, text in self.artifacts.items() if text}
        theirs = {name: text for name, text in artifacts.items() if text}
        if now == before:
            assert theirs == mine, told
        elif now == self._whole_at:  # what is lost may have replaced what is back now
            assert theirs == {name: text for name, text in self._whole.items() if text}, told
        else:
            assert all(mine.get(name, "").startswith(text) for name, text in theirs.items()), told

    def _takes_back(self, event: dict[str, Any], before: Place, now: Place) -> bool:
        """Say whether a stream takes back text that was never committed: what stood there is back."""
        update = event.get("artifactUpdate", {"append": True})
        return not update.get("append") and bool(before[1]) and now == (before[0], 0)

    def _grow(self, update: dict[str, Any]) -> None:
        artifact = update["artifact"]
        name = artifact["artifactId"]
        if update.get("append"):
            assert name in self.artifacts, f"{self.question}: {name} goes on and never began"
            self.artifacts[name] += _text(artifact)
        else:
            self.artifacts[name] = _text(artifact)

    def _be(self, status: dict[str, Any]) -> None:
        self.state = status["state"]
        parts = status.get("message", {}).get("parts", [])
        self.said = "".join(part.get("text", "") for part in parts)
        if self.state == WAITS:
            self.asked.append(self.said)


def _text(artifact: dict[str, Any]) -> str:
    return "".join(part.get("text", "") for part in artifact.get("parts", []))


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield a stream's events with their ids."""
    fields: dict[str, str] = {}
    while True:
        line = await answer.content.readline()
        if not line:
            return
        text = line.decode().rstrip("\r\n")
        if not text:
            if "data" in fields:
                yield fields.get("id", ""), json.loads(fields["data"])
            fields = {}
        elif found := re.match(r"(\w+): ?(.*)", text):
            fields[found[1]] = found[2]
