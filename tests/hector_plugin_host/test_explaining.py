"""A plugin's failure, as its callers read it."""

from dataclasses import replace

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from hector_mesh import info_of, status_of
from hector_mesh.interceptor import Unexpected
from hector_mesh.status import STATUS_DETAILS
from hector_plugin_host.call_errors import as_rpc_error
from hector_plugin_host.explaining import Circumstances, explained

ABOUT = Circumstances("drv", "StreamText", 60.0, by_security=False, exit_="", secrets=frozenset({"hunter22"}))


def said(code: StatusCode, details: str, *trailers: tuple[str, bytes]) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(*trailers), details)


def test_an_exception_of_a_plugin_is_told_with_the_plugins_name_and_keeps_what_it_says_to_programs() -> None:
    told = explained(as_rpc_error(Unexpected("r1")), ABOUT)
    expected = "plugin 'drv' failed in StreamText: an unexpected error; logged as r1"
    assert (told.details() or "").startswith(expected)
    assert status_of(told).message == told.details()
    assert (told.code(), info_of(told).reason) == (StatusCode.INTERNAL, "INTERNAL")
    assert info_of(told).metadata["request_id"] == "r1"


def test_a_plugin_that_says_nothing_but_a_code_is_named_too_and_tells_no_secret() -> None:
    told = explained(said(StatusCode.UNKNOWN, ""), ABOUT)
    assert told.details() == "plugin 'drv' failed in StreamText: it says UNKNOWN, and not why"
    told = explained(said(StatusCode.UNKNOWN, "hunter22 is wrong", (STATUS_DETAILS, b"\xff")), ABOUT)
    assert told.details() == "plugin 'drv' failed in StreamText: *** is wrong"


@pytest.mark.parametrize(
    ("way", "what"),
    [("Received", "answered StreamText with"), ("Sent", "was to be asked StreamText with")],
)
def test_a_message_that_is_too_large_is_told_with_the_plugin_the_rpc_and_the_key(way: str, what: str) -> None:
    text = f"CLIENT: {way} message larger than max (73400327 vs. 67108864)"
    told = explained(said(StatusCode.RESOURCE_EXHAUSTED, text), ABOUT)
    assert told.details() == (
        f"plugin 'drv' {what} a message of 73,400,327 bytes, and 67,108,864 are allowed; send less, or raise "
        "its limits.max_message_size"
    )
    assert (told.code(), info_of(told).reason) == (StatusCode.RESOURCE_EXHAUSTED, "PLUGIN_MESSAGE_TOO_LARGE")


def test_a_plugin_elsewhere_that_does_not_know_us_is_named_and_its_auth_pointed_at() -> None:
    refusal = said(StatusCode.UNAUTHENTICATED, "who are you?")
    told = explained(refusal, replace(ABOUT, is_attached=True))
    assert told.code() is StatusCode.UNAUTHENTICATED
    assert told.details() == (
        "plugin 'drv' refused StreamText: who are you?; if it means Hector, see to `auth` of its entry"
    )
    assert explained(refusal, ABOUT) is refusal  # it was started with its token


@pytest.mark.parametrize(
    "code", [StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND, StatusCode.RESOURCE_EXHAUSTED]
)
def test_what_a_plugin_means_its_caller_to_read_is_left_as_it_is(code: StatusCode) -> None:
    error = said(code, "there is no such model")
    assert explained(error, ABOUT) is error
