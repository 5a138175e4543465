"""Ours: sessions and artifacts are their owner's over HTTP, whatever is done with them."""

import asyncio
import hashlib
from typing import Any

import pytest
from support.open_doors import opened
from support.scripted_agent import ScriptedModel

from hector.llm.v1 import StreamTextResponse

KEYS = {
    "api_keys": [
        {"name": "ann", "key": "anns-key", "roles": ["user"]},
        {"name": "bob", "key": "bobs-key", "roles": ["user"]},
    ]
}
ANN, BOB = {"Authorization": "Bearer anns-key"}, {"Authorization": "Bearer bobs-key"}
PNG = b"\x89PNG and so on"


async def asked(place: Any, verb: str, path: str, headers: Any = ANN, **more: Any) -> tuple[int, Any]:
    async with place.http.request(verb, place.url + path, headers=headers, **more) as answer:
        kind = answer.headers.get("content-type", "")
        return answer.status, await (answer.json() if "json" in kind else answer.read())


async def test_a_session_is_created_appended_to_looked_at_and_deleted(mesh_under_test, tmp_path):
    model = ScriptedModel("hello")
    async with opened(mesh_under_test, tmp_path, model, server={"auth": KEYS}) as place:
        status, made = await asked(place, "POST", "/api/sessions", json={"session": "s 1", "state": {"a": 1}})
        assert (status, made["name"], made["agent"], made["state"]) == (201, "s 1", "assistant", {"a": 1})
        told = {
            "messages": [{"text": "I am Ann."}, {"role": "assistant", "text": "Hello Ann."}],
            "state": {"a": None, "user:name": "Ann"},
            "idempotencyKey": "k",
        }
        for _ in range(2):
            assert await asked(place, "POST", "/api/sessions/s%201/append", json=told) == (
                200,
                {"position": 2},
            )
        assert await asked(place, "POST", "/api/sessions/s%201/append", json={"state": {"b": [2]}}) == (
            200,
            {"position": 0},
        )
        await place.doors(token="anns-key")[1].send("hi", contextId="s 1")
        shown = [message.parts[0].text for message in model.requests[0].messages]
        assert shown == ["Be brief.", "I am Ann.", "Hello Ann.", "hi"]
        status, found = await asked(place, "GET", "/api/sessions/s%201")
        assert [one["parts"][0]["text"] for one in found["messages"]] == [
            *("I am Ann.", "Hello Ann.", "hi", "hello "),
        ]
        assert (found["state"], found["runs"]) == ({"b": [2], "user:name": "Ann"}, 1)
        _, short = await asked(place, "GET", "/sessions/s%201?historyLength=1")
        assert [one["parts"][0]["text"] for one in short["messages"]] == ["hello "]
        _, listed = await asked(place, "GET", "/api/sessions?agent=assistant")
        assert [(one["name"], "state" in one) for one in listed["sessions"]] == [("s 1", False)]
        assert await asked(place, "DELETE", "/api/sessions/s%201") == (200, {"runs": 4})
        assert (await asked(place, "GET", "/api/sessions/s%201"))[0] == 404
        _, another = await asked(place, "POST", "/api/sessions", json={})
        assert another["state"] == {"user:name": "Ann"}


async def test_a_session_of_somebody_else_is_not_there(mesh_under_test, tmp_path):
    async with opened(mesh_under_test, tmp_path, server={"auth": KEYS}) as place:
        await asked(place, "POST", "/api/sessions", json={"session": "s"})
        await asked(place, "PUT", "/api/sessions/s/artifacts/x", data=b"1")
        await asked(place, "PUT", "/api/artifacts/user:x", data=b"1")
        for verb, path in (
            ("GET", "/api/sessions/s"),
            ("DELETE", "/api/sessions/s"),
            ("POST", "/api/sessions/s/append"),
            ("GET", "/api/sessions/s/artifacts"),
            ("GET", "/api/sessions/s/artifacts/x"),
            ("PUT", "/api/sessions/s/artifacts/x"),
            ("GET", "/api/artifacts/user:x"),
        ):
            body = {"json": {"messages": [{"text": "x"}]}} if verb == "POST" else {}
            assert (await asked(place, verb, path, BOB, **body))[0] == 404, (verb, path)
            assert (await asked(place, verb, path, {}, **body))[0] == 401, (verb, path)
        assert (await asked(place, "GET", "/api/sessions", BOB))[1]["sessions"] == []
        assert (await asked(place, "GET", "/api/artifacts", BOB))[1]["artifacts"] == []
        assert (await asked(place, "POST", "/api/sessions", BOB, json={"session": "s"}))[0] == 201


@pytest.mark.parametrize(
    ("verb", "path", "body", "status"),
    [
        ("POST", "/api/sessions", {"session": "s"}, 409),
        ("POST", "/api/sessions", {"session": "x" * 256}, 400),
        ("POST", "/api/sessions", {"agent": "nobody"}, 404),
        ("POST", "/api/sessions", {"state": [1]}, 400),
        ("POST", "/api/sessions", {"state": {"k" * 129: 1}}, 400),
        ("POST", "/api/sessions/s/append", {}, 400),
        ("POST", "/api/sessions/s/append", {"messages": "x"}, 400),
        ("POST", "/api/sessions/s/append", {"messages": [{"role": "system", "text": "x"}]}, 400),
        ("POST", "/api/sessions/s/append", {"messages": [{"parts": []}]}, 400),
        ("PUT", "/api/sessions", {}, 405),
        ("GET", "/api/sessions/s/append", None, 405),
        ("GET", "/api/sessions/s/nothing", None, 404),
        ("GET", "/api/sessions/s?historyLength=-1", None, 400),
        ("GET", "/api/artifacts/not-a-users", None, 400),
        ("GET", "/api/sessions/s/artifacts/x?version=many", None, 400),
        ("PUT", f"/api/sessions/s/artifacts/{'x' * 129}", {}, 400),
    ],
)
async def test_what_cannot_be_done_is_said(mesh_under_test, tmp_path, verb, path, body, status):
    async with opened(mesh_under_test, tmp_path, server={"auth": KEYS}) as place:
        await asked(place, "POST", "/api/sessions", json={"session": "s"})
        found = await asked(place, verb, path, **({} if body is None else {"json": body}))
        assert found[0] == status, found


async def test_artifacts_are_saved_listed_loaded_and_deleted(mesh_under_test, tmp_path):
    async with opened(mesh_under_test, tmp_path, server={"auth": KEYS}) as place:
        await asked(place, "POST", "/api/sessions", json={"session": "s"})
        path, png = "/api/sessions/s/artifacts/plots/a%20b.png", {**ANN, "content-type": "image/png"}
        for number, data in enumerate((PNG, PNG * 2), 1):
            status, saved = await asked(place, "PUT", f"{path}?description=Mine", png, data=data)
            assert (status, saved["version"], saved["mediaType"]) == (201, number, "image/png")
        status, saved = await asked(place, "PUT", "/api/artifacts/user:notes", data=b"mine")
        assert (status, saved["name"], "session" in saved) == (201, "user:notes", False)
        _, listed = await asked(place, "GET", "/api/sessions/s/artifacts")
        assert [(one["name"], one["version"]) for one in listed["artifacts"]] == [
            ("plots/a b.png", 2),
            ("user:notes", 1),
        ]
        _, versions = await asked(place, "GET", "/api/sessions/s/artifacts?name=plots/a%20b.png&pageSize=1")
        assert [one["version"] for one in versions["artifacts"]] == [2]
        assert versions["nextPageToken"]
        assert await asked(place, "GET", f"{path}?version=1") == (200, PNG)
        async with place.http.get(place.url + path, headers=ANN) as answer:
            assert await answer.read() == PNG * 2
            assert answer.headers["content-type"] == "image/png"
            assert answer.headers["hector-artifact-version"] == "2"
            assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20b.png"
            assert "sandbox" in answer.headers["content-security-policy"]
        assert await asked(place, "DELETE", f"{path}?version=2") == (200, {"versions": 1})
        assert await asked(place, "GET", path) == (200, PNG)
        assert await asked(place, "DELETE", path) == (200, {"versions": 1})
        assert (await asked(place, "GET", path))[0] == 404
        await asked(place, "DELETE", "/api/sessions/s")
        assert await asked(place, "GET", "/api/artifacts/user:notes") == (200, b"mine")
        assert hashlib.sha256(PNG).digest()  # it is their bytes that came back, and not ours


async def test_a_session_at_work_is_deleted_when_what_is_in_it_may_be_cancelled(mesh_under_test, tmp_path):
    begun = asyncio.Event()

    async def endless(request):
        begun.set()
        yield StreamTextResponse(text="on ")
        await asyncio.Event().wait()

    async with opened(mesh_under_test, tmp_path, ScriptedModel(endless), server={"auth": KEYS}) as place:
        door = place.doors(token="anns-key")[1]
        task = await door.send("hi", wait=False, contextId="s")
        async with asyncio.timeout(10):
            await begun.wait()
        status, busy = await asked(place, "DELETE", "/api/sessions/s")
        assert (status, task["id"] in busy["error"]["message"]) == (400, True)
        assert await asked(place, "DELETE", "/api/sessions/s?cancel=true") == (200, {"runs": 1})
        assert (await asked(place, "GET", "/api/sessions/s"))[0] == 404
