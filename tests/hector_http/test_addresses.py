"""Ours (decisions.md, security defaults): where a stranger's URL may lead."""

import ipaddress

import pytest

from hector_http import why_refused


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("169.254.169.254", "a metadata service"),
        ("169.254.1.1", "link-local"),
        ("100.100.100.200", "a metadata service"),
        ("168.63.129.16", "a metadata service"),
        ("100.64.0.1", "reserved"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("255.255.255.255", "private"),
        ("240.0.0.1", "private"),
        ("192.0.2.1", "private"),
        ("198.18.0.1", "private"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fc00::1", "private"),
        ("fd00:ec2::254", "a metadata service"),
        ("ff02::1", "multicast"),
        ("fec0::1", "reserved"),
        # An IPv4 address inside an IPv6 one is where the packet ends up.
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "a metadata service"),
        ("::127.0.0.1", "loopback"),
        ("64:ff9b::10.0.0.1", "private"),
        ("2002:7f00:1::", "loopback"),
        ("2001:0:4136:e378:8000:63bf:f5ff:fffe", "private"),
        ("not an address", "not an IP address"),
        ("localhost", "not an IP address"),
    ],
)
def test_what_is_not_public_is_refused_and_says_why(address: str, why: str) -> None:
    assert why_refused(address) == why


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::1.1.1.1", "::ffff:8.8.8.8"]
)
def test_what_is_public_is_not(address: str) -> None:
    assert why_refused(address) == ""


def test_a_listed_network_is_let_through_and_its_neighbour_is_not() -> None:
    allowed = [ipaddress.ip_network("10.1.0.0/16")]
    assert why_refused("10.1.2.3", allowed) == ""
    assert why_refused("::ffff:10.1.2.3", allowed) == ""
    assert why_refused("10.2.0.1", allowed) == "private"
