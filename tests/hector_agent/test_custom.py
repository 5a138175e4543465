"""Ours: code of the operator's own answers over A2A, with everything that A2A knows of an answer."""

import asyncio
import logging
from collections import Counter

import grpc
import pytest
from support.custom_agent import answering, said
from support.scripted_agent import as_ada, text_of

import hector_a2a as a2a
from hector.agent.v1 import AgentServiceStub, GetRunRequest
from hector_agent import custom, measuring
from hector_mesh import Call, Principal, info_of, scope, streaming

PIECES = """
    import asyncio
    from hector_agent.custom import artifact, data, file, metadata, piece, text, working

    PAUSE = {pause}

    async def echo(turn):
        yield "one "
        await PAUSE()
        yield "two "
        yield working("half way", metadata={{"done": 0.5}})
        yield "three"
        await PAUSE()
        yield data({{"rows": [1, None, "x"]}})
        yield " four"
        yield artifact("whole", id="doc", name="Doc", description="d", metadata={{"k": "v"}})
        yield piece("log", "first\\n", append=False, name="Log")
        await PAUSE()
        yield piece("log", "second\\n", metadata={{"chunk": 2}})
        yield piece("log", "third\\n", last=True)
        yield file(b"\\x00\\xff", name="a.bin", media_type="application/octet-stream")
        yield file(url="https://example.com/a.png", media_type="image/png")
        yield artifact("replaced", id="doc")
        yield metadata({{"done": 1, "more": {{"deep": True}}}})
        yield text("<b>end</b>", media_type="text/html")
"""
PAUSES = {"without waiting": "lambda: asyncio.sleep(0, None)", "waiting": "lambda: asyncio.sleep(0.01)"}


async def test_what_a_handler_yields_is_the_answer(mesh_under_test, tmp_path):
    source = """
        async def echo(turn):
            yield "You said: "
            yield turn.text
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            task = (await agent.SendMessage(said("hello"))).task
            assert task.status.state == a2a.TASK_STATE_COMPLETED
            assert text_of(task) == "You said: hello"
            assert await agent.GetTask(a2a.GetTaskRequest(id=task.id)) == task


@pytest.mark.parametrize(
    ("body", "expected"), [("return turn.text.upper()", "HELLO"), ("return None", ""), ("pass", "")]
)
async def test_a_coroutine_returns_its_answer(mesh_under_test, tmp_path, body, expected):
    async with answering(mesh_under_test, tmp_path, f"async def echo(turn):\n    {body}\n") as agent:
        with as_ada():
            task = (await agent.SendMessage(said("hello"))).task
            assert (text_of(task), task.status.state) == (expected, a2a.TASK_STATE_COMPLETED)


class Counted(Counter):
    """What a metric was told, by labels."""

    def add(self, *labels: str, amount: float) -> None:
        self[labels] += amount


@pytest.mark.parametrize("last", ["", "message('plain')"], ids=["a task", "a plain message"])
async def test_what_a_handler_spends_on_models_is_counted_and_not_shown(
    mesh_under_test, tmp_path, last, monkeypatch
):
    source = f"""
        from hector_agent.custom import message, spent

        async def echo(turn):
            yield spent(prompt_tokens=5, completion_tokens=2)
            yield spent(prompt_tokens=1)
            yield {last or "'text'"}
    """
    counted = Counted()
    monkeypatch.setattr(measuring, "TOKENS", counted)
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            answer = await agent.SendMessage(said("hello"))
            if last:
                assert answer.message.parts[0].text == "plain"
            else:
                assert text_of(answer.task) == "text"
                run = await AgentServiceStub(mesh_under_test.mesh).GetRun(GetRunRequest(run=answer.task.id))
                assert run.run.usage.total_tokens == 8
    assert counted == {("custom", "prompt"): 6, ("custom", "completion"): 2}


@pytest.mark.parametrize("pause", PAUSES.values(), ids=PAUSES)
async def test_everything_a_task_can_hold_comes_in_the_order_in_which_it_is_said(
    mesh_under_test, tmp_path, pause
):
    async with answering(mesh_under_test, tmp_path, PIECES.format(pause=pause)) as agent:
        with as_ada():
            events = [event async for event in agent.SendStreamingMessage(said("go"))]
            task = await agent.GetTask(a2a.GetTaskRequest(id=events[0].task.id))
        answer, doc, log = task.artifacts
        assert [artifact.artifact_id for artifact in task.artifacts] == ["answer-1", "doc", "log"]
        kinds = [part.WhichOneof("content") for part in answer.parts]
        assert kinds == ["text", "data", "text", "raw", "url", "text"]
        assert (answer.parts[0].text, answer.parts[2].text) == ("one two three", " four")
        assert answer.parts[1].data.struct_value["rows"][2] == "x"
        assert (answer.parts[3].raw, answer.parts[3].filename) == (b"\x00\xff", "a.bin")
        assert answer.parts[5].media_type == "text/html"
        assert [part.text for part in doc.parts] == ["replaced"]
        assert [part.text for part in log.parts] == ["first\n", "second\n", "third\n"]
        assert (log.name, task.metadata["done"], task.metadata["more"]["deep"]) == ("Log", 1, True)
        assert retold(events) == {artifact.artifact_id: parted(artifact) for artifact in task.artifacts}
        updates = [event.artifact_update for event in events if event.HasField("artifact_update")]
        ends = [one.artifact.artifact_id for one in updates if one.last_chunk]
        assert ends == ["doc", "log", "doc", "answer-1"]
        assert [one.metadata["chunk"] for one in updates if "chunk" in one.metadata] == [2]
        halfway = [event.status_update for event in events if event.status_update.status.HasField("message")]
        assert [one.status.message.parts[0].text for one in halfway] == ["half way"]
        assert events[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED


def parted(artifact):
    """Return an artifact's parts, with text that belongs together in one."""
    parts = []
    for part in artifact.parts:
        plain = part.WhichOneof("content") == "text" and not part.media_type
        if plain and parts and isinstance(parts[-1], str):
            parts[-1] += part.text
        else:
            parts.append(part.text if plain else part)
    return [part for part in parts if part != ""]


def retold(events):
    """Return artifacts as a client puts them together from a stream."""
    artifacts = {}
    for event in events:
        if event.HasField("artifact_update"):
            update = event.artifact_update
            found = artifacts.setdefault(update.artifact.artifact_id, a2a.Artifact())
            if not update.append:
                del found.parts[:]
            found.parts.extend(update.artifact.parts)
    return {name: parted(artifact) for name, artifact in artifacts.items()}


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("completed", a2a.TASK_STATE_COMPLETED),
        ("failed", a2a.TASK_STATE_FAILED),
        ("rejected", a2a.TASK_STATE_REJECTED),
        ("input_required", a2a.TASK_STATE_INPUT_REQUIRED),
        ("auth_required", a2a.TASK_STATE_AUTH_REQUIRED),
    ],
)
async def test_a_handler_says_how_it_ends_and_is_then_cleaned_up(mesh_under_test, tmp_path, word, state):
    source = f"""
        from hector_agent.custom import {word}

        async def echo(turn):
            try:
                yield "said "
                yield {word}("because", metadata={{"why": "so"}})
                yield "never"
            finally:
                turn.state["cleaned"] = True
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            task = (await agent.SendMessage(said("go", context="c"))).task
            assert (task.status.state, text_of(task)) == (state, "said ")
            assert task.status.message.parts[0].text == "because"
            assert task.metadata["why"] == "so"


NONSENSE = {
    "a number": "yield 42",
    "a list": "yield ['a']",
    "nothing": "yield None",
    "bytes": "yield b'abc'",
    "a task": "yield Task(id=turn.task_id)",
    "a part without content": "yield Part(media_type='text/plain')",
    "an artifact without parts": "yield Artifact(artifact_id='a')",
    "an artifact with an empty part": "yield Artifact(artifact_id='a', parts=[Part()])",
    "more of an unknown artifact": "yield piece('unknown', 'x')",
    "a message without parts": "yield Message()",
    "a state that is not its own": "yield _state(a2a.TASK_STATE_CANCELED, (), None)",
    "a state that it left": "yield _state(a2a.TASK_STATE_SUBMITTED, (), None)",
    "no state": "yield _state(a2a.TASK_STATE_UNSPECIFIED, ('x',), None)",
    "another task": "said = working('x'); said.task_id = 'other'; yield said",
    "another context": "said = piece('a', 'x', append=False); said.context_id = 'other'; yield said",
    "broken text": "yield '\\ud800'",
    "state that is no JSON": "turn.state['x'] = object(); yield 'fine'",
    "state that JSON has no word for": "turn.state['x'] = float('nan'); yield 'fine'",
}


@pytest.mark.parametrize("what", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_is_an_invalid_agent_response(mesh_under_test, tmp_path, caplog, what):
    """A2A 1.9: the client learns that, and no more; the log has the rest."""
    source = f"""
        import hector_a2a as a2a
        from hector_agent.custom import *
        from hector_agent.custom.saying import _state

        async def echo(turn):
            {what}
            if False:
                yield
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await agent.SendMessage(said("go"))
            assert info_of(refused.value).reason == "INVALID_AGENT_RESPONSE"
            run = info_of(refused.value).metadata["taskId"]
            task = await agent.GetTask(a2a.GetTaskRequest(id=run))
            assert task.status.state == a2a.TASK_STATE_FAILED
            assert "A2A does not allow" in task.status.message.parts[0].text
            events = [event async for event in agent.SendStreamingMessage(said("again"))]
            last = events[-1].task if events[-1].HasField("task") else events[-1].status_update
            assert last.status.state == a2a.TASK_STATE_FAILED
    [why, _] = [record for record in caplog.records if record.message == "agent answered wrong"]
    assert (why.run, why.levelno) == (run, logging.ERROR)


RAISED = {
    "an error": "raise KeyError('secret')",
    "an error of Hector's": "raise a2a.TaskNotFound('secret')",
    "the end of the process": "sys.exit('secret')",
    "a timeout": "raise TimeoutError('secret')",
    "cancellation out of nothing": "raise asyncio.CancelledError('secret')",
    "an error in a group": "raise ExceptionGroup('secret', [KeyError('secret')])",
    "the end of an iteration": "raise StopAsyncIteration('secret')",
}


@pytest.mark.parametrize("kind", ["generator", "coroutine"])
@pytest.mark.parametrize("what", RAISED.values(), ids=RAISED)
async def test_an_error_of_the_handler_is_a_failed_task_without_internals(
    mesh_under_test, tmp_path, caplog, what, kind
):
    said_before = 'yield "so far "' if kind == "generator" else "pass"
    source = f"""
        import asyncio, sys
        import hector_a2a as a2a

        async def echo(turn):
            {said_before}
            {what}
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            task = (await agent.SendMessage(said("go"))).task
            assert task.status.state == a2a.TASK_STATE_FAILED
            assert text_of(task) == ("so far " if kind == "generator" else "")
            told = task.status.message.parts[0].text
            assert task.id in told
            assert "secret" not in str(task)
            ok = (await agent.SendMessage(said("still there"))).task
            assert ok.status.state == a2a.TASK_STATE_FAILED
    logged = [record.run for record in caplog.records if record.message == "agent's code failed"]
    assert logged == [task.id, ok.id]


async def test_a_handler_sees_all_that_belongs_to_its_message(mesh_under_test, tmp_path):
    source = """
        import json

        async def echo(turn):
            yield json.dumps({
                "text": turn.text, "data": turn.data, "message_id": turn.message_id,
                "metadata": turn.metadata,
                "request": turn.request_metadata, "references": list(turn.reference_task_ids),
                "extensions": list(turn.extensions), "modes": list(turn.accepted_output_modes),
                "principal": turn.principal.id, "roles": sorted(turn.principal.roles), "app": turn.app,
                "agent": turn.agent, "resumes": turn.resumes, "cancelled": turn.cancelled,
                "ids": [turn.task_id == turn.task.id == turn.message.task_id,
                        turn.context_id == turn.task.context_id == turn.message.context_id],
                "timely": 0 < turn.remaining_s < 3602,
            })
    """
    request = said("a", configuration={"accepted_output_modes": ["text/plain", "image/*"]})
    request.message.parts.add(text="b")
    request.message.parts.add().data.struct_value.update({"whole": 4, "half": 0.5})
    request.message.metadata["m"] = 1
    request.message.extensions.append("urn:x")
    request.metadata["r"] = "x"
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with scope(Call(principal=Principal("ada", frozenset({"user"})), app="shop")):
            first = (await agent.SendMessage(said("first"))).task.id
            request.message.reference_task_ids.append(first)
            call = agent.SendMessage(request, metadata=(("a2a-extensions", "urn:x, urn:y"),))
            found = __import__("json").loads(text_of((await call).task))
    assert found == {
        "text": "ab",
        "data": [{"whole": 4, "half": 0.5}],
        "message_id": "m-a",
        "metadata": {"m": 1},
        "request": {"r": "x"},
        "references": [first],
        "extensions": ["urn:x", "urn:y"],
        "modes": ["text/plain", "image/*"],
        "principal": "ada",
        "roles": ["user"],
        "app": "shop",
        "agent": "custom",
        "resumes": False,
        "cancelled": False,
        "ids": [True, True],
        "timely": True,
    }


async def test_the_state_of_a_session_is_kept_with_the_answer(mesh_under_test, tmp_path):
    source = """
        async def echo(turn):
            seen = turn.state.setdefault("seen", [])
            seen.append(turn.text)
            if turn.text == "forget":
                del turn.state["seen"]
            turn.state["temp:x"] = 1
            yield f"{len(turn.state)} {seen}"
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            answers = [
                text_of((await agent.SendMessage(said(text, context="c"))).task)
                for text in ("a", "b", "forget", "d")
            ]
    assert answers == ["2 ['a']", "2 ['a', 'b']", "1 ['a', 'b', 'forget']", "2 ['d']"]


async def test_a_handler_reads_other_tasks_of_its_caller_only(mesh_under_test, tmp_path):
    source = """
        async def echo(turn):
            if turn.text == "go":
                yield "the first"
            else:
                found = await turn.find_task(turn.text)
                yield "nothing" if found is None else found.artifacts[0].parts[0].text
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            first = (await agent.SendMessage(said("go"))).task
        for whose, seen in (("ada", "the first"), ("eve", "nothing")):
            with scope(Call(principal=Principal(whose))):
                assert text_of((await agent.SendMessage(said(first.id))).task) == seen


SLOW = """
    import asyncio, threading

    STOPPED = threading.Event()

    def wait(turn):
        while not turn.cancelled:
            STOPPED.wait(0.01)
        STOPPED.set()

    async def echo(turn):
        yield "begun"
        try:
            {wait}
        finally:
            assert turn.cancelled
"""


@pytest.mark.parametrize(
    "wait", ["await asyncio.Event().wait()", "await asyncio.to_thread(wait, turn)"], ids=["task", "thread"]
)
async def test_cancel_stops_a_handler_and_its_threads(mesh_under_test, tmp_path, wait):
    async with answering(mesh_under_test, tmp_path, SLOW.format(wait=wait)) as agent:
        with as_ada():
            async with streaming(agent.SendStreamingMessage(said("go"))) as events:
                task = (await anext(aiter(events))).task.id
                assert (await anext(aiter(events))).HasField("artifact_update")
                async with asyncio.timeout(1):
                    gone = await agent.CancelTask(a2a.CancelTaskRequest(id=task))
                assert gone.status.state == a2a.TASK_STATE_CANCELED
                rest = [event async for event in events]
            assert rest[-1].status_update.status.state == a2a.TASK_STATE_CANCELED
            assert text_of(gone) == "begun"


async def test_a_handler_that_swallows_its_cancellation_says_nothing_more(mesh_under_test, tmp_path):
    source = """
        import asyncio

        async def echo(turn):
            yield "begun"
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    yield "never mind"
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            task = (await agent.SendMessage(said("go", configuration={"return_immediately": True}))).task
            async with asyncio.timeout(2):
                gone = await agent.CancelTask(a2a.CancelTaskRequest(id=task.id))
            assert gone.status.state == a2a.TASK_STATE_CANCELED
            assert text_of(gone) == "begun"


async def test_a_handler_that_says_too_much_is_stopped(mesh_under_test, tmp_path):
    source = """
        async def echo(turn):
            while True:
                yield "x" * 100
    """
    async with answering(mesh_under_test, tmp_path, source, max_answer_size=2000) as agent:
        with as_ada():
            task = (await agent.SendMessage(said("go"))).task
            assert task.status.state == a2a.TASK_STATE_FAILED
            assert "max_answer_size" in task.status.message.parts[0].text
            assert text_of(task) == "x" * 2000


async def test_a_handler_has_its_time(mesh_under_test, tmp_path):
    source = """
        import asyncio

        async def echo(turn):
            await asyncio.Event().wait()
            yield "never"
    """
    async with answering(mesh_under_test, tmp_path, source, timeout="50ms") as agent:
        with as_ada():
            task = (await agent.SendMessage(said("go"))).task
            assert "took longer than 0.05 s" in task.status.message.parts[0].text


async def test_turns_of_one_session_are_taken_one_after_another(mesh_under_test, tmp_path):
    source = """
        import asyncio

        async def echo(turn):
            n = turn.state.get("n", 0)
            await asyncio.sleep(0)
            turn.state["n"] = n + 1
            yield f"{n} {len(turn.history)}"
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            sends = [agent.SendMessage(said(str(n), context="c")) for n in range(12)]
            answers = await asyncio.gather(*sends)
    assert sorted(text_of(one.task) for one in answers) == sorted(f"{n} {2 * n}" for n in range(12))


async def test_much_said_at_once_is_all_there(mesh_under_test, tmp_path):
    source = """
        from hector_agent.custom import artifact, piece

        async def echo(turn):
            for n in range(300):
                yield f"{n} "
                yield piece("log", f"{n}\\n", append=n > 0)
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            events = [event async for event in agent.SendStreamingMessage(said("go"))]
            task = await agent.GetTask(a2a.GetTaskRequest(id=events[0].task.id))
        whole = "".join(f"{n} " for n in range(300))
        assert task.artifacts[0].parts[0].text == whole
        assert retold(events)["answer-1"] == [whole]
        assert retold(events)["log"] == ["".join(f"{n}\n" for n in range(300))]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_json_is_not_said_as_json(number: float) -> None:
    with pytest.raises(ValueError, match="NaN"):
        custom.data({"rows": [1, {"deep": number}]})
    with pytest.raises(ValueError, match="NaN"):
        custom.metadata({"score": number})
    assert custom.data({"rows": [1.5, None, True, "NaN"]}).data.struct_value.fields["rows"].list_value.values
