"""A model that is unreachable, hangs, lies or refuses ends in an error that says what to do."""

import asyncio
import ssl
import time

import grpc
import pytest
from contracts.llm_provider import streamed
from grpc import StatusCode
from support.certificates import Authority
from support.model_server import refuses, says
from support.scripted_server import chunked, drops, hangs, head, raw, scripted, whole

from hector.llm.v1 import GenerateTextRequest, ListModelsRequest, LLMProviderStub, StreamTextRequest
from hector_llm import LLMConfig
from hector_mesh import info_of

ASK = StreamTextRequest(prompt="x")
KINDS = ["stream", "whole"]


async def failure(llm: LLMProviderStub, kind: str = "stream") -> grpc.aio.AioRpcError:
    whole = llm.GenerateText(GenerateTextRequest(prompt="x"), timeout=20) if kind == "whole" else None
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await (whole or streamed(llm, ASK))
    details = failed.value.details()
    assert "Traceback" not in details
    assert "sesame" not in details + str(info_of(failed.value).metadata)
    return failed.value


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_is_not_there_is_named(serve_models, kind: str) -> None:
    async with scripted(says("")) as server:
        url = server.url
    llm = await serve_models(mock=LLMConfig(base_url=f"{url}/v1", model="m", api_key="sesame"))
    begun = time.monotonic()
    error = await failure(llm, kind)
    assert time.monotonic() - begun < 5
    assert error.code() is StatusCode.UNAVAILABLE
    assert info_of(error).reason == "MODEL_UNREACHABLE"
    assert info_of(error).metadata["base_url"] == f"{url}/v1"
    assert url in error.details()
    assert "llms.mock.base_url" in error.details()


@pytest.mark.parametrize(("days", "why"), [((-1, 30), "issuer"), ((-30, -1), "expired")])
async def test_a_certificate_that_is_not_trusted_is_named_with_the_key_that_helps(
    serve_models, tmp_path, days: tuple[float, float], why: str
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue(days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert_file, pair.key_file)
    trusted = {"ca_certificate": authority.file} if why == "expired" else {}
    async with scripted(says("never"), tls=context) as server:
        model = LLMConfig(base_url=f"{server.url}/v1", model="m", api_key="sesame", **trusted)
        error = await failure(await serve_models(mock=model))
        assert server.received == []
    assert info_of(error).reason == "MODEL_UNREACHABLE"
    assert f"the certificate of {server.url} is not trusted: " in error.details()
    assert why in error.details()
    assert "llms.mock.ca_certificate" in error.details()


async def test_an_ollama_that_is_not_there_says_how_to_start_it(serve_models) -> None:
    async with scripted(says("")) as server:
        url = server.url
    error = await failure(await serve_models(local=LLMConfig(provider="ollama", base_url=url)))
    assert info_of(error).reason == "MODEL_UNREACHABLE"
    assert "ollama serve" in error.details()


async def test_a_model_ollama_has_not_says_how_to_get_it(serve_models) -> None:
    async with scripted(refuses(404, 'model "qwen3" not found, try pulling it first')) as server:
        error = await failure(await serve_models(local=LLMConfig(provider="ollama", base_url=server.url)))
        assert server.received[0].path == "/v1/chat/completions"
    assert error.code() is StatusCode.NOT_FOUND
    assert info_of(error).reason == "MODEL_NOT_FOUND"
    assert "ollama pull qwen3" in error.details()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("reply", "reason", "code", "words"),
    [
        (
            refuses(401, "Incorrect API key provided: sesame"),
            "MODEL_AUTH",
            "FAILED_PRECONDITION",
            "llms.mock.api_key",
        ),
        (refuses(403, "no access"), "MODEL_AUTH", "FAILED_PRECONDITION", "no access"),
        (refuses(404, "no model m", "model_not_found"), "MODEL_NOT_FOUND", "NOT_FOUND", "llms.mock.model"),
        (whole("<html>", 404), "MODEL_NOT_FOUND", "NOT_FOUND", "llms.mock.base_url"),
        (refuses(400, "bad temperature"), "MODEL_REFUSED", "INVALID_ARGUMENT", "bad temperature"),
        (
            whole({"detail": [{"msg": "field required"}]}, 422),
            "MODEL_REFUSED",
            "INVALID_ARGUMENT",
            "field required",
        ),
        (whole({"error": "just words"}, 400), "MODEL_REFUSED", "INVALID_ARGUMENT", "just words"),
        (whole([{"error": {"message": "in a list"}}], 400), "MODEL_REFUSED", "INVALID_ARGUMENT", "in a list"),
        (whole(b"\xff\xfe", 400), "MODEL_REFUSED", "INVALID_ARGUMENT", "400"),
        (
            refuses(400, "This model's maximum context length is 8192 tokens", "context_length_exceeded"),
            "CONTEXT_TOO_LONG",
            "INVALID_ARGUMENT",
            "too long for m: This model's maximum",
        ),
        (
            whole({"error": {"message": "the request exceeds the available context size"}}, 400),
            "CONTEXT_TOO_LONG",
            "INVALID_ARGUMENT",
            "too long for m",
        ),
        (refuses(500, "boom"), "MODEL_UNREACHABLE", "UNAVAILABLE", "500: boom"),
        (whole("<html>Bad gateway</html>", 502), "MODEL_UNREACHABLE", "UNAVAILABLE", "502"),
        (drops, "MODEL_UNREACHABLE", "UNAVAILABLE", "without an answer"),
        (raw(b"SSH-2.0-OpenSSH\r\n\r\n"), "MODEL_UNREACHABLE", "UNAVAILABLE", "HTTP"),
        (
            whole("", 302, location="http://user:word@elsewhere.example:81/"),
            "MODEL_GARBLED",
            "UNAVAILABLE",
            "redirects to http://elsewhere.example:81, which",
        ),
    ],
)
async def test_a_failure_says_what_happened(
    serve_scripted, kind: str, reply, reason: str, code: str, words: str
) -> None:
    _, llm = await serve_scripted(reply, api_key="sesame")
    error = await failure(llm, kind)
    assert info_of(error).reason == reason
    assert error.code().name == code
    assert words in error.details()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_busy_provider_is_asked_again_when_it_says(serve_scripted, kind: str) -> None:
    """llm.options: 429 with Retry-After waits that long."""
    server, llm = await serve_scripted(refuses(429, "busy", retry_after="1"), says("at last"))
    begun = time.monotonic()
    async with asyncio.timeout(20):
        if kind == "stream":
            assert "".join(piece.text for piece in await streamed(llm, ASK)) == "at last"
        else:
            assert (await llm.GenerateText(GenerateTextRequest(prompt="x"))).text == "at last"
    assert 0.95 <= time.monotonic() - begun < 5
    assert len(server.received) == 2


async def test_a_busy_provider_that_stays_busy_says_when_to_come_back(serve_scripted) -> None:
    _, llm = await serve_scripted(refuses(429, "busy", retry_after="3600"))
    error = await failure(llm)
    assert error.code() is StatusCode.RESOURCE_EXHAUSTED
    assert info_of(error).reason == "MODEL_RATE_LIMITED"
    assert info_of(error).metadata["retry_after_s"] == "3600"


@pytest.mark.parametrize("status", [500, 502, 503, 529])
async def test_a_provider_that_recovers_is_not_given_up(serve_scripted, status: int) -> None:
    replies = [refuses(status, "boom"), says("at last")]
    server, llm = await serve_scripted(*replies)
    assert (await streamed(llm, ASK))[-1].done
    assert len(server.received) == 2


async def test_no_retries_means_none(serve_scripted) -> None:
    server, llm = await serve_scripted(refuses(500, "boom"), says("never"), max_retries=0)
    assert info_of(await failure(llm)).reason == "MODEL_UNREACHABLE"
    assert len(server.received) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "before", [b"", head(200, {"Transfer-Encoding": "chunked"}) + chunked(b": wait\n\n")]
)
async def test_a_model_that_hangs_is_given_up_and_its_connection_closed(
    serve_scripted, kind: str, before: bytes
) -> None:
    server, llm = await serve_scripted(hangs(before), timeout=0.3)
    error = await failure(llm, kind)
    assert error.code() is StatusCode.UNAVAILABLE
    assert info_of(error).reason == "MODEL_TIMED_OUT"
    assert "llms.mock.timeout" in error.details()
    async with asyncio.timeout(10):
        await server.left.wait()


async def test_the_callers_deadline_wins(serve_scripted) -> None:
    server, llm = await serve_scripted(hangs())
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await llm.GenerateText(GenerateTextRequest(prompt="x"), timeout=0.3)
    # Whichever notices first: the caller's clock, or ours, which is the same.
    assert failed.value.code() in (StatusCode.DEADLINE_EXCEEDED, StatusCode.UNAVAILABLE)
    async with asyncio.timeout(10):
        await server.left.wait()


async def test_a_missing_key_is_said_without_asking_anybody(serve_models) -> None:
    error = await failure(await serve_models(main=LLMConfig()))
    assert info_of(error).reason == "MODEL_AUTH"
    assert "OPENAI_API_KEY" in error.details()
    assert "llms.main.api_key" in error.details()


async def test_a_providers_words_are_cut(serve_scripted) -> None:
    _, llm = await serve_scripted(refuses(400, "no " * 10_000))
    assert len((await failure(llm)).details()) < 700


async def test_a_list_of_models_fails_alike(serve_scripted) -> None:
    _, llm = await serve_scripted(refuses(401, "no"), whole("<html>"))
    for reason in ("MODEL_AUTH", "MODEL_GARBLED"):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await llm.ListModels(ListModelsRequest(), timeout=10)
        assert info_of(failed.value).reason == reason


async def test_models_are_listed_page_by_page(serve_scripted) -> None:
    _, llm = await serve_scripted(whole({"data": [{"id": f"m{number}"} for number in range(5)]}))
    names, token = [], ""
    for _ in range(3):
        page = await llm.ListModels(ListModelsRequest(page_size=2, page_token=token), timeout=10)
        names.append([model.name for model in page.models])
        token = page.next_page_token
    assert names == [["m0", "m1"], ["m2", "m3"], ["m4"]]
    assert not token
