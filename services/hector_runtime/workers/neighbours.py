"""How the workers of a server see each other, so that whichever is asked tells the truth of all."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from hector_mesh import metric_sources, metrics
from hector_mesh.metrics import Gauge

from .member import Member, Standing
from .merging_pages import KIND, merged

log = logging.getLogger(__name__)

ASK_S = 2.0
"""How long a worker may take to say how it is: less than whoever scrapes waits."""

LARGEST_PAGE = 16 << 20
QUESTION_BYTES = 64

READY, METRICS = b"ready", b"metrics"


class Question(NamedTuple):
    """What else workers ask each other: a word, and what follows it."""

    answer: Callable[[str], Awaitable[bytes]]
    limit_s: float


UP = Gauge("hector_worker_up", "Whether a worker of this server answers: 1 or 0.", ("number",))
STARTS = Gauge("hector_worker_starts", "How often a worker was started since the server was.", ("number",))


class Neighbours:
    """Asks the other workers, and answers them at a socket of its own."""

    def __init__(self, member: Member, reasons: Callable[[], Sequence[str] | None]) -> None:
        """Take who there is.

        Args:
            member: This worker, with what it knows of the others.
            reasons: Says why this worker should get no requests; None: it is leaving, and gets none.
        """
        self._member, self._reasons = member, reasons
        self._questions: dict[str, Question] = {}

    @property
    def number(self) -> int:
        """This worker's own."""
        return self._member.number

    def answers(
        self, word: str, answer: Callable[[str], Awaitable[bytes]], *, limit_s: float = ASK_S
    ) -> None:
        """Answer the others when they ask with this word: in JSON, within so long."""
        self._questions[word] = Question(answer, limit_s)

    async def ask(self, word: str, about: str = "", *, limit_s: float = ASK_S) -> dict[int, Any]:
        """Return what all others that are up say to a question, by number; None is who does not answer."""
        told = await self._ask_all(f"{word} {about}".encode(), limit_s)
        return {one.number: None if answer is None else json.loads(answer) for one, answer in told}

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Answer the others until the block ends."""
        place = self._member.watched_at(self._member.number)
        place.unlink(missing_ok=True)  # of the process that was this worker before
        server = await asyncio.start_unix_server(self._answer, place)
        metrics.gather(self.page)
        try:
            yield
        finally:
            server.close()
            with suppress(FileNotFoundError):
                place.unlink()

    async def waiting(self) -> Sequence[str]:
        """Return in words why some of those that get requests should get none."""
        found = [f"worker {one.number}: starting" for one in self._member.others() if one.is_new]
        for one, answer in await self._ask_all(READY):
            if answer is None:
                found.append(f"worker {one.number}: it does not answer")
            else:
                found += [f"worker {one.number}: {reason}" for reason in json.loads(answer) or ()]
        return found

    async def workers(self) -> Sequence[Mapping[str, object]]:
        """Return what is shown of every worker."""
        return [
            {"number": one.number, "pid": one.pid, "up": one.up, "starts": one.starts}
            for one in self._member.standings
        ]

    def missing(self) -> Sequence[str]:
        """Return in words which workers are not there."""
        return [
            f"worker {one.number}: not running (started {one.starts} times)"
            for one in self._member.others()
            if not one.up and not one.is_new
        ]

    async def page(self, _accept: str) -> tuple[bytes, bytes]:
        """Return the values of all workers, told apart by the label `worker`."""
        asked = await self._ask_all(METRICS)
        up = {one.number: answer is not None for one, answer in asked} | {self._member.number: True}
        for one in self._member.standings:
            UP.set(str(one.number), value=float(up.get(one.number, False)))
            STARTS.set(str(one.number), value=float(one.starts))
        pages = {one.number: answer for one, answer in asked if answer is not None}
        mine = metrics.page()
        if mine is not None:
            pages[self._member.number] = mine[1]
        return KIND, merged({str(number): pages[number] for number in sorted(pages)})

    async def _ask_all(self, question: bytes, limit_s: float = ASK_S) -> list[tuple[Standing, bytes | None]]:
        """Ask all others that are up; None is who does not answer."""
        asked = [one for one in self._member.others() if one.up]
        answers = await asyncio.gather(*(self._ask(one.number, question, limit_s) for one in asked))
        return list(zip(asked, answers, strict=True))

    async def _ask(self, number: int, question: bytes, limit_s: float) -> bytes | None:
        try:
            async with asyncio.timeout(limit_s):
                place = self._member.watched_at(number)
                reader, writer = await asyncio.open_unix_connection(place, limit=LARGEST_PAGE)
                try:
                    writer.write(question + b"\n")
                    length = int.from_bytes(await reader.readexactly(4), "big")
                    return await reader.readexactly(length)
                finally:
                    writer.close()
        except (OSError, TimeoutError, EOFError):
            return None

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ASK_S):
                question = (await reader.readuntil(b"\n")).strip()
            word, _, about = question.decode().partition(" ")
            known = self._questions.get(word)
            async with asyncio.timeout(known.limit_s if known is not None else ASK_S):
                if question == METRICS:
                    await metric_sources.refresh()
                answer = self._told(question) if known is None else await known.answer(about)
                writer.write(len(answer).to_bytes(4, "big") + answer)
                await writer.drain()
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError):
            log.debug("a worker did not wait for its answer")
        finally:
            writer.close()

    def _told(self, question: bytes) -> bytes:
        if question == READY:
            return json.dumps(self._reasons()).encode()
        page = metrics.page()
        return page[1] if page is not None else b""
