"""Ours: deliveries that were given up can be seen and driven anew, by whoever the agent service lets."""

from typing import Any

ALICE = {"Authorization": "Bearer alices-key"}
KEYS = {"api_keys": [{"name": "alice", "key": "alices-key", "roles": ["operator"]}]}


async def test_deliveries_are_listed_as_the_caller(start_gateway: Any) -> None:
    gateway = await start_gateway(auth=KEYS)
    url = f"{gateway.url}/api/push?state=PUSH_STATE_DEAD&pageSize=5"
    async with gateway.http.get(url, headers=ALICE) as answer:
        assert answer.status == 200
        assert answer.headers["cache-control"] == "private, no-store"
        found = await answer.json()
    assert found == {
        "pushConfigs": [{"run": "t", "id": "c", "state": "PUSH_STATE_DEAD"}],
        "nextPageToken": "",
    }
    ((principal, request),) = gateway.agents.asked_of_push
    assert (principal.id, principal.roles) == ("alice", {"operator"})
    assert (request.state, request.page_size) == (2, 5)


async def test_a_delivery_is_driven_anew(start_gateway: Any) -> None:
    gateway = await start_gateway(auth=KEYS)
    url = f"{gateway.url}/api/push/retry?run=t&id=c%2Fd"
    async with gateway.http.post(url, headers=ALICE) as answer:
        assert answer.status == 200
        assert await answer.json() == {"run": "t", "id": "c/d"}


async def test_other_verbs_paths_and_callers_are_refused(start_gateway: Any) -> None:
    gateway = await start_gateway(auth=KEYS)
    for verb, path, headers, status in (
        ("GET", "/api/push", {}, 401),
        ("POST", "/api/push/retry", {}, 401),
        ("POST", "/api/push", ALICE, 405),
        ("GET", "/api/push/retry", ALICE, 405),
        ("GET", "/api/push/other", ALICE, 404),
        ("GET", "/api/push?state=NONE", ALICE, 400),
    ):
        async with gateway.http.request(verb, gateway.url + path, headers=headers) as answer:
            assert (verb, path, answer.status) == (verb, path, status)
    assert gateway.agents.asked_of_push == []
