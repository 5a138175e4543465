"""A2A 1.0 section 3.6, and 1.7 of the table: which version is spoken, and who says so."""

import pytest
from a2a_rules.house import House
from a2a_rules.table import keeps
from support.doors import Door, Refused, sending

OTHER = {"1.0": "0.3", "0.3": "1.0"}
UNKNOWN = ["9.9", "1", "0.2", "2.0", "latest", "1.0.x", "1,0", "v1.0"]


async def refusal(door: Door, version: str) -> Refused:
    with pytest.raises(Refused) as refused:
        await door.call("SendMessage", sending("hi"), {"a2a-version": version})
    return refused.value


@keeps("1.7-header")
async def test_the_header_says_which_version_is_spoken(door: Door) -> None:
    task = await door.send("hi", said={"a2a-version": door.version})
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"


@keeps("1.7-patch")
@pytest.mark.parametrize("patch", [".0", ".1", ".17"])
async def test_the_patch_number_says_nothing(door: Door, patch: str) -> None:
    assert (await door.send("hi", said={"a2a-version": door.version + patch}))["id"]


@keeps("1.7-unknown")
@pytest.mark.parametrize("version", UNKNOWN)
async def test_a_version_that_is_not_served_is_refused(door: Door, version: str) -> None:
    refused = await refusal(door, version)
    assert refused.reason == "VERSION_NOT_SUPPORTED"
    assert refused.code in (-32009, 400, "FAILED_PRECONDITION")
    assert "1.0" in refused.message
    assert "0.3" in refused.message


@keeps("1.7-minor")
async def test_a_minor_version_is_not_taken_for_its_major_one(door: Door) -> None:
    for version in ("1.7", "0.4", "0.30", "1.00"):
        assert (await refusal(door, version)).reason == "VERSION_NOT_SUPPORTED", version


@keeps("1.7-query")
async def test_the_query_says_which_version_is_spoken(door: Door, house: House) -> None:
    path, body = send_at(door)
    async with house.place.http.post(
        f"{house.place.url}/agents/actor{path}?A2A-Version={door.version}", json=body, headers=SHOWN
    ) as answer:
        assert answer.status == 200
        assert "error" not in await answer.json()
    async with house.place.http.post(
        f"{house.place.url}/agents/actor{path}?A2A-Version=9.9", json=body, headers=SHOWN
    ) as answer:
        assert "VERSION_NOT_SUPPORTED" in await answer.text()


@keeps("1.7-missing")
async def test_who_names_no_version_speaks_03(door: Door, house: House) -> None:
    await spoken_without(door, house, {})


@keeps("1.7-empty")
async def test_an_empty_version_is_none(door: Door, house: House) -> None:
    await spoken_without(door, house, {"A2A-Version": ""})


async def spoken_without(door: Door, house: House, headers: dict[str, str]) -> None:
    path, body = send_at(door)
    url = f"{house.place.url}/agents/actor{path}"
    async with house.place.http.post(url, json=body, headers={**SHOWN, **headers}) as answer:
        text = await answer.text()
    assert ("VERSION_NOT_SUPPORTED" in text) == (door.version == "1.0"), text


@keeps("1.7-method-agrees")
async def test_a_methods_spelling_must_be_that_of_the_version(door: Door) -> None:
    refused = await refusal(door, OTHER[door.version])
    assert (refused.reason, refused.code) == ("VERSION_NOT_SUPPORTED", -32009)


@keeps("1.7-path-agrees")
async def test_a_path_must_be_that_of_the_version(door: Door) -> None:
    refused = await refusal(door, OTHER[door.version])
    assert (refused.reason, refused.code) == ("VERSION_NOT_SUPPORTED", 400)


@keeps("1.7-package-agrees")
async def test_the_package_must_be_that_of_the_version(door: Door) -> None:
    refused = await refusal(door, OTHER[door.version])
    assert (refused.reason, refused.code) == ("VERSION_NOT_SUPPORTED", "FAILED_PRECONDITION")
    assert await door.send("hi", said={"a2a-version": ""})


@keeps("1.7-reserved")
@pytest.mark.parametrize(
    "name", ["v1", "tasks", "extendedAgentCard", "message:send", "message:stream", ".well-known"]
)
async def test_no_tenant_is_called_like_a_path(house: House, name: str) -> None:
    """As a tenant, each would make two operations of one path: `/v1/message:send` is 0.3's."""
    headers = {**SHOWN, "A2A-Version": "1.0"}
    url = f"{house.place.url}/{name}/message:send"
    async with house.place.http.post(url, json=sending("hi"), headers=headers) as answer:
        assert answer.status in (400, 404, 405)
        assert "AGENT_NOT_FOUND" not in await answer.text()


SHOWN = {"Authorization": "Bearer key-of-ada"}


def send_at(door: Door) -> tuple[str, object]:
    """Return path and body of a send over HTTP."""
    if door.binding == "HTTP+JSON":
        _, path, body = door._request("SendMessage", sending("hi"))  # type: ignore[attr-defined]
        return path, body
    return "", door._request("SendMessage", sending("hi"))  # type: ignore[attr-defined]
