"""Ours: admins erase users over HTTP, and everybody pins what is their own."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hector.agent.v1 import add_HistoryServiceServicer_to_server
from hector_agent.history_servicer import HistoryServicer
from hector_store import Database, NewRun, RunLog, opened

KEYS = {
    "api_keys": [
        {"name": "ada", "key": "adas-key", "roles": ["user"]},
        {"name": "root", "key": "roots-key", "roles": ["admin"]},
    ]
}
ADA, ROOT = ({"Authorization": f"Bearer {key}"} for key in ("adas-key", "roots-key"))


@pytest.fixture
async def database(mesh_under_test: Any) -> AsyncIterator[Database]:
    async with opened("inmemory") as database:
        servicer = HistoryServicer([database])
        await mesh_under_test.serve(lambda on: add_HistoryServiceServicer_to_server(servicer, on))
        yield database


async def run_of(database: Database, owner: str) -> str:
    new = NewRun(app="default", owner=owner, agent="a", context_id="c", state="RUN_STATE_COMPLETED")
    return (await RunLog(database).create(new)).run_id


async def asked(gateway: Any, verb: str, path: str, headers: Any) -> tuple[int, Any]:
    async with (
        asyncio.timeout(10),
        gateway.http.request(verb, gateway.url + path, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def test_an_admin_erases_a_user_and_gets_a_receipt(start_gateway: Any, database: Database) -> None:
    gateway = await start_gateway(auth=KEYS)
    await run_of(database, "ada")
    bobs = await run_of(database, "bob")
    status, receipt = await asked(gateway, "POST", "/admin/erase?user=ada", ROOT)
    assert (status, receipt["counts"], receipt["whole"]) == (200, {"runs": "1"}, True)
    assert await RunLog(database).get("default", "bob", bobs)
    assert await asked(gateway, "GET", "/admin/receipts?user=ada", ROOT) == (200, {"receipts": [receipt]})
    assert (await asked(gateway, "GET", "/admin/receipts?user=bob", ROOT))[1] == {"receipts": []}


async def test_nobody_but_admins_erases(start_gateway: Any, database: Database) -> None:
    gateway = await start_gateway(auth=KEYS)
    run = await run_of(database, "ada")
    for verb, path, headers, expected in (
        ("POST", "/admin/erase?user=ada", {}, 401),
        ("POST", "/admin/erase?user=ada", ADA, 403),
        ("GET", "/admin/receipts", ADA, 403),
        ("GET", "/admin/erase?user=ada", ROOT, 405),
        ("POST", "/admin/erase", ROOT, 400),
    ):
        status, _ = await asked(gateway, verb, path, headers)
        assert (verb, path, status) == (verb, path, expected)
    assert await RunLog(database).get("default", "ada", run)


async def test_who_reaches_an_open_server_from_its_own_machine_may_erase(
    start_gateway: Any, database: Database
) -> None:
    gateway = await start_gateway(auth={"enabled": False})
    assert (await asked(gateway, "POST", "/admin/erase?user=ada", {}))[0] == 200


async def test_everybody_pins_what_is_their_own(start_gateway: Any, database: Database) -> None:
    gateway = await start_gateway(auth=KEYS)
    run, bobs = await run_of(database, "ada"), await run_of(database, "bob")
    assert (await asked(gateway, "PUT", f"/api/pins?run={run}", ADA))[0] == 200
    assert (await asked(gateway, "PUT", "/api/pins?session=c", ADA))[0] == 200
    assert (await asked(gateway, "PUT", f"/api/pins?run={bobs}", ADA))[0] == 404
    assert (await asked(gateway, "PUT", "/api/pins", ADA))[0] == 400
    pins = {"pins": [{"run": run}, {"session": "c"}]}
    assert await asked(gateway, "GET", "/api/pins", ADA) == (200, pins)
    assert (await asked(gateway, "DELETE", f"/api/pins?run={run}", ADA))[0] == 200
    assert (await asked(gateway, "GET", "/api/pins", ADA))[1] == {"pins": [{"session": "c"}]}
    assert (await asked(gateway, "GET", "/api/pins", ROOT))[1] == {"pins": []}
    assert (await asked(gateway, "POST", "/api/pins", ADA))[0] == 405
