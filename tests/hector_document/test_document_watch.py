"""A watched folder is searchable as it is now: new, changed, renamed and deleted files, within seconds."""

import asyncio
import os
import time

import pytest

from hector_document import watch

WATCHED = {"watch": True}
PROMISED_S = 2.0
PATIENCE_S = 15.0
"""Of the test: a busy machine keeps nobody's promises."""


async def found_at_last(docs, query: str, sources: list[str]) -> float:
    """Wait until a search by words finds just these; return the seconds it took."""
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await docs.sources(query, mode=2) == sources:
                return time.monotonic() - began
            await asyncio.sleep(0.02)


async def watching(docs, house) -> None:
    """Wait until changes are seen, and the look that follows the beginning of the watch is over."""
    for text in ("probe", "again"):
        house.write("probe.md", text)
        await found_at_last(docs, text, ["docs/probe.md"])


async def test_changes_are_found_and_forgotten_as_they_happen(house) -> None:
    async with house.opened(docs=WATCHED) as docs:
        await watching(docs, house)
        times = {}
        path = house.write("new.md", "blue 42")
        times["new"] = await found_at_last(docs, "blue", ["docs/new.md"])
        path.write_text("red 43")
        times["changed"] = await found_at_last(docs, "red", ["docs/new.md"])
        assert await docs.sources("blue", mode=2) == []
        path.rename(house.docs / "renamed.md")
        times["renamed"] = await found_at_last(docs, "red", ["docs/renamed.md"])
        house.write("deep/er/below.md", "green 44")
        times["new folder"] = await found_at_last(docs, "green", ["docs/deep/er/below.md"])
        (house.docs / "deep").rename(house.docs / "moved")
        times["renamed folder"] = await found_at_last(docs, "green", ["docs/moved/er/below.md"])
        (house.docs / "renamed.md").unlink()
        times["deleted"] = await found_at_last(docs, "red", [])
        assert sorted(times.values())[len(times) // 2] < PROMISED_S, times


async def test_only_what_changed_is_embedded(house) -> None:
    for n in range(10):
        house.write(f"{n}.md", f"Page {n}")
    async with house.opened(docs=WATCHED) as docs:
        await watching(docs, house)
        texts = len(house.embedder.texts)
        house.write("3.md", "zebra")
        await found_at_last(docs, "zebra", ["docs/3.md"])
        assert [text for text in house.embedder.texts[texts:] if "probe" not in text] == [
            "docs/3.md\n\nzebra"
        ]


async def test_a_folder_that_comes_back_is_watched_again(house) -> None:
    house.write("a.md", "lemur")
    async with house.opened(docs=WATCHED) as docs:
        await watching(docs, house)
        house.docs.rename(house.folder / "gone")
        house.docs.mkdir()
        house.write("b.md", "otter")
        await found_at_last(docs, "otter", ["docs/b.md"])
        house.write("c.md", "lynx")
        await found_at_last(docs, "lynx", ["docs/c.md"])
        assert await docs.sources("lemur", mode=2) == []


async def test_where_the_kernel_reports_nothing_the_folder_is_looked_at(
    house, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(directory):
        raise OSError("no more watches")
        yield

    monkeypatch.setattr(watch, "_reported", refused)
    monkeypatch.setattr(watch, "POLL_S", 0.05)
    async with house.opened(docs=WATCHED) as docs:
        house.write("a.md", "lemur")
        await found_at_last(docs, "lemur", ["docs/a.md"])
        (house.docs / "a.md").unlink()
        await found_at_last(docs, "lemur", [])


async def test_what_is_left_out_wakes_nobody(house) -> None:
    async with house.opened(docs=WATCHED) as docs:
        await watching(docs, house)
        directory = watch.Directory(house.config(docs=WATCHED).document_stores["docs"].source)
        root = str(house.docs.resolve())
        assert directory.concerns(f"{root}/a.md")
        assert directory.concerns(f"{root}/folder")
        assert directory.concerns(f"{root}/..data")
        assert not directory.concerns(f"{root}/.git/index")
        assert not directory.concerns(f"{root}/x/node_modules/y.md")


async def test_a_file_name_that_is_no_text_stops_neither_the_watch_nor_the_index(house, monkeypatch) -> None:
    """The kernel reports bytes, which the watcher cannot always turn into text."""
    monkeypatch.setattr(watch, "POLL_S", 0.05)
    async with house.opened(docs=WATCHED) as docs:
        await watching(docs, house)
        for text in ("indigo", "violet"):
            house.write(os.fsdecode(b"caf\xe9.md"), text)
            async with asyncio.timeout(PATIENCE_S):
                while not await docs.sources(text, mode=2):  # noqa: ASYNC110  # another thread's doing
                    await asyncio.sleep(0.02)
        house.write("fine.md", "teal")
        await found_at_last(docs, "teal", ["docs/fine.md"])
