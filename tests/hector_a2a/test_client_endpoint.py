"""Where our client looks for an agent: what was typed, and what its card says."""

import pytest
from support.scripted_server import scripted, whole

import hector_a2a as a2a
from hector_a2a.client_endpoint import Endpoint, TransportNotOffered, by_card, by_convention, check_public
from hector_a2a.client_errors import NoSuchAddress, StrangePlace, TokenRefused
from hector_a2a.client_http import HttpWire

URL = "http://there:1"
CARD = {
    "supportedInterfaces": [
        {"protocolBinding": "GRPC", "url": "there:50", "protocolVersion": "1.0.1", "tenant": "x"},
        {"protocolBinding": "JSONRPC", "url": "http://there:1/old", "protocolVersion": "0.3"},
        {"protocolBinding": "HTTP+JSON", "url": "http://there:1/rest/", "protocolVersion": "1.0"},
        {"protocolBinding": "SOAP", "url": "http://there:1/soap", "protocolVersion": "1.0"},
        "nonsense",
    ]
}
OLD = {
    "protocolVersion": "0.3.0",
    "url": "http://there:1/rest",
    "preferredTransport": "HTTP+JSON",
    "additionalInterfaces": [{"transport": "JSONRPC", "url": "http://there:1/rpc"}],
}


@pytest.mark.parametrize(
    ("url", "agent", "transport", "found"),
    [
        (URL, "", None, Endpoint("jsonrpc", URL)),
        (URL, "a b", None, Endpoint("jsonrpc", f"{URL}/agents/a%20b")),
        (URL, "a", "http+json", Endpoint("http+json", f"{URL}/agents/a")),
        (URL, "a", "grpc", None),
        ("grpc://there", "a", None, Endpoint("grpc", "grpc://there:50051", "a")),
        ("grpcs://there", "", "jsonrpc", Endpoint("grpc", "grpcs://there:443")),
        ("grpc://[::1]:7", "", None, Endpoint("grpc", "grpc://[::1]:7")),
    ],
)
def test_a_hector_server_needs_no_card(url, agent, transport, found):
    assert by_convention(url, agent, transport) == found


@pytest.mark.parametrize("url", ["grpc://", "grpc://there:port", "grpc://ada:secret@there", "grpc://there/x"])
def test_what_is_no_address_of_a_grpc_server_is_refused(url):
    with pytest.raises(NoSuchAddress) as refused:
        by_convention(url, "", None)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("card", "transport", "found"),
    [
        (CARD, None, Endpoint("grpc", "grpc://there:50", "x")),
        (CARD, "http+json", Endpoint("http+json", "http://there:1/rest")),
        (CARD, "jsonrpc", Endpoint("jsonrpc", "http://there:1/old", version="0.3")),
        (OLD, None, Endpoint("jsonrpc", "http://there:1/rpc", version="0.3")),
    ],
)
def test_a_card_says_where_and_how_and_the_newest_version_counts(card, transport, found):
    assert by_card(card, URL, transport) == found


def test_a_card_at_https_means_grpc_with_tls():
    assert by_card(CARD, "https://there", "grpc").url == "grpcs://there:50"


def test_what_a_card_does_not_offer_is_told_with_what_it_does():
    with pytest.raises(TransportNotOffered, match=r"offers no grpc \(it offers: jsonrpc 0.3\)"):
        by_card(OLD, URL, "grpc")
    with pytest.raises(TransportNotOffered, match="it offers: nothing that this command speaks"):
        by_card({}, URL, None)


@pytest.mark.parametrize(
    ("typed", "said", "is_strange"),
    [
        ("http://there", "http://there:9/rpc", False),
        ("https://there", "https://elsewhere/rpc", True),
        ("http://127.0.0.1:1", "http://localhost:1/", False),
        ("http://localhost", "http://0.0.0.0:9999/", False),
        ("http://there", "http://localhost/", True),
    ],
)
def test_a_card_may_lead_to_a_stranger(typed, said, is_strange):
    card = {"supportedInterfaces": [{"protocolBinding": "JSONRPC", "url": said, "protocolVersion": "1.0"}]}
    assert by_card(card, typed, None).is_strange is is_strange


async def test_a_strangers_card_leads_nowhere_inside():
    """Ours: what a card says is a stranger's word, also for a client."""
    with pytest.raises(
        StrangePlace, match=r"the card of http://there leads to grpc://127\.0\.0\.1:1.*loopback"
    ):
        await check_public("http://there", "grpc://127.0.0.1:1")
    async with scripted(whole("x")) as server:
        wire = HttpWire("the-key", None, "http://there.example")
        await wire.open()
        place = Endpoint("jsonrpc", server.url, is_strange=True)
        with pytest.raises(StrangePlace, match=r"loopback.*name it with --url"):
            await wire.call(place, "GetTask", a2a.GetTaskRequest(id="t"), a2a.Task, quick=True)
        await wire.close()
        assert server.received == []


async def test_a_stranger_is_not_told_the_credential():
    async with scripted(whole("no", 401)) as server:
        wire = HttpWire("the-key", None, server.url)
        await wire.open()
        for is_strange, words in ((True, "a card led there"), (False, "does not accept this credential")):
            place = Endpoint("jsonrpc", server.url, is_strange=is_strange)
            with pytest.raises(TokenRefused, match=words):
                await wire.call(place, "GetTask", a2a.GetTaskRequest(id="t"), a2a.Task, quick=True)
            assert ("authorization" in server.received[-1].headers) is not is_strange
        await wire.close()
