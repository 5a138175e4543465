"""Contract: the handshake line of go-plugin, version 1, read by the host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hector_plugin_host.handshake import Handshake, NoHandshake, read

GOOD = {
    b"1|1|unix|/tmp/hp-x/plugin.sock|grpc|\n": Handshake("unix", "/tmp/hp-x/plugin.sock"),
    b"1|1|unix|/tmp/hp-x/plugin.sock|grpc\n": Handshake("unix", "/tmp/hp-x/plugin.sock"),
    b"1|1|unix|/tmp/x|grpc||true\r\n": Handshake("unix", "/tmp/x"),
    b"1|1|tcp|127.0.0.1:4711|grpc|MIIBcert": Handshake("tcp", "127.0.0.1:4711"),
    b"  1|1|tcp|localhost:1|grpc|": Handshake("tcp", "localhost:1"),
    b"1|1|tcp|[::1]:65535|grpc|": Handshake("tcp", "[::1]:65535"),
    b"1|1|tcp|127.8.8.8:80|grpc|": Handshake("tcp", "127.8.8.8:80"),
}


@pytest.mark.parametrize("line", GOOD)
def test_a_line_says_where_a_plugin_listens(line: bytes) -> None:
    assert read(line) == GOOD[line]


def test_a_place_is_said_as_grpc_takes_it() -> None:
    assert read(b"1|1|unix|/tmp/x|grpc|").target == "unix:/tmp/x"
    assert read(b"1|1|tcp|127.0.0.1:4711|grpc|").target == "127.0.0.1:4711"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", "the first line on its standard output is empty"),
        (
            b"Plugin server started on port 8081",
            '"Plugin server started on port 8081", which is no handshake',
        ),
        (b"\x1b[31mred\x1b[0m", r'"\x1b[31mred\x1b[0m", which is no handshake line'),
        (b"\xff\xfe", "no handshake line"),
        (b"1|1|unix", "no handshake line"),
        (b"one|1|unix|/tmp/x|grpc", "no handshake line"),
    ],
)
def test_a_stray_line_is_quoted(line: bytes, said: str) -> None:
    with pytest.raises(NoHandshake) as refused:
        read(line)
    assert said in str(refused.value)
    assert refused.value.stray
    assert not refused.value.final
    assert "standard error" in refused.value.fix


@pytest.mark.parametrize(
    ("line", "said", "final"),
    [
        (b"2|1|unix|/tmp/x|grpc|", 'version "2" of the handshake', True),
        (b"1|5|unix|/tmp/x|grpc|", 'version "5" of Hector\'s protocol', True),
        (b"1|1|unix|/tmp/x", "net/rpc and not grpc", True),
        (b"1|1|unix|/tmp/x|netrpc|", '"netrpc" and not grpc', True),
        (b"1|1|pipe|/tmp/x|grpc|", 'the network "pipe"', False),
        (b"1|1|unix|x.sock|grpc|", "say the socket's absolute path", False),
        (b"1|1|unix||grpc|", "say the socket's absolute path", False),
        (b"1|1|unix|/" + b"x" * 107 + b"|grpc|", "its socket's path has 108 bytes", False),
        (b"1|1|tcp|0.0.0.0:4711|grpc|", "where others than this machine could reach it", False),
        (b"1|1|tcp|example.org:4711|grpc|", "where others than this machine could reach it", False),
        (b"1|1|tcp|:4711|grpc|", "where others than this machine could reach it", False),
        (b"1|1|tcp|127.0.0.1|grpc|", "say host and port", False),
        (b"1|1|tcp|127.0.0.1:0|grpc|", "the port that it was given", False),
        (b"1|1|tcp|127.0.0.1:70000|grpc|", "say host and port", False),
        (b"1|1|tcp|127.0.0.1:000080000|grpc|", "say host and port", False),
        (b"1|1|tcp|127.0.0.1:" + b"0" * 5 + b"1" * 5000 + b"|grpc|", "say host and port", False),
        (b"1|1|tcp|127.0.0.1:00001" + b"1" * 5000 + b"|grpc|", "say host and port", False),
        ("1|1|tcp|127.0.0.1:²|grpc|".encode(), "say host and port", False),
    ],
)
def test_a_line_that_cannot_be_used_says_what_to_do(line: bytes, said: str, final: bool) -> None:
    with pytest.raises(NoHandshake) as refused:
        read(line)
    assert said in str(refused.value)
    assert refused.value.fix
    assert (refused.value.final, refused.value.stray) == (final, False)


FIELDS = st.sampled_from(
    ["1", "2", "", "unix", "tcp", "grpc", "netrpc", "/tmp/x", "127.0.0.1:1", "[::1]:9", ":", "\x00", "é" * 60]
)


@given(st.one_of(st.binary(max_size=300), st.lists(FIELDS, max_size=9).map(lambda f: "|".join(f).encode())))
def test_whatever_is_printed_is_a_place_on_this_machine_or_refused_in_one_line(line: bytes) -> None:
    found = outcome(line)
    if isinstance(found, Handshake):
        assert found.target.startswith(("unix:/", "127.", "localhost:", "[::1]:"))
        assert len(found.address.encode()) <= 107
        return
    assert found.why
    assert found.fix
    assert str(found).isprintable()
    assert len(str(found)) < 3_000


def outcome(line: bytes) -> Handshake | NoHandshake:
    try:
        return read(line)
    except NoHandshake as refused:
        return refused
