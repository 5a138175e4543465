"""features.md, config.check and config.env: the schema and the running config, to read."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

import hector_a2a as a2a
from hector_gateway.config import GatewaySection
from hector_gateway.config_source import ConfigSource
from hector_gateway.room import Border

SCHEMA = b'{"$id": "urn:x"}'
REVISIONS = {number: {"revision": f"hash{number}", "number": number} for number in range(1, 61)}


class Source:
    """Shows fixed things."""

    async def schema(self) -> bytes:
        return SCHEMA

    async def config(self) -> Mapping[str, object]:
        return {"revision": "hash60", "number": 60, "config": {"llms": {"m": {"api_key": "***"}}}}

    async def revisions(self, before: int | None, limit: int) -> list[Mapping[str, object]]:
        numbers = sorted(REVISIONS, reverse=True)
        return [REVISIONS[number] for number in numbers if before is None or number < before][:limit]

    async def revision(self, which: str) -> Mapping[str, object] | None:
        return (
            {**REVISIONS[int(which)], "text": "{}"} if which.isdecimal() and int(which) in REVISIONS else None
        )


def shown() -> ConfigSource:
    given = Source()
    return ConfigSource("hash60", given.schema, given.config, given.revisions, given.revision)


@pytest.fixture
async def served(mesh_under_test: Any, tmp_path: Any) -> AsyncIterator[Any]:
    """Return what starts a border that shows a config, and gives a session for it."""
    source = shown()
    async with AsyncExitStack() as stack, asyncio.timeout(60):

        async def start(**auth: Any) -> aiohttp.ClientSession:
            keys = {"secret_file": tmp_path / "secret", **auth}
            config = GatewaySection.model_validate({"server": {"port": 0, "grpc_port": None, "auth": keys}})
            border = Border(config, mesh_under_test.mesh, lambda made: None, source)
            await stack.enter_async_context(border.running())
            return await stack.enter_async_context(aiohttp.ClientSession(border.public.url))

        yield start


@pytest.mark.parametrize("path", ["/schema", "/api/schema", "/api/schema/"])
async def test_the_schema_is_at_both_addresses_and_kept_by_clients(served: Any, path: str) -> None:
    client = await served()
    async with client.get(path) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/schema+json")
        assert await answer.read() == SCHEMA
        tag = answer.headers["ETag"]
    async with client.get(path, headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    async with client.head(path) as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_the_config_comes_with_its_revision(served: Any) -> None:
    client = await served()
    async with client.get("/api/config") as answer:
        found = await answer.json()
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "private, no-cache")
    assert (found["revision"], found["number"]) == ("hash60", 60)
    assert found["config"]["llms"]["m"]["api_key"] == "***"


async def test_revisions_are_paged_from_the_latest(served: Any) -> None:
    client = await served()
    for query, first, count in (
        ("", 60, 50),
        ("?limit=2", 60, 2),
        ("?before=3", 2, 2),
        ("?limit=999", 60, 60),
    ):
        async with client.get(f"/api/config/revisions{query}") as answer:
            found = (await answer.json())["revisions"]
            assert (found[0]["number"], len(found)) == (first, count), query
    async with client.get("/api/config/revisions/7") as answer:
        assert await answer.json() == {"revision": "hash7", "number": 7, "text": "{}"}


@pytest.mark.parametrize(
    ("verb", "path", "status", "reason"),
    [
        ("GET", "/api/config/revisions/999", 404, "REVISION_NOT_FOUND"),
        ("GET", "/api/config/revisions?limit=0", 400, "QUERY_REFUSED"),
        ("GET", "/api/config/revisions?before=x", 400, "QUERY_REFUSED"),
        ("PUT", "/api/config", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/api/config", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/schema", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/api/configs", 404, "NO_SUCH_PATH"),
    ],
)
async def test_what_it_does_not_do_is_said(
    served: Any, verb: str, path: str, status: int, reason: str
) -> None:
    client = await served()
    async with client.request(verb, path) as answer:
        found = await answer.json()
        assert (answer.status, found["error"]["details"][0]["reason"]) == (status, reason)
        assert (answer.headers.get("Allow") == "GET, HEAD") == (status == 405)


async def test_the_config_is_for_the_admin_where_credentials_are_needed(served: Any) -> None:
    client = await served(
        secret="the-admin", api_keys=[{"key": "a-user", "name": "ada", "roles": ["operator"]}]
    )
    paths = ("/api/config", "/api/config/revisions", "/api/config/revisions/1", "/schema")
    for token, expected in ((None, [401] * 4), ("a-user", [403, 403, 403, 200]), ("the-admin", [200] * 4)):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        found = []
        for path in paths:
            async with client.get(path, headers=headers) as answer:
                found.append(answer.status)
        assert found == expected, token


async def test_a_border_without_a_source_has_no_such_pages(gateway: Any) -> None:
    for path in ("/schema", "/api/config"):
        async with gateway.http.get(gateway.url + path) as answer:
            assert answer.status == 404


async def test_every_call_says_which_revision_it_came_in_on(start_gateway: Any) -> None:
    """Architecture: a run finishes on the config it began with, so it has to know which that was."""
    gateway = await start_gateway(source=shown())
    await gateway.rpc("SendMessage", gateway.said("hello"))
    await gateway.events("SendStreamingMessage", gateway.said("hello"))
    async with gateway.channel() as channel:
        request = a2a.SendMessageRequest()
        request.message.message_id, request.message.role = "m", a2a.ROLE_USER
        request.message.parts.add(text="hello")
        await a2a.A2AServiceStub(channel).SendMessage(request, timeout=20)
    assert [call.revision for call in gateway.fake.calls] == ["hash60"] * 3
