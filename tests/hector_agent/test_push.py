"""Push notifications as receivers get them: A2A 1.0 section 4.3.3, and what we promise beyond it."""

import asyncio
import contextlib
import hmac
import socket
from base64 import b64decode, b64encode
from hashlib import sha256

import grpc
import pytest
from aiohttp import web
from support.receiver import is_end, receiving
from support.scripted_agent import ScriptedModel, as_ada, ask, serving, text_of, until

import hector_a2a as a2a
from hector.llm.v1 import StreamTextResponse
from hector_mesh import Call, Principal, info_of, metrics, scope
from hector_store import PushConfigs
from hector_store.errors import StorageQueueFull

OPEN = {"allowed_networks": ["127.0.0.0/8"], "allow_http": True, "retry_delay": "20ms", "max_delay": "50ms"}


@contextlib.asynccontextmanager
async def pushing(mesh_under_test, folder, *answers, **push):
    """Run the agent service, with webhooks on this machine allowed."""
    server = {"a2a": {"push": {**OPEN, **push}}}
    async with (
        serving(mesh_under_test, folder, ScriptedModel(*answers), server=server),
        receiving() as receiver,
    ):
        yield a2a.A2AServiceStub(mesh_under_test.mesh), receiver


def ask_and_tell(url: str, text: str = "hi", **config: object) -> "a2a.SendMessageRequest":
    request = ask(text)
    wanted = a2a.TaskPushNotificationConfig(url=url, **config)
    request.configuration.task_push_notification_config.CopyFrom(wanted)
    return request


def texts(told) -> str:
    """The text that notifications hold together."""
    updates = [one.found["artifactUpdate"] for one in told if "artifactUpdate" in one.found]
    return "".join(part["text"] for update in updates for part in update["artifact"]["parts"])


def once(told):
    """What is left when a receiver takes each event only once."""
    return list({one.event_id: one for one in told}.values())


async def test_a_webhook_gets_what_a_stream_shows(mesh_under_test, tmp_path):
    async with pushing(mesh_under_test, tmp_path, "one two three") as (stub, receiver):
        with as_ada():
            sent = ask_and_tell(receiver.url, id="mine", token="tok")
            sent.configuration.task_push_notification_config.authentication.scheme = "Bearer"
            sent.configuration.task_push_notification_config.authentication.credentials = "cred"
            response = await stub.SendMessage(sent)
        told = await receiver.until_over()
    first = told[0].found
    assert first["task"]["id"] == response.task.id
    assert first["task"]["history"][0]["parts"] == [{"text": "hi"}]
    assert texts(told) == text_of(response.task)
    assert told[-1].found["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert [one.seq for one in told] == sorted({one.seq for one in told})
    for one in told:
        assert one.event_id.startswith(f"{response.task.id}:")
        assert one.headers["content-type"] == "application/a2a+json"
        assert one.headers["a2a-version"] == "1.0"
        assert one.headers["authorization"] == "Bearer cred"
        assert one.headers["x-a2a-notification-token"] == "tok"
        assert "webhook-signature" not in one.headers


async def test_the_trace_of_who_asked_goes_on(mesh_under_test, tmp_path):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with pushing(mesh_under_test, tmp_path, "x") as (stub, receiver):
        with scope(Call(principal=Principal("ada"), traceparent=f"00-{trace}-00f067aa0ba902b7-01")):
            await stub.SendMessage(ask_and_tell(receiver.url))
        told = await receiver.until_over()
    spans = [one.headers["traceparent"] for one in told]
    assert all(span.startswith(f"00-{trace}-") and span.endswith("-01") for span in spans)
    assert len(set(spans)) == len(spans)


async def test_a_slow_receiver_holds_up_neither_the_task_nor_other_receivers(mesh_under_test, tmp_path):
    """a2a-sdk takes as much longer for an answer as its webhooks do."""
    let_go = asyncio.Event()

    async def slowly(request: web.Request) -> web.Response:
        await let_go.wait()
        return web.Response(status=204)

    async with (
        pushing(mesh_under_test, tmp_path, "one two") as (stub, receiver),
        receiving() as slow,
    ):
        slow.usual = slowly
        with as_ada():
            async with asyncio.timeout(10):
                response = await stub.SendMessage(ask_and_tell(slow.url))
            assert response.task.status.state == a2a.TASK_STATE_COMPLETED
            await slow.until(lambda told: len(told) == 1)
            await stub.SendMessage(ask_and_tell(receiver.url))
            await receiver.until_over()
        assert len(slow.all) == 1, "one at a time"
        let_go.set()
        told = await slow.until_over()
    assert texts(told) == "one two "


async def test_text_that_piled_up_is_told_as_one(mesh_under_test, tmp_path):
    go_on, let_go, flushed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def in_pieces(request):
        for number in range(5):
            yield StreamTextResponse(text=f"{number} ")
            await asyncio.sleep(0.3)  # longer than text stays uncommitted: each is an event of its own
        flushed.set()
        await go_on.wait()
        yield StreamTextResponse(text="end", done=True)

    async def slowly(request: web.Request) -> web.Response:
        await let_go.wait()
        return web.Response()

    async with pushing(mesh_under_test, tmp_path, in_pieces) as (stub, receiver):
        receiver.answers = [slowly]
        with as_ada():
            request = ask_and_tell(receiver.url)
            request.configuration.return_immediately = True
            await stub.SendMessage(request)
            async with asyncio.timeout(10):
                await flushed.wait()
            let_go.set()
            await receiver.until(lambda told: "3" in texts(told))
            go_on.set()
            told = await receiver.until_over()
    assert texts(told) == "0 1 2 3 4 end"
    assert len([one for one in told if "artifactUpdate" in one.found]) <= 3


async def test_what_fails_is_sent_again_as_it_was_and_in_order(mesh_under_test, tmp_path):
    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with pushing(mesh_under_test, tmp_path, "one two three") as (stub, receiver):
        receiver.answers = [500, 204, cut, 404, 204, 503, 429, 302]
        with as_ada():
            await stub.SendMessage(ask_and_tell(receiver.url))
        told = await receiver.until_over()
        await receiver.until(lambda told: not receiver.answers)
        told = await receiver.until(lambda told: is_end(told[-1].found))
    seqs = [one.seq for one in told]
    assert seqs == sorted(seqs), "never an event before the one before it was confirmed"
    assert len(seqs) > len(set(seqs))
    bodies = {one.event_id: one.body for one in told}
    assert all(bodies[one.event_id] == one.body for one in told)
    assert texts(once(told)) == "one two three "


@pytest.mark.parametrize(("answers", "attempts"), [([410], 1), ([500] * 3, 3), ([301] * 3, 3)])
async def test_a_webhook_is_given_up_and_taken_up_where_it_stood(
    mesh_under_test, tmp_path, answers, attempts
):
    from hector.agent.v1 import (
        PUSH_STATE_DEAD,
        AgentServiceStub,
        ListPushConfigsRequest,
        RetryPushConfigRequest,
    )

    async with pushing(mesh_under_test, tmp_path, "one two", max_attempts=3) as (stub, receiver):
        receiver.answers = [204, *answers]
        agents = AgentServiceStub(mesh_under_test.mesh)
        with as_ada():
            task = (await stub.SendMessage(ask_and_tell(f"{receiver.url}?key=hidden", id="mine"))).task
            dead = ListPushConfigsRequest(state=PUSH_STATE_DEAD)

            async def is_dead() -> bool:
                return bool((await agents.ListPushConfigs(dead)).push_configs)

            await until(is_dead)
            (config,) = (await agents.ListPushConfigs(dead)).push_configs
        assert len(receiver.all) == 1 + attempts
        assert (config.run, config.id, config.attempts) == (task.id, "mine", attempts)
        assert str(answers[0]) in config.error
        assert config.delivered_seq == receiver.all[0].seq
        assert config.url.endswith("?key=hidden")
        with scope(Call(principal=Principal("bob", frozenset({"user"})))):
            assert not (await agents.ListPushConfigs(ListPushConfigsRequest())).push_configs
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await agents.RetryPushConfig(RetryPushConfigRequest(run=task.id, id="mine"))
            assert info_of(refused.value).reason == "PUSH_CONFIG_NOT_FOUND"
        with scope(Call(principal=Principal("eve", frozenset({"operator"})))):
            (seen,) = (await agents.ListPushConfigs(dead)).push_configs
            assert (seen.owner, seen.url) == ("ada", receiver.url)
            await agents.RetryPushConfig(RetryPushConfigRequest(run=task.id, id="mine"))
        told = await receiver.until_over()
        assert texts(once(told)) == "one two "
        with as_ada():

            async def is_done() -> bool:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await agents.RetryPushConfig(RetryPushConfigRequest(run=task.id, id="mine"))
                    return False
                return True

            await until(is_done)


async def test_a_task_that_is_over_is_told_once_as_it_ended(mesh_under_test, tmp_path):
    """Who asks too late is told all the same: the task may have ended in this moment."""
    async with pushing(mesh_under_test, tmp_path, "one two") as (stub, receiver):
        with as_ada():
            task = (await stub.SendMessage(ask("hi"))).task
            config = a2a.TaskPushNotificationConfig(task_id=task.id, url=receiver.url)
            made = await stub.CreateTaskPushNotificationConfig(config)
            assert made.id
        (told,) = await receiver.until_over()
    assert told.found["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert told.found["task"]["artifacts"][0]["parts"] == [{"text": "one two "}]


async def test_a_config_that_is_deleted_is_told_nothing_more(mesh_under_test, tmp_path):
    go_on = asyncio.Event()

    async def held(request):
        await go_on.wait()
        yield StreamTextResponse(text="x", done=True)

    async with pushing(mesh_under_test, tmp_path, held) as (stub, receiver), receiving() as other:
        with as_ada():
            request = ask_and_tell(receiver.url, id="mine")
            request.configuration.return_immediately = True
            task = (await stub.SendMessage(request)).task
            await stub.CreateTaskPushNotificationConfig(
                a2a.TaskPushNotificationConfig(task_id=task.id, url=other.url)
            )
            await receiver.until(lambda told: len(told) == 1)
            await stub.DeleteTaskPushNotificationConfig(
                a2a.DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
            )
        go_on.set()
        await other.until_over()
    assert len(receiver.all) == 1


async def test_notifications_are_signed_with_every_secret(mesh_under_test, tmp_path):
    """Standard Webhooks: a receiver knows one of them while the other is replaced."""
    secrets = ["whsec_" + b64encode(bytes([number] * 32)).decode() for number in (1, 2)]
    async with pushing(mesh_under_test, tmp_path, "x", hmac_secrets=secrets) as (stub, receiver):
        with as_ada():
            await stub.SendMessage(ask_and_tell(receiver.url))
        told = await receiver.until_over()
    for one in told:
        stamp = one.headers["webhook-timestamp"]
        assert one.headers["webhook-id"] == one.event_id
        said = f"{one.event_id}.{stamp}.".encode() + one.body
        made = [
            "v1," + b64encode(hmac.digest(b64decode(secret[6:]), said, sha256)).decode() for secret in secrets
        ]
        assert one.headers["webhook-signature"].split() == made


async def test_what_is_secret_is_in_no_answer_and_in_no_log(mesh_under_test, tmp_path, caplog):
    caplog.set_level("DEBUG")
    async with pushing(mesh_under_test, tmp_path, "x", max_attempts=2) as (stub, receiver):
        receiver.usual = 500
        config = a2a.TaskPushNotificationConfig(url=f"{receiver.url}?q=sesame-q", token="sesame-t", id="c")
        config.authentication.scheme, config.authentication.credentials = "Bearer", "sesame-c"
        with as_ada():
            task = (await stub.SendMessage(ask("hi"))).task
            config.task_id = task.id
            answers = [await stub.CreateTaskPushNotificationConfig(config)]
            await receiver.until(lambda told: len(told) == 2)
            wanted = a2a.GetTaskPushNotificationConfigRequest(task_id=task.id, id="c")
            answers.append(await stub.GetTaskPushNotificationConfig(wanted))
            listed = a2a.ListTaskPushNotificationConfigsRequest(task_id=task.id)
            answers.append(await stub.ListTaskPushNotificationConfigs(listed))
        assert receiver.all[0].headers["authorization"] == "Bearer sesame-c"
    shown = "".join(map(str, answers))
    assert "sesame-t" not in shown
    assert "sesame-c" not in shown
    assert 'scheme: "Bearer"' in shown
    logged = "".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "sesame" not in logged


REFUSED = {
    "": "is required",
    "hook": "absolute",
    "https://": "absolute",
    "ftp://example.org/": "and not with ftp:",
    "https://u:p@example.org/": "name or password",
    "https://example.org/#x": "fragment",
    "https://127.0.0.1/": "loopback",
    "https://localhost/": "loopback",
    "https://[::ffff:10.0.0.1]/": "private",
    "https://169.254.169.254/latest": "metadata",
    "http://example.org/": "https",
    "https://example.org/" + "x" * 2048: "2048",
    "https://exa mple.org/": "absolute",
}


@pytest.mark.parametrize("url", REFUSED)
async def test_a_webhook_that_cannot_be_is_refused_and_nothing_is_begun(mesh_under_test, tmp_path, url):
    closed = {"a2a": {"push": {}}}
    async with serving(mesh_under_test, tmp_path, model := ScriptedModel("x"), server=closed):
        stub = a2a.A2AServiceStub(mesh_under_test.mesh)
        with as_ada(), pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.SendMessage(ask_and_tell(url))
        assert info_of(refused.value).reason == "INVALID_PARAMS"
        (field,) = info_of(refused.value).metadata
        assert field == "configuration.taskPushNotificationConfig.url"
        assert REFUSED[url] in refused.value.details()
        with as_ada():
            assert (await stub.ListTasks(a2a.ListTasksRequest())).total_size == 0
    assert model.requests == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"token": "a\r\nX-Evil: 1"}, "token"),
        ({"id": "x" * 129}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"authentication": {"scheme": "", "credentials": "x"}}, "authentication.scheme"),
        ({"authentication": {"scheme": "Be arer", "credentials": "x"}}, "authentication.scheme"),
        (
            {"authentication": {"scheme": "Bearer", "credentials": "a\r\nX: 1"}},
            "authentication.credentials",
        ),
    ],
)
async def test_what_would_not_fit_into_a_header_is_refused(mesh_under_test, tmp_path, wrong, field):
    async with pushing(mesh_under_test, tmp_path, "x") as (stub, receiver):
        with as_ada():
            task = (await stub.SendMessage(ask("hi"))).task
            config = a2a.TaskPushNotificationConfig(task_id=task.id, url=receiver.url, **wrong)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.CreateTaskPushNotificationConfig(config)
    assert list(info_of(refused.value).metadata) == [field]


async def test_a_name_that_leads_inside_is_given_up_without_a_connection(
    mesh_under_test, tmp_path, monkeypatch
):
    """The name is looked up once, when it is called, and the address that is found is the one that counts."""
    from hector.agent.v1 import AgentServiceStub, ListPushConfigsRequest

    async with pushing(mesh_under_test, tmp_path, "x", allowed_networks=[]) as (stub, receiver):
        port = int(receiver.url.split(":")[2].partition("/")[0])
        asked = []

        def answers(host, *_):
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", answers)
        with as_ada():
            await stub.SendMessage(ask_and_tell(f"http://rebinding.example:{port}/hook"))

            async def given_up():
                found = await AgentServiceStub(mesh_under_test.mesh).ListPushConfigs(ListPushConfigsRequest())
                return [one.error for one in found.push_configs if one.state == 2]

            await until(given_up)
            (error,) = await given_up()
    assert "loopback" in error
    assert asked == ["rebinding.example"]
    assert receiver.all == []


async def test_a_receiver_of_several_configs_can_tell_what_is_new(mesh_under_test, tmp_path):
    """Also of one that is replaced, which begins anew: the same id is never said of another body."""
    async with pushing(mesh_under_test, tmp_path, "x") as (stub, receiver):
        with as_ada():
            task = (await stub.SendMessage(ask("hi"))).task
            for config in ("one", "other", "one"):
                asked = a2a.TaskPushNotificationConfig(task_id=task.id, id=config, url=receiver.url)
                count = len(receiver.all) + 1
                await stub.CreateTaskPushNotificationConfig(asked)
                await receiver.until(lambda told, count=count: len(told) == count)
    assert len({one.event_id for one in receiver.all}) == 3
    assert len({one.seq for one in receiver.all}) == 1


async def test_a_receiver_that_never_answers_is_tried_again(mesh_under_test, tmp_path):
    async def never(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with pushing(mesh_under_test, tmp_path, "x", timeout="1s") as (stub, receiver):
        receiver.answers = [never]
        with as_ada():
            await stub.SendMessage(ask_and_tell(receiver.url))
        told = await receiver.until_over()
    assert told[0].event_id == told[1].event_id


async def test_a_stop_is_prompt_and_loses_nothing(mesh_under_test, tmp_path):
    """What is under way when the server stops is sent again after it starts, under the same id."""

    async def never(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    server = {"a2a": {"push": OPEN}}
    async with receiving() as receiver:
        receiver.answers = [204, never]
        async with asyncio.timeout(20):
            async with serving(mesh_under_test, tmp_path, ScriptedModel("one two"), server=server):
                with as_ada():
                    stub = a2a.A2AServiceStub(mesh_under_test.mesh)
                    await stub.SendMessage(ask_and_tell(receiver.url))
                await receiver.until(lambda told: len(told) == 2)
            async with serving(mesh_under_test, tmp_path, ScriptedModel(), server=server):
                told = await receiver.until_over()
    assert told[1].event_id == told[2].event_id
    assert told[1].body == told[2].body
    assert texts(once(told)) == "one two "
    assert [one.seq for one in once(told)] == sorted(one.seq for one in once(told))


async def test_a_run_that_went_on_unsaid_is_told_all_the_same(mesh_under_test, tmp_path, monkeypatch):
    """Who commits tells the webhooks' side; should that ever be forgotten, the log is asked."""
    monkeypatch.setattr("hector_agent.push.push.ADOPT_S", 0.2)
    monkeypatch.setattr("hector_agent.push.push.CHECK_EACH", 1)
    monkeypatch.setattr("hector_agent.push.push.Push.wake", lambda push, run: None)
    go_on = asyncio.Event()

    async def held(request):
        await go_on.wait()
        yield StreamTextResponse(text="x", done=True)

    async with pushing(mesh_under_test, tmp_path, held) as (stub, receiver):
        with as_ada():
            request = ask_and_tell(receiver.url)
            request.configuration.return_immediately = True
            await stub.SendMessage(request)
        await receiver.until(lambda told: len(told) == 1)
        go_on.set()
        await receiver.until_over()


async def test_what_is_delivered_and_what_is_given_up_is_counted(mesh_under_test, tmp_path):
    from hector_runtime.metrics import Prometheus

    metrics.enable(Prometheus())
    try:
        async with pushing(mesh_under_test, tmp_path, "x", max_attempts=1) as (stub, receiver):
            receiver.answers = [204, 500]
            with as_ada():
                await stub.SendMessage(ask_and_tell(receiver.url))

            async def is_dead() -> bool:
                return b"hector_push_dead 1.0" in (metrics.page() or (b"", b""))[1]

            await until(is_dead)
            found = (metrics.page() or (b"", b""))[1].decode()
    finally:
        metrics.disable()
    for line in (
        'hector_push_deliveries_total{agent="assistant",outcome="delivered"} 1.0',
        'hector_push_deliveries_total{agent="assistant",outcome="failed"} 1.0',
        'hector_push_failures_total{error_type="HTTP_500"} 1.0',
        "hector_push_oldest_seconds 0.0",
    ):
        assert line in found.splitlines()


async def test_a_config_that_is_replaced_goes_on_with_the_new_one(mesh_under_test, tmp_path):
    """Also while a notification of the old one is under way, which is waited for."""
    let_go = asyncio.Event()

    async def slowly(request: web.Request) -> web.Response:
        await let_go.wait()
        return web.Response()

    async with (
        pushing(mesh_under_test, tmp_path, "one two") as (stub, receiver),
        receiving() as new,
    ):
        receiver.usual = slowly
        with as_ada():
            task = (await stub.SendMessage(ask_and_tell(receiver.url, id="mine"))).task
            await receiver.until(lambda told: len(told) == 1)
            wanted = a2a.TaskPushNotificationConfig(task_id=task.id, url=new.url, id="mine")
            for _ in range(2):
                made = await stub.CreateTaskPushNotificationConfig(wanted)
            assert made.url == new.url
            let_go.set()
            await new.until_over()
            listed = a2a.ListTaskPushNotificationConfigsRequest(task_id=task.id)
            assert len((await stub.ListTaskPushNotificationConfigs(listed)).configs) == 1
    assert len(receiver.all) == 1
    (told,) = once(new.all)
    assert told.found["task"]["artifacts"][0]["parts"] == [{"text": "one two "}]


async def test_a_database_that_fails_for_a_moment_holds_up_and_loses_nothing(
    mesh_under_test, tmp_path, monkeypatch
):
    monkeypatch.setattr("hector_agent.push.push.TROUBLE_S", 0.05)
    progress, failures = PushConfigs.progress, 3

    async def failing(configs, key, how_far):
        nonlocal failures
        if failures:
            failures -= 1
            raise StorageQueueFull(1, 1)
        return await progress(configs, key, how_far)

    monkeypatch.setattr(PushConfigs, "progress", failing)
    async with pushing(mesh_under_test, tmp_path, "one two") as (stub, receiver):
        with as_ada():
            await stub.SendMessage(ask_and_tell(receiver.url))
        told = await receiver.until_over()
    assert failures == 0
    assert texts(once(told)) == "one two "
    assert len({(one.event_id, one.body) for one in told}) == len({one.event_id for one in told})
