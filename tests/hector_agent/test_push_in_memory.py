"""What is in memory of webhooks: those that may have to be told something, each as it is now."""

import asyncio

from support.receiver import receiving
from support.scripted_agent import ScriptedModel, as_ada, ask, serving, until

import hector_a2a as a2a
from hector.agent.v1 import RUN_STATE_WORKING, RunEvent, StatusChanged
from hector.llm.v1 import StreamTextResponse
from hector_a2a.push_config import PushConfig
from hector_agent.push.push import Push
from hector_agent.push.signing import Signer
from hector_agent.rows import row_of
from hector_store import NewPush, NewRun, PushConfigs, RunLog, opened

OPEN = PushConfig(allowed_networks=["127.0.0.0/8"], allow_http=True)
WORKING = row_of(RunEvent(status_changed=StatusChanged(state=RUN_STATE_WORKING)))


async def test_a_look_from_before_a_webhook_was_replaced_changes_nothing(tmp_path, monkeypatch):
    """Looks go side by side on some databases, and one may come back late."""
    let_go, pending = asyncio.Event(), PushConfigs.pending
    late = []

    async def slowly(configs, run_id=None):
        found = await pending(configs, run_id)
        if run_id is not None and not late:
            late.append(found)
            await let_go.wait()
        return found

    push = Push(OPEN, Signer())
    async with opened(f"sqlite://{tmp_path}/runs.db") as database, receiving() as receiver:
        log, configs = RunLog(database), PushConfigs(database)
        async with asyncio.timeout(10), push.running(database, log):
            monkeypatch.setattr(PushConfigs, "pending", slowly)
            run = NewRun(app="default", owner="ada", agent="helper", context_id="s")
            run_id = (await log.create(run, [WORKING])).run_id
            await configs.put("default", "ada", run_id, NewPush("mine", "http://127.0.0.1:1/old"))
            push.placed(run_id)

            async def has_looked():
                return bool(late)

            await until(has_looked)
            await configs.put("default", "ada", run_id, NewPush("mine", receiver.url))
            push.placed(run_id)
            await receiver.until(lambda told: len(told) == 1)
            let_go.set()
            await asyncio.gather(*push._tasks)
            await log.append(run_id, 1, [WORKING])
            push.wake(run_id)
            await receiver.until(lambda told: len(told) == 2)


async def test_a_webhook_that_is_deleted_while_its_task_is_at_work_is_forgotten(
    mesh_under_test, tmp_path, monkeypatch
):
    made = []
    begin = Push.__init__

    def known(push, *args):
        made.append(push)
        begin(push, *args)

    monkeypatch.setattr(Push, "__init__", known)
    go_on = asyncio.Event()

    async def held(request):
        await go_on.wait()
        yield StreamTextResponse(text="x", done=True)

    server = {"a2a": {"push": {"allowed_networks": ["127.0.0.0/8"], "allow_http": True}}}
    model = ScriptedModel(held)
    async with serving(mesh_under_test, tmp_path, model, server=server), receiving() as receiver:
        stub = a2a.A2AServiceStub(mesh_under_test.mesh)
        with as_ada():
            asked = ask("hi")
            asked.configuration.return_immediately = True
            asked.configuration.task_push_notification_config.id = "mine"
            asked.configuration.task_push_notification_config.url = receiver.url
            task = (await stub.SendMessage(asked)).task
            await receiver.until(lambda told: len(told) == 1)

            async def is_idle():
                return [lane.state for lane in made[0]._lanes[task.id].values()] == ["idle"]

            await until(is_idle)
            mine = a2a.DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
            await stub.DeleteTaskPushNotificationConfig(mine)

            async def is_forgotten():
                return not made[0]._lanes

            await until(is_forgotten)
            go_on.set()


async def test_another_config_is_gone_by_over_the_same_connections(tmp_path):
    """As long as it leads nowhere else: a process may take over many configs."""
    push = Push(OPEN, Signer())
    async with opened(f"sqlite://{tmp_path}/runs.db") as database, receiving() as receiver:
        log, configs = RunLog(database), PushConfigs(database)
        async with asyncio.timeout(10), push.running(database, log):
            run = NewRun(app="default", owner="ada", agent="helper", context_id="s")
            run_id = (await log.create(run, [WORKING])).run_id
            await configs.put("default", "ada", run_id, NewPush("mine", receiver.url))
            push.placed(run_id)
            couriers = []
            for count, (config, key) in enumerate(
                [
                    (OPEN, b"one"),
                    (OPEN.model_copy(update={"timeout": 5.0}), b"two"),
                    (OPEN.model_copy(update={"allowed_networks": ["127.0.0.1"]}), b"three"),
                ],
                start=1,
            ):
                push.renew(config, Signer([key]))
                await log.append(run_id, 1, [WORKING])
                push.wake(run_id)
                await receiver.until(lambda told, count=count: len(told) > count)
                couriers.append(push._courier)
                last = receiver.all[-1]
                time_s = int(last.headers["webhook-timestamp"])
                expected = Signer([key]).headers(last.event_id, time_s, last.body)
                assert last.headers["webhook-signature"] == expected["webhook-signature"]
    assert [couriers[0] is one for one in couriers] == [True, True, False]
