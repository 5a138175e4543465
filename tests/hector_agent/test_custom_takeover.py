"""Ours: code of the operator's own is called again when its process is gone; what is once stays done."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.custom_agent import config_of
from support.run_owners import lease_ends, replica, settled
from support.scripted_agent import until

from hector_agent.ledger import events_of, task_of
from hector_agent.room import agents_of
from hector_mesh import Mesh
from hector_store import RunLog, opened

pytestmark = pytest.mark.usefixtures("short_stops")

HANDLER = """
    import asyncio
    from pathlib import Path
    from hector_agent.custom import artifact

    def note(what):
        with (Path(__file__).parent / "notes").open("a") as file:
            file.write(what + "\\n")
        return {"noted": what}

    async def dies(turn, when):
        if turn.attempt == 1 and turn.text == when:
            note("stuck")
            await asyncio.Event().wait()

    async def echo(turn):
        note(f"attempt {turn.attempt}")
        turn.state["n"] = turn.state.get("n", 0) + 1
        yield "hello "
        yield artifact("a page")
        yield artifact("named", id="named")
        await asyncio.sleep(0.02)
        done = await turn.once("pay", note, "paid")
        await dies(turn, "after")
        async def mails():
            note("mailed " + turn.effect_id("mail"))
            await dies(turn, "inside")
            return "sent"
        sent = await turn.once("mail", mails)
        yield f"{done['noted']} {sent} n={turn.state['n']} again={turn.attempt > 1}"
"""


class Custom:
    """Handlers, their notes, and the database of those who run them."""

    def __init__(self, folder: Path, database, agents) -> None:
        self.folder, self.database, self.agents = folder, database, agents
        self.log = RunLog(database)

    def notes(self) -> list[str]:
        file = self.folder / "notes"
        return file.read_text().split("\n")[:-1] if file.exists() else []

    def replica(self):
        return replica(self.database, self.agents)

    async def task(self, run: str):
        row = await self.log.get("default", "ada", run)
        return task_of(row, await self.log.events("default", run))

    async def kinds(self, run: str) -> list[str]:
        return [event.WhichOneof("event") for event in events_of(await self.log.events("default", run))]

    async def dies_stuck(self, one, said: str) -> str:
        run = (await one.ask(said, "custom", "c")).place.run

        async def is_stuck() -> bool:
            return "stuck" in self.notes()

        await until(is_stuck)
        worker = one.worker
        one.kill()
        await lease_ends(self.database, worker)
        return run


@asynccontextmanager
async def custom(tmp_path: Path, source: str = HANDLER):
    config = config_of(tmp_path, source)
    async with asyncio.timeout(50), opened(f"sqlite://{tmp_path}/runs.db") as database:
        yield Custom(tmp_path, database, agents_of(config, Mesh({}), ""))


def texts(task) -> dict[str, str]:
    found = {}
    for number, artifact in enumerate(task.artifacts):
        known = artifact.artifact_id in ("answer-1", "named")
        name = artifact.artifact_id if known else f"other {number}"
        found[name] = "".join(part.text for part in artifact.parts)
    return found


async def test_it_is_called_again_and_what_it_said_is_replaced_and_what_it_did_once_stays(tmp_path):
    async with custom(tmp_path) as of, of.replica() as one, of.replica():
        run = await of.dies_stuck(one, "after")
        assert (await settled(of.log, run)).state == "RUN_STATE_COMPLETED"
        task = await of.task(run)
        notes = of.notes()
    assert texts(task) == {
        "answer-1": "hello paid sent n=1 again=True",
        "other 1": "a page",
        "named": "named",
    }
    assert [note.split()[0] for note in notes] == ["attempt", "paid", "stuck", "attempt", "mailed"]
    assert notes[3] == "attempt 2"


async def test_a_step_in_doubt_waits_for_its_users_word(tmp_path):
    async with custom(tmp_path) as of, of.replica() as one, of.replica() as other:
        run = await of.dies_stuck(one, "inside")
        await settled(of.log, run, lambda row: row.state == "RUN_STATE_INPUT_REQUIRED")
        assert "mail()" in (await of.task(run)).status.message.parts[0].text
        answered = await other.answer(run, "what?", "custom")
        await answered.finished.wait()
        assert "none of the three" in (await of.task(run)).status.message.parts[0].text
        await other.answer(run, "happened: it was sent", "custom")
        await settled(of.log, run)
        task = await of.task(run)
        notes = of.notes()
        effects = {effect.tool: effect.state for effect in await of.log.effects(run)}
    assert texts(task)["answer-1"] == "hello paid it was sent n=1 again=True"
    assert sum(note.startswith("mailed") for note in notes) == 1
    assert notes.count("paid") == 1
    assert effects == {"pay": "done", "mail": "confirmed"}


async def test_a_step_that_is_to_be_done_again_has_the_same_effect_id(tmp_path):
    async with custom(tmp_path) as of, of.replica() as one, of.replica() as other:
        run = await of.dies_stuck(one, "inside")
        await settled(of.log, run, lambda row: row.state == "RUN_STATE_INPUT_REQUIRED")
        await other.answer(run, "again", "custom")
        await settled(of.log, run)
        mailed = [note for note in of.notes() if note.startswith("mailed")]
    assert len(mailed) == 2
    assert len(set(mailed)) == 1


async def test_what_is_done_once_is_done_once_in_a_task_that_waited(tmp_path):
    source = """
        from pathlib import Path
        from hector_agent.custom import input_required

        async def note(what):
            with (Path(__file__).parent / "notes").open("a") as file:
                file.write(what + "\\n")
            return what

        async def echo(turn):
            yield await turn.once("pay", note, f"paid by {turn.text}")
            if not turn.resumes:
                yield input_required("And now?")
    """
    async with custom(tmp_path, source) as of, of.replica() as one:
        run = (await one.ask("Ada", "custom")).place.run
        await settled(of.log, run, lambda row: row.state == "RUN_STATE_INPUT_REQUIRED")
        await one.answer(run, "Eve", "custom")
        await settled(of.log, run)
        assert of.notes() == ["paid by Ada"]
        assert [part.text for artifact in (await of.task(run)).artifacts for part in artifact.parts] == [
            "paid by Ada",
            "paid by Ada",
        ]


async def test_an_answer_is_taken_by_who_does_not_know_yet_that_its_task_waits(tmp_path):
    """Another replica may tell of a commit before the database has told who made it."""
    source = """
        from hector_agent.custom import input_required

        async def echo(turn):
            yield await turn.once("say", lambda: turn.text)
            if not turn.resumes:
                yield input_required("And now?")
    """
    async with custom(tmp_path, source) as of, of.replica() as one:
        told = one.tell_late("RUN_STATE_INPUT_REQUIRED")
        run = (await one.ask("Ada", "custom")).place.run
        await settled(of.log, run, lambda row: row.state == "RUN_STATE_INPUT_REQUIRED")
        answering = asyncio.ensure_future(one.answer(run, "Eve", "custom"))
        refused, _ = await asyncio.wait([answering], timeout=0.1)
        assert not refused
        told.set()
        await answering
        assert (await settled(of.log, run)).state == "RUN_STATE_COMPLETED"


@pytest.mark.parametrize(
    ("policy", "state"), [("replay", "RUN_STATE_COMPLETED"), ("fail", "RUN_STATE_FAILED")]
)
async def test_a_step_may_say_what_becomes_of_it(tmp_path, policy, state):
    source = f"""
        import asyncio
        from pathlib import Path

        async def echo(turn):
            async def works():
                with (Path(__file__).parent / "notes").open("a") as file:
                    file.write("stuck\\n")
                if turn.attempt == 1:
                    await asyncio.Event().wait()
                return "worked"
            yield await turn.once("work", works, after_crash="{policy}")
    """
    async with custom(tmp_path, source) as of, of.replica() as one, of.replica():
        run = await of.dies_stuck(one, "go")
        assert (await settled(of.log, run)).state == state
        assert len(of.notes()) == (2 if policy == "replay" else 1)
