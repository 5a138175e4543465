"""A stream that was cut is picked up again: nothing is missing, and nothing comes twice."""

import asyncio
import random
from contextlib import aclosing
from itertools import pairwise

import pytest
from sqlalchemy import delete
from support.scripted_agent import until

import hector_a2a as a2a
import hector_agent.feed
import hector_agent.following
import hector_agent.tail
import hector_agent.writing
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    RUN_STATE_FAILED,
    RUN_STATE_INPUT_REQUIRED,
    RUN_STATE_WORKING,
    ArtifactSaved,
    MessageReceived,
    ModelAnswered,
    RunEvent,
    StatusChanged,
    TextAppended,
)
from hector_agent.elsewhere import Elsewhere
from hector_agent.errors import HistoryPruned, RunLost, ShuttingDown
from hector_agent.feed import Cursor, Feed
from hector_agent.following import as_of, first, place_in, place_of, updates
from hector_agent.ledger import events_of
from hector_agent.moment import Place
from hector_agent.packing import packed
from hector_agent.rows import event_of, kinds_of, row_of
from hector_agent.run import Run
from hector_agent.tail import Reader
from hector_agent.view import PLACE, new_task, update
from hector_store import Database, NewRun, RunLog, opened
from hector_store.schema import run_events

RUN, CONTEXT = "run", "context"


@pytest.fixture
async def database(tmp_path):
    async with opened(f"sqlite://{tmp_path}/runs.db") as found, asyncio.timeout(60):
        yield found


@pytest.fixture
def log(database: Database) -> RunLog:
    return RunLog(database)


@pytest.fixture(autouse=True)
def nothing_written_by_the_clock(monkeypatch):
    monkeypatch.setattr(hector_agent.writing, "FLUSH_S", 60.0)


def said(text: str) -> RunEvent:
    message = a2a.Message(message_id=text, role=a2a.ROLE_USER)
    message.parts.add(text=text)
    return RunEvent(message_received=MessageReceived(message=packed(message)))


def state(value) -> RunEvent:
    return RunEvent(status_changed=StatusChanged(state=value))


def made(name: str, text: str, *, append: bool = False) -> RunEvent:
    artifact = a2a.Artifact(artifact_id=name)
    artifact.parts.add(text=text)
    return RunEvent(artifact_saved=ArtifactSaved(artifact=packed(artifact), append=append))


async def begun(log: RunLog) -> Run:
    """Return a run of Ada's, at work: its events 1 and 2 are in the log."""
    events = [said("hi"), state(RUN_STATE_WORKING)]
    task = new_task(RUN, CONTEXT)
    new = NewRun(
        id=RUN, app="default", owner="ada", agent="assistant", context_id=CONTEXT, state="RUN_STATE_WORKING"
    )
    created = await log.create(new, [row_of(event) for event in events])
    place = Place(RUN, "default", "ada", "assistant", CONTEXT, 1, created.epoch)
    run = Run(log, place, task, 1)
    rows = await log.events("default", RUN)
    events = [event_of(row) for row in rows]
    run._take(events, kinds_of(events), RUN_STATE_WORKING, 3)
    return run


class Client:
    """Folds a stream as A2A tells clients to, and remembers where it is."""

    def __init__(self) -> None:
        self.task = a2a.Task()
        self.place = ""
        self.got: list[str] = []

    def take(self, response: "a2a.StreamResponse") -> None:
        kind = response.WhichOneof("payload")
        payload = getattr(response, kind)
        self.place = payload.metadata[PLACE]
        if kind == "task":
            self.task.CopyFrom(payload)
            self.task.ClearField("metadata")
            return
        self.got.append(self.place)
        if kind == "status_update":
            if not any(key != PLACE for key in payload.metadata):  # what tools do is no state of the task
                self.task.status.CopyFrom(payload.status)
            return
        for artifact in self.task.artifacts:
            if artifact.artifact_id == payload.artifact.artifact_id:
                if payload.append:
                    _append(artifact, payload.artifact)
                else:
                    artifact.CopyFrom(payload.artifact)
                return
        assert not payload.append, (
            f"{self.place} goes on with {payload.artifact.artifact_id}, which never began"
        )
        self.task.artifacts.append(payload.artifact)

    def folded(self) -> "a2a.Task":
        """Return what it has, with the texts of each artifact in one piece."""
        found = a2a.Task()
        found.CopyFrom(self.task)
        for artifact in found.artifacts:
            text = "".join(part.text for part in artifact.parts)
            del artifact.parts[:]
            artifact.parts.add(text=text)
        return found


def _append(artifact: "a2a.Artifact", more: "a2a.Artifact") -> None:
    artifact.parts.extend(more.parts)


async def follow(log: RunLog, run: Run | None, client: Client, *, place: str = "") -> None:
    """Read a stream to its end: a new one, or the rest of one that was cut."""
    feed = run.feed if run is not None else None
    if place:
        row = await log.get("default", "ada", RUN)
        task, cursor = await as_of(log, row, feed, place_in(place))
    else:
        assert run is not None
        task, cursor = run.snapshot()
    reader = Reader(log, "default", RUN, feed, cursor)
    async for responses in updates(reader, CONTEXT, first(task, cursor)):
        for response in responses:
            client.take(response)


def new_stream(log: RunLog, run: Run):
    task, cursor = run.snapshot()
    return one_by_one(Reader(log, "default", RUN, run.feed, cursor), first(task, cursor))


async def one_by_one(reader: Reader, opening: "a2a.StreamResponse"):
    async with aclosing(updates(reader, CONTEXT, opening)) as found:
        async for responses in found:
            for response in responses:
                yield response


class Cut:
    """A reader that loses its stream after so many events, and another that picks it up at the end."""

    def __init__(self, log: RunLog, run: Run, after: int) -> None:
        self.log, self.run, self.after, self.client = log, run, after, Client()

    async def read(self) -> None:
        left = self.after
        async with aclosing(new_stream(self.log, self.run)) as stream:
            async for response in stream:
                self.client.take(response)
                if not left:
                    return
                left -= 1


async def readers_idle(run: Run, tasks) -> None:
    async def idle() -> bool:
        return run.feed.readers >= sum(not task.done() for task in tasks)

    await until(idle)


async def script(run: Run, choices: random.Random, readers) -> None:
    """Let a run happen in some order: text in pieces, commits, texts asked anew, artifacts, an end."""
    answer, open_text = 0, False
    for _ in range(choices.randrange(6, 16)):
        what = choices.choice(
            ["show", "show", "show", "commit", "last", "artifact", "more", "silent", "work"]
        )
        if what == "show":
            if not open_text:
                answer += choices.random() < 0.5 or not answer  # else the same one goes on, or begins anew
            run.show(f"answer-{answer}", choices.choice(["a", "word ", "schön ", "many words here "]))
            open_text = True
        elif what == "commit":
            await run.commit([])
            open_text = False
        elif what == "last":
            await run.commit([], last=True)
            open_text = False
        elif what == "artifact":
            await run.commit([made(f"file-{choices.randrange(2)}", "x")])
            open_text = False
        elif what == "more":
            await run.commit([made("file-0", "one"), made("file-0", "two", append=True)], last=True)
            open_text = False
        elif what == "silent":
            await run.commit([RunEvent(model_answered=ModelAnswered(iteration=1))])
            open_text = False
        else:
            await run.commit([state(RUN_STATE_WORKING)])
            open_text = False
        await readers_idle(run, readers)
    await run.commit([state(RUN_STATE_COMPLETED)], last=True)
    run.close()


def ordered(places: list[str]) -> bool:
    """Say whether each place is behind the one before it. A text is committed at `seq`, behind `seq.N`."""
    seen = [
        (int(seq), int(offset) if offset else 1 << 32)
        for seq, _, offset in (p.partition(".") for p in places)
    ]
    return all(earlier < later for earlier, later in pairwise(seen))


@pytest.mark.parametrize("ring_bytes", [1 << 20, 0], ids=["ring", "log"])
@pytest.mark.parametrize("seed", range(12))
async def test_a_stream_cut_anywhere_and_resumed_is_the_uncut_stream(log, monkeypatch, seed, ring_bytes):
    """Ours: whichever event was its last one, whether its text was committed or not, even when it is over."""
    monkeypatch.setattr(hector_agent.feed, "RING_BYTES", ring_bytes)
    monkeypatch.setattr(hector_agent.feed, "KEPT_BYTES", 0)
    run = await begun(log)
    whole = Client()
    reading = [asyncio.create_task(follow(log, run, whole))]
    cuts = [Cut(log, run, after) for after in range(30)]
    resumed: list[asyncio.Task[None]] = []

    async def cut_and_resumed(cut: Cut) -> None:
        await cut.read()
        await follow(log, run, cut.client, place=cut.client.place)

    resumed = [asyncio.create_task(cut_and_resumed(cut)) for cut in cuts]
    await readers_idle(run, reading + resumed)
    await script(run, random.Random(seed), reading + resumed)
    await asyncio.gather(*reading, *resumed)
    expected = whole.folded()
    assert expected.status.state == a2a.TASK_STATE_COMPLETED
    for cut in cuts:
        assert cut.client.folded() == expected, f"cut after {cut.after}"
        assert ordered(cut.client.got)
    assert ordered(whole.got)
    inside = [
        f"{event.seq}.{offset}"
        for event in events_of(await log.events("default", RUN))
        for offset in range(1, len(event.text_appended.text) + 1)
    ]
    for place in [*whole.got, *inside]:  # and once it is over
        late = Client()
        await follow(log, None, late, place=place)
        assert late.folded() == expected, f"resumed at {place}"
        assert ordered([place, *late.got])


async def test_a_text_that_began_anew_while_the_reader_was_away_is_not_added_to_the_old_one(log):
    run = await begun(log)
    run.show("answer-1", "the first att")
    client = await cut_now(log, run)
    await run.commit([], last=True)
    await run.commit([])
    run._growing = ""
    await run.commit([text_anew("answer-1", "the second attempt"), state(RUN_STATE_COMPLETED)])
    run.close()
    await follow(log, run, client, place=client.place)
    assert [part.text for part in client.folded().artifacts[0].parts] == ["the second attempt"]


async def test_text_that_was_lost_with_its_server_is_not_in_the_task_that_a_reader_comes_back_to(log):
    """Ours: the first event says what there is, whatever the reader had seen."""
    run = await begun(log)
    run.show("answer-1", "kept, ")
    await run.commit([])
    run.show("answer-1", "lost")
    client = await cut_now(log, run)
    assert client.place == "4.4"
    # The server is killed here; the next one ends the run, with what was committed.
    again = Run(log, run.place, run.task, 4)
    await again.commit([state(RUN_STATE_FAILED)])
    await follow(log, None, client, place=client.place)
    assert [part.text for part in client.folded().artifacts[0].parts] == ["kept, "]
    assert client.task.status.state == a2a.TASK_STATE_FAILED


async def test_a_place_that_there_is_not_yet_is_refused_with_the_last_one_that_there_is(log):
    run = await begun(log)
    row = await log.get("default", "ada", RUN)
    for place in ("3", "9", "9.5"):
        with pytest.raises(a2a.InvalidParams, match="the last one of task 'run' is 2") as refused:
            await as_of(log, row, run.feed, place_in(place))
        assert refused.value.facts.keys() == {"Last-Event-ID"}
    assert (await as_of(log, row, run.feed, place_in("2")))[1] == Cursor(2)
    assert (await as_of(log, row, run.feed, place_in("3.9")))[1] == Cursor(2)  # of a text that was lost


@pytest.mark.parametrize(
    "place", ["", "0", "-1", "1.", ".5", "one", "1.2.3", "1e3", "9" * 40, " 1", "1\n", "٣"]
)
def test_nonsense_is_no_place(place):
    with pytest.raises(a2a.InvalidParams, match="Last-Event-ID"):
        place_in(place)


@pytest.mark.parametrize("place", ["1", "7", "7.120"])
def test_a_place_is_what_was_handed_out(place):
    assert place_of(place_in(place)) == place


@pytest.mark.parametrize("gone", [2, 4])
async def test_a_place_whose_history_is_not_kept_any_more_is_refused(log, database, gone):
    """A2A has no error of its own for it: UnsupportedOperation, with the cause among its facts."""
    run = await begun(log)
    for number in range(3):
        await run.commit([made(f"file-{number}", "x")])
    await database.write(lambda db: db.execute(delete(run_events).where(run_events.c.seq <= gone)))
    row = await log.get("default", "ada", RUN)
    for feed in (run.feed, None):
        for place in range(1, gone):
            with pytest.raises(HistoryPruned) as refused:
                await as_of(log, row, feed, place_in(str(place)))
            assert refused.value.reason == "UNSUPPORTED_OPERATION"
            assert refused.value.facts["cause"] == "EVENT_HISTORY_PRUNED"
            assert refused.value.facts["firstKept"] == str(gone + 1)
        assert (await as_of(log, row, feed, place_in(str(gone))))[1] == Cursor(gone)


async def test_history_that_goes_while_it_is_read_ends_the_stream_with_the_reason(log, database, monkeypatch):
    monkeypatch.setattr(hector_agent.tail, "BATCH", 2)
    run = await begun(log)
    for _ in range(4):
        await run.commit([state(RUN_STATE_WORKING)])
    stream = one_by_one(Reader(log, "default", RUN, None, Cursor(1)), a2a.StreamResponse())
    await anext(stream)
    assert (await anext(stream)).status_update.metadata[PLACE] == "2"
    await database.write(lambda db: db.execute(delete(run_events).where(run_events.c.seq <= 4)))
    assert (await anext(stream)).status_update.metadata[PLACE] == "3"
    with pytest.raises(HistoryPruned):
        await anext(stream)


async def test_who_follows_a_run_that_waits_goes_on_when_it_is_taken_up_again(log):
    """A2A 1.0 section 7.6.1: a subscription outlives the state in which a task waits."""
    waiting = Elsewhere()
    run = await begun(log)
    client = Client()
    reading = asyncio.create_task(follow(log, run, client))
    await readers_idle(run, [reading])
    await run.commit([state(RUN_STATE_INPUT_REQUIRED)])
    waiting.keep(RUN, run.feed)
    late, latest = Client(), waiting.feed(RUN)
    assert latest is run.feed
    place, task = run.place, run.task
    del run, latest
    # Taken up: the first event is committed before anybody shows it, the others are shown.
    await log.append(RUN, place.epoch, [row_of(said("more"))])
    again = Run(log, place, task, 5, waiting.take(RUN, 5))
    reading_late = asyncio.create_task(follow(log, again, late))
    await readers_idle(again, [reading_late])
    await again.commit([state(RUN_STATE_WORKING), state(RUN_STATE_COMPLETED)])
    again.close()
    await asyncio.gather(reading, reading_late)
    assert client.got == ["3", "5", "6"]
    assert late.got == ["5", "6"]


async def test_nobody_is_kept_for_a_run_that_waits_and_is_read_by_nobody():
    waiting = Elsewhere()
    waiting.keep(RUN, Feed(7))
    assert waiting.feed(RUN).next == 1  # another one


async def test_a_server_that_stops_lets_go_of_those_who_follow_a_run_that_waits(log):
    waiting = Elsewhere()
    run = await begun(log)
    waiting.keep(RUN, run.feed)
    reading = asyncio.create_task(follow(log, run, Client()))
    await readers_idle(run, [reading])
    waiting.end(ShuttingDown())
    with pytest.raises(ShuttingDown):
        await reading


async def test_a_run_whose_end_was_not_written_ends_its_streams_with_the_reason(log):
    run = await begun(log)
    reading = asyncio.create_task(follow(log, run, Client()))
    await readers_idle(run, [reading])
    run.close()
    with pytest.raises(RunLost):
        await reading


def text_anew(artifact: str, text: str) -> RunEvent:
    return RunEvent(text_appended=TextAppended(artifact_id=artifact, text=text, last=True))


async def cut_now(log: RunLog, run: Run) -> Client:
    """Return a client that got what there is, and then lost its stream."""
    client = Client()
    async with aclosing(new_stream(log, run)) as stream:
        client.take(await anext(stream))
        client.take(await anext(stream))
    return client


async def test_a_reader_that_never_reads_costs_a_bounded_ring_and_delays_nobody(log, monkeypatch):
    """Ours: what it has not got is kept as far as the ring goes; then it reads the log."""
    monkeypatch.setattr(hector_agent.feed, "RING_BYTES", 8_000)
    monkeypatch.setattr(hector_agent.feed, "KEPT_BYTES", 1_000)
    run = await begun(log)
    slow = Reader(log, "default", RUN, run.feed, run.snapshot()[1])
    clients = [Client() for _ in range(20)]
    reading = [asyncio.create_task(follow(log, run, client)) for client in clients]
    await readers_idle(run, reading)
    most = 0
    for number in range(60):
        await run.commit([made(f"file-{number}", "x" * 100)])
        most = max(most, run.feed.size_bytes)
        await readers_idle(run, reading)
        assert {client.place for client in clients} == {str(number + 3)}
    assert 6_000 < most <= 8_000
    await run.commit([state(RUN_STATE_COMPLETED)])
    run.close()
    await asyncio.gather(*reading)
    found = []
    while batch := await slow.read():
        found += [shown.event.seq for shown in batch]
    assert found == list(range(3, 64))
    slow.close()


async def test_what_everybody_has_got_is_not_kept(log, monkeypatch):
    monkeypatch.setattr(hector_agent.feed, "KEPT_BYTES", 1_000)
    run = await begun(log)
    await run.commit([made("nobody", "reads this")])
    assert run.feed.size_bytes == 0
    readers = [asyncio.create_task(follow(log, run, Client())) for _ in range(3)]
    await readers_idle(run, readers)
    for number in range(20):
        await run.commit([made(f"file-{number}", "x" * 100)])
        assert run.feed.size_bytes < 3_000
        await readers_idle(run, readers)
    for task in readers[1:]:
        task.cancel()
    await asyncio.wait(readers[1:])
    await run.commit([made("last", "one")])
    await readers_idle(run, readers[:1])
    assert run.feed.size_bytes == 0
    readers[0].cancel()
    await asyncio.wait(readers)
    assert run.feed.followers == run.feed.readers == 0


async def test_five_hundred_readers_that_leave_are_forgotten_and_stop_nothing(log):
    run = await begun(log)
    stays, leave = Client(), [asyncio.create_task(follow(log, run, Client())) for _ in range(500)]
    stay = asyncio.create_task(follow(log, run, stays))
    await readers_idle(run, [*leave, stay])
    run.show("answer-1", "one ")
    for task in leave:
        task.cancel()
    await asyncio.wait(leave)
    assert run.feed.followers == 1
    run.show("answer-1", "two")
    await run.commit([state(RUN_STATE_COMPLETED)], last=True)
    run.close()
    await stay
    assert [part.text for part in stays.folded().artifacts[0].parts] == ["one two"]
    assert run.feed.followers == 0


async def test_what_is_made_of_an_event_is_made_once_for_all_readers(log, monkeypatch):
    run, count = await begun(log), 0

    def counted(event, *more):
        nonlocal count
        count += 1
        return update(event, *more)

    monkeypatch.setattr(hector_agent.following, "update", counted)
    clients = [Client() for _ in range(30)]
    reading = [asyncio.create_task(follow(log, run, client)) for client in clients]
    for number in range(10):
        await readers_idle(run, reading)
        run.show("answer-1", f"{number} ")
    await readers_idle(run, reading)
    await run.commit([state(RUN_STATE_COMPLETED)], last=True)
    run.close()
    await asyncio.gather(*reading)
    assert len({str(client.got) for client in clients}) == 1
    assert count == 12  # each piece, the end of the text, and the state


async def test_text_that_grew_while_nobody_read_is_all_there_for_who_comes_back(log):
    run = await begun(log)
    run.show("answer-1", "one ")
    client = await cut_now(log, run)
    run.show("answer-1", "two ")
    late = await cut_now(log, run)
    assert (client.place, late.place) == ("3.4", "3.8")
    run.show("answer-1", "three")
    readings = [asyncio.create_task(follow(log, run, one, place=one.place)) for one in (client, late)]
    await readers_idle(run, readings)
    await run.commit([state(RUN_STATE_COMPLETED)], last=True)
    run.close()
    await asyncio.gather(*readings)
    for one in (client, late):
        assert [part.text for part in one.folded().artifacts[0].parts] == ["one two three"]
