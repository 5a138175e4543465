"""Ours: what is wrong with a whole body is told in the words of the binding, and with its place."""

import gzip
from typing import Any

import pytest

PATHS = ("/agents/helper/message:send", "/agents/helper")
BROKEN = b'{"message": {"parts": [{"text": "\xff\xfe"}]}}'


@pytest.mark.parametrize("path", PATHS)
async def test_text_that_is_not_utf_8_is_told_with_its_place(gateway: Any, path: str) -> None:
    said = await answer(gateway, path, BROKEN)
    assert f"byte {BROKEN.index(255)} (0xff) is not UTF-8" in said["error"]["message"]


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_compressed_is_told_so(gateway: Any, path: str) -> None:
    said = await answer(gateway, path, gzip.compress(b"{}"))
    assert "it is compressed (gzip); send it as it is" in said["error"]["message"]


@pytest.mark.parametrize("path", PATHS)
async def test_json_that_breaks_off_is_told_with_its_place(gateway: Any, path: str) -> None:
    assert "line 2 column" in (await answer(gateway, path, b'{\n"message": [}'))["error"]["message"]


@pytest.mark.parametrize("body", [b"[]", b"3", b"{"])
async def test_a_body_over_http_is_not_called_params(gateway: Any, body: bytes) -> None:
    said = await answer(gateway, "/agents/helper/tasks/t:cancel", body)
    assert said["error"]["message"].startswith("request: ")


async def test_params_of_json_rpc_are_called_so(gateway: Any) -> None:
    for method in ("GetTask", "tasks/get"):
        found = await gateway.rpc(method, ["t"])
        assert found["error"]["message"] == "params: an object is needed here"


async def test_what_a_web_page_may_send_anywhere_is_still_no_json(gateway: Any) -> None:
    found = await answer(gateway, "/agents/helper/tasks/t:cancel", b"{}", kind="text/plain")
    assert found["error"]["code"] == 415


async def answer(gateway: Any, path: str, body: bytes, kind: str = "application/json") -> Any:
    headers = {"A2A-Version": "1.0", "Content-Type": kind}
    async with gateway.http.post(gateway.url + path, data=body, headers=headers) as found:
        return await found.json()
