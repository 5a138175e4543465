"""State by scope: set by tools, by code of the operator's and by hand; seen by all turns that may see it."""

import json

import grpc
import pytest
from support.custom_agent import answering, said
from support.scripted_agent import ScriptedModel, ScriptedTools, as_ada, ask, serving, text_of

import hector_a2a as a2a
from hector.agent.v1 import (
    AgentServiceStub,
    AppendToSessionRequest,
    CreateSessionRequest,
    GetSessionRequest,
    ListArtifactsRequest,
    LoadArtifactRequest,
    SaveArtifactRequest,
    TailRequest,
)
from hector.common.v1 import ROLE_USER, Artifact, Blob, Message, Part, Tool
from hector.tool.v1 import ExecuteToolResponse, ListToolsResponse
from hector_agent.sessions.rebuilding import rebuild_states
from hector_mesh import Call, Principal, info_of, scope
from hector_store import opened
from hector_store.schema import run_events, states

SOURCE = """
    async def echo(turn):
        for word in turn.text.split():
            key, _, value = word.partition("=")
            if value == "-":
                turn.state.pop(key, None)
            elif value:
                turn.state[key] = value
        yield " ".join(f"{key}={value}" for key, value in sorted(turn.state.items()))
"""


def as_bob():
    return scope(Call(principal=Principal("bob", frozenset({"user"}))))


async def told(agent, text: str, context: str) -> str:
    return text_of((await agent.SendMessage(said(text, context=context))).task)


async def test_each_scope_is_seen_where_it_belongs(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, SOURCE) as agent:
        with as_ada():
            assert await told(agent, "x=1 user:x=2 app:x=3 temp:x=4", "c1") == (
                "app:x=3 temp:x=4 user:x=2 x=1"
            )
            assert await told(agent, "look", "c1") == "app:x=3 user:x=2 x=1"
            assert await told(agent, "look", "c2") == "app:x=3 user:x=2"
            assert await told(agent, "look", "") == "app:x=3 user:x=2"
        with as_bob():
            assert await told(agent, "look", "c1") == "app:x=3"
            assert await told(agent, "app:x=- user:y=5", "c1") == "user:y=5"
        with as_ada():
            assert await told(agent, "user:x=-", "c1") == "x=1"
            assert await told(agent, "look", "c3") == ""


async def test_temporary_state_never_reaches_the_database(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, SOURCE) as agent:
        with as_ada():
            await told(agent, "temp:secret=x1x", "c1")
            await told(agent, "temp:secret=x1x kept=1", "c2")
    async with opened(f"sqlite://{tmp_path}/runs.db") as database:
        rows = await database.read(lambda connection: connection.execute(run_events.select()).all())
        kept = await database.read(lambda connection: connection.execute(states.select()).all())
    changes = [row.payload for row in rows if row.kind == "state_changed"]
    assert len(changes) == 1
    assert b"secret" not in changes[0]
    assert [row.name for row in kept] == ["kept"]


async def test_what_events_say_makes_the_same_state_anew(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, SOURCE) as agent:
        with as_ada():
            await told(agent, "x=1 y=2 user:x=2 app:x=3", "c1")
            await told(agent, "x=4 y=- user:z=9", "c1")
            await told(agent, "user:x=7", "c2")
    async with opened(f"sqlite://{tmp_path}/runs.db") as database:

        async def found():
            rows = await database.read(lambda connection: connection.execute(states.select()).all())
            return sorted(tuple(row) for row in rows)

        before = await found()
        assert len(before) == 5, "that y was removed is known"
        assert await rebuild_states(database) == 0
        await database.write(lambda connection: connection.execute(states.delete()).rowcount)
        assert await rebuild_states(database) == len(before)
        assert await found() == before


async def test_state_of_an_older_version_is_there_after_the_first_start(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, SOURCE) as agent:
        with as_ada():
            await told(agent, "x=1", "c1")
            url = f"sqlite://{tmp_path}/runs.db"
            async with opened(url) as database:  # as a migration leaves it
                await database.write(lambda c: c.exec_driver_sql("DELETE FROM states").rowcount)
                await database.write(lambda c: c.exec_driver_sql("DELETE FROM marks").rowcount)
            assert await told(agent, "look", "c1") == ""
    async with answering(mesh_under_test, tmp_path, SOURCE) as agent:
        with as_ada():
            assert await told(agent, "look", "c1") == "x=1"


async def test_keys_that_cannot_be_kept_end_the_turn_with_a_reason(mesh_under_test, tmp_path, caplog):
    async with answering(mesh_under_test, tmp_path, SOURCE) as agent:
        with as_ada():
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await agent.SendMessage(said("k" * 129 + "=1", context="c"))
            assert info_of(refused.value).reason == "INVALID_AGENT_RESPONSE"
            assert "129 characters" in next(record.why for record in caplog.records if hasattr(record, "why"))
            assert await told(agent, "k" * 128 + "=1", "c") == "k" * 128 + "=1"


class Forgetful(ScriptedTools):
    """`echo` wants to remember what cannot be kept."""

    async def ExecuteTool(self, request, context):
        return ExecuteToolResponse(success=True, result="x", state_delta_json=json.dumps({"user:k ": 1}))


async def test_a_tool_is_told_which_key_it_cannot_keep(mesh_under_test, tmp_path):
    model = ScriptedModel([("echo", {})], "done")
    async with serving(mesh_under_test, tmp_path, model, Forgetful()):
        with as_ada():
            task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    result = model.requests[1].messages[-1].parts[0].tool_result
    assert "'k '" in result.parts[0].text
    assert result.error


class Draws(ScriptedTools):
    """`draw` makes a picture that is larger each time, and remembers how many there are."""

    async def ListTools(self, request, context):
        tool = Tool(
            name="draw", description="d", instance="tools.draw", state_keys=["user:drawn", "temp:pen"]
        )
        return ListToolsResponse(tools=[tool])

    async def ExecuteTool(self, request, context):
        self.calls.append(request)
        drawn = json.loads(request.context.state_json or "{}").get("user:drawn", 0) + 1
        picture = Blob(media_type="image/png", data=b"x" * drawn)
        artifacts = [
            Artifact(name=name, description="Drawn.", parts=[Part(blob=picture)])
            for name in ("chart.png", "user:last.png", "")
        ]
        delta = {"user:drawn": drawn, "temp:pen": "blue"}
        return ExecuteToolResponse(
            success=True, result="drawn", state_delta_json=json.dumps(delta), artifacts=artifacts
        )


async def test_what_tools_make_has_versions_and_what_they_remember_scopes(mesh_under_test, tmp_path):
    """`artifact.store`: a tool saves chart.png twice; both versions can be loaded, and the task has both."""
    model, tools = ScriptedModel([("draw", {})], [("draw", {})], "done", [("draw", {})], "done"), Draws()
    async with serving(mesh_under_test, tmp_path, model, tools):
        with as_ada():
            stub, agents = a2a.A2AServiceStub(mesh_under_test.mesh), AgentServiceStub(mesh_under_test.mesh)
            task = (await stub.SendMessage(ask("draw twice"))).task
            other = (await stub.SendMessage(ask("draw"))).task
            here = task.context_id
            listed = (await agents.ListArtifacts(ListArtifactsRequest(session=here))).artifacts
            loaded = [
                await agents.LoadArtifact(
                    LoadArtifactRequest(session=here, name="chart.png", version=version)
                )
                for version in (1, 2, 0)
            ]
            last = await agents.LoadArtifact(LoadArtifactRequest(name="user:last.png"))
            events = [
                response.event
                async for response in agents.Tail(TailRequest(run=task.id, committed_only=True))
            ]
    assert [(one.name, one.version, one.run) for one in listed] == [
        ("chart.png", 2, task.id),
        ("user:last.png", 3, other.id),
    ]
    assert [len(one.artifact.parts[0].blob.data) for one in loaded] == [1, 2, 2]
    assert loaded[0].stored.media_type == "image/png"
    assert len(last.artifact.parts[0].blob.data) == 3
    shown = [artifact.name for artifact in task.artifacts if artifact.name == "chart.png"]
    assert shown == ["chart.png"] * 2
    seen = [json.loads(call.context.state_json or "{}") for call in tools.calls]
    assert seen == [{}, {"user:drawn": 1, "temp:pen": "blue"}, {"user:drawn": 2}]
    ended = [event.tool_finished.result for event in events if event.HasField("tool_finished")]
    assert not any(result.artifacts or result.state_delta_json for result in ended), "they have events"
    assert not any("temp:" in event.state_changed.delta_json for event in events)


async def test_state_and_messages_by_hand_are_seen_by_the_next_turn(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, SOURCE) as agent:
        with as_ada():
            agents = AgentServiceStub(mesh_under_test.mesh)
            made = await agents.CreateSession(CreateSessionRequest(state_json='{"x": 1, "user:y": 2}'))
            name = made.session.name
            assert await told(agent, "z=3", name) == "user:y=2 x=1 z=3"
            words = Message(role=ROLE_USER, parts=[Part(text="by hand")])
            added = AppendToSessionRequest(
                session=name, messages=[words], state_delta_json='{"x": null, "temp:t": 1}'
            )
            assert (await agents.AppendToSession(added)).position == 3
            assert await told(agent, "look", name) == "user:y=2 z=3"
            session = (await agents.GetSession(GetSessionRequest(session=name, history_length=3))).session
            assert [message.parts[0].text for message in session.messages] == [
                "by hand",
                "look",
                "user:y=2 z=3",
            ]
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await agents.CreateSession(CreateSessionRequest(session=name))
            assert info_of(refused.value).reason == "SESSION_EXISTS"
            with pytest.raises(grpc.aio.AioRpcError) as gone:
                await agents.AppendToSession(
                    AppendToSessionRequest(session="none", state_delta_json='{"x": 1}')
                )
            assert info_of(gone.value).reason == "SESSION_NOT_FOUND"


async def test_an_artifact_is_refused_that_is_too_large_or_has_no_place(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, SOURCE):
        with as_ada():
            agents = AgentServiceStub(mesh_under_test.mesh)
            large = Artifact(name="user:x", parts=[Part(blob=Blob(data=b"x" * (17 << 20)))])
            small = Artifact(name="x", parts=[Part(text="x")])
            for request, reason in (
                (SaveArtifactRequest(artifact=large), "ARTIFACT_TOO_LARGE"),
                (SaveArtifactRequest(artifact=small), "NOT_TO_BE_KEPT"),
                (SaveArtifactRequest(artifact=small, session="none"), "SESSION_NOT_FOUND"),
                (SaveArtifactRequest(artifact=Artifact(name="user:y")), "NOT_TO_BE_KEPT"),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await agents.SaveArtifact(request)
                assert info_of(refused.value).reason == reason


async def test_no_more_of_a_session_is_shown_than_its_agent_wants(mesh_under_test, tmp_path):
    model = ScriptedModel("a1", [("echo", {"x": 1})], "a2", "a3", "a4")
    window = {"strategy": "buffer_window", "window_size": 6}
    async with serving(mesh_under_test, tmp_path, model, context=window):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            for text in ("q1", "q2", "q3", "q4"):
                await stub.SendMessage(ask(text, "c"))
    shown = [[part.text for m in asked.messages for part in m.parts if part.text] for asked in model.requests]
    assert shown[1] == ["Be brief.", "q1", "a1 ", "q2"]
    assert shown[3] == ["Be brief.", "q1", "a1 ", "q2", "a2 ", "q3"]
    assert shown[4] == ["Be brief.", "q2", "a2 ", "q3", "a3 ", "q4"], "whole turns: q2 made four messages"


async def test_an_instruction_says_what_the_session_knows(mesh_under_test, tmp_path):
    """`session.state`: four scopes and an artifact; what is no key stays, what may be missing is empty."""
    instruction = (
        "City {city}, of {user:name}, by {app:rule}, {temp:pen?}{none?}. Notes: {artifact.notes.txt}. "
        'Write {"a": 1}, {}, ${HOME}, {{x}} or {two words}.'
    )
    model, tools = ScriptedModel("ok", [("draw", {})], "ok", "ok"), Draws()
    async with serving(mesh_under_test, tmp_path, model, tools, instruction=instruction):
        with as_ada():
            stub, agents = a2a.A2AServiceStub(mesh_under_test.mesh), AgentServiceStub(mesh_under_test.mesh)
            state = {"city": "Rome", "user:name": "Ada", "app:rule": {"x": [1]}}
            made = await agents.CreateSession(CreateSessionRequest(state_json=json.dumps(state)))
            here = made.session.name
            notes = Artifact(name="notes.txt", parts=[Part(blob=Blob(data=b"be kind"))])
            await agents.SaveArtifact(SaveArtifactRequest(session=here, artifact=notes))
            await stub.SendMessage(ask("hi", here))
            await stub.SendMessage(ask("draw", here))
            missing = (await stub.SendMessage(ask("hi"))).task
    told = [asked.messages[0].parts[0].text for asked in model.requests]
    rest = 'Notes: be kind. Write {"a": 1}, {}, ${HOME}, {{x}} or {two words}.'
    assert told[0] == f'City Rome, of Ada, by {{"x": [1]}}, . {rest}'
    assert told[2] == f'City Rome, of Ada, by {{"x": [1]}}, blue. {rest}', "as a tool has set it meanwhile"
    assert missing.status.state == a2a.TASK_STATE_FAILED
    assert "{city}" in missing.status.message.parts[0].text
    assert "{city?}" in missing.status.message.parts[0].text
