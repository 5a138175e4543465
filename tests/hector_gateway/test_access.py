"""Who gets in: credentials over HTTP and gRPC alike, and who they become."""

import stat
from typing import Any

import grpc
import pytest
from grpc.aio import AioRpcError

import hector_a2a as a2a
from hector.agent.v1 import AgentServiceStub, ListAgentsRequest
from hector_gateway.admin_secret import admin_secret, stored_hash
from hector_gateway.config import GatewaySection
from hector_mesh import HectorError, info_of

SECRET = "s3cret-admin"
KEYS = ["plain-key", {"name": "ann", "key": "anns-key", "roles": ["operator"]}]
LOCKED = {"auth": {"secret": SECRET, "api_keys": KEYS}}
BEYOND = {"host": "0.0.0.0"}

# What is shown, who that is (None: turned away).
SHOWN = [
    ("Bearer s3cret-admin", ("admin", {"admin"})),
    ("bearer s3cret-admin", ("admin", {"admin"})),
    ("Bearer plain-key", ("key-2b5cde0108a9", {"user"})),
    ("Bearer anns-key", ("ann", {"operator"})),
    (None, None),
    ("", None),
    ("Bearer", None),
    ("Bearer ", None),
    ("Bearer wrong", None),
    ("Bearer S3CRET-ADMIN", None),
    ("Bearer s3cret-admin x", None),
    ("Basic czNjcmV0LWFkbWlu", None),
    ("s3cret-admin", None),
    ("Bearer ***", None),
]


@pytest.mark.parametrize(("shown", "who"), SHOWN)
async def test_a_credential_lets_its_owner_in_over_http_and_grpc(
    start_gateway: Any, shown: str | None, who: Any
) -> None:
    """features.md auth.login: the right caller on both ports alike, and nobody else."""
    gateway = await start_gateway(**LOCKED)
    headers = {} if shown is None else {"Authorization": shown}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": gateway.said("x")}
    async with gateway.http.post(
        gateway.url + "/agents/helper", json=body, headers={"A2A-Version": "1.0", **headers}
    ) as answer:
        assert answer.status == (401 if who is None else 200)
        if who is None:
            assert answer.headers["www-authenticate"].startswith('Bearer realm="hector"')
            assert (await answer.json())["error"]["status"] == "UNAUTHENTICATED"
    metadata = [] if shown is None else [("authorization", shown)]
    async with gateway.channel() as channel:
        call = a2a.A2AServiceStub(channel).SendMessage(request("x"), metadata=metadata, timeout=5)
        if who is None:
            with pytest.raises(AioRpcError) as error:
                await call
            assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert info_of(error.value).reason == "UNAUTHENTICATED"
            assert gateway.fake.calls == []
        else:
            await call
            found = [(one.principal.id, set(one.principal.roles)) for one in gateway.fake.calls]
            assert found == [who, who]


# Path, verb, status without a credential where one is needed.
OPEN = [
    ("GET", "/live", 200),
    ("GET", "/ready", 200),
    ("GET", "/health", 200),
    ("GET", "/.well-known/agent-card.json", 200),
    ("GET", "/agents/helper", 200),
    ("GET", "/agents/helper/.well-known/agent-card.json", 200),
    ("GET", "/agents/inside", 401),
    ("GET", "/agents/hidden", 401),
    ("GET", "/agents/nobody", 401),
    ("GET", "/agents", 401),
    ("POST", "/agents/helper", 401),
    ("POST", "/agents/nobody", 401),
    ("POST", "/", 401),
    ("POST", "/v1/agents/helper", 401),
    ("GET", "/nothing", 401),
]


@pytest.mark.parametrize(("verb", "path", "status"), OPEN)
async def test_without_a_credential_there_are_probes_and_public_cards(
    start_gateway: Any, verb: str, path: str, status: int
) -> None:
    """Decisions, security defaults: everything else needs one, and nothing shows what there is."""
    gateway = await start_gateway(**LOCKED)
    async with gateway.http.request(verb, gateway.url + path, json={} if verb == "POST" else None) as answer:
        assert answer.status == status


async def test_a_locked_server_says_so_in_its_health_and_cards(start_gateway: Any) -> None:
    gateway = await start_gateway(**LOCKED)
    async with gateway.http.get(gateway.url + "/health") as answer:
        assert (await answer.json())["auth"] == {"enabled": True, "methods": ["bearer"]}
    async with gateway.http.get(gateway.url + "/agents/helper") as answer:
        card = await answer.json()
    assert card["securitySchemes"]["bearer"]["httpAuthSecurityScheme"]["scheme"] == "bearer"
    assert (card["securitySchemes"]["bearer"]["type"], card["security"]) == ("http", [{"bearer": []}])


async def test_beyond_loopback_the_admin_secret_is_made_shown_once_and_needed(
    start_gateway: Any, tmp_path: Any
) -> None:
    """Decisions: a server that listens beyond loopback always authenticates; only the hash is kept."""
    gateway = await start_gateway(**BEYOND)
    [secret] = gateway.shown
    file = tmp_path / "admin_secret.sha256"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in file.read_text()
    async with gateway.http.get(gateway.url + "/agents") as answer:
        assert answer.status == 401
    async with gateway.http.get(
        gateway.url + "/agents", headers={"Authorization": f"Bearer {secret}"}
    ) as answer:
        assert answer.status == 200
    await gateway.stop()
    again = await start_gateway(**BEYOND)
    assert again.shown == []
    async with again.http.get(again.url + "/agents", headers={"Authorization": f"Bearer {secret}"}) as answer:
        assert answer.status == 200


async def test_beyond_loopback_it_can_be_left_open_on_purpose(start_gateway: Any) -> None:
    """Decisions: that takes an explicit `server.auth.enabled: false`, and no secret is made."""
    gateway = await start_gateway(**BEYOND, auth={"enabled": False, "api_keys": KEYS})
    assert gateway.shown == []
    async with gateway.http.get(gateway.url + "/agents", headers={"Authorization": "Bearer odd"}) as answer:
        assert answer.status == 200
    assert "result" in await gateway.rpc("GetTask", {"id": "t"}, headers={"Authorization": "Bearer odd"})


async def test_on_loopback_nobody_is_asked_but_wrong_credentials_are_still_wrong(start_gateway: Any) -> None:
    """Ours: a wrong credential is never taken for none."""
    gateway = await start_gateway()
    assert gateway.shown == []
    async with gateway.channel() as channel:
        await a2a.A2AServiceStub(channel).SendMessage(request("x"), timeout=5)
    assert gateway.fake.calls[-1].principal.id == "local"


async def test_keys_on_loopback_are_asked_for_too(start_gateway: Any) -> None:
    """Ours: who configures keys wants them shown."""
    gateway = await start_gateway(auth={"api_keys": ["only-key"]})
    async with gateway.http.get(gateway.url + "/agents") as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8080"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "["},
    ],
)
async def test_a_page_of_another_origin_cannot_use_an_open_server(gateway: Any, headers: Any) -> None:
    """Ours: a browser reaches 127.0.0.1 for any page; what it says of itself gives it away."""
    async with gateway.http.get(gateway.url + "/agents", headers=headers) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8080", "LOCALHOST"])
async def test_this_machine_has_many_names(gateway: Any, host: str) -> None:
    async with gateway.http.get(gateway.url + "/agents", headers={"Host": host}) as answer:
        assert answer.status == 200


async def test_a_locked_server_may_have_any_name(start_gateway: Any) -> None:
    """Ours: there the credential decides, and a page has none."""
    gateway = await start_gateway(**LOCKED)
    headers = {"Host": "agents.example.com", "Authorization": f"Bearer {SECRET}"}
    async with gateway.http.get(gateway.url + "/agents", headers=headers) as answer:
        assert answer.status == 200


async def test_what_callers_say_of_themselves_is_left_at_the_door(start_gateway: Any) -> None:
    """Architecture: identity comes from the credential, on gRPC as on HTTP."""
    gateway = await start_gateway(**LOCKED)
    said = [
        ("authorization", "Bearer plain-key"),
        ("hector-principal", "root"),
        ("hector-roles", "admin"),
        ("hector-app", "other"),
        ("hector-instance", "agents.hidden"),
        ("hector-mesh-token", "x"),
    ]
    async with gateway.channel() as channel:
        await a2a.A2AServiceStub(channel).SendMessage(request("x"), metadata=said, timeout=5)
    call = gateway.fake.calls[-1]
    assert (call.principal.roles, call.app, call.instance) == ({"user"}, "default", "")


async def test_agents_are_visible_alike_over_both_ports(start_gateway: Any) -> None:
    """Decisions: internal agents need an authenticated caller; with authentication off, this machine's."""
    locked, local = await start_gateway(**LOCKED), await start_gateway()
    for gateway, metadata in ((locked, [("authorization", "Bearer anns-key")]), (local, [])):
        async with gateway.channel() as channel:
            found = await AgentServiceStub(channel).ListAgents(
                ListAgentsRequest(), metadata=metadata, timeout=5
            )
        assert [one.name for one in found.agents] == ["helper", "inside", "whole"]


def test_an_admin_secret_that_is_configured_is_not_made(tmp_path: Any) -> None:
    file = tmp_path / "secret"
    for server in (
        {"host": "0.0.0.0", "auth": {"secret": "given", "secret_file": file}},
        {"host": "0.0.0.0", "auth": {"api_keys": ["k"], "secret_file": file}},
        {"host": "127.0.0.1", "auth": {"secret_file": file}},
        {"host": "0.0.0.0", "auth": {"enabled": False, "secret_file": file}},
    ):
        assert admin_secret(GatewaySection.model_validate({"server": server})) is None
    assert not file.exists()
    made = admin_secret(
        GatewaySection.model_validate({"server": {"auth": {"enabled": True, "secret_file": file}}})
    )
    assert made is not None
    assert stored_hash(file) is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


@pytest.mark.parametrize("content", ["", "nonsense", "abcd", "\x00"])
def test_a_hash_that_is_none_stops_the_start(tmp_path: Any, content: str) -> None:
    """Ours: half-configured authentication is never off."""
    file = tmp_path / "secret"
    file.write_text(content)
    config = GatewaySection.model_validate({"server": {**BEYOND, "auth": {"secret_file": file}}})
    with pytest.raises(HectorError, match="delete the file"):
        admin_secret(config)


def request(text: str) -> a2a.SendMessageRequest:
    found = a2a.SendMessageRequest()
    found.message.message_id, found.message.role = "m", a2a.ROLE_USER
    found.message.parts.add(text=text)
    return found


def test_a_secret_that_cannot_be_kept_is_not_made(tmp_path: Any) -> None:
    (tmp_path / ".hector").write_text("")
    server = {"auth": {"enabled": True, "secret_file": tmp_path / ".hector" / "secret"}}
    with pytest.raises(HectorError, match=r"\.hector is no folder.*HECTOR_AUTH_SECRET"):
        admin_secret(GatewaySection.model_validate({"server": server}))
