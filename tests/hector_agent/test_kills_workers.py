"""Ours: a run that ends whoever works on it is given up, until an operator has it tried again."""

import asyncio

from support.custom_agent import config_of, said
from support.scripted_agent import until

import hector_agent
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    RUN_STATE_FAILED,
    RUN_STATE_WORKING,
    AgentServiceStub,
    GetRunRequest,
    ListDeadLettersRequest,
    MessageReceived,
    OwnerChanged,
    RequeueDeadLetterRequest,
    RunEvent,
    StatusChanged,
)
from hector_agent.packing import packed
from hector_agent.rows import row_of
from hector_mesh import Call, Principal, scope
from hector_store import NewRun, RunLog, opened

SOURCE = """
    async def echo(turn):
        yield "alive"
"""


async def test_a_run_that_ends_its_workers_is_given_up_and_can_be_requeued(
    mesh_under_test, tmp_path, database_url
):
    config = config_of(tmp_path, SOURCE, database=database_url)
    config.storage.checkpoint.recovery.__dict__["max_attempts"] = 2
    async with opened(database_url) as database:
        log = RunLog(database)
        message = said("hi").message
        message.task_id, message.context_id = "r", "c"
        events = [
            RunEvent(message_received=MessageReceived(message=packed(message))),
            RunEvent(status_changed=StatusChanged(state=RUN_STATE_WORKING)),
            *(RunEvent(owner_changed=OwnerChanged(worker=f"w{number}")) for number in range(2)),
        ]
        new = NewRun(
            id="r",
            app="default",
            owner="ada",
            agent="custom",
            context_id="c",
            state="RUN_STATE_WORKING",
            worker="w2",
        )
        await log.create(new, [row_of(event) for event in events])
    room = hector_agent.build(config, mesh_under_test.mesh)
    async with room.running(), asyncio.timeout(30):
        await mesh_under_test.serve(room.register)
        stub = AgentServiceStub(mesh_under_test.mesh)
        with scope(Call(principal=Principal("ada", frozenset({"operator"})))):

            async def is_in(run: str, state: int) -> bool:
                return (await stub.GetRun(GetRunRequest(run=run))).run.state == state

            await until(lambda: is_in("r", RUN_STATE_FAILED))
            [letter] = (await stub.ListDeadLetters(ListDeadLettersRequest())).dead_letters
            assert (letter.run, letter.reason, letter.attempts) == ("r", "RUN_KILLS_WORKERS", 2)
            new = (await stub.RequeueDeadLetter(RequeueDeadLetterRequest(run="r"))).run
            await until(lambda: is_in(new.name, RUN_STATE_COMPLETED))
