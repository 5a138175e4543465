"""Pieces of a stream that wait for a slow reader are joined, and nothing is lost or moved by that."""

import itertools
import random

import pytest

import hector_a2a as a2a
from hector.common.v1 import Reasoning, TokenUsage
from hector.llm.v1 import FINISH_REASON_STOP, StreamTextResponse, ToolCallDelta
from hector_runtime.merging import MERGES, merge_pieces, merge_updates


def text(words, artifact="a", **more):
    update = a2a.StreamResponse()
    update.artifact_update.artifact.artifact_id = artifact
    update.artifact_update.artifact.parts.add(text=words)
    update.artifact_update.append = more.pop("append", True)
    update.artifact_update.metadata["hector.seq"] = more.pop("place", "1.1")
    for name, value in more.items():
        setattr(update.artifact_update, name, value)
    return update


def status():
    update = a2a.StreamResponse()
    update.status_update.status.state = a2a.TASK_STATE_WORKING
    return update


def merged(pieces, merge):
    """Join a stream as a server does whose reader is slow all the time."""
    out = []
    for piece in pieces:
        copy = type(piece)()
        copy.CopyFrom(piece)
        joined = merge(out[-1], copy) if out else None
        if joined is None:
            out.append(copy)
        else:
            out[-1] = joined
    return out


def seen(updates):
    """Fold updates as a client does: the text of every artifact, and what came between."""
    artifacts, order = {}, []
    for update in updates:
        if update.WhichOneof("payload") == "artifact_update":
            one = update.artifact_update
            before = artifacts.get(one.artifact.artifact_id, "") if one.append else ""
            artifacts[one.artifact.artifact_id] = before + "".join(part.text for part in one.artifact.parts)
            order.append(("text", one.artifact.artifact_id, artifacts[one.artifact.artifact_id]))
            if one.last_chunk:
                order.append(("last", one.artifact.artifact_id))
        else:
            order.append(("status",))
    # Of text that grows without anything between only the whole counts.
    kept = [
        event
        for event, after in itertools.pairwise([*order, None])
        if not (event[0] == "text" and after and after[:2] == event[:2] and after[2].startswith(event[2]))
    ]
    return artifacts, kept


def test_joined_updates_mean_what_the_updates_mean():
    chance = random.Random(7)
    for _ in range(300):
        stream = []
        for number in range(chance.randrange(1, 30)):
            if chance.random() < 0.15:
                stream.append(status())
            else:
                stream.append(
                    text(
                        f"{number} ",
                        chance.choice("ab"),
                        append=chance.random() > 0.1,
                        last_chunk=chance.random() < 0.1,
                    )
                )
        joined = merged(stream, merge_updates)
        assert seen(joined) == seen(stream)
        assert len(joined) <= len(stream)


def test_text_of_one_artifact_becomes_one_update():
    joined = merged([text("a", append=False), text("b"), text("c", last_chunk=True)], merge_updates)
    assert len(joined) == 1
    update = joined[0].artifact_update
    assert (update.artifact.parts[0].text, update.append, update.last_chunk) == ("abc", False, True)


def test_joining_changes_neither_update_for_those_who_got_them_apart():
    """Ours: all readers of a run are given the same messages."""
    first, second = text("a", append=False), text("b")
    joined = merge_updates(first, second)
    assert (first, second) == (text("a", append=False), text("b"))
    assert merge_updates(status(), first) is None
    assert joined.artifact_update.artifact.parts[0].text == "ab"


@pytest.mark.parametrize("places", [("3.1", "3.9"), ("3.9", "4.2"), ("3.9", "3")])
def test_a_text_is_joined_with_more_of_it_committed_or_not(places):
    first, second = (text("x", place=place) for place in places)
    joined = merge_updates(first, second)
    assert joined.artifact_update.artifact.parts[0].text == "xx"
    assert joined.artifact_update.metadata["hector.seq"] == places[1]


def test_the_joined_update_is_where_the_second_was():
    first, second = text("a"), text("b")
    first.artifact_update.metadata["hector.at"] = "1.0"
    second.artifact_update.metadata["hector.at"] = "1.1"
    assert merged([first, second], merge_updates)[0].artifact_update.metadata["hector.at"] == "1.1"


def file_part():
    update = text("a")
    update.artifact_update.artifact.parts[0].Clear()
    update.artifact_update.artifact.parts[0].raw = b"x"
    return update


def two_parts():
    update = text("a")
    update.artifact_update.artifact.parts.add(text="b")
    return update


@pytest.mark.parametrize(
    "pair",
    [
        (text("a"), text("b", "other")),
        (text("a"), text("b", append=False)),
        (text("a", last_chunk=True), text("b")),
        (text("a"), status()),
        (status(), text("a")),
        (status(), status()),
        (file_part(), text("b")),
        (text("b"), file_part()),
        (two_parts(), text("b")),
        (text("b"), two_parts()),
        (text("a", place="3"), text("b", place="4.1")),
        (text("a", place="3.1"), text("b", place="4")),
        (text("a", place="3"), text("b", place="4")),
    ],
    ids=range(13),
)
def test_what_is_not_more_text_of_the_same_artifact_is_not_joined(pair):
    assert merged(pair, merge_updates) == list(pair)


def test_pieces_of_a_models_text_are_joined_with_what_comes_after_it():
    pieces = [StreamTextResponse(text="a", model="m"), StreamTextResponse(text="b")]
    call = StreamTextResponse(tool_calls=[ToolCallDelta(name="look")])
    end = StreamTextResponse(done=True, usage=TokenUsage(total_tokens=2), finish_reason=FINISH_REASON_STOP)
    both = StreamTextResponse(text="ab", model="m")
    assert merged(pieces, merge_pieces) == [both]
    both.MergeFrom(end)
    assert merged([*pieces, end], merge_pieces) == [both]
    assert merged([*pieces, call], merge_pieces) == [
        StreamTextResponse(text="ab", model="m", tool_calls=call.tool_calls)
    ]


@pytest.mark.parametrize(
    "first",
    [
        StreamTextResponse(text="c", done=True),
        StreamTextResponse(tool_calls=[ToolCallDelta(name="look")]),
        StreamTextResponse(reasoning=Reasoning(text="hm")),
    ],
    ids=["end", "call", "thought"],
)
def test_text_that_comes_after_something_else_stays_after_it(first):
    text = StreamTextResponse(text="a")
    assert merged([first, text], merge_pieces) == [first, text]


def test_a_thought_or_a_failure_after_text_stays_apart():
    text = StreamTextResponse(text="a")
    for other in (StreamTextResponse(reasoning=Reasoning(text="hm")), StreamTextResponse(error="gone")):
        assert merged([text, other], merge_pieces) == [text, other]


def test_every_method_that_is_merged_exists_and_streams():
    for path in MERGES:
        service, method = path.strip("/").split("/")
        pool = StreamTextResponse.DESCRIPTOR.file.pool
        assert pool.FindServiceByName(service).methods_by_name[method].server_streaming
