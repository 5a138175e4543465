"""How far the documents are, as people read it: live on a terminal, line by line elsewhere."""

import asyncio
import io
from dataclasses import dataclass, field

import pytest

from hector.document.v1 import DocumentFailure, IndexStatus
from hector_runtime.cli import progress


@dataclass
class Becoming:
    """A process that is ready after its statuses have been looked at."""

    statuses: list
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def looked_at(self, _):
        if len(self.statuses) == 1:
            self.ready.set()
            return self.statuses
        return [self.statuses.pop(0)]


class Screen(io.StringIO):
    def isatty(self):
        return True


def at(done, failed=0):
    failures = [DocumentFailure(document="bad.md", error="not text")] if failed else []
    return IndexStatus(
        document_store="docs",
        documents_total=1200,
        documents_indexed=done,
        documents_failed=failed,
        passages=done * 3,
        failures=failures,
    )


@pytest.fixture
def shown(monkeypatch):
    async def show(screen, *statuses):
        process = Becoming(list(statuses))
        monkeypatch.setattr(progress, "statuses", process.looked_at)
        monkeypatch.setattr(progress, "LINES_S", 0.001)
        monkeypatch.setattr(progress, "LIVE_S", 0.001)
        monkeypatch.setattr("sys.stderr", screen)
        async with asyncio.timeout(5):
            await progress.until_ready(process)
        return screen.getvalue()

    return show


async def test_elsewhere_it_is_a_line_whenever_something_has_changed(shown):
    text = await shown(io.StringIO(), at(400), at(400), at(800, 1), at(1199, 1))
    assert [line.partition(" (")[0].strip() for line in text.splitlines()] == [
        "docs: 400/1,200 documents, 1,200 passages",
        "docs: 801/1,200 documents, 2,400 passages, 1 could not be read",
        "docs: 1,200/1,200 documents, 3,597 passages, 1 could not be read",
        "docs: 1,200/1,200 documents, 3,597 passages, 1 could not be read",
    ]
    assert "(bad.md: not text)" in text.splitlines()[-1]
    assert "\r" not in text


async def test_on_a_terminal_it_is_one_line_that_is_taken_away(shown):
    text = await shown(Screen(), at(400), at(1200))
    live, _, last = text.rpartition("\033[K")
    assert live.startswith("\r\033[K  docs: 400/1,200 documents")
    assert "\n" not in live
    assert last.strip().startswith("docs: 1,200/1,200 documents")


async def test_what_takes_no_time_is_not_mentioned(shown, monkeypatch):
    process = Becoming([at(1200)])
    process.ready.set()
    assert await progress.until_ready(process) is None


def test_before_anything_is_found_it_says_so():
    assert progress.told([IndexStatus(document_store="docs")]) == "docs: looking for documents"
