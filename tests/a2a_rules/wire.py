"""Requests over HTTP as bytes, for what a well-behaved client never says."""

import json
from dataclasses import dataclass
from typing import Any

from support.doors import Door


@dataclass(frozen=True)
class Wire:
    """An answer, as it came."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        """Its media type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def result(self) -> Any:
        """What was answered, over either binding."""
        assert self.status == 200, self.body
        found = self.json
        return found["result"] if "jsonrpc" in found else found

    @property
    def error(self) -> Any:
        """What went wrong, over either binding."""
        return self.json["error"]


def request_of(door: Door, rpc: str, params: Any) -> tuple[str, str, Any]:
    """Return verb, path below the agent, and body of a request."""
    if door.binding == "HTTP+JSON":
        asked: tuple[str, str, Any] = door._request(rpc, params)  # type: ignore[attr-defined]
        return asked
    return "POST", "", door._request(rpc, params)  # type: ignore[attr-defined]


async def ask(door: Door, rpc: str, params: Any, headers: dict[str, str] | None = None) -> Wire:
    """Send a well-formed request, and return what came."""
    verb, path, body = request_of(door, rpc, params)
    return await send(door, verb, path, body, headers)


async def send(
    door: Door, verb: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> Wire:
    """Send a request to a path below the agent; or to one of the server, if it begins with two slashes.

    Bytes are sent as they are. A header that is empty is not sent.
    """
    said = {"content-type": "application/json", "a2a-version": door.version, **door.always}
    said |= {name.lower(): value for name, value in (headers or {}).items()}
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    at = path[1:] if path.startswith("//") else f"/agents/{door.agent}{path}"
    given = {name: value for name, value in said.items() if value}
    async with door.place.http.request(
        verb, door.place.url + at, data=data, headers=given, skip_auto_headers=["content-type"]
    ) as answer:
        heard = {name.lower(): value for name, value in answer.headers.items()}
        return Wire(answer.status, heard, await answer.read())
