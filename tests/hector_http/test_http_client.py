"""The client against a server that answers well and badly."""

import asyncio
import time
from collections.abc import AsyncIterator
from email.utils import formatdate

import pytest
from support.scripted_server import END, chunked, drops, hangs, head, raw, scripted, whole

from hector_http import (
    NO_RETRIES,
    BadUrl,
    BrokeOff,
    HttpClient,
    HttpError,
    Request,
    Response,
    Retries,
    TimedOut,
    Timeouts,
    TooLarge,
    Unreachable,
)
from hector_mesh import Call, scope

QUICK = Retries(times=3, base_s=0.01, connect_times=2, connect_base_s=0.01)
CHUNKED = {"Transfer-Encoding": "chunked"}


pytestmark = pytest.mark.usefixtures("way")


async def answer(http: HttpClient, request: Request) -> tuple[int, bytes]:
    async with http.send(request) as response:
        return response.status, await response.read()


async def test_requests_share_a_connection() -> None:
    async with scripted(whole("hello")) as server, HttpClient(trusted=[server.url]) as http:
        for _ in range(3):
            assert await answer(http, Request("GET", f"{server.url}/a?b=c")) == (200, b"hello")
        assert server.connections == 1
        assert server.received[0].path == "/a?b=c"


async def test_a_body_and_headers_arrive_as_they_are() -> None:
    async with scripted(whole("")) as server, HttpClient(trusted=[server.url]) as http:
        headers = {"X-Thing": "1", "Content-Type": "application/json"}
        await answer(http, Request("POST", server.url, headers, b'{"a": 1}'))
        received = server.received[0]
        assert received.json == {"a": 1}
        assert received.headers["x-thing"] == "1"
        assert received.headers["content-type"] == "application/json"
        assert received.headers["user-agent"] == "hector"


async def test_bytes_are_handed_out_as_they_arrive() -> None:
    reply = raw(head(200, CHUNKED), chunked(b"one"), chunked(b"two") + chunked(b"three"), END)
    async with (
        scripted(reply) as server,
        HttpClient(trusted=[server.url]) as http,
        http.send(Request("GET", server.url)) as response,
    ):
        read = [piece async for piece in pieces(response)]
    assert read == [b"one", b"twothree"]


async def test_what_came_before_a_cut_is_handed_out_before_the_error() -> None:
    cut = raw(head(200, CHUNKED) + chunked(b"one") + chunked(b"two"))
    got: list[bytes] = []
    async with (
        scripted(cut) as server,
        HttpClient(trusted=[server.url]) as http,
        http.send(Request("GET", server.url)) as response,
    ):
        with pytest.raises(BrokeOff) as failed:
            await gather(response, got)
    assert b"".join(got) == b"onetwo"
    assert server.url in str(failed.value)


async def test_a_body_shorter_than_promised_breaks_off() -> None:
    lie = raw(head(200, {"Content-Length": "1000"}) + b"short")
    async with scripted(lie) as server, HttpClient(trusted=[server.url]) as http:
        with pytest.raises(BrokeOff):
            await answer(http, Request("GET", server.url))


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_never_has_a_body_reads_as_nothing(status: int) -> None:
    async with scripted(whole(b"", status)) as server, HttpClient(trusted=[server.url]) as http:
        assert await answer(http, Request("GET", server.url)) == (status, b"")


async def test_a_body_beyond_its_limit_is_not_read_on() -> None:
    async with scripted(whole(b"x" * 100_000)) as server, HttpClient(trusted=[server.url]) as http:
        with pytest.raises(TooLarge):
            await answer(http, Request("GET", server.url, max_body_bytes=50_000))


async def test_a_packed_body_is_measured_unpacked() -> None:
    import gzip

    bomb = whole(gzip.compress(b"0" * 5_000_000), content_encoding="gzip")
    async with scripted(bomb) as server, HttpClient(trusted=[server.url]) as http:
        with pytest.raises(TooLarge):
            await answer(http, Request("GET", server.url, max_body_bytes=1_000_000))


async def test_what_is_not_http_is_an_error() -> None:
    async with (
        scripted(raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")) as server,
        HttpClient(trusted=[server.url]) as http,
    ):
        with pytest.raises(HttpError):
            await answer(http, Request("GET", server.url, retries=NO_RETRIES))


# Trying again


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529])
async def test_an_overloaded_server_is_asked_again(status: int) -> None:
    replies = [whole("no", status), whole("no", status), whole("yes")]
    async with scripted(*replies) as server, HttpClient(trusted=[server.url]) as http:
        assert await answer(http, Request("GET", server.url, retries=QUICK)) == (200, b"yes")
        assert len(server.received) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501])
async def test_a_refusal_is_taken_as_it_is(status: int) -> None:
    async with scripted(whole("no", status)) as server, HttpClient(trusted=[server.url]) as http:
        assert await answer(http, Request("GET", server.url, retries=QUICK)) == (status, b"no")
        assert len(server.received) == 1


async def test_the_last_failure_is_handed_out_when_tries_run_out() -> None:
    async with scripted(whole("no", 503)) as server, HttpClient(trusted=[server.url]) as http:
        assert await answer(http, Request("GET", server.url, retries=QUICK)) == (503, b"no")
        assert len(server.received) == 4


async def test_what_may_have_been_done_is_not_sent_again_unless_that_is_harmless() -> None:
    async with scripted(whole("no", 500)) as server, HttpClient(trusted=[server.url]) as http:
        await answer(http, Request("POST", server.url, body=b"pay", retries=QUICK))
        assert len(server.received) == 1
        await answer(http, Request("POST", server.url, body=b"pay", retries=QUICK, repeatable=True))
        assert len(server.received) == 5


async def test_a_server_that_says_it_did_nothing_is_asked_again_even_by_post() -> None:
    async with scripted(whole("no", 429), whole("yes")) as server, HttpClient(trusted=[server.url]) as http:
        status, _ = await answer(http, Request("POST", server.url, body=b"x", retries=QUICK))
        assert status == 200


async def test_a_connection_lost_before_the_answer_is_tried_again_if_harmless() -> None:
    async with scripted(drops, whole("yes")) as server, HttpClient(trusted=[server.url]) as http:
        with pytest.raises(Unreachable) as failed:
            await answer(http, Request("POST", server.url, body=b"x", retries=QUICK))
        assert failed.value.sent
    async with scripted(drops, whole("yes")) as server, HttpClient(trusted=[server.url]) as http:
        again = Request("POST", server.url, body=b"x", retries=QUICK, repeatable=True)
        assert await answer(http, again) == (200, b"yes")


@pytest.mark.parametrize("header", ["1", "date"])
async def test_the_servers_own_wish_when_to_come_back_is_kept(header: str) -> None:
    value = formatdate(time.time() + 2, usegmt=True) if header == "date" else header
    busy = whole("no", 429, retry_after=value)
    async with scripted(busy, whole("yes")) as server, HttpClient(trusted=[server.url]) as http:
        begun = time.monotonic()
        status, _ = await answer(http, Request("GET", server.url, retries=QUICK))
    assert status == 200
    # A date has whole seconds: two from now is more than one.
    assert 0.95 <= time.monotonic() - begun < 4


async def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    async with (
        scripted(whole("no", 429, retry_after="30")) as server,
        HttpClient(trusted=[server.url]) as http,
    ):
        with scope(Call(deadline=time.monotonic() + 5)):
            begun = time.monotonic()
            assert (await answer(http, Request("GET", server.url, retries=QUICK)))[0] == 429
    assert time.monotonic() - begun < 2


async def test_a_wait_beyond_the_cap_is_not_begun() -> None:
    async with (
        scripted(whole("no", 429, retry_after="3600")) as server,
        HttpClient(trusted=[server.url]) as http,
    ):
        assert (await answer(http, Request("GET", server.url, retries=QUICK)))[0] == 429
        assert len(server.received) == 1


async def test_a_server_may_forbid_another_try() -> None:
    """OpenAI answers 429 with `x-should-retry: false` when the money is used up."""
    async with scripted(whole("no", 429, x_should_retry="false")) as server:
        async with HttpClient(trusted=[server.url]) as http:
            assert (await answer(http, Request("GET", server.url, retries=QUICK)))[0] == 429
        assert len(server.received) == 1


# Not waiting for ever


async def test_a_server_that_does_not_answer_times_out() -> None:
    async with scripted(hangs()) as server, HttpClient(trusted=[server.url]) as http:
        with pytest.raises(TimedOut) as failed:
            await answer(http, Request("GET", server.url, timeouts=Timeouts(first_byte_s=0.1)))
        assert failed.value.phase == "first_byte"
        await server.left.wait()


async def test_a_server_that_stalls_in_its_body_times_out() -> None:
    stalls = hangs(head(200, CHUNKED) + chunked(b"one"))
    async with scripted(stalls) as server, HttpClient(trusted=[server.url]) as http:
        request = Request("GET", server.url, timeouts=Timeouts(stall_s=0.1))
        async with http.send(request) as response:
            assert await response.read_some() == b"one"
            with pytest.raises(TimedOut) as failed:
                await response.read_some()
        assert failed.value.phase == "stall"
        await server.left.wait()


async def test_the_deadline_of_the_call_being_served_ends_everything() -> None:
    async with scripted(hangs()) as server, HttpClient(trusted=[server.url]) as http:
        with scope(Call(deadline=time.monotonic() + 0.1)), pytest.raises(TimedOut) as failed:
            await answer(http, Request("GET", server.url))
        assert failed.value.phase == "total"


async def test_a_reader_that_leaves_closes_the_connection() -> None:
    stalls = hangs(head(200, CHUNKED) + chunked(b"one"))
    async with scripted(stalls) as server, HttpClient(trusted=[server.url]) as http:
        async with http.send(Request("GET", server.url)) as response:
            await response.read_some()
        await server.left.wait()


async def test_a_cancelled_request_closes_the_connection() -> None:
    async with scripted(hangs()) as server, HttpClient(trusted=[server.url]) as http:
        asking = asyncio.create_task(answer(http, Request("GET", server.url)))
        await server.asked.wait()
        asking.cancel()
        await server.left.wait()
        with pytest.raises(asyncio.CancelledError):
            await asking


# Errors


async def test_nobody_there_is_said_with_the_origin_and_nothing_secret() -> None:
    async with scripted(whole("")) as server:
        url = server.url
    async with HttpClient(trusted=[url]) as http:
        with pytest.raises(Unreachable) as failed:
            await answer(http, Request("GET", f"{url}/path?key=sesame", {"Authorization": "Bearer sesame"}))
    assert str(failed.value) == f"cannot connect to {url}: connection refused"
    assert "sesame" not in repr(failed.value) + str(failed.value.facts)
    assert not failed.value.sent


async def test_a_name_that_does_not_exist_is_said() -> None:
    async with HttpClient(trusted=["http://no-such-name.invalid"]) as http:
        with pytest.raises(Unreachable, match="cannot be looked up"):
            await answer(http, Request("GET", "http://no-such-name.invalid/", retries=NO_RETRIES))


@pytest.mark.parametrize(
    "url", ["", "nonsense", "/path", "ftp://example.com/", "http://", "file:///etc/passwd"]
)
async def test_what_is_no_url_is_refused(url: str) -> None:
    async with HttpClient() as http:
        with pytest.raises(BadUrl):
            await answer(http, Request("GET", url))


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(whole("hello")) as server, scripted(whole("proxied")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        async with HttpClient(trusted=[server.url]) as http:
            assert await answer(http, Request("GET", server.url)) == (200, b"hello")
        assert not proxy.received


async def gather(response: Response, into: list[bytes]) -> None:
    async for piece in pieces(response):
        into.append(piece)


async def pieces(response: Response) -> AsyncIterator[bytes]:
    while piece := await response.read_some():
        yield piece
