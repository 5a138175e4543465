"""Paths, verbs, sizes, types, cards, the list of agents and the probes."""

import asyncio
import contextlib
import json
import socket
from http.client import HTTPConnection
from typing import Any

import pytest

import hector_a2a as a2a
from hector_a2a.json_in import from_json
from hector_mesh import HectorError


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/agents/helper/nothing", 404),
        ("GET", "/v1", 404),
        ("GET", "/v2/agents", 404),
        ("GET", "/agents//", 404),
        ("POST", "/agents", 405),
        ("DELETE", "/agents/helper", 405),
        ("GET", "/", 405),
        ("PUT", "/health", 405),
        ("GET", "/agents/hidden", 404),
        ("GET", "/agents/nobody", 404),
        ("POST", "/agents/nobody", 404),
        ("GET", "/agents/inside", 200),
        ("GET", "/v1/agents", 200),
        ("GET", "/v1/agents/helper/.well-known/agent-card.json", 200),
        ("HEAD", "/agents/helper", 200),
    ],
)
async def test_every_path_and_verb_has_its_answer(gateway: Any, verb: str, path: str, status: int) -> None:
    async with gateway.http.request(verb, gateway.url + path) as answer:
        assert answer.status == status
        assert answer.headers["x-request-id"]
        body = await answer.read()
        if verb == "HEAD":
            assert body == b""
        elif status >= 400:
            found = json.loads(body)["error"]
            assert found["code"] == status
            assert found["message"]
            assert found["details"][-1]["requestId"] == answer.headers["x-request-id"]
        if status == 405:
            assert answer.headers["allow"]


async def test_an_unknown_agent_is_told_the_ones_there_are(gateway: Any) -> None:
    """Ours: private agents are never among them."""
    async with gateway.http.get(gateway.url + "/agents/nobody") as answer:
        message = (await answer.json())["error"]["message"]
    assert "helper, inside, whole" in message
    assert "hidden" not in message


async def test_a_private_agent_looks_like_none(gateway: Any) -> None:
    """Decisions: private never from outside, and nobody can tell it from a missing one."""
    found = []
    for name in ("hidden", "nobody"):
        async with gateway.http.post(f"{gateway.url}/agents/{name}", json={}) as answer:
            text = (await answer.text()).replace(name, "NAME").replace(answer.headers["x-request-id"], "ID")
            found.append((answer.status, text))
    assert found[0] == found[1]


async def test_a_request_that_is_too_large_is_refused(start_gateway: Any) -> None:
    """features.md gateway.edge: 413."""
    gateway = await start_gateway(limits={"max_body_size": "10kB"})
    for data in (b"x" * 20_000, chunks()):
        headers = {"Content-Type": "application/json"}
        async with gateway.http.post(gateway.url + "/agents/helper", data=data, headers=headers) as answer:
            assert answer.status == 413
            assert "max_body_size" in (await answer.json())["error"]["message"]
    assert "result" in await gateway.rpc("GetTask", {"id": "t"})


async def test_a_client_that_sends_before_it_reads_hears_that_it_sends_too_much(start_gateway: Any) -> None:
    """Ours: most clients do, and would see a connection that was reset."""
    gateway = await start_gateway(limits={"max_body_size": "1MB"})

    def post() -> int:
        with contextlib.closing(HTTPConnection(gateway.url.removeprefix("http://"), timeout=20)) as asked:
            asked.request("POST", "/agents/helper", b"x" * 7_000_000, {"Content-Type": "application/json"})
            return asked.getresponse().status

    assert await asyncio.to_thread(post) == 413


async def test_a_request_that_does_not_arrive_is_given_up(start_gateway: Any) -> None:
    """Ours: every wait has an end."""
    gateway = await start_gateway(limits={"receive_timeout": 0.2})
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    head = "POST /agents/helper HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
    async with asyncio.timeout(5):
        assert b" 408 " in await reader.readline()
        await reader.read()
    writer.close()


async def test_agents_are_asked_for_once_for_everybody(gateway: Any, mesh_under_test: Any) -> None:
    """Ours: a slow agent service holds up nobody twice, and a caller that leaves ends nothing for others."""
    gateway.agents.wait = asyncio.Event()
    asked = [asyncio.create_task(gateway.rpc("GetTask", {"id": "t"})) for _ in range(5)]
    async with asyncio.timeout(5):
        await gateway.agents.asked.wait()
        asked[0].cancel()
        gateway.agents.wait.set()
        answers = await asyncio.gather(*asked[1:])
    assert all("result" in answer for answer in answers)
    assert gateway.agents.times == 1


async def chunks() -> Any:
    for _ in range(20):
        yield b"x" * 1000


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
async def test_only_json_is_taken_for_json(gateway: Any, kind: str) -> None:
    """Browsers can post the other kinds from any page."""
    skip = [] if kind else ["Content-Type"]
    headers = {"Content-Type": kind} if kind else {}
    request = gateway.http.post(
        gateway.url + "/agents/helper", data=b"{}", headers=headers, skip_auto_headers=skip
    )
    async with request as answer:
        assert answer.status == 415


async def test_the_clients_request_id_is_kept_if_it_makes_sense(gateway: Any) -> None:
    for given, kept in (("abc-1", True), ("with space", False), ("x" * 200, False)):
        async with gateway.http.get(gateway.url + "/live", headers={"x-request-id": given}) as answer:
            assert (answer.headers["x-request-id"] == given) is kept


async def test_agents_are_listed_with_where_to_find_them(gateway: Any) -> None:
    async with gateway.http.get(gateway.url + "/agents") as answer:
        found = (await answer.json())["agents"]
    assert [one["name"] for one in found] == ["helper", "inside", "whole"]
    assert found[0] == {
        "name": "helper",
        "title": "Helper",
        "description": "Helps.",
        "type": "",
        "visibility": "public",
        "streaming": True,
        "default": True,
        "url": f"{gateway.url}/agents/helper",
        "cardUrl": f"{gateway.url}/agents/helper/.well-known/agent-card.json",
    }


async def test_cards_are_found_at_every_place(gateway: Any) -> None:
    """A2A 1.0 section 8.2; the default agent's is at the root."""
    found = []
    for path in (
        "/.well-known/agent-card.json",
        "/agents/helper",
        "/agents/helper/.well-known/agent-card.json",
    ):
        async with gateway.http.get(gateway.url + path) as answer:
            assert answer.status == 200
            found.append(await answer.json())
    assert found[0] == found[1] == found[2]
    assert found[0]["name"] == "Helper"
    assert found[0]["url"] == f"{gateway.url}/agents/helper"


async def test_a_card_says_how_the_agent_can_be_reached(gateway: Any) -> None:
    """A2A 1.0: the first interface is preferred; a view of one version knows only that."""
    async with gateway.http.get(gateway.url + "/agents/helper", headers={"A2A-Version": "1.0"}) as answer:
        card = from_json(await answer.json(), a2a.AgentCard)
    interfaces = [(one.protocol_binding, one.protocol_version) for one in card.supported_interfaces]
    assert interfaces == [("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("GRPC", "1.0")]
    assert card.supported_interfaces[2].tenant == "helper"
    assert card.supported_interfaces[2].url == gateway.grpc_address
    async with gateway.http.get(gateway.url + "/agents/helper?A2A-Version=0.3") as answer:
        old = await answer.json()
    assert (old["protocolVersion"], old["preferredTransport"]) == ("0.3.0", "JSONRPC")
    assert "supportedInterfaces" not in old
    async with gateway.http.get(gateway.url + "/agents/helper?A2A-Version=7.0") as answer:
        assert answer.status == 400


async def test_a_card_that_has_not_changed_is_not_sent_again(gateway: Any) -> None:
    """A2A 1.0 section 8.6: ETag, Cache-Control, 304."""
    async with gateway.http.get(gateway.url + "/agents/helper") as answer:
        tag = answer.headers["etag"]
        assert answer.headers["cache-control"] == "public, max-age=60"
    for known in (tag, f'"other", W/{tag}', "*"):
        headers = {"If-None-Match": known}
        async with gateway.http.get(gateway.url + "/agents/helper", headers=headers) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
            assert answer.headers["etag"] == tag
    async with gateway.http.get(gateway.url + "/agents/inside") as answer:
        assert answer.headers["cache-control"].startswith("private")
        assert answer.headers["etag"] != tag


async def test_cards_show_the_configured_address_and_never_the_host_header(start_gateway: Any) -> None:
    """Ours: whoever can choose the Host header could send clients elsewhere."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    gateway = await start_gateway(port=port, public_url="https://agents.example.com/")
    async with gateway.http.get(gateway.url + "/agents/helper", headers={"Host": "localhost:1"}) as answer:
        found = await answer.json()
    urls = {one["url"] for one in found["supportedInterfaces"]}
    assert urls == {found["url"]} == {"https://agents.example.com/agents/helper"}


async def test_probes_say_how_it_is(gateway: Any) -> None:
    async with gateway.http.get(gateway.url + "/live") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "alive"})
    async with gateway.http.get(gateway.url + "/ready") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ready"})
    async with gateway.http.get(gateway.url + "/health") as answer:
        found = await answer.json()
    assert found["status"] == "healthy"
    assert found["auth"] == {"enabled": False, "methods": []}
    assert found["studio"] is False
    assert found["version"]


async def test_a_role_that_is_down_makes_it_unready_and_degraded(gateway: Any, mesh_under_test: Any) -> None:
    for server in mesh_under_test.servers:
        await server.stop(None)
    async with gateway.http.get(gateway.url + "/ready") as answer:
        assert answer.status == 503
        assert (await answer.json())["reasons"][0].startswith("agent: ")
    async with gateway.http.get(gateway.url + "/health") as answer:
        assert answer.status == 200
        assert (await answer.json())["status"] == "degraded"


async def test_a_port_that_is_taken_is_named_with_what_to_do(gateway: Any, start_gateway: Any) -> None:
    """features.md gateway.edge: port in use fails at start with the fix."""
    port = int(gateway.url.rpartition(":")[2])
    with pytest.raises(
        HectorError, match=rf"127.0.0.1:{port}: address already in use.*--port or `server.port:`"
    ):
        await start_gateway(port=port)
    port = int(gateway.grpc_address.rpartition(":")[2])
    with pytest.raises(HectorError, match=rf"127.0.0.1:{port}.*in use.*--grpc-port or `server.grpc_port:`"):
        await start_gateway(grpc_port=port)
    with pytest.raises(HectorError, match=r"nowhere\.invalid"):
        await start_gateway(host="nowhere.invalid", auth={"enabled": False})
