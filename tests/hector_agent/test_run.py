"""A run's writes may be slow, fail, or outlive who asked for them: nothing shown is lost or told twice."""

import asyncio
from types import SimpleNamespace

import pytest
from support.scripted_agent import until

import hector_agent.writing
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    RUN_STATE_FAILED,
    MessageReceived,
    RunEvent,
    StatusChanged,
    TextAppended,
)
from hector_agent.errors import RunLost
from hector_agent.feed import Cursor, Follower
from hector_agent.moment import Place
from hector_agent.rows import kinds_of, row_of, rows_of
from hector_agent.run import Run
from hector_agent.tail import tail
from hector_agent.view import fold, new_task
from hector_store import Appended, EventRow, NewRun, RunChanges
from hector_store.errors import StorageQueueFull
from hector_store.server_errors import StorageInDoubt
from hector_store.url import parse
from hector_store.values import Created

NOTHING = Cursor()
PLACE = Place("run", "default", "ada", "assistant", "context", 1, 1)
SERVER = parse("postgres://db.example.com/hector")


class HeldLog:
    """A log whose writes wait until they are let through, and fail when told to."""

    def __init__(self) -> None:
        self.held = asyncio.Event()
        self.held.set()
        self.begun = asyncio.Event()
        self.failing = False
        self.doubt: str = ""
        """What becomes of a write of which nobody can tell: "kept" or "lost"."""
        self.written: list[RunEvent] = []
        self.size_bytes = 0

    async def append(self, run, epoch, events, changes, **more):
        self.begun.set()
        await self.held.wait()
        if self.failing:
            raise StorageQueueFull(1, 1)
        if self.doubt == "lost":
            raise StorageInDoubt(SERVER, "cut")
        for event in events:
            self.written.append(RunEvent.FromString(event.payload))
            self.written[-1].seq = len(self.written)
        if self.doubt == "kept":
            raise StorageInDoubt(SERVER, "cut")
        self.size_bytes += sum(len(event.payload) for event in events) + len(changes.view or b"")
        return Appended(len(self.written), 1)

    async def create(self, new, events, *more):
        appended = await self.append(new.id, 1, events, RunChanges())
        return Created(new.id, 1, 1, appended.last_seq, 1, repeated=False)

    async def get(self, app, owner, run):
        return SimpleNamespace(created_time_us=1) if self.written else None

    async def events(self, app, run, *, after):
        return [
            EventRow(app, run, event.seq, event.WhichOneof("event"), 1, 1, event.SerializeToString())
            for event in self.written[after:]
        ]

    def text(self) -> str:
        """What a reader of the log makes of the answer: a piece that does not append starts it anew."""
        text = ""
        for event in self.written:
            if event.HasField("text_appended"):
                text = text * event.text_appended.append + event.text_appended.text
        return text


@pytest.fixture
def log():
    return HeldLog()


@pytest.fixture
def run(log, monkeypatch):
    monkeypatch.setattr(hector_agent.writing, "FLUSH_S", 60.0)  # only what the test commits is committed
    run = Run(log, PLACE, new_task("run", "context"), 1)
    for _ in range(2):
        run.feed.join(Follower(NOTHING))  # for whom everything is kept
    return run


def seen(run, cursor=NOTHING):
    """What a reader that has only this gets."""
    return [shown.event for shown in run.feed.behind(Follower(cursor))]


def completed():
    return RunEvent(status_changed=StatusChanged(state=RUN_STATE_COMPLETED))


def text_of(run):
    return "".join(part.text for artifact in run.task.artifacts for part in artifact.parts)


async def held(run, log, *events, last=False):
    """Begin a commit that does not get through, and return its task."""
    log.held.clear()
    log.begun.clear()
    commit = asyncio.create_task(run.commit(events, last=last))
    async with asyncio.timeout(5):
        await log.begun.wait()
    return commit


async def test_text_shown_while_the_first_piece_is_being_written_goes_on_with_it(run, log):
    run.show("answer", "first ")
    flush = await held(run, log)
    run.show("answer", "second")
    log.held.set()
    await flush
    await run.commit([], last=True)
    assert log.text() == text_of(run) == "first second"


async def test_text_that_could_not_be_written_is_in_what_is_written_next(run, log):
    run.show("answer", "first ")
    flush = await held(run, log)
    run.show("answer", "second ")
    log.failing = True
    log.held.set()
    with pytest.raises(StorageQueueFull):
        await flush
    log.failing = False
    run.show("answer", "third")
    [shown] = seen(run)
    assert shown.text_appended.text == "first second third"
    await run.commit([], last=True)
    assert log.text() == text_of(run) == "first second third"


@pytest.mark.parametrize("doubt", ["kept", "lost"])
async def test_text_that_may_have_been_written_is_written_once(run, log, doubt):
    run.show("answer", "Well: ")
    await run.commit([])
    run.show("answer", "first ")
    flush = await held(run, log)
    run.show("answer", "second ")
    log.doubt = doubt
    log.held.set()
    with pytest.raises(StorageInDoubt):
        await flush
    log.doubt = ""
    run.show("answer", "third")
    await run.commit([], last=True)
    assert log.text() == text_of(run) == "Well: first second third"
    assert run.snapshot()[1] == Cursor(len(log.written))


async def test_text_that_may_have_been_written_is_shown_once(run, log):
    """Ours: it was shown as one text, and stands in the log as two."""
    reader = Follower(NOTHING)
    run.show("answer", "first ")
    flush = await held(run, log)
    run.show("answer", "second ")
    log.doubt = "kept"
    log.held.set()
    with pytest.raises(StorageInDoubt):
        await flush
    found = run.feed.behind(reader)
    log.doubt = ""
    run.show("answer", "third")
    while not run.over:
        found += run.feed.behind(reader)
        await run.commit([RunEvent(status_changed=StatusChanged(state=RUN_STATE_COMPLETED))], last=True)
    found += run.feed.behind(reader)
    texts = [shown.event.text_appended.text for shown in found if shown.event.HasField("text_appended")]
    assert texts[0] == "first second "
    assert "".join(texts) == "first second third"


async def test_a_run_that_may_have_ended_ends_once(run, log):
    ended = [
        RunEvent(status_changed=StatusChanged(state=state))
        for state in (RUN_STATE_COMPLETED, RUN_STATE_FAILED)
    ]
    run.show("answer", "said")
    log.doubt = "kept"
    with pytest.raises(StorageInDoubt):
        await run.commit(ended[:1], last=True)
    assert not run.over
    log.doubt = ""
    await run.commit(ended[1:], last=True)
    assert [event.WhichOneof("event") for event in log.written] == ["text_appended", "status_changed"]
    assert run.state == RUN_STATE_COMPLETED
    assert text_of(run) == "said"


@pytest.mark.parametrize("doubt", ["kept", "lost"])
async def test_who_asked_hears_of_a_run_that_may_have_been_written_with_its_end(run, log, doubt):
    events = [RunEvent(message_received=MessageReceived()), completed()]
    run.draft = NewRun("default", "ada", "assistant", id="run"), [row_of(events[0])]
    run._next_seq = 2
    heard = []
    run.opened = lambda: heard.append(run.draft)
    log.doubt = doubt
    with pytest.raises(StorageInDoubt):
        await run.commit([completed()])
    assert heard == []
    log.doubt = ""
    await run.commit([completed()])
    assert heard == [None]
    assert run.over
    assert [event.WhichOneof("event") for event in log.written] == ["message_received", "status_changed"]


async def test_what_a_cancelled_caller_wrote_is_in_the_task_and_on_the_feed(run, log):
    run.show("answer", "said")
    commit = await held(run, log, RunEvent(message_received=MessageReceived()), last=True)
    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit
    log.held.set()
    async with asyncio.timeout(5):
        await run.settled()
    await run.commit([RunEvent(status_changed=StatusChanged(state=RUN_STATE_COMPLETED))])
    assert text_of(run) == "said"
    assert [event.seq for event in seen(run)] == [1, 2, 3]
    assert run.task == fold(new_task("run", "context"), seen(run))
    assert run.over


def test_events_that_are_written_together_are_rows_like_those_that_are_written_alone():
    events = [completed(), RunEvent(), RunEvent(text_appended=TextAppended(artifact_id="a", text="one"))]
    assert rows_of(events, kinds_of(events)) == [row_of(event) for event in events]


async def test_who_comes_while_text_is_being_written_sees_it(log):
    run = Run(log, PLACE, new_task("run", "context"), 1)
    run.show("a", "one ")
    run.show("a", "two")
    log.held.clear()
    write = asyncio.create_task(run.commit([]))
    await log.begun.wait()
    assert [event.text_appended.text for event in seen(run)] == ["one two"]
    log.held.set()
    await write
    assert seen(run) == []
    assert run.feed.next == 2  # it is in the log


def test_who_comes_when_a_run_was_let_go_is_told_so(log):
    run = Run(log, PLACE, new_task("run", "context"), 1)
    run.close()
    assert run.feed.over
    assert isinstance(run.feed.failure, RunLost)


async def test_text_in_progress_is_not_called_the_last_before_it_is_written(run, log):
    run.show("answer", "all of it")
    commit = await held(run, log, last=True)
    [shown] = seen(run)
    assert shown.provisional
    assert not shown.text_appended.last
    log.held.set()
    await commit
    [rest] = seen(run, Cursor(0, len("all of it")))
    assert rest.text_appended == TextAppended(artifact_id="answer", append=True, last=True)


async def test_the_timer_writes_what_is_shown(run, log, monkeypatch):
    monkeypatch.setattr(hector_agent.writing, "FLUSH_S", 0.0)
    run.show("answer", "soon")

    async def written() -> bool:
        return log.text() == "soon"

    await until(written)
    async with asyncio.timeout(5):
        await run.settled()
        run.close()
    assert run.finished.is_set()


async def test_text_that_could_not_be_written_is_written_a_little_later(run, log, monkeypatch):
    """Ours: a reader elsewhere has only the log; it must not wait for the step's end."""
    monkeypatch.setattr(hector_agent.writing, "FLUSH_AGAIN_S", 0.0)
    log.failing = True
    run.show("answer", "soon")
    with pytest.raises(StorageQueueFull):
        await run.commit([])
    log.failing = False

    async def written() -> bool:
        return log.text() == "soon"

    await until(written)
    await run.settled()
    run.close()


async def test_what_is_shown_while_a_draft_is_written_is_written_soon(run, log, monkeypatch):
    monkeypatch.setattr(hector_agent.writing, "FLUSH_S", 0.0)
    run.draft = NewRun("default", "ada", "assistant"), ()
    run.show("answer", "at once, ")
    log.held.clear()
    first = run.begin(())
    await log.begun.wait()
    run.show("answer", "and soon")
    log.held.set()
    await first

    async def written() -> bool:
        return log.text() == "at once, and soon"

    await until(written)
    await run.settled()
    run.close()


async def test_what_is_written_of_a_long_answer_grows_with_its_length_only(run, log):
    for _ in range(200):
        run.show("answer", "x" * 1000)
        await run.commit([])
    assert text_of(run) == log.text() == "x" * 200_000
    assert 200_000 < log.size_bytes < 220_000


async def test_much_text_is_written_before_its_time_has_come(run, log):
    run.show("answer", "x" * 20_000)
    run.show("answer", "x" * 20_000)

    async def written() -> bool:
        return len(log.text()) == 40_000

    await until(written)
    async with asyncio.timeout(5):
        await run.settled()
        run.close()


async def test_a_reader_of_a_run_that_was_deleted_under_it_comes_to_an_end(run, log, monkeypatch):
    monkeypatch.setattr("hector_agent.feed.RING_BYTES", 0)
    monkeypatch.setattr("hector_agent.feed.KEPT_BYTES", 0)

    async def gone(*place, **which):
        return []

    log.events = gone
    for number in range(3):
        await run.commit([RunEvent(text_appended=TextAppended(artifact_id="a", text=str(number)))])
    async with asyncio.timeout(5):
        assert [batch async for batch in tail(log, "default", "run", run.feed, Cursor())] == []
