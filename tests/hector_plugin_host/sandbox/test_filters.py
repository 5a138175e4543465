"""What a filter says about system calls, on both processors that it is written for."""

import errno

import pytest

from hector_plugin_host.sandbox.seccomp import AF_INET, AF_INET6, AF_UNIX, NEVER, Filter, program
from hector_plugin_host.sandbox.syscalls import Processor, processor

from .filters import verdict

ALLOWED = ("allow", 0)
ASKED = ("notify", 0)
REFUSED = ("errno", errno.EPERM)
DENIED = ("errno", errno.EACCES)
MISSING = ("errno", errno.ENOSYS)
STREAM, DATAGRAM, RAW, SEQUENCED, CLOSE_ON_EXEC = 1, 2, 3, 5, 0o2000000


@pytest.fixture(params=["x86_64", "aarch64"])
def here(request: pytest.FixtureRequest) -> Processor:
    found = processor(request.param)
    assert found is not None
    return found


def said(wanted: Filter, here: Processor, name: str, *arguments: int) -> tuple[str, int]:
    return verdict(program(wanted, here), here.audit_arch, here.numbers[name], arguments)


def test_what_no_plugin_needs_is_refused(here: Processor) -> None:
    for name in NEVER:
        if name in here.numbers:
            assert said(Filter(), here, name) == REFUSED, name


def test_a_call_that_is_not_named_is_allowed(here: Processor) -> None:
    assert verdict(program(Filter(), here), here.audit_arch, 9999) == ALLOWED


def test_another_processor_s_numbers_end_the_process(here: Processor) -> None:
    assert verdict(program(Filter(), here), 0x40000003, 102) == ("kill", 0)


def test_the_second_set_of_numbers_is_not_there() -> None:
    here = processor("x86_64")
    assert here is not None
    assert verdict(program(Filter(), here), here.audit_arch, 0x40000000 + here.numbers["ptrace"]) == MISSING


def test_only_usual_sockets_are_made(here: Processor) -> None:
    for family, expected in (
        (1, ALLOWED),
        (2, ALLOWED),
        (10, ALLOWED),
        (16, ALLOWED),
        (17, DENIED),
        (40, DENIED),
    ):
        assert said(Filter(), here, "socket", family, DATAGRAM, 0) == expected, family


def test_without_a_namespace_only_streams_between_processes_are_made(here: Processor) -> None:
    wanted = Filter(families=(AF_UNIX,), streams_only=True)
    assert said(wanted, here, "socket", AF_UNIX, STREAM | CLOSE_ON_EXEC, 0) == ALLOWED
    assert said(wanted, here, "socket", AF_UNIX, DATAGRAM, 0) == DENIED
    for family in (AF_INET, AF_INET6, 16, 17, 40):
        assert said(wanted, here, "socket", family, STREAM, 0) == DENIED
    for kind in (STREAM, SEQUENCED, STREAM | CLOSE_ON_EXEC):
        assert said(wanted, here, "socketpair", AF_UNIX, kind, 0) == ALLOWED
    for kind in (DATAGRAM, RAW, DATAGRAM | CLOSE_ON_EXEC):  # half of a pair sends to any name
        assert said(wanted, here, "socketpair", AF_UNIX, kind, 0) == DENIED
    assert said(wanted, here, "socketpair", AF_INET, STREAM, 0) == DENIED


def test_who_may_connect_anywhere_makes_no_datagrams_between_processes(here: Processor) -> None:
    wanted = Filter(unix_streams_only=True, asks_connects=True)
    assert said(wanted, here, "socket", AF_UNIX, STREAM | CLOSE_ON_EXEC, 0) == ALLOWED
    for kind in (DATAGRAM, RAW, SEQUENCED):
        assert said(wanted, here, "socket", AF_UNIX, kind, 0) == DENIED
    assert said(wanted, here, "socketpair", AF_UNIX, DATAGRAM, 0) == DENIED
    for family in (AF_INET, AF_INET6, 16):
        for kind in (STREAM, DATAGRAM):
            assert said(wanted, here, "socket", family, kind, 0) == ALLOWED
    assert said(wanted, here, "socket", 17, DATAGRAM, 0) == DENIED
    assert said(wanted, here, "connect", 3) == ASKED


def test_who_may_listen_without_a_namespace_makes_only_tcp(here: Processor) -> None:
    wanted = Filter(families=(AF_UNIX, AF_INET, AF_INET6), streams_only=True)
    for family in (AF_INET, AF_INET6):
        assert said(wanted, here, "socket", family, STREAM, 0) == ALLOWED
        assert said(wanted, here, "socket", family, STREAM | CLOSE_ON_EXEC, 6) == ALLOWED
        assert said(wanted, here, "socket", family, STREAM, 262) == DENIED  # MPTCP
        assert said(wanted, here, "socket", family, DATAGRAM, 0) == DENIED
    assert said(wanted, here, "socket", 16, 3, 0) == DENIED
    assert said(wanted, here, "socket", AF_UNIX, STREAM, 0) == ALLOWED


def test_connecting_while_sending_is_refused_without_a_namespace(here: Processor) -> None:
    wanted = Filter(families=(AF_UNIX, AF_INET), streams_only=True)
    assert said(wanted, here, "sendto", 3, 0, 1, 0x20000000) == REFUSED
    assert said(wanted, here, "sendto", 3, 0, 1, 0x4000) == ALLOWED
    assert said(wanted, here, "sendmsg", 3, 0, 0x20000000) == REFUSED
    assert said(wanted, here, "sendmmsg", 3, 0, 0, 0x20000000) == REFUSED
    assert said(wanted, here, "setsockopt", 3, 6, 30) == REFUSED
    assert said(wanted, here, "setsockopt", 3, 6, 1) == ALLOWED
    assert said(wanted, here, "setsockopt", 3, 1, 30) == ALLOWED


def test_who_may_connect_to_nobody_connects_to_nobody(here: Processor) -> None:
    assert said(Filter(), here, "connect", 3) == ALLOWED
    assert said(Filter(connects=False), here, "connect", 3) == DENIED


def test_the_host_is_asked_to_connect_in_its_place(here: Processor) -> None:
    assert said(Filter(asks_connects=True), here, "connect", 3) == ASKED


def test_terminals_get_no_input_from_plugins(here: Processor) -> None:
    assert said(Filter(), here, "ioctl", 0, 0x5412) == REFUSED
    assert said(Filter(), here, "ioctl", 0, 0x541C) == REFUSED
    assert said(Filter(), here, "ioctl", 0, 0x5413) == ALLOWED


def test_processes_are_made_but_no_namespaces(here: Processor) -> None:
    assert said(Filter(), here, "clone", 17) == ALLOWED
    assert said(Filter(), here, "clone", 0x10000000 | 17) == REFUSED
    assert said(Filter(), here, "clone3") == MISSING


def test_the_host_is_asked_about_processes_and_not_about_threads(here: Processor) -> None:
    wanted = Filter(counts_processes=True)
    assert said(wanted, here, "clone", 17) == ASKED
    assert said(wanted, here, "clone", 0x00010000) == ALLOWED
    assert said(wanted, here, "clone", 0x20000000 | 17) == REFUSED
    assert said(wanted, here, "setsid") == ASKED
    if "fork" in here.numbers:
        assert said(wanted, here, "fork") == ASKED
        assert said(wanted, here, "vfork") == ASKED


def test_without_a_sandbox_only_processes_are_counted(here: Processor) -> None:
    wanted = Filter(confined=False, counts_processes=True)
    assert said(wanted, here, "ptrace") == ALLOWED
    assert said(wanted, here, "socket", 40, STREAM, 0) == ALLOWED
    assert said(wanted, here, "clone", 17) == ASKED
    assert said(wanted, here, "clone", 0x10000000) == ASKED


def test_a_plugin_stays_on_its_processors(here: Processor) -> None:
    assert said(Filter(pinned=True), here, "sched_setaffinity") == REFUSED
    assert said(Filter(), here, "sched_setaffinity") == ALLOWED
