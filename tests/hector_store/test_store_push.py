"""Push notification configs: placed with what they are to tell of, owned by one, and never lost."""

import pytest
from grpc import StatusCode

from hector_mesh import HectorError
from hector_store import (
    Database,
    NewEvent,
    NewPush,
    NewRun,
    PushConfigs,
    PushKey,
    PushProgress,
    RunChanges,
    RunLog,
    Worker,
    Workers,
)

PUSH = NewPush("c1", "https://example.org/hook", b"secret", "1.0", "00-1-2-01")
APP, ANN, BOB = "default", "ann", "bob"


@pytest.fixture
def configs(database: Database) -> PushConfigs:
    return PushConfigs(database)


@pytest.fixture
async def run_id(log: RunLog) -> str:
    events = [NewEvent("message_received"), NewEvent("status_changed")]
    return (await log.create(NewRun(app=APP, owner=ANN, agent="helper", context_id="s"), events)).run_id


def new_run(*pushes: NewPush, **more: str) -> NewRun:
    return NewRun(app=APP, owner=ANN, agent="helper", context_id="s", pushes=pushes, **more)


async def test_a_config_begins_with_the_last_event_of_its_run(
    configs: PushConfigs, log: RunLog, run_id: str
) -> None:
    row = await configs.put(APP, ANN, run_id, PUSH)
    assert (row.start, row.delivered, row.pledged, row.attempts, row.state) == (2, 1, 0, 0, "active")
    assert (row.url, row.secret, row.dialect, row.traceparent, row.agent) == (*PUSH[1:], "helper")
    assert row.created_time_us > 0
    assert await configs.get(APP, ANN, run_id, "c1") == row
    assert "secret" not in repr(row)


async def test_a_run_is_created_together_with_its_configs(configs: PushConfigs, log: RunLog) -> None:
    created = await log.create(new_run(PUSH, PUSH._replace(id="c2")), [NewEvent("message_received")])
    found = await configs.list(APP, ANN, run_id=created.run_id)
    assert [(row.id, row.start) for row in found.configs] == [("c1", 1), ("c2", 1)]


async def test_a_run_that_is_not_created_leaves_no_config(configs: PushConfigs, log: RunLog) -> None:
    key = {"idempotency_key": "k"}
    await log.create(new_run(**key, idempotency_hash="one"))
    with pytest.raises(HectorError, match="k"):
        await log.create(new_run(PUSH, **key, idempotency_hash="other"))
    repeated = await log.create(new_run(PUSH, **key, idempotency_hash="one"))
    assert repeated.repeated
    assert (await configs.list(APP, None)).configs == ()


async def test_a_config_can_be_placed_with_an_append(configs: PushConfigs, log: RunLog, run_id: str) -> None:
    await log.append(run_id, 1, [NewEvent("message_received")], pushes=[PUSH])
    row = await configs.get(APP, ANN, run_id, "c1")
    assert row is not None
    assert row.start == 3
    with pytest.raises(HectorError):
        await log.append(run_id, 7, [NewEvent("message_received")], pushes=[PUSH._replace(id="fenced")])
    assert await configs.get(APP, ANN, run_id, "fenced") is None


async def test_what_belongs_to_somebody_else_is_not_there(
    configs: PushConfigs, log: RunLog, run_id: str
) -> None:
    await configs.put(APP, ANN, run_id, PUSH)
    for app, owner in ((APP, BOB), ("other", ANN), ("other", None)):
        assert await configs.get(app, owner, run_id, "c1") is None
        assert (await configs.list(app, owner)).configs == ()
        assert await configs.revive(app, owner, run_id, "c1") is None
    with pytest.raises(HectorError) as caught:
        await configs.put(APP, BOB, run_id, PUSH)
    assert caught.value.reason == "RUN_NOT_FOUND"
    await configs.delete(APP, BOB, run_id, "c1")
    assert await configs.get(APP, None, run_id, "c1") is not None


async def test_a_config_of_the_same_id_is_replaced_and_its_old_owner_writes_nothing(
    configs: PushConfigs, log: RunLog, run_id: str
) -> None:
    first = await configs.put(APP, ANN, run_id, PUSH)
    await log.append(run_id, 1, [NewEvent("text_appended")])
    second = await configs.put(APP, ANN, run_id, PUSH._replace(url="https://example.org/new"))
    assert (second.url, second.start, second.epoch) == ("https://example.org/new", 3, first.epoch + 1)
    assert not await configs.progress(first.key, PushProgress(2))
    assert await configs.owned(first.key) is None
    assert await configs.owned(second.key) == second


async def test_who_delivered_for_a_config_that_was_deleted_writes_nothing_to_one_of_its_name(
    configs: PushConfigs, log: RunLog, run_id: str
) -> None:
    first = await configs.put(APP, ANN, run_id, PUSH)
    await configs.delete(APP, ANN, run_id, "c1")
    second = await configs.put(APP, ANN, run_id, PUSH._replace(url="https://example.org/new"))
    assert second.epoch > first.epoch
    assert not await configs.progress(first.key, PushProgress(2))
    assert await configs.owned(second.key) == second


async def test_progress_is_kept_and_says_when_to_try_again(configs: PushConfigs, run_id: str) -> None:
    key = (await configs.put(APP, ANN, run_id, PUSH)).key
    assert await configs.progress(key, PushProgress(2, 5, 3, wait_s=60.0, error="said\0no" + "!" * 2000))
    row = await configs.owned(key)
    assert row is not None
    assert (row.delivered, row.pledged, row.attempts) == (2, 5, 3)
    assert row.error.startswith("saidno!")
    (pending,) = await configs.pending()
    assert pending.key == key
    assert 50 < pending.wait_s <= 60
    assert not pending.is_behind


async def test_what_is_behind_its_log_is_known_at_the_start(
    configs: PushConfigs, log: RunLog, run_id: str
) -> None:
    key = (await configs.put(APP, ANN, run_id, PUSH)).key
    assert [one.is_behind for one in await configs.pending(run_id)] == [True]
    await configs.progress(key, PushProgress(2))
    assert [one.is_behind for one in await configs.pending(run_id)] == [False]
    await log.append(run_id, 1, [NewEvent("status_changed")], RunChanges(state="RUN_STATE_COMPLETED"))
    assert [one.is_behind for one in await configs.pending(run_id)] == [True]
    await configs.progress(key, PushProgress(3, state="done"))
    assert await configs.pending(run_id) == []


async def test_what_was_given_up_is_listed_and_taken_up_where_it_stood(
    configs: PushConfigs, run_id: str
) -> None:
    key = (await configs.put(APP, ANN, run_id, PUSH)).key
    await configs.put(APP, ANN, run_id, PUSH._replace(id="c2"))
    await configs.progress(key, PushProgress(2, 4, 9, "dead", error="410 Gone"))
    assert await configs.dead() == 1
    assert await configs.owned(key) is None
    (row,) = (await configs.list(APP, None, state="dead")).configs
    assert (row.id, row.error) == ("c1", "410 Gone")
    revived = await configs.revive(APP, ANN, run_id, "c1")
    assert revived is not None
    assert (revived.state, revived.delivered, revived.pledged, revived.attempts) == ("active", 2, 4, 0)
    assert not await configs.progress(key, PushProgress(9)), "whoever drove it before must not go on"
    assert await configs.owned(revived.key) is not None


async def test_what_is_done_is_not_taken_up(configs: PushConfigs, run_id: str) -> None:
    key = (await configs.put(APP, ANN, run_id, PUSH)).key
    await configs.progress(key, PushProgress(3, state="done"))
    revived = await configs.revive(APP, ANN, run_id, "c1")
    assert revived is not None
    assert revived.state == "done"


async def test_configs_are_listed_in_pages_the_oldest_first(configs: PushConfigs, run_id: str) -> None:
    for number in range(5):
        await configs.put(APP, ANN, run_id, PUSH._replace(id=f"c{number}"))
    ids, token = [], ""
    while True:
        page = await configs.list(APP, ANN, run_id=run_id, page_size=2, page_token=token)
        ids += [row.id for row in page.configs]
        token = page.next_page_token
        if not token:
            break
    assert ids == [f"c{number}" for number in range(5)]
    with pytest.raises(HectorError):
        await configs.list(APP, ANN, page_token="none of ours")


async def test_a_run_has_so_many_receivers_and_no_more(configs: PushConfigs, run_id: str) -> None:
    for number in range(20):
        await configs.put(APP, ANN, run_id, PUSH._replace(id=f"c{number}"))
    with pytest.raises(HectorError) as caught:
        await configs.put(APP, ANN, run_id, PUSH._replace(id="one more"))
    assert (caught.value.reason, caught.value.code) == (
        "TOO_MANY_PUSH_CONFIGS",
        StatusCode.FAILED_PRECONDITION,
    )
    assert caught.value.facts == {"taskId": run_id, "limit": "20"}
    await configs.put(APP, ANN, run_id, PUSH._replace(id="c3"))  # in place of one that is there


async def test_configs_go_with_their_session(configs: PushConfigs, log: RunLog, run_id: str) -> None:
    key = (await configs.put(APP, ANN, run_id, PUSH)).key
    await log.append(run_id, 1, [], RunChanges(state="RUN_STATE_COMPLETED"))
    await log.delete_context(APP, ANN, "s")
    assert await configs.get(APP, None, run_id, "c1") is None
    assert not await configs.progress(key, PushProgress(2))
    await configs.delete(APP, ANN, run_id, "c1")


@pytest.mark.parametrize("wrong", [{"id": ""}, {"id": "x" * 129}, {"url": "x" * 2049}, {"id": "ends "}])
async def test_what_does_not_fit_is_refused(
    configs: PushConfigs, log: RunLog, run_id: str, wrong: dict[str, str]
) -> None:
    push = PUSH._replace(**wrong)
    for write in (configs.put(APP, ANN, run_id, push), log.create(new_run(push))):
        with pytest.raises(HectorError):
            await write
    assert await configs.pending() == []


async def test_a_key_of_nothing_owns_nothing(configs: PushConfigs) -> None:
    assert await configs.owned(PushKey("none", "none", 1)) is None


async def test_a_config_is_delivered_by_whoever_works_on_its_run(configs: PushConfigs, log: RunLog) -> None:
    created = await log.create(new_run(PUSH, worker="w1"), [NewEvent("message_received")])
    await configs.put(APP, ANN, created.run_id, PUSH._replace(id="c2"), worker="w2")
    assert {one.key.id: one.worker for one in await configs.pending(created.run_id)} == {
        "c1": "w1",
        "c2": "w2",
    }


async def test_a_config_whose_worker_is_gone_is_taken_by_one_and_fences_the_other(
    database: Database, configs: PushConfigs, log: RunLog
) -> None:
    """Ours: of several who find a config that nobody delivers for, one does."""
    workers = Workers(database)
    await workers.join(Worker("w1"), lease_s=60)
    created = await log.create(new_run(PUSH, worker="w1"), [NewEvent("message_received")])
    (held,) = await configs.pending(created.run_id)
    assert held.is_held
    assert await configs.pending(created.run_id, free=True) == []
    await workers.release("w1")
    (free,) = await configs.pending(free=True)
    assert (free.key, free.is_held) == (held.key, False)
    await workers.join(Worker("w2"), lease_s=60)
    (taken,) = await configs.claim([free], "w2")
    assert taken.key == free.key._replace(epoch=free.key.epoch + 1)
    assert await configs.claim([free], "w3") == []
    assert not await configs.progress(held.key, PushProgress(1))
    assert await configs.progress(taken.key, PushProgress(1))
    assert await configs.pending(free=True) == []
