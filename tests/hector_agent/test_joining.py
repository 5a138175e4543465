"""Ours: what is said in a row reaches a reader together; neither a first word nor a commit waits for more."""

import asyncio

import pytest

from hector.agent.v1 import RUN_STATE_COMPLETED, RunEvent, StatusChanged
from hector_agent.feed import ROUNDS, Cursor, Feed
from hector_agent.growing import OpenText
from hector_agent.tail import Reader
from hector_store import RunLog


@pytest.fixture
async def feed():
    async with asyncio.timeout(20):
        yield Feed()


@pytest.fixture
def reader(feed: Feed) -> Reader:
    return Reader(RunLog(None), "default", "run", feed, Cursor())  # it never has to read the log


async def rounds(many: int) -> None:
    for _ in range(many):
        await asyncio.sleep(0)


def words(shown) -> list[str]:
    return [one.event.text_appended.text for one in shown]


async def resting(feed: Feed, reader: Reader) -> tuple[OpenText, "asyncio.Task[list]"]:
    """Return a text of which the reader has got the first word just now, and its next look."""
    feed.show(text := OpenText("answer-1", "one "))
    assert words(await reader.read()) == ["one "]
    reading = asyncio.create_task(reader.read())
    await rounds(1)
    return text, reading


async def test_words_that_come_right_after_each_other_come_together(feed, reader):
    text, reading = await resting(feed, reader)
    for word in ("two ", "three ", "four "):
        text.add(word)
        feed.show(text)
        await rounds(1)
    assert not reading.done()
    assert words(await reading) == ["two three four "]


async def test_a_word_after_a_pause_is_shown_at_once(feed, reader):
    text, reading = await resting(feed, reader)
    await rounds(2 * ROUNDS)
    text.add("two ")
    feed.show(text)
    await rounds(2)
    assert reading.done()
    assert words(await reading) == ["two "]


async def test_a_commit_is_shown_at_once_to_a_reader_who_lets_words_gather(feed, reader):
    text, reading = await resting(feed, reader)
    text.add("two ")
    feed.show(text)
    end = RunEvent(seq=2, status_changed=StatusChanged(state=RUN_STATE_COMPLETED))
    feed.publish([RunEvent(seq=1, text_appended=text.event(last=True)), end])
    await rounds(2)
    assert reading.done()
    assert words(await reading) == ["two ", ""]


async def test_the_end_comes_at_once_to_a_reader_who_lets_words_gather(feed, reader):
    _, reading = await resting(feed, reader)
    feed.end()
    await rounds(2)
    assert reading.done()
    assert await reading == []


async def test_a_reader_who_leaves_while_words_gather_is_forgotten(feed, reader):
    text, reading = await resting(feed, reader)
    reading.cancel()
    await asyncio.wait([reading])
    reader.close()
    text.add("two ")
    feed.show(text)
    other = Reader(RunLog(None), "default", "run", feed, Cursor())
    assert words(await other.read()) == ["one two "]


async def test_text_that_grows_is_all_there_whenever_it_is_asked_for():
    text = OpenText("answer-1", "schön ", append=True)
    assert (text.text, text.size) == ("schön ", 6)
    for word in ("one ", "", "two"):
        text.add(word)
    assert (text.text, text.size) == ("schön one two", 13)
    event = text.event(last=True)
    assert (event.text, event.append, event.last) == ("schön one two", True, True)
