"""Where our client looks for an agent: what was typed, and what its card says."""

import pytest

from hector_a2a.client_endpoint import Endpoint, TransportNotOffered, by_card, by_convention
from hector_a2a.client_errors import NoSuchAddress

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
