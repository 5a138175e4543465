"""Queries as ProtoJSON has them: whatever a message of 1.0 holds can be said in one, if it is flat."""

from urllib.parse import urlencode

import hypothesis.strategies as st
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings

import hector_a2a as a2a
from hector_a2a.json_in import from_json
from hector_gateway.query import from_query

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
SIZES = st.integers(-(2**31), 2**31 - 1)
TIMES = st.tuples(st.integers(-62_135_596_800, 253_402_300_799), st.integers(0, 999))


@st.composite
def asked(draw: st.DrawFn) -> a2a.ListTasksRequest:
    request = a2a.ListTasksRequest(
        context_id=draw(TEXT),
        page_token=draw(TEXT),
        status=draw(st.sampled_from(a2a.TaskState.values())),
        page_size=draw(st.none() | SIZES),
        history_length=draw(st.none() | SIZES),
        include_artifacts=draw(st.none() | st.booleans()),
    )
    if time := draw(st.none() | TIMES):
        request.status_timestamp_after.seconds = time[0]
        request.status_timestamp_after.nanos = time[1] * 1_000_000
    return request


@settings(derandomize=True, database=None, deadline=None, max_examples=200)
@given(request=asked(), original_names=st.booleans())
def test_a_flat_message_is_the_same_in_a_query(request: a2a.ListTasksRequest, original_names: bool) -> None:
    """A2A 1.0 section 11.5: names in camelCase, booleans as true and false, enums by name, times as text."""
    found = MessageToDict(request, preserving_proto_field_name=original_names)
    said = {name: str(value).lower() if isinstance(value, bool) else value for name, value in found.items()}
    read = from_query(urlencode(said).encode(), a2a.ListTasksRequest.DESCRIPTOR)
    assert from_json(read, a2a.ListTasksRequest, complete=False) == request


@settings(derandomize=True, database=None, deadline=None, max_examples=200)
@given(query=st.binary(max_size=60))
def test_any_query_is_read_or_refused(query: bytes) -> None:
    assert isinstance(outcome(query), dict)


def outcome(query: bytes) -> object:
    """Return what a query says, or what is wrong with which of its fields."""
    try:
        return from_query(query, a2a.ListTasksRequest.DESCRIPTOR)
    except a2a.InvalidParams as refused:
        return dict(refused.facts) or None
