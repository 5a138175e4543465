"""Ours: what is said in a row reaches a reader together; neither a first word nor a commit waits for more."""

import asyncio

import pytest
from support.custom_agent import answering, said
from support.scripted_agent import as_ada

import hector_a2a as a2a
from hector.agent.v1 import RUN_STATE_COMPLETED, RUN_STATE_WORKING, RunEvent, StatusChanged
from hector_agent import custom
from hector_agent.custom.answer import Answer
from hector_agent.custom.errors import HandlerSaidNonsense, HandlerSaysTooMuch
from hector_agent.custom.legs import Leg
from hector_agent.feed import ROUNDS, Cursor, Feed
from hector_agent.growing import OpenText
from hector_agent.moment import Place
from hector_agent.tail import Reader
from hector_mesh import streaming
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
    said = text.event(last=True)
    said.seq = 1
    feed.publish([said, end])
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
    event = text.event(last=True).text_appended
    assert (event.text, event.append, event.last) == ("schön one two", True, True)


class Written:
    """A run that takes note of what is to be written, commit by commit."""

    stopping, undecided, state, void = False, None, RUN_STATE_WORKING, frozenset()
    place = Place("run", "default", "ada", "echo", "context", 1, 1)

    def __init__(self):
        self.commits = []

    def takes_back(self, artifact_id):
        return False

    def begin(self, late):
        self.commits.append(len(late()[0]))
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class NothingChanged:
    def _changes(self):
        return "", ""


@pytest.fixture
async def written():
    return Written()


@pytest.fixture
def answer(written) -> Answer:
    return Answer(written, NothingChanged(), 1000, Leg())


async def test_pieces_said_in_a_row_are_one_commit_and_the_first_of_them_waits_for_none(written, answer):
    for number in range(5):
        answer.take(custom.piece("list", f"{number} ", append=number > 0))
        await rounds(1)
    assert written.commits == [1]
    await rounds(2 * ROUNDS)
    assert written.commits == [1, 4]
    answer.take(custom.piece("list", "last"))
    await rounds(2)
    assert written.commits == [1, 4, 1]


async def test_more_of_an_artifact_is_the_same_event_however_a_handler_says_it():
    short, long = (Answer(Written(), NothingChanged(), 1000, None) for _ in range(2))
    for number in range(3):
        said = custom.piece("list", f"{number} ", custom.data({"n": number}), append=number > 0)
        short.take(said)
        said.task_id = "run"  # it need not say so, and is looked at once more where it does
        long.take(said)
    assert len(short._pending) == 3
    assert short._pending == long._pending
    assert (short._said_bytes, short._room_bytes) == (long._said_bytes, long._room_bytes)


@pytest.mark.parametrize(
    ("piece", "why"),
    [
        (a2a.Artifact(artifact_id="list"), "has no parts"),
        (a2a.Artifact(artifact_id="list", parts=[a2a.Part()]), "no text, file or data"),
    ],
)
async def test_more_of_an_artifact_is_refused_as_its_beginning_is(caplog, answer, piece, why):
    for append in (False, True):
        answer.take(custom.piece("list", "1", append=False))
        with pytest.raises(HandlerSaidNonsense):
            answer.take(a2a.TaskArtifactUpdateEvent(artifact=piece, append=append))
        assert why in caplog.records[-1].why
        answer._pending.clear()


async def test_more_of_an_artifact_than_an_answer_may_be_is_too_much(answer):
    answer.take(custom.piece("list", "1", append=False))
    with pytest.raises(HandlerSaysTooMuch):
        answer.take(custom.piece("list", "2" * 1000))


async def test_what_was_said_before_a_failure_is_committed_before_it(written, answer):
    for word in ("one", "two"):
        answer.take(custom.piece("list", word, append=word == "two"))
        await rounds(1)
    assert written.commits == [1]
    answer.break_off()
    assert written.commits == [1, 1]


PIECES = """
    import asyncio
    from hector_agent.custom import piece

    async def echo(turn):
        for number in range(9):
            yield piece("list", f"{number} ", append=number > 0)
            await asyncio.sleep(0)
        if turn.text == "fail":
            raise KeyError
        if turn.text == "wait":
            await asyncio.Event().wait()
"""


@pytest.mark.parametrize("ends", ["well", "fail"])
async def test_pieces_said_in_a_row_are_all_in_the_task_however_it_ends(mesh_under_test, tmp_path, ends):
    async with answering(mesh_under_test, tmp_path, PIECES) as agent:
        with as_ada():
            task = (await agent.SendMessage(said(ends))).task
    assert [part.text for part in task.artifacts[0].parts] == [f"{number} " for number in range(9)]


async def test_a_handler_that_waits_has_said_everything_before(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, PIECES) as agent:
        with as_ada():
            seen = []
            async with asyncio.timeout(20), streaming(agent.SendStreamingMessage(said("wait"))) as events:
                async for event in events:
                    if event.HasField("artifact_update"):
                        seen += [part.text for part in event.artifact_update.artifact.parts]
                    if seen and seen[-1] == "8 ":
                        break
            assert seen == [f"{number} " for number in range(9)]
            await agent.CancelTask(a2a.CancelTaskRequest(id=event.artifact_update.task_id))
