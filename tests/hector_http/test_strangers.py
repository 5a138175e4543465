"""Ours (decisions.md): addresses that nobody wrote into the config must not lead inside."""

import asyncio
import socket
import threading

import pytest
from support.scripted_server import Received, scripted, whole

from hector_http import (
    NO_RETRIES,
    AddressRefused,
    BadUrl,
    HttpClient,
    Request,
    TooManyRedirects,
    Unreachable,
)


def redirect(location: str, status: int = 302):
    return whole("", status, location=location)


async def text(http: HttpClient, request: Request) -> str:
    async with http.send(request) as response:
        return (await response.read()).decode()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"])
async def test_this_machine_is_refused_and_never_connected_to(host: str) -> None:
    async with scripted(whole("inside")) as server, HttpClient() as http:
        with pytest.raises(AddressRefused) as failed:
            await text(http, Request("GET", f"http://{host}:{server.port}/secret"))
        assert server.connections == 0
    assert "/secret" not in str(failed.value)


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.0.0.1", "017700000001"])
async def test_odd_spellings_of_an_address_lead_nowhere(host: str) -> None:
    async with scripted(whole("inside")) as server, HttpClient() as http:
        with pytest.raises((AddressRefused, BadUrl)):
            await text(http, Request("GET", f"http://{host}:{server.port}/"))
        assert server.connections == 0


async def test_a_name_is_looked_up_once_and_the_address_found_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that is public when it is checked and private when it is used gets nowhere."""
    asked: list[str] = []

    async with scripted(whole("inside")) as server, HttpClient() as http:

        def answers(host, *_):
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]

        monkeypatch.setattr(socket, "getaddrinfo", answers)
        with pytest.raises(AddressRefused, match=r"127\.0\.0\.1, which is loopback"):
            await text(http, Request("GET", f"http://rebinding.example:{server.port}/"))
        assert asked == ["rebinding.example"]
        assert server.connections == 0


async def test_a_redirect_from_a_trusted_place_does_not_make_its_target_trusted() -> None:
    async with scripted(whole("inside")) as inside, scripted(redirect(f"{inside.url}/x")) as outside:
        async with HttpClient(trusted=[outside.url]) as http:
            with pytest.raises(AddressRefused):
                await text(http, Request("GET", outside.url, redirects=3))
        assert inside.connections == 0


async def test_a_redirect_within_a_trusted_place_is_followed() -> None:
    async with (
        scripted(redirect("/there"), whole("here")) as server,
        HttpClient(trusted=[server.url]) as http,
    ):
        assert await text(http, Request("GET", f"{server.url}/old", redirects=1)) == "here"
        assert server.received[1].path == "/there"


async def test_a_listed_network_may_be_reached() -> None:
    async with scripted(whole("inside")) as server, HttpClient(allowed=["127.0.0.0/8"]) as http:
        assert await text(http, Request("GET", server.url)) == "inside"


async def test_secrets_stay_with_the_origin_they_were_meant_for() -> None:
    async with scripted(whole("")) as other, scripted(redirect(other.url)) as first:
        async with HttpClient(trusted=[first.url, other.url]) as http:
            headers = {"Authorization": "Bearer s", "Cookie": "s", "X-Api-Key": "s", "Accept": "text/html"}
            await text(http, Request("GET", first.url, headers, redirects=1))
        assert first.received[0].headers["x-api-key"] == "s"
        received = other.received[0].headers
        assert received["accept"] == "text/html"
        assert not {"authorization", "cookie", "x-api-key"} & set(received)


@pytest.mark.parametrize(
    ("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
)
async def test_a_redirected_post_is_repeated_as_the_status_says(status: int, method: str) -> None:
    async with scripted(redirect("/there", status), whole("")) as server:
        async with HttpClient(trusted=[server.url]) as http:
            await text(http, Request("POST", server.url, body=b"data", redirects=1))
        second: Received = server.received[1]
        assert second.method == method
        assert second.body == (b"data" if method == "POST" else b"")


async def test_redirects_are_followed_only_so_far() -> None:
    async with scripted(redirect("/again")) as server, HttpClient(trusted=[server.url]) as http:
        with pytest.raises(TooManyRedirects):
            await text(http, Request("GET", server.url, redirects=3))
        assert len(server.received) == 4


async def test_redirects_are_handed_out_when_nobody_asked_to_follow_them() -> None:
    async with (
        scripted(redirect("/there")) as server,
        HttpClient(trusted=[server.url]) as http,
        http.send(Request("POST", server.url)) as response,
    ):
        assert response.status == 302


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x/", "http://user:pass@x/"])
async def test_a_redirect_to_something_else_is_refused(location: str) -> None:
    async with scripted(redirect(location)) as server, HttpClient(trusted=[server.url]) as http:
        with pytest.raises(BadUrl):
            await text(http, Request("GET", server.url, redirects=3))


async def test_names_that_hang_hold_up_neither_other_names_nor_the_loops_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ours: webhooks are strangers, and some of their name servers are gone."""
    let_go, really = threading.Event(), socket.getaddrinfo

    def hangs(host, *more):
        if host == "hanging.example":
            let_go.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "timed out")
        return really("127.0.0.1", *more)

    async with scripted(whole("inside")) as server, HttpClient(allowed=["127.0.0.0/8"]) as http:
        await text(http, Request("GET", server.url))
        monkeypatch.setattr(socket, "getaddrinfo", hangs)
        hanging = [
            asyncio.create_task(
                text(http, Request("GET", f"http://hanging.example:{9 + n}/", retries=NO_RETRIES))
            )
            for n in range(40)
        ]
        try:
            async with asyncio.timeout(10):
                assert await text(http, Request("GET", f"http://quick.example:{server.port}/")) == "inside"
                assert await asyncio.to_thread(lambda: 3) == 3
        finally:
            let_go.set()
            failed = await asyncio.gather(*hanging, return_exceptions=True)
    assert all("cannot be looked up" in str(one) for one in failed)


async def test_what_is_no_name_is_not_found() -> None:
    async with HttpClient() as http:
        with pytest.raises(Unreachable, match="cannot be looked up"):
            await text(http, Request("GET", f"http://{'x' * 64}.example/", retries=NO_RETRIES))
