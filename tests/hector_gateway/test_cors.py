"""Which web pages may call: exactly those of the list, and browsers are told so."""

import pytest

PAGE = "https://app.example.com"
CORS = {"allowed_origins": [PAGE], "allow_credentials": True, "max_age": 60}


async def preflight(gateway, origin=PAGE, method="POST", headers="Content-Type, A2A-Version"):
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    async with gateway.http.options(gateway.url + "/agents/helper", headers=asked) as answer:
        return answer.status, dict(answer.headers)


async def test_a_listed_page_is_told_what_it_may_do(start_gateway):
    gateway = await start_gateway(cors=CORS)
    status, said = await preflight(gateway)
    assert status == 204
    assert said["Access-Control-Allow-Origin"] == PAGE
    assert said["Access-Control-Allow-Credentials"] == "true"
    assert said["Access-Control-Allow-Methods"] == "GET, HEAD, POST, DELETE"
    assert said["Access-Control-Allow-Headers"] == "Content-Type, A2A-Version"
    assert said["Access-Control-Max-Age"] == "60"
    assert said["Vary"] == "Origin"


@pytest.mark.parametrize("header", ["A2A-Extensions", "X-A2A-Extensions", "Idempotency-Key", "Last-Event-ID"])
async def test_a_listed_page_may_say_what_a2a_and_hector_know_beside_a_request(start_gateway, header):
    gateway = await start_gateway(cors=CORS)
    status, said = await preflight(gateway, headers=header)
    assert (status, said["Access-Control-Allow-Headers"]) == (204, header)
    async with gateway.http.get(gateway.url + "/agents/helper", headers={"Origin": PAGE}) as answer:
        assert "a2a-extensions" in answer.headers["Access-Control-Expose-Headers"]


async def test_every_method_is_said_by_name_where_browsers_take_no_star(start_gateway):
    """Fetch: beside credentials `*` is the name of a method, and nobody's."""
    gateway = await start_gateway(cors=CORS | {"allowed_methods": ["*"]})
    status, said = await preflight(gateway, method="DELETE")
    assert (status, said["Access-Control-Allow-Methods"]) == (204, "DELETE")


async def test_a_listed_page_may_read_the_answers_errors_included(start_gateway):
    gateway = await start_gateway(cors=CORS)
    for path, status in (("/agents/helper", 200), ("/nothing", 404), ("/health", 200)):
        async with gateway.http.get(gateway.url + path, headers={"Origin": PAGE}) as answer:
            assert answer.status == status
            assert answer.headers["Access-Control-Allow-Origin"] == PAGE
            assert "x-request-id" in answer.headers["Access-Control-Expose-Headers"]
    found = await gateway.rpc("GetTask", {"id": "t"}, headers={"Origin": PAGE})
    assert found["result"]["id"] == "t"


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ({"origin": "https://evil.example.com"}, "allowed_origins"),
        ({"origin": PAGE + ".evil.com"}, "allowed_origins"),
        ({"origin": "http://app.example.com"}, "allowed_origins"),
        ({"origin": "null"}, "allowed_origins"),
        ({"method": "PUT"}, "allowed_methods"),
        ({"headers": "X-Anything"}, "allowed_headers"),
    ],
)
async def test_what_is_not_listed_is_refused_and_gets_no_permission(start_gateway, asked, key):
    gateway = await start_gateway(cors=CORS)
    status, said = await preflight(gateway, **asked)
    assert status == 403
    assert "Access-Control-Allow-Methods" not in said
    if key == "allowed_origins":
        assert "Access-Control-Allow-Origin" not in said


async def test_a_page_that_is_not_listed_cannot_read_answers(start_gateway):
    gateway = await start_gateway(cors=CORS, auth={"api_keys": ["a-key-of-mine"]})
    headers = {"Origin": "https://evil.example.com"}
    async with gateway.http.get(gateway.url + "/health", headers=headers) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Vary"] == "Origin"


async def test_every_page_may_call_where_the_list_says_so_but_never_with_credentials(start_gateway):
    gateway = await start_gateway(cors={"allowed_origins": ["*"]}, auth={"api_keys": ["a-key-of-mine"]})
    status, said = await preflight(gateway, origin="https://anything.example", headers="authorization")
    assert status == 204
    assert said["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in said
    found = await gateway.rpc(
        "GetTask",
        {"id": "t"},
        headers={"Origin": "https://anything.example", "Authorization": "Bearer a-key-of-mine"},
    )
    assert found["result"]["id"] == "t"


async def test_without_a_list_no_page_is_told_anything(gateway):
    status, said = await preflight(gateway)
    assert status in (403, 405)
    assert not [name for name in said if name.lower().startswith("access-control")]
