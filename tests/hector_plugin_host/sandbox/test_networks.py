"""What the entries of `allowed_networks` mean."""

from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hector_plugin_host.sandbox.inside import GATE, layout
from hector_plugin_host.sandbox.networks import NotANetwork, policy


def test_nothing_and_nothing_said_are_nowhere() -> None:
    assert policy(None).nowhere
    assert policy(()).nowhere
    assert not policy(("a.example",)).nowhere


def test_a_star_is_anywhere_whatever_stands_beside_it() -> None:
    assert policy(("a.example", "*")).anywhere


@pytest.mark.parametrize(
    ("entry", "host", "port", "allowed"),
    [
        ("api.example.com", "api.example.com", 443, True),
        ("api.example.com", "API.Example.com.", 8443, True),
        ("api.example.com", "example.com", 443, False),
        ("api.example.com", "evil-api.example.com", 443, False),
        ("api.example.com:443", "api.example.com", 443, True),
        ("api.example.com:443", "api.example.com", 80, False),
        ("*.example.com", "api.example.com", 443, True),
        ("*.example.com", "a.b.example.com", 1, True),
        ("*.example.com", "example.com", 443, False),
        ("*.example.com", "notexample.com", 443, False),
        ("*.example.com:443", "api.example.com", 444, False),
        ("localhost", "localhost", 5, True),
        ("localhost:5432", "localhost", 5432, True),
        ("localhost:5432", "localhost", 5433, False),
        ("127.0.0.1:5432", "localhost", 5432, True),
        ("[::1]:5432", "localhost", 5432, True),
        ("127.0.0.2", "localhost", 80, False),
        ("127.0.0.2/32", "localhost", 80, False),
        ("127.0.0.53:53", "localhost", 53, False),
        ("10.0.0.0/8", "ten.example", 80, False),
    ],
)
def test_a_name_is_on_the_list_or_not(entry: str, host: str, port: int, allowed: bool) -> None:
    assert policy((entry,)).allows_name(host, port) is allowed


@pytest.mark.parametrize(
    ("entry", "address", "port", "listed"),
    [
        ("10.0.0.0/8", "10.1.2.3", 5, True),
        ("10.0.0.0/8", "11.1.2.3", 5, False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 5, True),
        ("10.1.2.3", "10.1.2.3", 5, True),
        ("10.1.2.3:80", "10.1.2.3", 81, False),
        ("10.0.0.0/8:5432", "10.9.9.9", 5432, True),
        ("10.0.0.0/8:5432", "10.9.9.9", 5433, False),
        ("fd00::/8", "fd00::1", 5, True),
        ("[fd00::1]:80", "fd00::1", 80, True),
        ("[fd00::1]:80", "fd00::1", 81, False),
        ("0.0.0.0/0", "8.8.8.8", 53, True),
        ("0.0.0.0/0", "127.0.0.1", 53, False),
        ("0.0.0.0/0", "169.254.169.254", 80, False),
        ("::/0", "::1", 80, False),
        ("::/0", "fd00:ec2::254", 80, False),
        ("169.254.169.254", "169.254.169.254", 80, True),
        ("169.254.0.0/16", "169.254.1.1", 80, True),
        ("127.0.0.0/8", "127.0.0.2", 80, True),
        ("127.0.0.2", "127.0.0.2", 80, True),
        ("127.0.0.2", "127.0.0.1", 80, False),
        ("127.0.0.2/32", "127.0.0.1", 80, False),
        ("127.0.0.53:53", "127.0.0.1", 53, False),
        ("127.0.0.1", "127.0.0.2", 80, False),
        ("127.0.0.1", "::1", 80, False),
        ("::1", "127.0.0.1", 80, False),
        ("::1", "::1", 80, True),
        ("localhost", "127.0.0.1", 80, True),
        ("localhost", "::1", 80, True),
        ("localhost:80", "127.0.0.1", 81, False),
    ],
)
def test_an_address_is_on_the_list_or_not(entry: str, address: str, port: int, listed: bool) -> None:
    assert policy((entry,)).lists(ip_address(address), port) is listed


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "100.100.100.200",
        "fe80::1",
        "0.0.0.0",
        "::ffff:127.0.0.1",
        "224.0.0.1",
    ],
)
def test_no_name_leads_to_this_machine_or_to_its_credentials(address: str) -> None:
    allowed = policy(("rebound.example", "*.example"))
    assert allowed.why_not(ip_address(address), 80) != ""


@pytest.mark.parametrize("address", ["93.184.216.34", "10.1.2.3", "192.168.1.1", "2606:4700::1"])
def test_a_name_leads_to_any_other_machine(address: str) -> None:
    assert policy(("vectors.internal",)).why_not(ip_address(address), 80) == ""


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("https://api.example.com/v1", "write 'api.example.com:443'"),
        ("http://api.example.com:8080/v1", "write 'api.example.com:8080'"),
        ("api.example.com:http", "no port between 1 and 65535"),
        ("api.example.com:0", "no port between 1 and 65535"),
        ("api.*.com", "is none of"),
        ("", "is none of"),
        ("10.0.0.300", "is none of"),
        ("a b", "is none of"),
    ],
)
def test_what_is_no_entry_is_refused_with_what_would_be_one(entry: str, says: str) -> None:
    with pytest.raises(NotANetwork, match=says.replace("*", r"\*")):
        policy((entry,))


@given(st.text(max_size=40))
def test_any_text_is_an_entry_or_refused(text: str) -> None:
    with suppress(NotANetwork):
        assert not policy((text,)).nowhere


def test_each_listed_host_has_an_address_of_its_own_inside() -> None:
    inside = layout(
        policy(("a.example:443", "a.example:8443", "b.example:443", "localhost:5432", "10.1.2.3:80"))
    )
    places = {(one.host, one.port): one.inside for one in inside.listeners}
    assert places["a.example", 443][0] == places["a.example", 8443][0] != places["b.example", 443][0]
    assert places["localhost", 5432] == ("127.0.0.1", 5432)
    assert places["10.1.2.3", 80] == ("10.1.2.3", 80)
    assert inside.addresses == ("10.1.2.3",)
    assert not inside.gate
    assert inside.env() == {}


def test_what_cannot_be_listed_goes_through_the_gate() -> None:
    for entry in ("*.example.com", "10.0.0.0/8", "localhost", "fd00::1", "a.example"):
        inside = layout(policy((entry,)))
        assert inside.gate, entry
        assert inside.places[-1] == GATE
        assert inside.env()["HTTPS_PROXY"] == "http://127.77.0.1:3128"


def test_one_address_of_this_machine_is_itself_inside_and_no_other() -> None:
    inside = layout(policy(("127.0.0.2:5432", "127.0.0.1:6379")))
    assert [(one.inside, one.host) for one in inside.listeners] == [
        (("127.0.0.2", 5432), "127.0.0.2"),
        (("127.0.0.1", 6379), "127.0.0.1"),
    ]
    assert inside.addresses == ()  # all of 127.0.0.0/8 is there already
    assert not inside.gate


@pytest.mark.parametrize("entry", ["10.1.2.3", "127.0.0.1", "127.0.0.2", "::1"])
def test_an_address_without_a_port_is_not_among_what_is_reached_without_the_proxy(entry: str) -> None:
    assert entry not in layout(policy((entry,))).env()["NO_PROXY"].split(",")


def test_a_host_without_a_port_is_also_reached_without_a_proxy_at_the_usual_ones() -> None:
    inside = layout(policy(("a.example",)))
    assert [(one.host, one.port) for one in inside.listeners] == [("a.example", 443), ("a.example", 80)]


def test_many_hosts_get_different_addresses() -> None:
    inside = layout(policy(tuple(f"host{number}.example:443" for number in range(1000))))
    assert len({one.inside for one in inside.listeners}) == 1000
